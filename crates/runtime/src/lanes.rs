//! Owns the lanes on which outside submissions wait until a worker posts them.
//!
//! A submitter keeps to one lane, and a lane is emptied by one worker at a time, which opens it
//! again only after posting: what one thread submits arrives in that order.

use std::sync::Arc;

use selvedge_event::{Event, IntoEvent};
use selvedge_sync::{Condvar, Mutex, MutexGuard};

use crate::error::SubmitError;
use crate::log::{Log, NotTaken, Stretch};
use crate::origin::Origin;
use crate::ready::OwnerIdx;
use crate::routes::{RouteCache, RouteTable};

/// One lane.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Guards what waits here. Taken before the scheduler's lock, never after it.
    state: Mutex<LaneState>,
    /// There is room again, or never will be.
    room: Condvar,
}

#[derive(Debug)]
struct LaneState {
    /// What waits, in stretches that are posted as they are.
    waiting: Log,
    /// An entry in the ready set, or a worker, has this lane.
    scheduled: bool,
    /// With so many events left, there is room enough to wake somebody for.
    low_mark: usize,
    closed: bool,
    /// Submitters that wait for room; telling nobody would cost a system call too.
    n_waiters: usize,
    counts: LaneCounts,
}

/// What came in on a lane.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LaneCounts {
    pub(crate) submitted: u64,
    /// Deliveries of events that were never posted.
    pub(crate) abandoned: u64,
    /// Events that nobody hears.
    pub(crate) unrouted: u64,
}

/// What to do when a lane is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    Wait,
    Refuse,
}

impl LaneCounts {
    #[must_use]
    pub(crate) fn plus(self, other: LaneCounts) -> LaneCounts {
        LaneCounts {
            submitted: self.submitted + other.submitted,
            abandoned: self.abandoned + other.abandoned,
            unrouted: self.unrouted + other.unrouted,
        }
    }
}

impl Lane {
    /// A lane that takes `lane_max` events during the run.
    pub(crate) fn new(routes: Arc<RouteTable>, lane_max: usize) -> Lane {
        let state = LaneState {
            waiting: Log::new(RouteCache::new(routes)),
            scheduled: false,
            low_mark: lane_max / 2,
            closed: false,
            n_waiters: 0,
            counts: LaneCounts::default(),
        };
        Lane { state: Mutex::new(state), room: Condvar::new() }
    }

    /// Routes by another table from now on, and what waits already too. Only before the run.
    pub(crate) fn rewire(&self, routes: Arc<RouteTable>) {
        let mut state = self.state.lock();
        let mut before = std::mem::replace(&mut state.waiting, Log::new(RouteCache::new(routes)));
        let now = &mut state.waiting;
        for Stretch { route, origin, mail, .. } in before.take_all() {
            let to = before.routes.addressee(route);
            now.descend_from(&origin);
            for event in mail.into_events() {
                let taken = match to {
                    Some(owner) => now.take_in_for(owner, event),
                    None => now.take_in(event, &origin),
                };
                if let Err(NotTaken { clash: Some(clash), .. }) = taken {
                    panic!("{clash}");
                }
            }
        }
        now.forget_question();
    }

    /// Puts an event in and says how many processors hear it.
    ///
    /// `schedule` is called, under the lane's lock, when nobody else is about to empty the lane:
    /// were it called later, the pipeline could be taken for quiet in between.
    #[inline]
    pub(crate) fn submit<E: IntoEvent>(
        &self,
        source: E,
        origin: &Origin,
        capacity: impl Fn() -> Capacity,
        when_full: WhenFull,
        schedule: impl FnOnce(),
    ) -> Result<usize, SubmitError> {
        let mut state = self.state.lock();
        if origin.is_plain()
            && !state.closed
            && state.has_room(capacity())
            && let Some(n_recipients) = state.waiting.n_recipients_of_next(source.way())
        {
            // More of what waits already, so that somebody is about to empty the lane.
            state.waiting.push(source.into_event());
            state.counts.submitted += 1;
            return Ok(n_recipients);
        }
        let take_in = |log: &mut Log, source: E| log.take_in(source, origin);
        self.submit_by(state, take_in, source, capacity, when_full, schedule)
    }

    /// The same for an event that one processor is to hear, and nobody else.
    #[cold]
    pub(crate) fn submit_to(
        &self,
        to: OwnerIdx,
        event: Event,
        capacity: impl Fn() -> Capacity,
        when_full: WhenFull,
        schedule: impl FnOnce(),
    ) -> Result<usize, SubmitError> {
        let take_in = |log: &mut Log, event| {
            log.descend_from(&Origin::outside());
            log.take_in_for(to, event)
        };
        self.submit_by(self.state.lock(), take_in, event, capacity, when_full, schedule)
    }

    #[inline(never)]
    fn submit_by<'l, E: IntoEvent>(
        &'l self,
        mut state: MutexGuard<'l, LaneState>,
        take_in: impl FnOnce(&mut Log, E) -> Result<usize, NotTaken>,
        source: E,
        capacity: impl Fn() -> Capacity,
        when_full: WhenFull,
        schedule: impl FnOnce(),
    ) -> Result<usize, SubmitError> {
        if state.closed || !state.has_room(capacity()) {
            state = match self.wait_for_room(state, capacity, when_full) {
                Ok(state) => state,
                Err(Refused::Closed) => {
                    return Err(SubmitError::Closed { event: source.into_event() });
                }
                Err(Refused::Full { limit, name }) => {
                    return Err(SubmitError::Full { event: source.into_event(), limit, name });
                }
            };
        }
        let taken = take_in(&mut state.waiting, source);
        state.waiting.forget_question();
        let n_recipients = match taken {
            Ok(n_recipients) => n_recipients,
            Err(NotTaken { event, clash: Some(clash) }) => {
                return Err(SubmitError::KindClash { event, clash });
            }
            Err(NotTaken { event, clash: None }) => {
                state.counts.submitted += 1;
                state.counts.unrouted += 1;
                drop(state);
                // The user's event: what it does when dropped is not done under the lock.
                drop(event);
                return Ok(0);
            }
        };
        state.counts.submitted += 1;
        if !state.scheduled {
            state.scheduled = true;
            schedule();
        }
        Ok(n_recipients)
    }

    #[cold]
    fn wait_for_room<'l>(
        &'l self,
        mut state: MutexGuard<'l, LaneState>,
        capacity: impl Fn() -> Capacity,
        when_full: WhenFull,
    ) -> Result<MutexGuard<'l, LaneState>, Refused> {
        loop {
            if state.closed {
                return Err(Refused::Closed);
            }
            // Looked up anew after every wait: limits can be changed.
            let capacity = capacity();
            if state.has_room(capacity) {
                return Ok(state);
            }
            if when_full == WhenFull::Refuse {
                let Capacity { limit, name, .. } = capacity;
                return Err(Refused::Full { limit, name });
            }
            state.n_waiters += 1;
            state = self.room.wait(state);
            state.n_waiters -= 1;
        }
    }

    /// Moves the oldest events, so many or a few more, to a log.
    ///
    /// Submitters that wait are woken when the lane is half empty, not for every bit of room: a
    /// wake costs as much as a hundred events. It can't be missed, because a lane with something
    /// in it goes on being emptied.
    pub(crate) fn take(&self, n_min: usize, into: &mut Log) {
        let mut state = self.state.lock();
        state.waiting.move_to(into, n_min);
        if state.n_waiters > 0 && state.waiting.len() <= state.low_mark {
            self.room.notify_all();
        }
    }

    /// Opens the lane to whoever may empty it next; `true` when it must be scheduled again.
    pub(crate) fn release(&self) -> bool {
        let mut state = self.state.lock();
        state.scheduled = !state.waiting.is_empty();
        state.scheduled
    }

    /// There may be another limit: whoever waits looks anew.
    pub(crate) fn reconsider(&self, lane_max: usize) {
        self.state.lock().low_mark = lane_max / 2;
        self.room.notify_all();
    }

    /// Hands back every later submission, and those that wait for room.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.room.notify_all();
    }

    pub(crate) fn counts(&self) -> LaneCounts {
        self.state.lock().counts
    }

    /// Gives up what was never posted.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock();
        let waiting = state.waiting.take_all();
        for stretch in &waiting {
            let route = state.waiting.routes.route(stretch.route);
            let n_recipients = |event| route.recipients(event).len() as u64;
            let abandoned: u64 = stretch.mail.as_slice().iter().map(n_recipients).sum();
            state.counts.abandoned += abandoned;
        }
        drop(state);
        // The user's events: what they do when dropped is not done under the lock.
        drop(waiting);
    }
}

/// Why an event can't be put in.
enum Refused {
    Closed,
    Full { limit: usize, name: &'static str },
}

impl LaneState {
    #[inline]
    fn has_room(&self, capacity: Capacity) -> bool {
        self.waiting.len() < capacity.limit && self.waiting.bytes() < capacity.bytes
    }
}

/// How many events fit, and the name of the limit that says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    pub(crate) limit: usize,
    /// What may wait altogether, to within an event.
    pub(crate) bytes: usize,
    pub(crate) name: &'static str,
}
