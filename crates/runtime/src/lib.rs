//! The event runtime.

mod context;
mod processor;

pub use context::Context;
pub use processor::{Processor, Pull, Result};
pub use selvedge_macros::processor;
