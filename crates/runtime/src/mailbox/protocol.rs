//! Owns the protocol that keeps a processor's turns one at a time: signal in, effect out.
//!
//! Pure: it knows no words, no queues and no threads. `README.md` beside it has the table and the
//! races it prevents.

use crate::planted::planted;

/// Where a mailbox stands with the scheduler. At most one turn is in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Status {
    /// Nothing pending.
    #[default]
    Idle,
    /// Its turn comes: one entry in the ready set says so, or someone has undertaken to make one.
    Queued,
    /// No mail, but more can be pulled; an entry in the set of pulls says so.
    AwaitingRoom,
    /// A worker has it.
    Running,
}

/// What happens to a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Mail was put in.
    Posted,
    /// A worker found it in the ready set.
    Claimed,
    /// A worker found it in the set of pulls.
    ClaimedToPull,
    /// A worker that posts to it would go on with it if it were idle.
    ClaimedIfIdle,
    /// Turns have ceased: what waits is given up.
    GivenUp,
    /// The run is over, or has failed: the processor is taken out.
    Seized,
    /// The worker is done with it for now.
    Released { has_mail: bool, pulling: bool },
    /// The worker has left it to someone who will put it into the ready set later.
    Held,
}

/// What whoever gave the signal must do, and nobody else will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    Nothing,
    /// Put it into the ready set.
    Enqueue,
    /// Put it into the set of pulls.
    EnqueuePull,
    /// Move it from the set of pulls to the ready set: mail doesn't wait for room.
    Promote,
    /// Leave it: it is not to be had.
    Discard,
}

impl Status {
    /// Advances the protocol by one signal. Pure: words and queues belong to the caller.
    // Callers know the signal: most of the table falls away where it is inlined.
    #[inline(always)]
    #[must_use]
    pub(crate) fn on(self, signal: Signal) -> (Status, Effect) {
        use Effect::{Discard, Enqueue, EnqueuePull, Nothing, Promote};
        use Signal::{
            Claimed, ClaimedIfIdle, ClaimedToPull, GivenUp, Held, Posted, Released, Seized,
        };
        use Status::{AwaitingRoom, Idle, Queued, Running};
        match (self, signal) {
            (Idle, Posted) => (Queued, Enqueue),
            (AwaitingRoom, Posted) => (Queued, Promote),
            // Already queued, or the worker that has it will find the mail on release.
            (Queued | Running, Posted) => (self, Nothing),
            (Queued, Claimed) | (AwaitingRoom, ClaimedToPull) => (Running, Nothing),
            (Idle, ClaimedIfIdle) | (Queued, GivenUp) | (Idle | Queued | AwaitingRoom, Seized) => {
                (Running, Nothing)
            }
            (Queued, ClaimedToPull) if planted("stale-pull") => (Running, Nothing),
            // The entry was popped just before mail came and the mailbox was promoted.
            (Idle | Queued | Running, ClaimedToPull) => (self, Discard),
            (Queued | AwaitingRoom | Running, ClaimedIfIdle)
            | (Idle | AwaitingRoom | Running, GivenUp)
            | (Running, Seized) => (self, Discard),
            (Running, Released { has_mail: false, pulling: false }) => (Idle, Nothing),
            (Running, Released { has_mail: false, pulling: true }) => (AwaitingRoom, EnqueuePull),
            (Running, Released { .. }) => (Queued, Enqueue),
            (Running, Held) => (Queued, Nothing),
            // Its mail was given up meanwhile; were turns not to have ceased, it would be our bug.
            (Idle | AwaitingRoom | Running, Claimed) => (self, Discard),
            (Idle | Queued | AwaitingRoom, Released { .. } | Held) => {
                unreachable!("{signal:?} while {self:?}: nobody has claimed it")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::Signal::{Claimed, ClaimedToPull, Held, Posted, Released};
    use super::*;

    /// The one place that touches the protocol; each test below is data.
    fn trace(signals: &[Signal]) -> String {
        let mut status = Status::default();
        let step = |&signal: &Signal| {
            let (next, effect) = status.on(signal);
            status = next;
            format!("{signal:?} -> {next:?}, {effect:?}\n")
        };
        signals.iter().map(step).collect()
    }

    #[test]
    fn posts_during_a_turn_requeue_once() {
        let released = Released { has_mail: true, pulling: false };
        assert_snapshot!(trace(&[Posted, Claimed, Posted, Posted, released]), @r"
        Posted -> Queued, Enqueue
        Claimed -> Running, Nothing
        Posted -> Running, Nothing
        Posted -> Running, Nothing
        Released { has_mail: true, pulling: false } -> Queued, Enqueue
        ");
    }

    #[test]
    fn mail_does_not_wait_for_room() {
        let waits = Released { has_mail: false, pulling: true };
        assert_snapshot!(trace(&[Posted, Claimed, waits, Posted, ClaimedToPull, Claimed, waits]), @r"
        Posted -> Queued, Enqueue
        Claimed -> Running, Nothing
        Released { has_mail: false, pulling: true } -> AwaitingRoom, EnqueuePull
        Posted -> Queued, Promote
        ClaimedToPull -> Queued, Discard
        Claimed -> Running, Nothing
        Released { has_mail: false, pulling: true } -> AwaitingRoom, EnqueuePull
        ");
    }

    #[test]
    fn a_source_is_pulled_until_it_is_done() {
        let more = Released { has_mail: false, pulling: true };
        let done = Released { has_mail: false, pulling: false };
        assert_snapshot!(trace(&[Posted, Claimed, more, ClaimedToPull, done]), @r"
        Posted -> Queued, Enqueue
        Claimed -> Running, Nothing
        Released { has_mail: false, pulling: true } -> AwaitingRoom, EnqueuePull
        ClaimedToPull -> Running, Nothing
        Released { has_mail: false, pulling: false } -> Idle, Nothing
        ");
    }

    #[test]
    fn a_held_mailbox_is_queued_without_an_entry() {
        let released = Released { has_mail: false, pulling: false };
        assert_snapshot!(trace(&[Posted, Claimed, Held, Posted, Claimed, released]), @r"
        Posted -> Queued, Enqueue
        Claimed -> Running, Nothing
        Held -> Queued, Nothing
        Posted -> Queued, Nothing
        Claimed -> Running, Nothing
        Released { has_mail: false, pulling: false } -> Idle, Nothing
        ");
    }
}
