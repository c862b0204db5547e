//! Owns what the turns of one batch want of timers, in order, until it is carried out.
//!
//! As the outbox it is a log with a mark: a turn that fails is cut off at the mark, and so has set
//! and cancelled nothing.

use std::time::Duration;

use selvedge_event::Event;

use crate::origin::Origin;
use crate::timers::{Repeat, TimerId};

/// A timer that a turn has set, for a later one to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerHandle(TimerId);

/// What a turn wants of timers.
#[derive(Debug)]
pub(crate) enum TimerWish {
    /// To emit this when the time has come.
    Set { id: TimerId, after: Duration, repeat: Repeat, event: Event, origin: Origin },
    /// That this one doesn't fire any more.
    Cancel(TimerId),
}

/// Why a turn may not have the timer that it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimerRefusal {
    TooMany,
    NoPeriod,
}

/// What the turns of one batch want of timers.
#[derive(Debug)]
pub(crate) struct TimerLog {
    /// The worker, whose number keeps its timers apart from other workers'.
    setter: u32,
    n_numbered: u64,
    wishes: Vec<TimerWish>,
    /// How many more timers there may be.
    room: usize,
    mark: Mark,
    /// The first thing that went wrong in this turn.
    refusal: Option<TimerRefusal>,
}

/// Where the current turn began.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    wishes: usize,
    room: usize,
}

impl TimerLog {
    pub(crate) fn new(setter: u32) -> TimerLog {
        TimerLog {
            setter,
            n_numbered: 0,
            wishes: Vec::new(),
            room: 0,
            mark: Mark::default(),
            refusal: None,
        }
    }

    /// Says how many more timers there may be, the ones in this log not counted.
    pub(crate) fn allow(&mut self, room: usize) {
        self.room = room.saturating_sub(self.wishes.len());
    }

    /// Begins a turn.
    #[inline]
    pub(crate) fn mark(&mut self) {
        self.mark = Mark { wishes: self.wishes.len(), room: self.room };
        self.refusal = None;
    }

    /// Sets a timer from when the current turn has succeeded. Where it may not, the turn fails,
    /// and what is returned is the handle of no timer.
    pub(crate) fn set(
        &mut self,
        after: Duration,
        repeat: Repeat,
        event: Event,
        origin: &Origin,
    ) -> TimerHandle {
        let id = TimerId { setter: self.setter, number: self.n_numbered };
        self.n_numbered += 1;
        if repeat == Repeat::Every(Duration::ZERO) {
            self.refusal.get_or_insert(TimerRefusal::NoPeriod);
        } else if self.room == 0 {
            self.refusal.get_or_insert(TimerRefusal::TooMany);
        } else {
            self.room -= 1;
            // What ticks for ever would keep whoever awaits a reply waiting.
            let question = origin.question.clone().filter(|_| repeat == Repeat::Once);
            let origin = Origin { descent: origin.descent, question };
            self.wishes.push(TimerWish::Set { id, after, repeat, event, origin });
        }
        TimerHandle(id)
    }

    /// Cancels a timer when the current turn has succeeded.
    pub(crate) fn cancel(&mut self, timer: TimerHandle) {
        self.wishes.push(TimerWish::Cancel(timer.0));
    }

    pub(crate) fn take_refusal(&mut self) -> Option<TimerRefusal> {
        self.refusal.take()
    }

    /// Forgets what the current turn wanted.
    pub(crate) fn roll_back(&mut self) {
        self.wishes.truncate(self.mark.wishes);
        self.room = self.mark.room;
    }

    /// Whether there is nothing to carry out.
    pub(crate) fn is_empty(&self) -> bool {
        self.wishes.is_empty()
    }

    /// Hands over what is to be carried out, oldest first.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = TimerWish> + '_ {
        self.mark = Mark::default();
        self.wishes.drain(..)
    }
}

impl TimerRefusal {
    pub(crate) fn explain(self) -> anyhow::Error {
        match self {
            TimerRefusal::TooMany => anyhow::anyhow!(
                "the turn set more timers than there may be: cancel those that are not needed, \
                 set fewer that repeat, or raise `Limits::timers_max`"
            ),
            TimerRefusal::NoPeriod => {
                anyhow::anyhow!(
                    "the turn set a timer with a period of zero: emit the event instead"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use selvedge_event::Dynamic;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Each word is a turn: `s` sets a timer, `e` one that repeats, `z` one with a period of zero,
    /// `c` cancels the one set last, and a `!` makes the turn fail. There is room for so many.
    fn trace(room: usize, turns: &str) -> String {
        let mut log = TimerLog::new(1);
        log.allow(room);
        let (mut last, mut text) = (None, String::new());
        for (turn, number) in turns.split(' ').zip(0..) {
            log.mark();
            for letter in turn.chars() {
                let repeat = match letter {
                    's' => Repeat::Once,
                    'e' => Repeat::Every(SECOND),
                    'z' => Repeat::Every(Duration::ZERO),
                    'c' => {
                        log.cancel(last.expect("one was set before"));
                        continue;
                    }
                    _ => continue,
                };
                let event = Event::new(Dynamic::new("alarm", number));
                last = Some(log.set(SECOND * 9, repeat, event, &Origin::inside()));
            }
            if let Some(refusal) = log.take_refusal() {
                text += &format!("turn {number}: {}\n", refusal.explain());
                log.roll_back();
            } else if turn.ends_with('!') {
                log.roll_back();
            }
        }
        for wish in log.drain() {
            text += &match wish {
                TimerWish::Set { id, after, repeat, event, .. } => {
                    let turn = event.value().cloned().unwrap_or_default();
                    format!("turn {turn} sets {} after {after:?}, {repeat:?}\n", id.number)
                }
                TimerWish::Cancel(id) => format!("cancels {}\n", id.number),
            };
        }
        assert!(log.is_empty());
        text
    }

    #[test]
    fn wishes_are_kept_in_order() {
        assert_snapshot!(trace(9, "s ec c"), @r"
        turn 0 sets 0 after 9s, Once
        turn 1 sets 1 after 9s, Every(1s)
        cancels 1
        cancels 1
        ");
    }

    #[test]
    fn a_failed_turn_has_set_and_cancelled_nothing() {
        assert_snapshot!(trace(9, "s cs! s"), @r"
        turn 0 sets 0 after 9s, Once
        turn 2 sets 2 after 9s, Once
        ");
    }

    #[test]
    fn a_turn_that_may_not_have_its_timer_fails() {
        assert_snapshot!(trace(2, "s ss s s"), @r"
        turn 1: the turn set more timers than there may be: cancel those that are not needed, set fewer that repeat, or raise `Limits::timers_max`
        turn 3: the turn set more timers than there may be: cancel those that are not needed, set fewer that repeat, or raise `Limits::timers_max`
        turn 0 sets 0 after 9s, Once
        turn 2 sets 3 after 9s, Once
        ");
        assert_snapshot!(trace(2, "ss! sz s"), @r"
        turn 1: the turn set a timer with a period of zero: emit the event instead
        turn 2 sets 4 after 9s, Once
        ");
    }

    #[test]
    fn handles_tell_timers_of_all_workers_apart() {
        let set = |log: &mut TimerLog| {
            let event = Event::new(Dynamic::new("alarm", 0));
            log.allow(9);
            log.set(SECOND, Repeat::Once, event, &Origin::inside())
        };
        let (mut first, mut second) = (TimerLog::new(0), TimerLog::new(1));
        let handles = [set(&mut first), set(&mut first), set(&mut second)];
        assert!(handles[0] != handles[1] && handles[0] != handles[2] && handles[1] != handles[2]);
    }
}
