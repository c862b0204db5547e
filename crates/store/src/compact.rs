//! Owns bases: what is in the engine, written beside the log now and then, so that segments before
//! it can go.
//!
//! A base is written while batches are applied, so it shows no moment of the store. It doesn't have
//! to: every frame from its start on is applied over it, and each says what a record is, not how it
//! changes.

use std::io;
use std::sync::Arc;

use selvedge_sync::atomic::{AtomicBool, Ordering};
use selvedge_sync::{Mutex, thread};

use crate::core::Core;
use crate::disk::UNFINISHED;
use crate::error::{StoreError, io_error};
use crate::export::write_frames;
use crate::frame::{HEADER_LEN, Header};
use crate::log::{DIR, LogFile, LogFiles, base_name};

/// The log may be this many segments, or once again as large as the base, before a new base is
/// written.
const N_SEGMENTS: u64 = 4;
/// However small they are: every open that writes begins one.
const N_SEGMENTS_MAX: usize = 256;

/// The thread that writes a base, when there is one.
#[derive(Debug, Default)]
pub(crate) struct Compactor {
    thread: Mutex<Option<thread::JoinHandle<()>>>,
    /// One base is written at a time.
    writing: Mutex<()>,
    is_running: AtomicBool,
    /// Relaxed suffices for both: nothing else is read because of them.
    has_to_stop: AtomicBool,
}

impl Compactor {
    /// Begins to write a base if the log has grown enough.
    pub(crate) fn segment_ended(&self, core: &Arc<Core>, files: &LogFiles, header: Header) {
        let n_base = files.base.as_ref().map_or(0, |base| base.n_bytes);
        let n_enough = n_base.max(N_SEGMENTS * core.limits.segment_bytes);
        let is_due = files.n_bytes() >= n_enough || files.segments.len() >= N_SEGMENTS_MAX;
        if !is_due || self.is_running.swap(true, Ordering::Relaxed) {
            return;
        }
        let body = {
            let core = Arc::clone(core);
            move || {
                // If it fails the log stays as long as it is; the next segment tries again.
                let _ = core.write_base(header);
                core.compactor.is_running.store(false, Ordering::Relaxed);
            }
        };
        match thread::spawn("selvedge-store-base", body) {
            Ok(spawned) => {
                // The one before is done, but may not have let go of the store yet.
                let before = self.thread.lock().replace(spawned);
                let _ = before.map(thread::JoinHandle::join);
            }
            Err(_) => self.is_running.store(false, Ordering::Relaxed),
        }
    }

    /// Gives up the base that is being written, and waits for its thread.
    pub(crate) fn stop(&self) {
        self.has_to_stop.store(true, Ordering::Relaxed);
        let thread = self.thread.lock().take();
        // Its panic would be told on standard error by then.
        let _ = thread.map(thread::JoinHandle::join);
    }
}

impl Core {
    /// Ends the segment, and writes a base in place of all there are.
    pub(crate) fn compact(self: &Arc<Self>) -> Result<(), StoreError> {
        let header = {
            let mut log = self.log.lock();
            let ended = log.end_segment();
            ended.map_err(|error| StoreError::ReadOnly { reason: self.break_off(&error) })?;
            log.next_header()
        };
        self.write_base(header)
    }

    /// Writes a base that replaces every segment before a place where one ends.
    pub(crate) fn write_base(self: &Arc<Self>, header: Header) -> Result<(), StoreError> {
        let _alone = self.compactor.writing.lock();
        let base = self.write_base_file(header).inspect_err(|_| {
            // The room may be what was missing; if this fails too, the next open does it.
            let unfinished = format!("{}{UNFINISHED}", base_name(header.start));
            let _ = self.session.disk().remove(&unfinished);
        })?;
        // A batch that is in the base has to be in the log, or half of it could be all there is.
        self.flush()?;
        let name = base.name.clone();
        let disk = self.session.disk();
        let put = disk.rename(&format!("{name}{UNFINISHED}"), &name);
        put.and_then(|()| disk.sync_dir(DIR)).map_err(|error| io_error("begin", &name, error))?;
        self.log.lock().rebase(base)
    }

    pub(crate) fn write_base_file(&self, header: Header) -> Result<LogFile, StoreError> {
        let name = base_name(header.start);
        let unfinished = format!("{name}{UNFINISHED}");
        let failed = |error: io::Error| io_error("write", &unfinished, error);
        let file = self.session.disk().create(&unfinished).map_err(failed)?;
        file.write_at(&header.encode(), 0).map_err(failed)?;
        let mut n_bytes = HEADER_LEN as u64;
        write_frames(self, &mut |bytes| {
            if self.compactor.has_to_stop.load(Ordering::Relaxed) {
                return Err(failed(io::ErrorKind::Interrupted.into()));
            }
            file.write_at(bytes, n_bytes).map_err(failed)?;
            n_bytes += bytes.len() as u64;
            Ok(())
        })?;
        file.sync().map_err(failed)?;
        Ok(LogFile { name, start: header.start, n_bytes })
    }
}
