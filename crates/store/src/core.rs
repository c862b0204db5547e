//! Owns the durable store as it runs: groups of batches go to the log, then to the engine, then are
//! acknowledged.
//!
//! Whoever commits puts its batch into a queue. If nobody leads, it leads: it takes all that waits,
//! writes it to the log at once, waits for the device once, applies it, and says so to the others.
//! Meanwhile the next ones gather. So there is one writer, and no thread of the store's own but
//! the one that writes a base now and then.
//!
//! Locks, in this order: the log's, the views', a view's. The queue's is taken with none of them
//! held, and nothing is taken inside it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use selvedge_sync::atomic::{AtomicBool, Ordering};
use selvedge_sync::{Clock, Condvar, Mutex, MutexGuard};

use crate::batch::{Batch, Durability, Write};
use crate::engine::{
    Engine, EngineError, EngineWrite, POSITION_KEY, decode_key, decode_value, encode_key,
    encode_value, guarded,
};
use crate::error::{RecordKey, StoreError, told};
use crate::log::Log;
use crate::session::Session;
use crate::views::{Views, keep_aside};

/// What a store can be told when it is opened.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) group_wait: Duration,
    pub(crate) group_bytes_max: usize,
    pub(crate) segment_bytes: u64,
    pub(crate) snapshot_bytes_max: usize,
}

/// The fields are dropped in this order: the engine has closed its files before the session ends.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) engine_name: &'static str,
    pub(crate) limits: Limits,
    pub(crate) views: Views,
    queue: Mutex<Queue>,
    /// A batch came, or batches are done.
    changed: Condvar,
    clock: Clock,
    /// Why nothing is written any more.
    broken: Mutex<Option<String>>,
    /// Because something failed, and not because it was opened so. Relaxed: whoever drops the store
    /// has it alone.
    has_failed: AtomicBool,
    /// What the compactor has to know; it is told when a segment ends.
    pub(crate) compactor: crate::compact::Compactor,
    pub(crate) log: Mutex<Log>,
    pub(crate) session: Arc<Session>,
}

impl Drop for Core {
    /// Ends the log; the fields that follow close the engine, then the session.
    fn drop(&mut self) {
        if self.has_failed.load(Ordering::Relaxed) {
            leak(&self.engine);
        }
        if self.broken().is_some() {
            return;
        }
        let mut log = self.log.lock();
        match log.sync().and_then(|()| log.sync_mark()) {
            Ok(()) => self.session.set_closing(log.next()),
            // The engine may have what the log has not.
            Err(_) => self.session.spoil(),
        }
    }
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Waiting>,
    n_waiting_bytes: usize,
    /// Some of those that wait want no delay.
    is_urgent: bool,
    done: HashMap<u64, Result<(), StoreError>>,
    n_tickets: u64,
    is_led: bool,
    /// How many batches the last group had: as many may come again.
    n_last: usize,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    batch: Batch,
    durability: Durability,
}

impl Core {
    pub(crate) fn new(
        engine: Arc<dyn Engine>,
        engine_name: &'static str,
        log: Log,
        session: Arc<Session>,
        limits: Limits,
    ) -> Core {
        Core {
            engine,
            engine_name,
            limits,
            views: Views::default(),
            queue: Mutex::default(),
            changed: Condvar::new(),
            clock: Clock::real(),
            broken: Mutex::default(),
            has_failed: AtomicBool::new(false),
            compactor: crate::compact::Compactor::default(),
            log: Mutex::new(log),
            session,
        }
    }

    pub(crate) fn commit(
        self: &Arc<Self>,
        batch: Batch,
        durability: Durability,
    ) -> Result<(), StoreError> {
        batch.check()?;
        let mut queue = self.queue.lock();
        let ticket = queue.n_tickets;
        queue.n_tickets += 1;
        queue.n_waiting_bytes += batch.n_bytes();
        queue.is_urgent |= durability != Durability::Group;
        queue.waiting.push(Waiting { ticket, batch, durability });
        if queue.is_led {
            self.changed.notify_all();
        }
        loop {
            if let Some(result) = queue.done.remove(&ticket) {
                return result;
            }
            queue = if queue.is_led { self.changed.wait(queue) } else { self.lead(queue) };
        }
    }

    /// Writes all that waits.
    fn lead<'q>(self: &'q Arc<Self>, mut queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
        queue.is_led = true;
        let mut queue = self.gather(queue);
        let group = self.take_group(&mut queue);
        drop(queue);
        let n_group = group.len();
        let results = self.write_group(group);
        let mut queue = self.queue.lock();
        queue.done.extend(results);
        queue.n_last = n_group;
        queue.is_led = false;
        self.changed.notify_all();
        queue
    }

    /// Waits a little for as many batches as came last time, if none of those that wait is in a
    /// hurry.
    fn gather<'q>(&'q self, mut queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
        let deadline = self.clock.now() + self.limits.group_wait;
        loop {
            let is_enough = queue.is_urgent
                || queue.waiting.len() >= queue.n_last
                || queue.n_waiting_bytes >= self.limits.group_bytes_max;
            let left = deadline.saturating_sub(self.clock.now());
            if is_enough || left.is_zero() {
                return queue;
            }
            queue = self.changed.wait_for(queue, left);
        }
    }

    /// The longest beginning of what waits that is within the limit; one batch at least.
    fn take_group(&self, queue: &mut Queue) -> Vec<Waiting> {
        let mut n_bytes = 0;
        let fits = |waiting: &Waiting| {
            n_bytes += waiting.batch.n_bytes();
            n_bytes <= self.limits.group_bytes_max
        };
        let n_group = queue.waiting.iter().take_while({
            let mut fits = fits;
            move |waiting| fits(waiting)
        });
        let n_group = n_group.count().max(1);
        let group: Vec<Waiting> = queue.waiting.drain(..n_group).collect();
        let left = queue.waiting.iter().map(|waiting| waiting.batch.n_bytes()).sum();
        queue.n_waiting_bytes = left;
        let is_urgent = |waiting: &Waiting| waiting.durability != Durability::Group;
        queue.is_urgent = queue.waiting.iter().any(is_urgent);
        group
    }

    fn write_group(self: &Arc<Self>, group: Vec<Waiting>) -> Vec<(u64, Result<(), StoreError>)> {
        let mut results = Vec::with_capacity(group.len());
        if let Some(reason) = self.broken() {
            let refused = || Err(StoreError::ReadOnly { reason: reason.clone() });
            return group.into_iter().map(|waiting| (waiting.ticket, refused())).collect();
        }
        let has_conditions = group.iter().any(|waiting| !waiting.batch.conditions.is_empty());
        // What those before it in the group will have written, if somebody asks.
        let mut written: HashMap<Vec<u8>, Option<Vec<u8>>> = HashMap::new();
        let mut accepted = Vec::with_capacity(group.len());
        for waiting in group {
            match self.check_conditions(&waiting.batch, &written) {
                Ok(()) => {
                    if has_conditions {
                        let writes = waiting.batch.writes.iter();
                        written.extend(writes.map(|write| {
                            (encode_key(&write.at.namespace, &write.at.key), write.value.clone())
                        }));
                    }
                    accepted.push(waiting);
                }
                Err(error) => results.push((waiting.ticket, Err(error))),
            }
        }
        let tickets: Vec<u64> = accepted.iter().map(|waiting| waiting.ticket).collect();
        let written = self.write_accepted(accepted);
        let reason = written.err().map(|error| self.break_off(&error));
        let result = || match &reason {
            None => Ok(()),
            Some(reason) => Err(StoreError::ReadOnly { reason: reason.clone() }),
        };
        results.extend(tickets.into_iter().map(|ticket| (ticket, result())));
        results
    }

    fn check_conditions(
        &self,
        batch: &Batch,
        written: &HashMap<Vec<u8>, Option<Vec<u8>>>,
    ) -> Result<(), StoreError> {
        for condition in &batch.conditions {
            let key = encode_key(&condition.at.namespace, &condition.at.key);
            let found = match written.get(&key) {
                Some(value) => value.clone(),
                None => self.get_raw(&key)?.map(|value| self.sound(&key, value)).transpose()?,
            };
            if found != condition.value {
                return Err(StoreError::Conflict { at: condition.at.clone() });
            }
        }
        Ok(())
    }

    /// Log, device, engine: in this order, and nothing goes on after an error.
    fn write_accepted(self: &Arc<Self>, accepted: Vec<Waiting>) -> Result<(), StoreError> {
        let has_to_wait = accepted.iter().any(|waiting| waiting.durability != Durability::None);
        let batches = accepted.into_iter().map(|waiting| waiting.batch.writes);
        let batches: Vec<Vec<Write>> = batches.filter(|writes| !writes.is_empty()).collect();
        let mut log = self.log.lock();
        log.append(batches.iter().map(Vec::as_slice))?;
        if has_to_wait {
            log.sync()?;
        }
        self.apply(batches.into_iter().flatten(), log.next())?;
        if log.rotate(self.limits.segment_bytes)? {
            self.guard("hand over", || self.engine.hand_over())?;
            let header = log.next_header();
            self.compactor.segment_ended(self, &log.files, header);
        }
        Ok(())
    }

    /// Writes to the engine, with the position up to which it is.
    fn apply(&self, writes: impl Iterator<Item = Write>, next: u64) -> Result<(), StoreError> {
        let writes = engine_writes(writes, next);
        if writes.len() == 1 {
            return Ok(());
        }
        let held = self.views.hold();
        keep_aside(&held, &writes[..writes.len() - 1], |key| self.get_raw(key))?;
        self.guard("write", || self.engine.apply(writes))
    }

    /// Waits until everything committed is durable, and the mark too.
    pub(crate) fn flush(self: &Arc<Self>) -> Result<(), StoreError> {
        // Behind all that was committed before, as every batch.
        self.commit(Batch::new(), Durability::Sync)?;
        let mut log = self.log.lock();
        log.sync_mark().map_err(|error| StoreError::ReadOnly { reason: self.break_off(&error) })
    }

    pub(crate) fn get_raw(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.guard("read", || self.engine.get(key))
    }

    pub(crate) fn guard<T>(
        &self,
        doing: &'static str,
        call: impl FnOnce() -> Result<T, EngineError>,
    ) -> Result<T, StoreError> {
        guarded(call).map_err(|error| {
            self.session.spoil();
            engine_error(self.engine_name, doing, &error)
        })
    }

    /// The value of a record. One that isn't what was written is mended by the next open.
    pub(crate) fn sound(&self, key: &[u8], value: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        decode_value(key, value).ok_or_else(|| {
            self.session.spoil();
            let at = decode_key(key).unwrap_or_else(|| RecordKey::new("?", key));
            StoreError::DamagedRecord { at }
        })
    }

    pub(crate) fn broken(&self) -> Option<String> {
        self.broken.lock().clone()
    }

    /// Writes nothing from the start.
    pub(crate) fn refuse_writes(&self, reason: String) {
        *self.broken.lock() = Some(reason);
    }

    /// Begins a base if the log is long enough, after an open.
    pub(crate) fn shorten_log(self: &Arc<Self>) {
        let log = self.log.lock();
        if self.broken().is_none() {
            self.compactor.segment_ended(self, &log.files, log.next_header());
        }
    }

    /// Writes nothing any more. The first reason is the one that counts.
    pub(crate) fn break_off(&self, error: &StoreError) -> String {
        let mut broken = self.broken.lock();
        self.session.spoil();
        self.has_failed.store(true, Ordering::Relaxed);
        broken.get_or_insert_with(|| told(error)).clone()
    }
}

/// Lets an engine be, instead of closing it, after a failure. Closing sled writes, and on a full
/// disk waits for ever for that, holding a lock that all of its instances in the process share. Its
/// directory is emptied by the next open anyway.
pub(crate) fn leak(engine: &Arc<dyn Engine>) {
    std::mem::forget(Arc::clone(engine));
}

pub(crate) fn engine_error(
    engine: &'static str,
    doing: &'static str,
    error: &EngineError,
) -> StoreError {
    StoreError::Engine { engine, doing, reason: told(&**error) }
}

/// The writes as an engine gets them, the position of the next frame last. One to a key that is
/// written again later is left in: engines take them in order.
pub(crate) fn engine_writes(writes: impl Iterator<Item = Write>, next: u64) -> Vec<EngineWrite> {
    let write = |write: Write| {
        let key = encode_key(&write.at.namespace, &write.at.key);
        let value = write.value.map(|value| encode_value(&key, value));
        (key, value)
    };
    let position = (POSITION_KEY.to_vec(), Some(next.to_le_bytes().to_vec()));
    writes.map(write).chain([position]).collect()
}
