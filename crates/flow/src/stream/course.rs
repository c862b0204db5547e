//! Owns what becomes of an event on its way to one listener: numbers only. The lock around it, the
//! events themselves and whoever waits are `feed`'s and `events`'.
//!
//! A listener's events wait in memory, up to a limit, and behind those in a spill. They are told in
//! order: as long as something lies in the spill, nothing goes into memory but what comes out of
//! there.

use super::OnFull;

/// Where the events of one listener stand.
#[derive(Debug)]
pub(super) struct Course {
    queue_max: u64,
    on_full: OnFull,
    /// In memory.
    n_kept: u64,
    /// Behind them.
    n_spilled: u64,
    /// The first that the listener will not be told, and nothing after it.
    lost_from: Option<u64>,
    /// Not kept, while others after them were.
    n_missed: u64,
    /// Nothing more comes.
    is_closed: bool,
    /// It sleeps until it is woken.
    sleeps: bool,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    Spill,
    /// It is not told.
    Drop,
}

/// What becomes of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Keep,
    /// There will be room.
    Wait,
    /// It is not told.
    Drop,
}

/// What a listener is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Take what is in memory.
    Take,
    /// Bring back so many from the spill, at most.
    BringBack(u64),
    /// There is nothing yet.
    Sleep,
    /// There is nothing, and never will be.
    Over,
    /// Nothing from this one on will be told.
    Lagged { from_seq: u64 },
}

impl Course {
    pub(super) fn new(queue_max: usize, on_full: OnFull) -> Course {
        Course {
            queue_max: queue_max as u64,
            on_full,
            n_kept: 0,
            n_spilled: 0,
            lost_from: None,
            n_missed: 0,
            is_closed: false,
            sleeps: false,
        }
    }

    fn hears(&self) -> bool {
        !self.is_closed && self.lost_from.is_none()
    }

    /// An event of this number comes. It never waits.
    pub(super) fn event(&mut self, seq: u64) -> Fate {
        if !self.hears() {
            return Fate::Drop;
        }
        if self.n_spilled == 0 && self.n_kept < self.queue_max {
            self.n_kept += 1;
            return Fate::Keep;
        }
        match self.on_full {
            OnFull::Spill => {
                self.n_spilled += 1;
                Fate::Spill
            }
            OnFull::End => {
                self.lost_from = Some(seq);
                Fate::Drop
            }
            OnFull::Miss => {
                self.n_missed += 1;
                Fate::Drop
            }
        }
    }

    /// The event of this number, which was to be spilled, could not be.
    pub(super) fn not_spilled(&mut self, seq: u64) {
        self.n_spilled -= 1;
        self.lost_from.get_or_insert(seq);
    }

    /// A token wants to come: it may wait. Nothing changes, since other listeners may have no room.
    pub(super) fn room(&self) -> Room {
        if !self.hears() {
            Room::Drop
        } else if self.n_spilled == 0 && self.n_kept < self.queue_max {
            Room::Keep
        } else if self.on_full == OnFull::Miss {
            Room::Drop
        } else {
            Room::Wait
        }
    }

    /// The token comes.
    pub(super) fn token(&mut self, room: Room) {
        match room {
            Room::Keep => self.n_kept += 1,
            Room::Drop if self.hears() => self.n_missed += 1,
            Room::Drop | Room::Wait => {}
        }
    }

    /// What the listener is to do. One that is told to sleep has to be woken.
    pub(super) fn look(&mut self) -> Look {
        self.sleeps = false;
        if self.n_kept > 0 {
            return Look::Take;
        }
        if self.n_spilled > 0 {
            return Look::BringBack(self.n_spilled.min(self.queue_max));
        }
        match self.lost_from {
            Some(from_seq) => Look::Lagged { from_seq },
            None if self.is_closed => Look::Over,
            None => {
                self.sleeps = true;
                Look::Sleep
            }
        }
    }

    /// So many were taken out of memory.
    pub(super) fn took(&mut self, n: u64) {
        self.n_kept -= n;
    }

    /// So many came back from the spill, into memory.
    pub(super) fn brought_back(&mut self, n: u64) {
        self.n_spilled -= n;
        self.n_kept += n;
    }

    /// What lies in the spill can't be read, from this number on.
    pub(super) fn not_brought_back(&mut self, from_seq: u64) {
        self.n_spilled = 0;
        self.lost_from = Some(from_seq);
    }

    /// Whether the listener is to be woken; the caller then does.
    pub(super) fn wakes(&mut self) -> bool {
        std::mem::take(&mut self.sleeps)
    }

    /// Nothing more comes.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    pub(super) fn n_missed(&self) -> u64 {
        self.n_missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Doing::{Bring, Close, Event, Take, Token, Unread, Unspilled};

    #[derive(Clone, Copy, Debug)]
    enum Doing {
        Event,
        /// An event that can't be spilled.
        Unspilled,
        Token,
        Take(u64),
        Bring(u64),
        /// The spill can't be read.
        Unread,
        Close,
    }

    /// What comes of each, and what the listener would do next.
    fn trace(queue_max: usize, on_full: OnFull, doings: &[Doing]) -> String {
        let mut course = Course::new(queue_max, on_full);
        let mut seq = 0;
        let mut text = String::new();
        for &doing in doings {
            let said = match doing {
                Event | Unspilled => {
                    seq += 1;
                    let fate = course.event(seq);
                    if matches!(doing, Unspilled) {
                        course.not_spilled(seq);
                    }
                    format!("{fate:?}")
                }
                Token => {
                    let room = course.room();
                    if room != Room::Wait {
                        seq += 1;
                        course.token(room);
                    }
                    format!("{room:?}")
                }
                Take(n) => {
                    course.took(n);
                    String::new()
                }
                Bring(n) => {
                    course.brought_back(n);
                    String::new()
                }
                Unread => {
                    course.not_brought_back(seq);
                    String::new()
                }
                Close => {
                    course.close();
                    String::new()
                }
            };
            let (look, missed) = (course.look(), course.n_missed());
            text += &format!("{doing:?} {said} -> {look:?}");
            text += &if missed > 0 { format!(", {missed} missed\n") } else { "\n".to_owned() };
        }
        text
    }

    #[test]
    fn events_beyond_the_limit_spill_until_all_of_them_are_back() {
        let doings = [Event, Event, Event, Event, Take(2), Event, Bring(2), Event, Take(2)];
        let rest = [Bring(2), Take(2), Event, Take(1), Close];
        insta::assert_snapshot!(trace(2, OnFull::Spill, &[&doings[..], &rest].concat()), @r"
        Event Keep -> Take
        Event Keep -> Take
        Event Spill -> Take
        Event Spill -> Take
        Take(2)  -> BringBack(2)
        Event Spill -> BringBack(2)
        Bring(2)  -> Take
        Event Spill -> Take
        Take(2)  -> BringBack(2)
        Bring(2)  -> Take
        Take(2)  -> Sleep
        Event Keep -> Take
        Take(1)  -> Sleep
        Close  -> Over
        ");
    }

    #[test]
    fn tokens_wait_for_room_and_for_what_was_spilled() {
        let doings = [Token, Token, Token, Event, Take(2), Token, Bring(1), Token, Take(2), Token];
        insta::assert_snapshot!(trace(2, OnFull::Spill, &doings), @r"
        Token Keep -> Take
        Token Keep -> Take
        Token Wait -> Take
        Event Spill -> Take
        Take(2)  -> BringBack(1)
        Token Wait -> BringBack(1)
        Bring(1)  -> Take
        Token Keep -> Take
        Take(2)  -> Sleep
        Token Keep -> Take
        ");
    }

    #[test]
    fn without_a_spill_the_stream_ends_with_what_did_not_fit() {
        let doings = [Event, Event, Event, Token, Take(1), Close];
        insta::assert_snapshot!(trace(1, OnFull::End, &doings), @r"
        Event Keep -> Take
        Event Drop -> Take
        Event Drop -> Take
        Token Drop -> Take
        Take(1)  -> Lagged { from_seq: 2 }
        Close  -> Lagged { from_seq: 2 }
        ");
    }

    #[test]
    fn a_spill_that_fails_is_as_none() {
        insta::assert_snapshot!(
            trace(1, OnFull::Spill, &[Event, Event, Unspilled, Event, Take(1), Bring(1), Take(1)]),
            @r"
        Event Keep -> Take
        Event Spill -> Take
        Unspilled Spill -> Take
        Event Drop -> Take
        Take(1)  -> BringBack(1)
        Bring(1)  -> Take
        Take(1)  -> Lagged { from_seq: 3 }
        "
        );
        insta::assert_snapshot!(trace(1, OnFull::Spill, &[Event, Event, Take(1), Unread]), @r"
        Event Keep -> Take
        Event Spill -> Take
        Take(1)  -> BringBack(1)
        Unread  -> Lagged { from_seq: 2 }
        ");
    }

    #[test]
    fn who_may_miss_something_holds_no_token_back() {
        let doings = [Event, Event, Token, Take(1), Token, Take(1), Close, Event];
        insta::assert_snapshot!(trace(1, OnFull::Miss, &doings), @r"
        Event Keep -> Take
        Event Drop -> Take, 1 missed
        Token Drop -> Take, 2 missed
        Take(1)  -> Sleep, 2 missed
        Token Keep -> Take, 2 missed
        Take(1)  -> Sleep, 2 missed
        Close  -> Over, 2 missed
        Event Drop -> Over, 2 missed
        ");
    }
}
