//! Owns what tells the next open whether the engine's files can be trusted: the lock, the note of a
//! session that is open, and the list of files that a closed one leaves.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use selvedge_sync::Mutex;
use selvedge_sync::atomic::{AtomicBool, Ordering};

use crate::disk::{Disk, read_whole, sync_path, write_whole};
use crate::error::{StoreError, io_error};
use crate::frame;
use crate::lock::Lock;

/// Says that an engine was in use, and since which start of the system: what it handed over since
/// then is there, even if it isn't on the device.
const OPEN: &str = "open";
/// Says what the files of an engine were when it was closed, all of them on the device.
const CLOSED: &str = "closed";

/// How far an engine's directory can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It was closed, and every byte is as it was; every frame before this position is in it.
    Whole { next: u64 },
    /// Its process was killed, the system went on: the engine mends itself.
    Killed,
    /// The power may have gone, or a file isn't what it was: it is made anew.
    Nothing,
}

/// An open store's hold on its directory. When it is dropped after its engine, the store is closed.
#[derive(Debug)]
pub(crate) struct Session {
    disk: Arc<dyn Disk>,
    engine_dir: PathBuf,
    engine: &'static str,
    /// The position of the next frame, once the log is complete; nothing if the next open can't
    /// trust the engine.
    closing: Mutex<Option<u64>>,
    /// The next open shall not trust the engine. Relaxed: whoever closes the store has it alone.
    is_spoilt: AtomicBool,
    _lock: Lock,
}

impl Session {
    pub(crate) fn begin(
        disk: Arc<dyn Disk>,
        engine_dir: &Path,
        engine: &'static str,
        lock: Lock,
    ) -> Session {
        let engine_dir = engine_dir.to_owned();
        Session {
            disk,
            engine_dir,
            engine,
            closing: Mutex::default(),
            is_spoilt: AtomicBool::new(false),
            _lock: lock,
        }
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// What the last session has left.
    pub(crate) fn trust(&self) -> Result<Trust, StoreError> {
        let closed =
            self.read(CLOSED)?.and_then(|text| closed_next(&text).map(|next| (text, next)));
        if let Some((text, next)) = closed {
            let files = self.closed_text(next).map_err(|error| self.failed("read", error))?;
            return Ok(if files == text { Trust::Whole { next } } else { Trust::Nothing });
        }
        let is_same = |text: String| self.open_text().is_some_and(|open| open == text);
        Ok(if self.read(OPEN)?.is_some_and(is_same) { Trust::Killed } else { Trust::Nothing })
    }

    /// Forgets all trust; before the engine's directory is emptied.
    pub(crate) fn distrust(&self) -> Result<(), StoreError> {
        for name in [OPEN, CLOSED] {
            self.disk.remove(name).map_err(|error| io_error("remove", name, error))?;
        }
        self.disk.sync_dir(".").map_err(|error| io_error("sync", ".", error))
    }

    /// Notes that the engine is in use from now on. Before the note of a closed session goes, or a
    /// crash in between would cost the engine.
    pub(crate) fn note_open(&self) -> Result<(), StoreError> {
        if let Some(text) = self.open_text() {
            let written = write_whole(&*self.disk, ".", OPEN, text.as_bytes());
            written.map_err(|error| io_error("write", OPEN, error))?;
        }
        self.disk.remove(CLOSED).map_err(|error| io_error("remove", CLOSED, error))?;
        self.disk.sync_dir(".").map_err(|error| io_error("sync", ".", error))
    }

    /// Something broke: the next open makes the engine anew.
    pub(crate) fn spoil(&self) {
        // What is left if this fails says no more than that the process was killed.
        let _ = self.disk.remove(OPEN);
        self.is_spoilt.store(true, Ordering::Relaxed);
    }

    /// The log is complete up to here; when the engine is closed too the session ends well.
    pub(crate) fn set_closing(&self, next: u64) {
        *self.closing.lock() = Some(next);
    }

    fn read(&self, name: &str) -> Result<Option<String>, StoreError> {
        let bytes = read_whole(&*self.disk, name).map_err(|error| io_error("read", name, error))?;
        // One that isn't text is as good as none.
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    fn failed(&self, doing: &'static str, error: io::Error) -> StoreError {
        io_error(doing, &self.engine_dir.display().to_string(), error)
    }

    fn open_text(&self) -> Option<String> {
        self.disk.boot().map(|boot| format!("engine {}\nboot {boot}\n", self.engine))
    }

    /// The note of a closed session: the engine, the position, every file with its digest.
    fn closed_text(&self, next: u64) -> io::Result<String> {
        let mut text = format!("engine {}\nnext {next}\n", self.engine);
        let mut files = Vec::new();
        list_files(&self.engine_dir, &mut files)?;
        for path in files {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(fs::File::open(&path)?)?;
            let name = path.strip_prefix(&self.engine_dir).unwrap_or(&path);
            let (name, n_bytes) = (name.to_string_lossy(), hasher.count());
            let line = writeln!(text, "{} {n_bytes} {name}", hasher.finalize());
            line.expect("a String takes all that is written to it");
        }
        let sum: [u8; 8] = frame::small_sum(text.as_bytes());
        let line = writeln!(text, "sum {:016x}", u64::from_le_bytes(sum));
        line.expect("a String takes all that is written to it");
        Ok(text)
    }

    fn close(&self, next: u64) -> io::Result<()> {
        sync_tree(&self.engine_dir)?;
        let text = self.closed_text(next)?;
        write_whole(&*self.disk, ".", CLOSED, text.as_bytes())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let closing = self.closing.lock().take();
        // If this fails the next open finds a killed process, and mends that.
        if !self.is_spoilt.load(Ordering::Relaxed) {
            let _ = closing.map(|next| self.close(next));
        }
    }
}

/// The position in a note; its digests are compared as text.
fn closed_next(text: &str) -> Option<u64> {
    text.lines().nth(1)?.strip_prefix("next ")?.parse().ok()
}

/// All files below a directory, sorted.
fn list_files(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            list_files(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Makes all files below a directory durable, and their names.
fn sync_tree(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { sync_tree(&path)? } else { sync_path(&path)? }
    }
    sync_path(dir)
}
