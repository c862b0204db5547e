//! Owns what can be wrong with a line, with reading and with writing, and how it is told: what,
//! where and what to do about it. The operating system's words are part of the message, so that
//! none of these errors needs its causes printed beside it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use selvedge_event::Name;
use thiserror::Error;

use crate::jsonl::compression::Compression;

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Reason {
    /// A byte that no UTF-8 text has there. It is never replaced.
    #[error("invalid UTF-8 at byte 0x{byte:02x} (expected UTF-8 text)")]
    InvalidUtf8 {
        /// The first byte that does not fit.
        byte: u8,
    },
    /// A NUL byte, as holes in files that were not written to the end have.
    #[error("a NUL byte (expected text: was the file written to the end?)")]
    Nul,
    /// The line is longer than allowed.
    #[error(
        "a line of {seen} bytes or more (expected at most {line_bytes_max}: raise \
         `line_bytes_max` if such lines are meant)"
    )]
    TooLong {
        /// How much of it had been seen when it was given up.
        seen: u64,
        /// The limit.
        line_bytes_max: usize,
    },
    /// Arrays and objects stand too deep in one another.
    #[error("nested too deep (expected at most {depth_max} levels)")]
    TooDeep {
        /// [`DEPTH_MAX`](super::DEPTH_MAX).
        depth_max: u32,
    },
    /// The line is not one JSON value.
    #[error("{problem} (expected {expected})")]
    NotJson {
        /// What stands there.
        problem: String,
        /// What should.
        expected: String,
    },
    /// The line is JSON, but not the value asked for.
    #[error("{problem} (expected {expected})")]
    Mismatch {
        /// What stands there.
        problem: String,
        /// What should.
        expected: String,
    },
}

/// Why a JSON Lines file could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file could not be opened.
    #[error("can't open `{}`: {cause}; {}", path.display(), hint(cause))]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The path names a directory.
    #[error("can't read `{}`: it is a directory; name one file in it", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// The file, or its compression, broke off with an error.
    #[error("can't read `{}` after line {line}: {cause}; {}", path.display(), damage_hint(cause))]
    Read {
        /// The file.
        path: PathBuf,
        /// The last line that had been read.
        line: u64,
        /// What the operating system or the decompressor said.
        cause: io::Error,
    },
    /// A compressed file is not whole.
    #[error(
        "`{}` is cut off after line {line}: its {compression} stream has no end; get a whole copy \
         of the file",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The last line that had been read.
        line: u64,
        /// How the file is compressed.
        compression: Compression,
    },
    /// A line is not what it should be.
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1, counting blank ones.
        line: u64,
        /// The column, from 1, in characters.
        column: u64,
        /// The byte's place in the file, from 0, after decompression.
        offset: u64,
        /// What is wrong there.
        reason: Reason,
    },
    /// A load asks for a share that is none.
    #[error("can't load `{name}` with sample {sample}: give a number from 0 to 1")]
    Sample {
        /// The source.
        name: Name,
        /// The share asked for.
        sample: f64,
    },
    /// More loads were asked for than may wait.
    #[error(
        "can't queue another load of `{name}`: {waiting} wait already; send the next one after \
         `{name}$`"
    )]
    TooManyLoads {
        /// The source.
        name: Name,
        /// How many wait.
        waiting: usize,
    },
    /// The reject file is the file that is read.
    #[error("can't divert rejected lines into `{}`: it is the file being read", path.display())]
    DivertsIntoItself {
        /// The file.
        path: PathBuf,
    },
    /// A rejected line could not be kept.
    #[error("can't keep a rejected line: {cause}")]
    Divert {
        /// Why.
        cause: Box<WriteError>,
    },
}

/// Why a JSON Lines file could not be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The operating system refused.
    #[error("can't {operation} `{}`: {cause}; {}{}", path.display(), hint(cause), fate.told())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done: `create`, `write`, `sync`, `replace`.
        operation: &'static str,
        /// What the operating system said.
        cause: io::Error,
        /// What this means for the target.
        fate: Fate,
    },
    /// The target is a directory or a device, which can't be replaced.
    #[error(
        "can't replace `{}`: it is not a regular file; name a file, or use `append` or `truncate`",
        path.display()
    )]
    NotAFile {
        /// The target.
        path: PathBuf,
    },
    /// The file to append to is not sound.
    #[error("can't append to `{}`: {cause}", path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: Box<ReadError>,
    },
    /// A value holds a number that JSON has no word for. It is never written as `null`.
    #[error(
        "{}:{line}: `{field}` is NaN or infinite, which JSON can't carry; write an Option, a text \
         or a sentinel of your own",
        path.display()
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The line that was to be written.
        line: u64,
        /// Where in the value the number stands.
        field: String,
    },
    /// A value nests deeper than a reader would accept.
    #[error("{}:{line}: the value nests more than {depth_max} levels deep", path.display())]
    TooDeep {
        /// The file.
        path: PathBuf,
        /// The line that was to be written.
        line: u64,
        /// [`DEPTH_MAX`](super::DEPTH_MAX).
        depth_max: u32,
    },
    /// A value takes a longer line than a reader would accept.
    #[error(
        "{}:{line}: the value takes more than {line_bytes_max} bytes; raise `line_bytes_max` here \
         and where the file is read",
        path.display()
    )]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The line that was to be written.
        line: u64,
        /// The limit.
        line_bytes_max: usize,
    },
    /// A value's own code could not serialize it.
    #[error("{}:{line}: the value can't be serialized: {problem}", path.display())]
    Unserializable {
        /// The file.
        path: PathBuf,
        /// The line that was to be written.
        line: u64,
        /// What its code said.
        problem: String,
    },
    /// An earlier write failed, and part of a line may have been written.
    #[error("can't go on writing `{}` after a failed write; start over", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
    },
    /// The sink has heard the end of the run.
    #[error("can't write `{}`: it was closed at the end of the run", path.display())]
    Closed {
        /// The file.
        path: PathBuf,
    },
}

/// What a failed write means for the file that was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// It is as it was before.
    Untouched,
    /// It may end in half a line.
    Partial,
    /// It was replaced, but may be gone after a power cut.
    Replaced,
}

impl Fate {
    fn told(self) -> &'static str {
        match self {
            Fate::Untouched => "; nothing was replaced",
            Fate::Partial => "; the file may end in half a line",
            Fate::Replaced => "; the file was replaced, but the change may not outlive a power cut",
        }
    }
}

impl ReadError {
    /// An error met while bytes were read, told apart from a stream that ends too early.
    pub(crate) fn reading(
        path: &Path,
        line: u64,
        compression: Compression,
        cause: io::Error,
    ) -> ReadError {
        let path = path.to_owned();
        match cause.kind() {
            ErrorKind::UnexpectedEof => ReadError::Truncated { path, line, compression },
            ErrorKind::IsADirectory => ReadError::Directory { path },
            _ => ReadError::Read { path, line, cause },
        }
    }
}

/// What to do about an error of the operating system.
fn hint(cause: &io::Error) -> &'static str {
    match cause.kind() {
        ErrorKind::NotFound => "check the path",
        ErrorKind::PermissionDenied => "check who may use the file and its folder",
        ErrorKind::StorageFull => "free space and run again",
        ErrorKind::QuotaExceeded => "free space or raise the quota and run again",
        ErrorKind::ReadOnlyFilesystem => "choose a folder that can be written",
        ErrorKind::NotADirectory => "a part of the path is a file: check the path",
        _ => "check the file and the disk it is on",
    }
}

/// The same for what was read so far without an error.
fn damage_hint(cause: &io::Error) -> &'static str {
    match cause.kind() {
        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::Other => {
            "the file is damaged, or is not what its extension says"
        }
        _ => hint(cause),
    }
}
