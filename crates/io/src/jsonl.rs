//! JSON Lines: one JSON value per line, read strictly and in bounded memory.

mod limits;

mod compression;
mod error;

mod decode;
mod line;
mod value;

mod input;
mod records;

pub use compression::Compression;
pub use error::{Fate, ReadError, Reason, WriteError};
pub use limits::{DEPTH_MAX, Limits};
pub use records::{Records, read};
