//! Owns what happens to a line that can't be read, and the file that keeps such lines.

use std::borrow::Cow;
use std::fs;
use std::ops::Not;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::jsonl::decode::Fault;
use crate::jsonl::error::{ReadError, WriteError};
use crate::jsonl::flush::Flush;
use crate::jsonl::input::Record;
use crate::jsonl::limits::Limits;
use crate::jsonl::writer::Writer;

/// What a source does with a line that can't be read.
///
/// A file that can't be read on at all (missing, damaged, cut off) is an error under every policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reject {
    /// The load ends with an error that says where and why.
    #[default]
    Fail,
    /// The line is left out and counted.
    Skip,
    /// The line is left out, counted, and kept in this file, which the first load begins anew.
    ///
    /// The file is JSON Lines itself: `file`, `line`, `column` and `reason` as the error would say
    /// them, and the line without its line end as `raw`, or as hexadecimal `raw_hex` where it is
    /// not UTF-8. Of a line over the limit only the beginning is there, marked `"cut":true`.
    Divert(PathBuf),
}

/// The file that keeps rejected lines.
#[derive(Debug)]
pub(crate) struct RejectFile {
    writer: Writer,
    is_flushed: bool,
}

/// One rejected line as it is kept.
#[derive(Serialize)]
struct Rejected<'a> {
    file: Cow<'a, str>,
    line: u64,
    column: u64,
    reason: String,
    #[serde(flatten)]
    raw: Raw<'a>,
    #[serde(skip_serializing_if = "Not::not")]
    cut: bool,
}

#[derive(Serialize)]
enum Raw<'a> {
    #[serde(rename = "raw")]
    Text(&'a str),
    #[serde(rename = "raw_hex")]
    Hex(String),
}

impl RejectFile {
    /// Begins the file anew, unless it is the one that is read.
    pub(crate) fn create(
        path: &Path,
        input: &Path,
        limits: &Limits,
    ) -> Result<RejectFile, ReadError> {
        let is_same = |path: PathBuf| fs::canonicalize(input).is_ok_and(|input| input == path);
        if fs::canonicalize(path).is_ok_and(is_same) {
            return Err(ReadError::DivertsIntoItself { path: path.to_owned() });
        }
        // An escape takes up to six bytes for one, and the rest of the entry has to fit as well.
        let line_bytes_max = limits.line_bytes_max.saturating_mul(6).saturating_add(1 << 16);
        let limits = Limits { line_bytes_max, ..*limits };
        let writer = Writer::truncate(path).map_err(failed)?;
        let writer = writer.with_flush(Flush::AtClose).with_limits(limits);
        Ok(RejectFile { writer, is_flushed: true })
    }

    pub(crate) fn keep(&mut self, record: &Record<'_>, fault: &Fault) -> Result<(), ReadError> {
        let bytes = record.line.bytes;
        let entry = Rejected {
            file: record.path.to_string_lossy(),
            line: record.line.number,
            column: record.column(fault),
            reason: fault.reason.to_string(),
            raw: std::str::from_utf8(bytes).map_or_else(|_| Raw::Hex(hex(bytes)), Raw::Text),
            cut: record.line.cut.is_some(),
        };
        self.is_flushed = false;
        self.writer.write(&entry).map_err(failed)
    }

    /// Hands what was kept since the last time to the operating system.
    pub(crate) fn flush(&mut self) -> Result<(), ReadError> {
        if !std::mem::replace(&mut self.is_flushed, true) {
            self.writer.flush().map_err(failed)?;
        }
        Ok(())
    }

    pub(crate) fn close(self) -> Result<(), ReadError> {
        self.writer.finish().map(drop).map_err(failed)
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

fn failed(cause: WriteError) -> ReadError {
    ReadError::Divert { cause: Box::new(cause) }
}
