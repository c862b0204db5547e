//! Owns the protocol of a listener's queue: which batches are kept, when more must not come in,
//! and when its reader has to be woken. Pure: it counts facts, and never sees one. The lock and
//! the batches are `desk`'s.

/// With so many facts waiting, a reader that naps is woken before its time.
const NAP_FACTS_MAX: usize = 1_024;

/// What waits for one listener, in numbers.
#[derive(Debug)]
pub(super) struct Backlog {
    limit: usize,
    overflow: Overflow,
    n_waiting: usize,
    /// Taken by the reader, and not told to the end yet.
    n_in_hand: usize,
    /// Not kept since the last batch that was.
    n_missed_since: u64,
    holds_back: bool,
    reader: Reader,
    closing: bool,
    pub(super) n_told: u64,
    pub(super) n_missed: u64,
}

/// What happens above the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    /// The listener misses what comes.
    Miss,
    /// Nothing is missed; the pipeline is to admit nothing.
    HoldBack,
}

/// What the thread that tells the listener does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// Tells. The flag says whether it has read anything since it last rested.
    Busy { has_read: bool },
    /// Looks again by itself in a moment: waking it for every batch would cost a worker more than
    /// the batch did.
    Naps,
    /// Waits to be woken.
    Sleeps,
    /// Nobody is told any more.
    Gone,
}

/// What whoever offers a batch must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// Keep it, and wake the reader if so it says.
    Keep { missed_before: u64, wakes: bool, begins_to_hold_back: bool },
    /// Take it away: it is counted.
    Refuse,
}

/// What the reader must do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Take some of what waits.
    Read,
    /// Wait for a moment.
    Nap,
    /// Wait until woken.
    Sleep,
    /// Tell this, if it is anything, and leave.
    Leave { missed: u64 },
}

/// What a change means for admission.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relief {
    Nothing,
    /// This queue holds back nothing any more: whoever waits for that is to be told.
    Room,
}

impl Backlog {
    pub(super) fn new(limit: usize, overflow: Overflow) -> Backlog {
        Backlog {
            limit,
            overflow,
            n_waiting: 0,
            n_in_hand: 0,
            n_missed_since: 0,
            holds_back: false,
            reader: Reader::Busy { has_read: false },
            closing: false,
            n_told: 0,
            n_missed: 0,
        }
    }

    /// How many facts the reader should take at a time: often enough there is room again.
    pub(super) fn lot(&self) -> usize {
        (self.limit / 4).max(1)
    }

    /// A batch of so many facts is there. At the limit it is full; below, it takes any batch, so
    /// one that is larger than the limit has a chance too.
    pub(super) fn offered(&mut self, n: usize) -> Offer {
        if self.misses() {
            self.missed(n as u64);
            return Offer::Refuse;
        }
        self.n_waiting += n;
        let begins_to_hold_back =
            self.is_full() && self.overflow == Overflow::HoldBack && !self.holds_back;
        self.holds_back |= begins_to_hold_back;
        let wakes = match self.reader {
            Reader::Sleeps => true,
            Reader::Naps => self.n_waiting >= self.limit.min(NAP_FACTS_MAX),
            Reader::Busy { .. } | Reader::Gone => false,
        };
        if wakes {
            // Nobody else needs to.
            self.reader = Reader::Busy { has_read: false };
        }
        let missed_before = std::mem::take(&mut self.n_missed_since);
        Offer::Keep { missed_before, wakes, begins_to_hold_back }
    }

    /// Whether a batch that came now would not be kept.
    pub(super) fn misses(&self) -> bool {
        let is_full = self.is_full() && self.overflow == Overflow::Miss;
        is_full || self.closing || self.reader == Reader::Gone
    }

    /// So many facts were not even offered, as they would have been refused.
    pub(super) fn missed(&mut self, n: u64) {
        self.n_missed += n;
        self.n_missed_since += n;
    }

    fn is_full(&self) -> bool {
        self.n_waiting + self.n_in_hand >= self.limit
    }

    /// The reader has taken so many facts in hand.
    pub(super) fn read(&mut self, n: usize) {
        self.n_waiting -= n;
        self.n_in_hand += n;
        self.n_told += n as u64;
        self.reader = Reader::Busy { has_read: true };
    }

    /// The reader has told what it had in hand. Half of the limit is room enough to say so: were
    /// it said for every batch, as much would be woken for each.
    pub(super) fn told(&mut self) -> Relief {
        self.n_in_hand = 0;
        if self.n_waiting <= self.limit / 2 { self.relieve() } else { Relief::Nothing }
    }

    /// The reader has nothing in hand and looks what to do.
    pub(super) fn look(&mut self) -> Look {
        if self.n_waiting > 0 {
            return Look::Read;
        }
        if self.closing {
            return Look::Leave { missed: std::mem::take(&mut self.n_missed_since) };
        }
        match self.reader {
            Reader::Busy { has_read: true } => {
                self.reader = Reader::Naps;
                Look::Nap
            }
            _ => {
                self.reader = Reader::Sleeps;
                Look::Sleep
            }
        }
    }

    /// Nothing more is kept; the reader leaves when it has told what was.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// What waits is given up: nobody waits for the reader any longer.
    pub(super) fn give_up(&mut self) {
        self.n_missed += self.n_waiting as u64;
        self.n_waiting = 0;
        self.closing = true;
    }

    /// The reader leaves, and has not told `n_untold` of what it took.
    pub(super) fn leave(&mut self, n_untold: usize) -> Relief {
        self.n_told -= n_untold as u64;
        self.n_missed += n_untold as u64;
        self.n_in_hand = 0;
        self.give_up();
        self.reader = Reader::Gone;
        self.relieve()
    }

    pub(super) fn is_left(&self) -> bool {
        self.reader == Reader::Gone
    }

    fn relieve(&mut self) -> Relief {
        if std::mem::take(&mut self.holds_back) { Relief::Room } else { Relief::Nothing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: Offer = keep(0, false);

    const fn keep(missed_before: u64, wakes: bool) -> Offer {
        Offer::Keep { missed_before, wakes, begins_to_hold_back: false }
    }

    /// The reader takes so many facts and tells them.
    fn read_and_tell(backlog: &mut Backlog, n: usize) -> Relief {
        assert_eq!(backlog.look(), Look::Read);
        backlog.read(n);
        backlog.told()
    }

    #[test]
    fn a_full_queue_misses_until_the_reader_is_back() {
        let mut backlog = Backlog::new(4, Overflow::Miss);
        // Below the limit any batch has a chance; at the limit, none has.
        assert_eq!(backlog.offered(3), KEPT);
        assert_eq!(backlog.offered(7), KEPT);
        assert_eq!(backlog.offered(2), Offer::Refuse);
        assert_eq!(backlog.look(), Look::Read);
        backlog.read(10);
        // In hand is not told yet.
        assert_eq!(backlog.offered(5), Offer::Refuse);
        assert_eq!(backlog.told(), Relief::Nothing);
        assert_eq!(backlog.offered(1), keep(7, false));
        assert_eq!(backlog.offered(1), KEPT);
        assert_eq!((backlog.n_told, backlog.n_missed), (10, 7));
    }

    #[test]
    fn what_is_missed_last_is_told_on_leaving() {
        let mut backlog = Backlog::new(1, Overflow::Miss);
        assert_eq!(backlog.offered(1), KEPT);
        assert_eq!(backlog.offered(4), Offer::Refuse);
        backlog.close();
        assert_eq!(backlog.offered(2), Offer::Refuse);
        assert_eq!(read_and_tell(&mut backlog, 1), Relief::Nothing);
        assert_eq!(backlog.look(), Look::Leave { missed: 6 });
        assert_eq!(backlog.leave(0), Relief::Nothing);
        assert!(backlog.is_left());
        assert_eq!((backlog.n_told, backlog.n_missed), (1, 6));
    }

    #[test]
    fn a_recorder_holds_back_from_the_limit_down_to_half_of_it() {
        let mut backlog = Backlog::new(4, Overflow::HoldBack);
        assert_eq!(backlog.offered(3), KEPT);
        let begins = Offer::Keep { missed_before: 0, wakes: false, begins_to_hold_back: true };
        assert_eq!(backlog.offered(1), begins);
        // Nothing is refused, and it is said once.
        assert_eq!(backlog.offered(9), KEPT);
        assert_eq!(read_and_tell(&mut backlog, 10), Relief::Nothing);
        assert_eq!(read_and_tell(&mut backlog, 1), Relief::Room);
        assert_eq!(read_and_tell(&mut backlog, 2), Relief::Nothing);
        assert_eq!(backlog.offered(4), begins);
        assert_eq!(read_and_tell(&mut backlog, 4), Relief::Room);
        assert_eq!((backlog.n_told, backlog.n_missed), (17, 0));
    }

    #[test]
    fn who_leaves_holds_nothing_back_and_owns_up() {
        let mut backlog = Backlog::new(1, Overflow::HoldBack);
        assert!(matches!(backlog.offered(3), Offer::Keep { begins_to_hold_back: true, .. }));
        assert_eq!(backlog.offered(5), KEPT);
        assert_eq!(backlog.look(), Look::Read);
        backlog.read(3);
        assert_eq!(backlog.leave(2), Relief::Room);
        assert_eq!(backlog.offered(1), Offer::Refuse);
        assert_eq!((backlog.n_told, backlog.n_missed), (1, 2 + 5 + 1));
    }

    #[test]
    fn a_reader_naps_once_then_sleeps_and_one_waker_is_enough() {
        let mut backlog = Backlog::new(4, Overflow::Miss);
        assert_eq!(backlog.look(), Look::Sleep);
        assert_eq!(backlog.offered(1), keep(0, true));
        assert_eq!(backlog.offered(1), KEPT);
        assert_eq!(read_and_tell(&mut backlog, 2), Relief::Nothing);
        assert_eq!(backlog.look(), Look::Nap);
        // It will see these by itself, unless they become many.
        assert_eq!(backlog.offered(2), KEPT);
        assert_eq!(backlog.offered(2), keep(0, true));
        assert_eq!(read_and_tell(&mut backlog, 4), Relief::Nothing);
        assert_eq!(backlog.look(), Look::Nap);
        assert_eq!(backlog.look(), Look::Sleep);
    }

    #[test]
    fn what_nobody_waits_for_any_longer_is_missed() {
        let mut backlog = Backlog::new(10, Overflow::Miss);
        assert_eq!(backlog.offered(2), KEPT);
        assert_eq!(backlog.look(), Look::Read);
        backlog.read(2);
        assert_eq!(backlog.offered(3), KEPT);
        backlog.give_up();
        assert!(!backlog.is_left());
        assert_eq!((backlog.n_told, backlog.n_missed), (2, 3));
        assert_eq!(backlog.told(), Relief::Nothing);
        assert_eq!(backlog.look(), Look::Leave { missed: 0 });
    }
}
