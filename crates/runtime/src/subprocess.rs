//! Owns other programs: started without a shell, given bytes on their standard input, heard on
//! their standard output, held to limits, and never left behind. Refuses to know what the bytes
//! mean, but for [`Program::call`], which speaks JSON. Unix only.
//!
//! `program` is what is said before, `streams` what goes in and comes out, `waiting` how it ends.
//!
//! A program leads a process group of its own. Whatever ends the wait (its exit, its limits, a
//! [`Stopper`], a dropped [`Subprocess`]), the group is killed, and then the program is reaped, in
//! this order: until then nobody else can have its number.

mod error;
mod program;
mod streams;
mod waiting;

pub use error::{SubprocessError, Told};
pub use program::Program;
pub use waiting::{Answer, Stopper, Subprocess};
