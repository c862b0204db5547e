//! Owns `Writer`: a JSON Lines file being written, and what becomes of the target when the writing
//! ends well, ends early or fails.

use std::fmt;
use std::path::{Path, PathBuf};

use selvedge_sync::Clock;
use serde::Serialize;

use crate::jsonl::compression::{Compression, Encoder};
use crate::jsonl::error::{Fate, WriteError};
use crate::jsonl::flush::{Flush, Pace};
use crate::jsonl::limits::{DEPTH_MAX, Limits};
use crate::jsonl::line_writer::{LineWriter, Refusal};
use crate::jsonl::target::{self, Target};

/// Writes values to a file, one per line.
///
/// An [`atomic`](Self::atomic) writer replaces the file when it is [finished](Self::finish), and
/// leaves it alone when it is dropped before. The file is either the old one or the new one,
/// whole, also after a power cut. A value that is refused leaves no trace; after a failed write
/// nothing more is written, and the writer can only be dropped.
///
/// ```
/// use selvedge_io::jsonl::{Writer, read};
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("pairs.jsonl.zst");
/// let mut writer = Writer::atomic(&path)?;
/// writer.write(&("a", 1))?;
/// assert!(!path.exists());
/// assert_eq!(writer.finish()?.lines, 1);
/// assert_eq!(read::<(String, u8)>(&path).count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Writer {
    path: PathBuf,
    /// `None` once finished.
    lines: Option<LineWriter<Encoder<Target>>>,
    /// What a failed write means for the file.
    fate: Fate,
    pace: Pace,
    clock: Clock,
    limits: Limits,
}

/// What a [`Writer`] has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Lines.
    pub lines: u64,
    /// Bytes, before compression.
    pub bytes: u64,
}

impl Writer {
    /// Writes beside the file, and replaces it at the end.
    ///
    /// Lines go to a temporary file `.selvedge-*.tmp` in the same folder; a process that is killed
    /// leaves it behind. A link is followed: what it points to is replaced. A new file gets the
    /// usual permissions, an old one keeps its own. Flushes [`AtClose`](Flush::AtClose).
    ///
    /// # Errors
    ///
    /// When the path names something other than a regular file, or the folder can't be written.
    pub fn atomic(path: impl AsRef<Path>) -> Result<Writer, WriteError> {
        let path = path.as_ref();
        Writer::with(path, Target::temporary(path)?, Fate::Untouched, Flush::AtClose)
    }

    /// Adds lines to the end of the file, which is created if need be.
    ///
    /// Lines stay whatever happens afterwards, and a crash may leave half a line. A file whose last
    /// line has no newline gets one first, so that half a line from before is met as a malformed
    /// line and spoils no other. A compressed file gets a further member or frame; it is read
    /// through before, so that none is added to a file that is cut off. Flushes
    /// [`EveryLine`](Flush::EveryLine).
    ///
    /// # Errors
    ///
    /// When the file can't be opened, or is compressed and not whole.
    pub fn append(path: impl AsRef<Path>) -> Result<Writer, WriteError> {
        let path = path.as_ref();
        let target = Target::appended(path)?;
        let is_within_a_line = target::ends_within_a_line(path)?;
        let mut writer = Writer::with(path, target, Fate::Partial, Flush::EveryLine)?;
        if is_within_a_line {
            writer.end_line()?;
        }
        Ok(writer)
    }

    /// Empties the file, which is created if need be, and writes to it in place.
    ///
    /// What was in it is gone at once, lines stay whatever happens afterwards, and a crash may
    /// leave half a line. Also for pipes and devices. Flushes [`EveryLine`](Flush::EveryLine).
    ///
    /// # Errors
    ///
    /// When the file can't be opened.
    pub fn truncate(path: impl AsRef<Path>) -> Result<Writer, WriteError> {
        let path = path.as_ref();
        Writer::with(path, Target::emptied(path)?, Fate::Partial, Flush::EveryLine)
    }

    fn with(path: &Path, target: Target, fate: Fate, flush: Flush) -> Result<Writer, WriteError> {
        let encoder = Encoder::new(Compression::of(path), target)
            .map_err(target::failed(path, "write", fate))?;
        let clock = Clock::real();
        Ok(Writer {
            path: path.to_owned(),
            lines: Some(LineWriter::new(encoder)),
            fate,
            pace: Pace::new(flush, clock.now()),
            clock,
            limits: Limits::default(),
        })
    }

    /// Flushes at another pace.
    #[must_use]
    pub fn with_flush(mut self, flush: Flush) -> Writer {
        self.pace = Pace::new(flush, self.clock.now());
        self
    }

    /// Writes under other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Writer {
        self.limits = limits;
        self
    }

    /// Writes one value, or nothing of it.
    ///
    /// # Errors
    ///
    /// When the value holds a number that is not finite, nests too deep, is too long or can't be
    /// serialized, the writer is as before; after [`WriteError::Io`] it is broken.
    pub fn write<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        let line_bytes_max = self.limits.line_bytes_max;
        self.attempt("write", |lines| lines.write(value, line_bytes_max))?;
        if self.pace.is_due(|| self.clock.now()) { self.flush() } else { Ok(()) }
    }

    /// Hands all lines so far to the operating system.
    ///
    /// # Errors
    ///
    /// When they can't be written; the writer is broken then.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.attempt("write", LineWriter::flush)
    }

    /// What has been written so far.
    #[must_use]
    pub fn written(&self) -> Written {
        self.lines.as_ref().map_or_else(Written::default, |lines| Written {
            lines: lines.n_lines(),
            bytes: lines.n_bytes(),
        })
    }

    /// Puts everything on disk and the file in place.
    ///
    /// # Errors
    ///
    /// When that is not possible, or an earlier write has failed. The target of an atomic writer is
    /// untouched then, unless the error says that it was replaced.
    pub fn finish(mut self) -> Result<Written, WriteError> {
        self.close()
    }

    fn close(&mut self) -> Result<Written, WriteError> {
        let written = self.written();
        let Some(lines) = self.lines.take() else { return Ok(written) };
        let encoder = lines.into_inner().map_err(|refusal| self.error("write", refusal))?;
        let target = encoder.finish().map_err(target::failed(&self.path, "write", self.fate))?;
        target.commit(&self.path)?;
        Ok(written)
    }

    fn end_line(&mut self) -> Result<(), WriteError> {
        self.attempt("write", LineWriter::end_line)
    }

    fn attempt(
        &mut self,
        operation: &'static str,
        act: impl FnOnce(&mut LineWriter<Encoder<Target>>) -> Result<(), Refusal>,
    ) -> Result<(), WriteError> {
        let Some(lines) = &mut self.lines else {
            return Err(WriteError::Closed { path: self.path.clone() });
        };
        act(lines).map_err(|refusal| self.error(operation, refusal))
    }

    /// Says which file and line a refusal is about.
    fn error(&self, operation: &'static str, refusal: Refusal) -> WriteError {
        let path = self.path.clone();
        let line = self.written().lines + 1;
        match refusal {
            Refusal::NotFinite { field } => WriteError::NotFinite { path, line, field },
            Refusal::TooDeep => WriteError::TooDeep { path, line, depth_max: DEPTH_MAX },
            Refusal::TooLong => {
                WriteError::TooLong { path, line, line_bytes_max: self.limits.line_bytes_max }
            }
            Refusal::Unserializable { problem } => {
                WriteError::Unserializable { path, line, problem }
            }
            Refusal::Io(cause) => WriteError::Io { path, operation, cause, fate: self.fate },
            Refusal::Broken => WriteError::Broken { path },
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.fate == Fate::Partial {
            // Lines written in place are meant to stay. Whoever wants to know whether they do
            // calls `finish`.
            let _ = self.close();
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("path", &self.path)
            .field("written", &self.written())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
