//! Owns `Writer`: what many threads record, gathered and appended in groups by one thread of its
//! own. Nothing is lost: whoever records waits while the buffer is full.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::Outcome;
use selvedge_sync::thread::{self, JoinHandle};
use selvedge_sync::{Clock, Condvar, Mutex, MutexGuard};

use crate::error::HistoryError;
use crate::history::History;
use crate::record::Record;
use crate::run::RunId;
use crate::time::Timestamp;

/// Limits of a writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterOptions {
    /// Records that may wait before whoever records waits; 16 384.
    pub buffered_max: usize,
    /// Records appended at a time, at most; 4 096.
    pub group_max: usize,
    /// How long a record waits for others at most before it is appended, unless somebody waits for
    /// it; 20 ms. An append costs as much as a hundred records in it.
    pub group_wait: Duration,
}

impl Default for WriterOptions {
    fn default() -> WriterOptions {
        WriterOptions {
            buffered_max: 16_384,
            group_max: 4_096,
            group_wait: Duration::from_millis(20),
        }
    }
}

/// Appends what many threads record, in groups: while one is made durable, the next one gathers.
///
/// A record is acknowledged when [`flush`](Self::flush) returns after it. Clones write to the same
/// buffer; when the last one goes, what waits is written.
///
/// ```
/// use selvedge_event::Signature;
/// use selvedge_lineage::{Filter, History, Page, Record, RunId, Writer, WriterOptions};
///
/// let history = History::in_memory();
/// let writer = Writer::start(history.clone(), WriterOptions::default())?;
/// let run = RunId::named("monday");
/// writer.record(Record::new(run, "bill", Signature::of_version("shop::Bill", "1")))?;
/// writer.flush()?;
/// assert_eq!(history.of_run(run, &Filter::new(), &Page::default())?.items.len(), 1);
/// # Ok::<(), selvedge_lineage::HistoryError>(())
/// ```
#[derive(Clone)]
pub struct Writer(Arc<Handle>);

/// Ends the thread when the last writer goes.
struct Handle {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    history: History,
    options: WriterOptions,
    buffer: Mutex<Buffer>,
    clock: Clock,
    /// There is something to write, or a group of it, or somebody waits for it, or nothing will
    /// come.
    filled: Condvar,
    /// There is room, or something became durable, or nothing will any more.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Buffer {
    waiting: Vec<Record>,
    /// Written, and there to be filled in anew: a group at most.
    spent: Vec<Record>,
    /// Records taken in, and of those, appended.
    n_taken: u64,
    n_appended: u64,
    /// Somebody waits for the first so many.
    n_urgent: u64,
    closing: bool,
    /// What stopped the writer.
    stopped: Option<String>,
}

impl Buffer {
    fn check(&self) -> Result<(), HistoryError> {
        match &self.stopped {
            Some(cause) => Err(HistoryError::WriterStopped { cause: cause.clone() }),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("options", &self.0.shared.options).finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts a thread that writes to a history.
    ///
    /// # Errors
    ///
    /// The system has no room for a thread.
    pub fn start(history: History, options: WriterOptions) -> Result<Writer, HistoryError> {
        let shared = Arc::new(Shared {
            history,
            options,
            buffer: Mutex::new(Buffer::default()),
            filled: Condvar::new(),
            clock: Clock::real(),
            emptied: Condvar::new(),
        });
        let write = {
            let shared = Arc::clone(&shared);
            move || shared.write_until_closed()
        };
        let thread =
            thread::spawn("selvedge-lineage-write", write).map_err(HistoryError::Thread)?;
        Ok(Writer(Arc::new(Handle { shared, thread: Mutex::new(Some(thread)) })))
    }

    /// Takes a record in; waits while the buffer is full. It is not durable yet.
    ///
    /// # Errors
    ///
    /// [`HistoryError::WriterStopped`] after an earlier record could not be written.
    pub fn record(&self, record: Record) -> Result<(), HistoryError> {
        self.take_in(std::iter::once(record))
    }

    /// Takes records in, in order, as many at a time as there is room for; otherwise as
    /// [`record`](Self::record).
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub fn record_all(&self, records: Vec<Record>) -> Result<(), HistoryError> {
        self.take_in(records.into_iter())
    }

    /// Takes all records of a list in, as [`record_all`](Self::record_all), and leaves in it some
    /// that were written, as many at most: whoever fills them in anew, instead of making new ones,
    /// spares the allocation of what they own.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub fn exchange(&self, records: &mut Vec<Record>) -> Result<(), HistoryError> {
        let n_max = records.len();
        self.take_in(records.drain(..))?;
        let mut buffer = self.0.shared.buffer.lock();
        let n_kept = buffer.spent.len().saturating_sub(n_max);
        records.extend(buffer.spent.drain(n_kept..));
        Ok(())
    }

    fn take_in(&self, records: impl Iterator<Item = Record>) -> Result<(), HistoryError> {
        let shared = &self.0.shared;
        let (buffered_max, n_group) = (shared.options.buffered_max.max(1), shared.n_group());
        let is_full =
            |buffer: &mut Buffer| buffer.waiting.len() >= buffered_max && buffer.stopped.is_none();
        let mut records = records.peekable();
        while records.peek().is_some() {
            let mut buffer = shared.emptied.wait_while(shared.buffer.lock(), is_full);
            buffer.check()?;
            let n_before = buffer.waiting.len();
            buffer.waiting.extend(records.by_ref().take(buffered_max - n_before));
            let n_waiting = buffer.waiting.len();
            buffer.n_taken += (n_waiting - n_before) as u64;
            drop(buffer);
            if n_before == 0 || (n_before < n_group && n_waiting >= n_group) {
                shared.filled.notify_one();
            }
        }
        Ok(())
    }

    /// Waits until all that was taken in before is as durable as was chosen.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record): what was not written by then is lost.
    pub fn flush(&self) -> Result<(), HistoryError> {
        let shared = &self.0.shared;
        let mut buffer = shared.buffer.lock();
        let n_taken = buffer.n_taken;
        buffer.n_urgent = n_taken;
        shared.filled.notify_one();
        let is_behind =
            |buffer: &mut Buffer| buffer.n_appended < n_taken && buffer.stopped.is_none();
        let buffer = shared.emptied.wait_while(buffer, is_behind);
        if buffer.n_appended < n_taken { buffer.check() } else { Ok(()) }
    }

    /// Writes that a run ended, after all that was recorded before.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush) and [`History::end_run`].
    pub fn end_run(&self, run: RunId, outcome: Outcome, at: Timestamp) -> Result<(), HistoryError> {
        self.flush()?;
        self.0.shared.history.end_run(run, outcome, at)
    }
}

impl Shared {
    /// As many records as are appended without waiting for more: whoever waits for room waits for
    /// them to be appended.
    fn n_group(&self) -> usize {
        self.options.group_max.min(self.options.buffered_max).max(1)
    }

    /// Waits a little for a group, if nobody is in a hurry.
    fn gather<'b>(&'b self, mut buffer: MutexGuard<'b, Buffer>) -> MutexGuard<'b, Buffer> {
        // A model checker's clock stands still: there, no record waits.
        let wait = if cfg!(shuttle) { Duration::ZERO } else { self.options.group_wait };
        let deadline = self.clock.now() + wait;
        loop {
            let is_enough = buffer.waiting.len() >= self.n_group()
                || buffer.n_urgent > buffer.n_appended
                || buffer.closing;
            let left = deadline.saturating_sub(self.clock.now());
            if is_enough || left.is_zero() {
                return buffer;
            }
            buffer = self.filled.wait_for(buffer, left);
        }
    }

    /// The writer's thread.
    fn write_until_closed(&self) {
        let _on_panic = StopOnPanic(self);
        // Lists take turns, so that none has to grow again.
        let mut group = Vec::new();
        loop {
            let is_idle = |buffer: &mut Buffer| buffer.waiting.is_empty() && !buffer.closing;
            let buffer = self.filled.wait_while(self.buffer.lock(), is_idle);
            let mut buffer = self.gather(buffer);
            let n = buffer.waiting.len().min(self.options.group_max.max(1));
            if n == 0 {
                return;
            }
            if n == buffer.waiting.len() {
                std::mem::swap(&mut buffer.waiting, &mut group);
            } else {
                group.extend(buffer.waiting.drain(..n));
            }
            drop(buffer);
            self.emptied.notify_all();
            let appended = self.history.append_all(&mut group);
            let mut buffer = self.buffer.lock();
            if buffer.spent.is_empty() {
                std::mem::swap(&mut buffer.spent, &mut group);
            }
            match appended {
                Ok(()) => buffer.n_appended += n as u64,
                Err(error) => buffer.stopped = Some(error.to_string()),
            }
            let is_stopped = buffer.stopped.is_some();
            drop(buffer);
            group.clear();
            self.emptied.notify_all();
            if is_stopped {
                return;
            }
        }
    }
}

/// Tells whoever waits for the thread that it is gone: the user's hook may panic in it.
struct StopOnPanic<'s>(&'s Shared);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::is_panicking() {
            let cause = "its thread panicked, see what it reported";
            self.0.buffer.lock().stopped = Some(cause.to_owned());
            self.0.emptied.notify_all();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.buffer.lock().closing = true;
        self.shared.filled.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            // A panic of the thread has been reported by it.
            let _ = thread.join();
        }
    }
}
