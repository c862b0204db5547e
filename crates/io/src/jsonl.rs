//! JSON Lines: one JSON value per line, read by a [`Source`] and written by a [`Sink`].
//!
//! Reading is strict. A line that is not UTF-8, holds a NUL, is longer than
//! [`Limits::line_bytes_max`], nests deeper than [`DEPTH_MAX`] or does not decode is an error that
//! says `file:line:column: what (expected what)`; a [`Reject`] policy may turn it into a count or
//! a line in a reject file. Never is a byte replaced or a value guessed. A byte order mark, CRLF
//! and blank lines are passed over, and the last line needs no newline.
//!
//! Two cuts can't be seen in an uncompressed file: one exactly between two lines, and one inside a
//! bare number (`12` of `123`) that ends the file. Compressed files, and lines that are objects,
//! show both.
//!
//! Writing is atomic unless asked otherwise: the target is replaced when the run completed, whole
//! and on disk, or not at all. What was written can be read back: values that JSON Lines can't
//! carry (NaN, infinities, excessive depth or length) are refused instead of changed.
//!
//! Files that end in `.gz` are gzip (of any number of members) and those in `.zst` Zstandard.
//!
//! Without a pipeline there are [`read`] and [`Writer`]:
//!
//! ```
//! use selvedge_io::jsonl;
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("squares.jsonl.gz");
//!
//! let mut writer = jsonl::Writer::atomic(&path)?;
//! for n in 0..4_u32 {
//!     writer.write(&n.pow(2))?;
//! }
//! writer.finish()?;
//!
//! let squares: Vec<u32> = jsonl::read(&path).collect::<Result<_, _>>()?;
//! assert_eq!(squares, [0, 1, 4, 9]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod limits;

mod compression;
mod error;

mod decode;
mod line;
mod value;

mod input;
mod records;

mod load;
mod reject;
mod source;

mod finite;
mod flush;
mod line_writer;
mod target;
mod writer;

mod sink;

pub use compression::Compression;
pub use error::{Fate, ReadError, Reason, WriteError};
pub use flush::Flush;
pub use limits::{DEPTH_MAX, Limits};
pub use load::{Counts, Exhausted, Load};
pub use records::{Records, read};
pub use reject::Reject;
pub use sink::Sink;
pub use source::Source;
pub use writer::{Writer, Written};
