//! Owns the place where a listener's batches wait: the lock and the conditions around `backlog`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Text, Wants};
use selvedge_sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use selvedge_sync::{Clock, Condvar, Mutex, MutexGuard};

use super::backlog::{Backlog, Look, Offer, Overflow, Relief};
use super::sheet::Sheet;

/// How long a reader that has just told something waits before it asks to be woken. Facts come no
/// later than that, and a run that goes on wakes it a thousand times a second at most.
/// (A model checker's clock stands still.)
const NAP: Option<Duration> = if cfg!(shuttle) { None } else { Some(Duration::from_millis(1)) };

/// Batches are joined into chunks of about so many facts: turns that are batches of their own would
/// need an allocation, and a call of the listener, each.
pub(super) const CHUNK_FACTS_MAX: usize = 512;

/// Told chunks kept to be filled again, and how large they may have grown.
const SPARES_MAX: usize = 8;
const SPARE_FACTS_MAX: usize = 2 * CHUNK_FACTS_MAX;

/// Where batches wait for one listener.
pub(super) struct Desk {
    pub(super) name: Text,
    pub(super) wants: Wants,
    pub(super) overflow: Overflow,
    /// Guards what waits. Taken with no other lock in hand, and none is taken inside.
    state: Mutex<State>,
    /// The reader waits here for something to tell.
    news: Condvar,
    /// Whoever ends the run waits here for the reader to leave.
    left: Condvar,
    /// How many desks hold back admission: shared by all. Changed under the lock of `state`;
    /// Relaxed, because whoever waits for it to fall is woken under the scheduler's lock after
    /// that.
    n_holding: Arc<AtomicUsize>,
    /// Whether a batch would be kept. Written under the lock of `state`; Relaxed, as a hint: who is
    /// wrong about it finds a batch refused, or misses what there would have been room for.
    has_room: AtomicBool,
    /// Facts that were not noted, and that the backlog does not know of yet. Relaxed: what a worker
    /// has added is there for the next batch of the same processor, and at the run's end, as those
    /// come after it by way of a mailbox or of joining the thread.
    n_missed: AtomicU64,
}

struct State {
    backlog: Backlog,
    /// Oldest first.
    waiting: VecDeque<Chunk>,
    /// Empty, to be filled.
    spares: Vec<Sheet>,
    /// The run ends at once: nobody waits for long.
    hastened: bool,
    fate: Fate,
}

/// Notes in their place.
pub(super) struct Chunk {
    pub(super) notes: Sheet,
    /// How many facts they are.
    pub(super) n_facts: usize,
    /// So many facts, which came before it, were not kept.
    pub(super) missed_before: u64,
}

/// What became of a listener.
#[derive(Clone, Debug, Default)]
pub(super) enum Fate {
    #[default]
    Well,
    Panicked,
    /// A recorder's error and its causes.
    Failed(String),
}

/// What the reader is to do.
pub(super) enum Next {
    /// Tell the lot.
    Tell,
    /// Tell how many facts were missed in the end, if any, and leave.
    Leave { missed: u64 },
    /// There is nothing to tell for now. Said to who has no patience.
    Nothing,
}

/// Whether a reader waits for something to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// It has a thread of its own.
    Waits,
    /// It is called now and then.
    None,
}

/// What a listener's report is made of.
pub(super) struct Account {
    pub(super) told: u64,
    pub(super) missed: u64,
    pub(super) fate: Fate,
}

impl Desk {
    pub(super) fn new(
        name: Text,
        wants: Wants,
        limit: usize,
        overflow: Overflow,
        n_holding: Arc<AtomicUsize>,
    ) -> Desk {
        let state = State {
            backlog: Backlog::new(limit, overflow),
            waiting: VecDeque::new(),
            spares: Vec::new(),
            hastened: false,
            fate: Fate::Well,
        };
        let (news, left) = (Condvar::new(), Condvar::new());
        Desk {
            name,
            wants,
            overflow,
            state: Mutex::new(state),
            news,
            left,
            n_holding,
            has_room: AtomicBool::new(true),
            n_missed: AtomicU64::new(0),
        }
    }

    /// Keeps a batch of `n` facts for the listener, or counts what it misses; never waits. `put`
    /// adds their notes to others; it is called under the lock.
    pub(super) fn offer(&self, n: usize, put: impl FnOnce(&mut Sheet)) {
        let mut state = self.lock();
        let offer = state.backlog.offered(n);
        self.say_whether_there_is_room(&state);
        let Offer::Keep { missed_before, wakes, begins_to_hold_back } = offer else { return };
        put(state.chunk(n, missed_before));
        if begins_to_hold_back {
            self.n_holding.fetch_add(1, Ordering::Relaxed);
        }
        drop(state);
        if wakes {
            self.news.notify_one();
        }
    }

    /// Whether a batch would be kept.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.has_room.load(Ordering::Relaxed)
    }

    /// Counts facts that were not noted, because a batch would not be kept.
    pub(super) fn miss(&self, n: u64) {
        self.n_missed.fetch_add(n, Ordering::Relaxed);
    }

    /// The state, with all that is known to be missed.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        self.count_missed(&mut state);
        state
    }

    fn count_missed(&self, state: &mut State) {
        if self.n_missed.load(Ordering::Relaxed) > 0 {
            state.backlog.missed(self.n_missed.swap(0, Ordering::Relaxed));
        }
    }

    fn say_whether_there_is_room(&self, state: &State) {
        let has_room = !state.backlog.misses();
        if has_room != self.has_room() {
            self.has_room.store(has_room, Ordering::Relaxed);
        }
    }

    /// Gives back a lot that was told and waits for the next. Calls `on_room` when there is room
    /// again.
    pub(super) fn next(
        &self,
        lot: &mut Vec<Chunk>,
        patience: Patience,
        on_room: impl Fn(),
    ) -> Next {
        lot.iter_mut().for_each(|chunk| chunk.notes.clear());
        let mut state = self.lock();
        let n_spares = SPARES_MAX - state.spares.len();
        let reusable = lot.drain(..).map(|chunk| chunk.notes);
        let reusable = reusable.filter(|notes| notes.capacity() <= SPARE_FACTS_MAX);
        state.spares.extend(reusable.take(n_spares));
        let relief = state.backlog.told();
        self.say_whether_there_is_room(&state);
        if relief == Relief::Room {
            self.n_holding.fetch_sub(1, Ordering::Relaxed);
            drop(state);
            on_room();
            state = self.state.lock();
        }
        loop {
            self.count_missed(&mut state);
            match state.backlog.look() {
                Look::Read => break,
                Look::Leave { missed } => return Next::Leave { missed },
                Look::Nap | Look::Sleep if patience == Patience::None => return Next::Nothing,
                Look::Nap => {
                    if let Some(nap) = NAP {
                        state = self.news.wait_for(state, nap);
                    }
                }
                Look::Sleep => state = self.news.wait(state),
            }
        }
        let mut n = 0;
        while n < state.backlog.lot()
            && let Some(chunk) = state.waiting.pop_front()
        {
            n += chunk.n_facts;
            lot.push(chunk);
        }
        state.backlog.read(n);
        Next::Tell
    }

    /// The reader leaves, and has not told `n_untold` of the facts it took.
    pub(super) fn leave(&self, n_untold: usize, fate: Fate, on_room: impl Fn()) {
        let mut state = self.state.lock();
        let relief = state.backlog.leave(n_untold);
        self.say_whether_there_is_room(&state);
        if relief == Relief::Room {
            self.n_holding.fetch_sub(1, Ordering::Relaxed);
        }
        state.fate = fate;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
        if relief == Relief::Room {
            on_room();
        }
        self.left.notify_all();
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.backlog.close();
        self.say_whether_there_is_room(&state);
        drop(state);
        self.news.notify_one();
    }

    /// Nothing more comes, and nobody waits for long.
    pub(super) fn hasten(&self) {
        let mut state = self.state.lock();
        state.hastened = true;
        state.backlog.close();
        self.say_whether_there_is_room(&state);
        drop(state);
        self.news.notify_one();
        self.left.notify_all();
    }

    /// Waits for the reader to leave and says whether it did: an observer is waited for until the
    /// deadline, a recorder without end unless the run ends at once.
    pub(super) fn await_left(&self, clock: &Clock, deadline: Duration) -> bool {
        let mut state = self.state.lock();
        loop {
            if state.backlog.is_left() {
                return true;
            }
            if self.overflow == Overflow::HoldBack && !state.hastened {
                state = self.left.wait(state);
                continue;
            }
            let now = clock.now();
            if now >= deadline {
                state.backlog.give_up();
                let waiting = std::mem::take(&mut state.waiting);
                drop(state);
                drop(waiting);
                return false;
            }
            state = self.left.wait_for(state, deadline - now);
        }
    }

    pub(super) fn account(&self) -> Account {
        let state = self.lock();
        let Backlog { n_told: told, n_missed: missed, .. } = state.backlog;
        Account { told, missed, fate: state.fate.clone() }
    }
}

impl State {
    /// Where to put the notes of the next `n` facts.
    fn chunk(&mut self, n: usize, missed_before: u64) -> &mut Sheet {
        let n_max = self.backlog.lot().min(CHUNK_FACTS_MAX);
        let fits = |last: &Chunk| missed_before == 0 && last.n_facts + n <= n_max;
        if !self.waiting.back().is_some_and(fits) {
            let notes = self.spares.pop().unwrap_or_default();
            self.waiting.push_back(Chunk { notes, n_facts: 0, missed_before });
        }
        let last = self.waiting.back_mut().expect("there is one by now");
        last.n_facts += n;
        &mut last.notes
    }
}
