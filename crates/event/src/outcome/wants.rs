//! Owns `Wants`: which kinds of facts a listener asks for.

use std::fmt;
use std::ops::BitOr;

use super::Fact;

/// Kinds of facts, as a set. Facts that nobody wants are not even put together.
///
/// ```
/// use selvedge_event::{Fact, Wants};
/// let wants = Wants::RUN | Wants::TURNS;
/// assert!(wants.includes(&Fact::PhaseStarted { number: 1 }));
/// assert!(!wants.contains(Wants::EMISSIONS));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Wants(u32);

/// Every kind there is, with its name.
const KINDS: [(&str, Wants); 10] = [
    ("RUN", Wants::RUN),
    ("TURN_STARTS", Wants::TURN_STARTS),
    ("TURNS", Wants::TURNS),
    ("EMISSIONS", Wants::EMISSIONS),
    ("FAILURES", Wants::FAILURES),
    ("TIMERS", Wants::TIMERS),
    ("WARNINGS", Wants::WARNINGS),
    ("TASKS", Wants::TASKS),
    ("LOOK_UPS", Wants::LOOK_UPS),
    ("RECORDED", Wants::RECORDED),
];

impl Wants {
    /// Nothing.
    pub const NONE: Wants = Wants(0);
    /// The run begins, enters a phase, pauses, ends: a handful per run.
    pub const RUN: Wants = Wants(1);
    /// A turn begins: one per turn.
    pub const TURN_STARTS: Wants = Wants(1 << 1);
    /// A turn comes to its end: one per attempt.
    pub const TURNS: Wants = Wants(1 << 2);
    /// An event was emitted: one per event.
    pub const EMISSIONS: Wants = Wants(1 << 3);
    /// What becomes of turns that fail: retries, dead letters, dropped events, restarts.
    pub const FAILURES: Wants = Wants(1 << 4);
    /// Timers are set and fire.
    pub const TIMERS: Wants = Wants(1 << 5);
    /// Budgets overrun, and whatever else looks wrong.
    pub const WARNINGS: Wants = Wants(1 << 6);
    /// Scopes and their tasks.
    pub const TASKS: Wants = Wants(1 << 7);
    /// Turns of cached processors, replayed or recorded: one per such turn that succeeds.
    pub const LOOK_UPS: Wants = Wants(1 << 8);
    /// Turns of recorded processors, by digest: one per such turn.
    pub const RECORDED: Wants = Wants(1 << 9);
    /// What people look at, and what costs a busy run nothing: how the run goes, failures, and
    /// whatever looks wrong. Nothing of it is told of a turn that simply succeeds. The default.
    pub const NOTABLE: Wants = Wants::RUN.and(Wants::FAILURES).and(Wants::WARNINGS);
    /// What every turn tells, also one that simply succeeds: its start, what it emitted, its end.
    pub const EACH_TURN: Wants = Wants::TURN_STARTS.and(Wants::EMISSIONS).and(Wants::TURNS);
    /// Everything, kinds that are added later included.
    pub const ALL: Wants = Wants(u32::MAX);

    /// Both these and those.
    #[must_use]
    pub const fn and(self, other: Wants) -> Wants {
        Wants(self.0 | other.0)
    }

    /// Whether all of those are among these.
    #[must_use]
    #[inline]
    pub const fn contains(self, other: Wants) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of those is among these.
    #[must_use]
    #[inline]
    pub const fn meets(self, other: Wants) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether a fact is of a kind that is among these.
    #[must_use]
    pub const fn includes(self, fact: &Fact) -> bool {
        self.contains(fact.belongs_to())
    }

    /// Whether nothing is wanted.
    #[must_use]
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// [`Wants::NOTABLE`].
impl Default for Wants {
    fn default() -> Wants {
        Wants::NOTABLE
    }
}

impl BitOr for Wants {
    type Output = Wants;

    fn bitor(self, other: Wants) -> Wants {
        self.and(other)
    }
}

impl fmt::Debug for Wants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Wants::ALL => return f.write_str("ALL"),
            Wants::NONE => return f.write_str("NONE"),
            _ => (),
        }
        let named = KINDS.iter().filter(|(_, kind)| self.contains(*kind)).map(|(name, _)| *name);
        f.write_str(&named.collect::<Vec<_>>().join(" | "))
    }
}
