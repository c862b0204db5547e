//! Owns the files a writer ends in: the temporary one that takes another's place, and the one
//! written directly. Every step is an error that names what was being done, and to which file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use memchr::memchr_iter;
use tempfile::NamedTempFile;

use crate::jsonl::compression::{Compression, Decoder};
use crate::jsonl::error::{Fate, ReadError, WriteError};

/// Where the bytes go.
pub(crate) enum Target {
    /// Next to the file that it replaces when it is committed; removed when dropped before.
    Temporary { file: NamedTempFile, replaces: PathBuf },
    /// The file itself.
    Direct(File),
}

/// The error of one step on the way to a written file.
pub(crate) fn failed(
    path: &Path,
    operation: &'static str,
    fate: Fate,
) -> impl FnOnce(io::Error) -> WriteError {
    let path = path.to_owned();
    move |cause| WriteError::Io { path, operation, cause, fate }
}

impl Target {
    /// A temporary file beside `path`.
    pub(crate) fn temporary(path: &Path) -> Result<Target, WriteError> {
        let failed = || failed(path, "create", Fate::Untouched);
        // A link stays one: what it points to is replaced.
        let replaces = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let existing = match fs::metadata(&replaces) {
            Ok(existing) => Some(existing),
            Err(cause) if cause.kind() == ErrorKind::NotFound => None,
            Err(cause) => return Err(failed()(cause)),
        };
        if existing.as_ref().is_some_and(|existing| !existing.is_file())
            || replaces.file_name().is_none()
        {
            return Err(WriteError::NotAFile { path: path.to_owned() });
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".selvedge-").suffix(".tmp");
        // Temporary files are private by default; this one is to become an ordinary file.
        let create = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
        let file = builder.make_in(folder(&replaces), create).map_err(failed())?;
        if let Some(existing) = existing {
            file.as_file().set_permissions(existing.permissions()).map_err(failed())?;
        }
        Ok(Target::Temporary { file, replaces })
    }

    /// The file itself, emptied.
    pub(crate) fn emptied(path: &Path) -> Result<Target, WriteError> {
        let file = File::create(path).map_err(failed(path, "open", Fate::Untouched))?;
        Ok(Target::Direct(file))
    }

    /// The file itself, written at its end.
    pub(crate) fn appended(path: &Path) -> Result<Target, WriteError> {
        let file = OpenOptions::new().append(true).create(true).open(path).map_err(failed(
            path,
            "open",
            Fate::Untouched,
        ))?;
        Ok(Target::Direct(file))
    }

    /// Puts what was written on disk and, if it is temporary, in place.
    ///
    /// No step is tried again: after a failed sync the system may have dropped what it could not
    /// write and would report success the second time.
    pub(crate) fn commit(self, path: &Path) -> Result<(), WriteError> {
        match self {
            Target::Direct(file) => {
                let failed = || failed(path, "sync", Fate::Partial);
                // Pipes and devices have nothing to sync.
                if file.metadata().map_err(failed())?.is_file() {
                    file.sync_all().map_err(failed())?;
                }
                Ok(())
            }
            Target::Temporary { file, replaces } => {
                file.as_file().sync_all().map_err(failed(path, "sync", Fate::Untouched))?;
                file.persist(&replaces)
                    .map_err(|error| failed(path, "replace", Fate::Untouched)(error.error))?;
                sync_folder(folder(&replaces)).map_err(failed(
                    path,
                    "sync the folder of",
                    Fate::Replaced,
                ))
            }
        }
    }
}

/// Errors are the system's own: those of the temporary file would tell its path, which is none
/// that a user knows.
impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::Temporary { file, .. } => file.as_file_mut().write(bytes),
            Target::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Target::Temporary { file, .. } => file.as_file_mut().flush(),
            Target::Direct(file) => file.flush(),
        }
    }
}

/// Whether a file ends in a line without a newline, so that what is appended would continue it.
///
/// A compressed file is read through, which shows whether it is whole.
pub(crate) fn ends_within_a_line(path: &Path) -> Result<bool, WriteError> {
    let failed = || failed(path, "look into", Fate::Untouched);
    let metadata = fs::metadata(path).map_err(failed())?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(false);
    }
    let mut file = File::open(path).map_err(failed())?;
    let compression = Compression::of(path);
    let last = if compression == Compression::Plain {
        let mut last = [0];
        file.seek(SeekFrom::End(-1)).map_err(failed())?;
        file.read_exact(&mut last).map_err(failed())?;
        Some(last[0])
    } else {
        last_byte(path, compression, file).map_err(|cause| WriteError::Unsound {
            path: path.to_owned(),
            cause: Box::new(cause),
        })?
    };
    Ok(last.is_some_and(|last| last != b'\n'))
}

fn last_byte(path: &Path, compression: Compression, file: File) -> Result<Option<u8>, ReadError> {
    let mut n_lines = 0;
    let mut last = None;
    let scan = || {
        let mut decoder = Decoder::new(compression, file)?;
        loop {
            let bytes = decoder.fill_buf()?;
            let n_bytes = bytes.len();
            let Some(&byte) = bytes.last() else { return Ok(()) };
            last = Some(byte);
            n_lines += memchr_iter(b'\n', bytes).count() as u64;
            decoder.consume(n_bytes);
        }
    };
    let scanned = scan();
    scanned.map_err(|cause| ReadError::reading(path, n_lines, compression, cause))?;
    Ok(last)
}

/// The folder a file is in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a rename last: the entry is the folder's, not the file's.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere folders can't be synced; the file system keeps renames in order.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
