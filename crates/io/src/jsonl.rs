//! JSON Lines: one JSON value per line, read strictly and written whole.

mod limits;

mod compression;
mod error;

mod decode;
mod line;
mod value;

mod input;
mod records;

mod clock;
mod finite;
mod flush;
mod line_writer;
mod target;
mod writer;

pub use compression::Compression;
pub use error::{Fate, ReadError, Reason, WriteError};
pub use flush::Flush;
pub use limits::{DEPTH_MAX, Limits};
pub use records::{Records, read};
pub use writer::{Writer, Written};
