//! Owns `Input`: a JSON Lines file that is open for reading, and the errors that name its path.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::jsonl::compression::{Compression, Decoder};
use crate::jsonl::decode::{self, Fault};
use crate::jsonl::error::ReadError;
use crate::jsonl::line::{Line, LineReader};

/// A file that is open for reading.
pub(crate) struct Input {
    path: PathBuf,
    compression: Compression,
    lines: LineReader<Decoder>,
}

impl Input {
    pub(crate) fn open(path: &Path, line_bytes_max: usize) -> Result<Input, ReadError> {
        let opening = |cause| ReadError::Open { path: path.to_owned(), cause };
        let file = File::open(path).map_err(opening)?;
        if file.metadata().map_err(opening)?.is_dir() {
            return Err(ReadError::Directory { path: path.to_owned() });
        }
        let compression = Compression::of(path);
        let decoder = Decoder::new(compression, file)
            .map_err(|cause| ReadError::reading(path, 0, compression, cause))?;
        let lines = LineReader::new(decoder, line_bytes_max);
        Ok(Input { path: path.to_owned(), compression, lines })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How many lines have been read, blank ones included.
    pub(crate) fn n_lines(&self) -> u64 {
        self.lines.number()
    }

    /// How many bytes have been read, after decompression.
    pub(crate) fn position(&self) -> u64 {
        self.lines.position()
    }

    /// The next line that is not blank.
    pub(crate) fn next_record(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        let number = self.lines.number();
        let (path, compression) = (self.path.as_path(), self.compression);
        match self.lines.next_line() {
            Ok(line) => Ok(line.map(|line| Record { path, line })),
            Err(cause) => Err(ReadError::reading(path, number, compression, cause)),
        }
    }

    /// Passes over the rest of a line that was cut, as far as `bytes_max`; whether some is left.
    pub(crate) fn skip(&mut self, bytes_max: u64) -> Result<bool, ReadError> {
        let line = self.lines.number();
        self.lines
            .skip(bytes_max)
            .map_err(|cause| ReadError::reading(&self.path, line, self.compression, cause))
    }
}

/// A line, and the file it stands in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) path: &'a Path,
    pub(crate) line: Line<'a>,
}

impl Record<'_> {
    /// The column, from 1 and in characters, at which the fault shows.
    pub(crate) fn column(&self, fault: &Fault) -> u64 {
        decode::column(self.line.bytes, fault.at)
    }

    /// The error that tells of the fault.
    pub(crate) fn malformed(&self, fault: Fault) -> ReadError {
        ReadError::Malformed {
            path: self.path.to_owned(),
            line: self.line.number,
            column: self.column(&fault),
            offset: self.line.offset + fault.at as u64,
            reason: fault.reason,
        }
    }
}
