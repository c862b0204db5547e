//! Owns a processor's mailbox and the protocol that keeps its turns one at a time.
//!
//! The protocol, [`Status::on`], is pure: signal in, effect out. Locks and queues are wrapped
//! around it; they never decide. `mailbox/README.md` has the table and the races it prevents.

use std::collections::VecDeque;
use std::time::Duration;

use crate::envelope::{Descent, Envelope};
use crate::owner::Owner;

/// Where a mailbox stands with the scheduler. At most one turn is in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Status {
    /// Nothing pending.
    #[default]
    Idle,
    /// Mail waits, and one entry in the ready set says so.
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
    /// The worker is done with it for now.
    Released { n_pending: usize, pulling: bool },
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
    /// Forget the entry: it was overtaken by a promotion.
    Discard,
}

impl Status {
    /// Advances the protocol by one signal. Pure: locks and queues belong to the caller.
    #[must_use]
    pub(crate) fn on(self, signal: Signal) -> (Status, Effect) {
        use Effect::{Discard, Enqueue, EnqueuePull, Nothing, Promote};
        use Signal::{Claimed, ClaimedToPull, Posted, Released};
        use Status::{AwaitingRoom, Idle, Queued, Running};
        match (self, signal) {
            (Idle, Posted) => (Queued, Enqueue),
            (AwaitingRoom, Posted) => (Queued, Promote),
            // Already queued, or the worker that has it will find the mail on release.
            (Queued | Running, Posted) => (self, Nothing),
            (Queued, Claimed) | (AwaitingRoom, ClaimedToPull) => (Running, Nothing),
            // The entry was popped just before mail came and the mailbox was promoted.
            (Idle | Queued | Running, ClaimedToPull) => (self, Discard),
            (Running, Released { n_pending: 0, pulling: false }) => (Idle, Nothing),
            (Running, Released { n_pending: 0, pulling: true }) => (AwaitingRoom, EnqueuePull),
            (Running, Released { .. }) => (Queued, Enqueue),
            (Idle | AwaitingRoom | Running, Claimed)
            | (Idle | Queued | AwaitingRoom, Released { .. }) => {
                unreachable!("{signal:?} while {self:?}: two workers own one mailbox")
            }
        }
    }
}

/// What has become of a processor's deliveries, for the report.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) turns: u64,
    pub(crate) pulls: u64,
    pub(crate) failures: u64,
    pub(crate) emitted: u64,
    pub(crate) abandoned: u64,
    pub(crate) busy: Duration,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Counts) {
        self.turns += other.turns;
        self.pulls += other.pulls;
        self.failures += other.failures;
        self.emitted += other.emitted;
        self.abandoned += other.abandoned;
        self.busy += other.busy;
    }
}

/// A processor's mail, and the processor itself while nobody has it.
pub(crate) struct Mailbox {
    status: Status,
    /// Oldest first.
    pub(crate) mail: VecDeque<Envelope>,
    /// Here unless [`Status::Running`].
    pub(crate) owner: Option<Box<dyn Owner>>,
    /// Set while the processor wants to be pulled from.
    pub(crate) pulling: Option<Pulling>,
    pub(crate) counts: Counts,
}

/// What a pull inherits from the turn that asked for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pulling {
    pub(crate) descent: Descent,
}

impl Mailbox {
    pub(crate) fn new(owner: Box<dyn Owner>) -> Mailbox {
        Mailbox {
            status: Status::Idle,
            mail: VecDeque::new(),
            owner: Some(owner),
            pulling: None,
            counts: Counts::default(),
        }
    }

    pub(crate) fn signal(&mut self, signal: Signal) -> Effect {
        let (status, effect) = self.status.on(signal);
        self.status = status;
        effect
    }

    /// Takes out the mail, which will have no turn, to be dropped when the lock is given back.
    #[must_use]
    pub(crate) fn abandon(&mut self) -> VecDeque<Envelope> {
        self.counts.abandoned += self.mail.len() as u64;
        std::mem::take(&mut self.mail)
    }

    /// Gives the mailbox back to the scheduler.
    pub(crate) fn release(&mut self, owner: Box<dyn Owner>) -> Effect {
        self.owner = Some(owner);
        if self.mail.is_empty() && self.mail.capacity() > RETAINED_MAX {
            self.mail.shrink_to(RETAINED_MAX);
        }
        let (n_pending, pulling) = (self.mail.len(), self.pulling.is_some());
        self.signal(Signal::Released { n_pending, pulling })
    }
}

/// Room that an empty mailbox keeps; a burst must not pin memory for ever.
const RETAINED_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::Signal::{Claimed, ClaimedToPull, Posted, Released};
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
        let released = Released { n_pending: 2, pulling: false };
        assert_snapshot!(trace(&[Posted, Claimed, Posted, Posted, released]), @r"
        Posted -> Queued, Enqueue
        Claimed -> Running, Nothing
        Posted -> Running, Nothing
        Posted -> Running, Nothing
        Released { n_pending: 2, pulling: false } -> Queued, Enqueue
        ");
    }

    #[test]
    fn mail_does_not_wait_for_room() {
        let waits = Released { n_pending: 0, pulling: true };
        assert_snapshot!(trace(&[Posted, Claimed, waits, Posted, ClaimedToPull, Claimed, waits]), @r"
        Posted -> Queued, Enqueue
        Claimed -> Running, Nothing
        Released { n_pending: 0, pulling: true } -> AwaitingRoom, EnqueuePull
        Posted -> Queued, Promote
        ClaimedToPull -> Queued, Discard
        Claimed -> Running, Nothing
        Released { n_pending: 0, pulling: true } -> AwaitingRoom, EnqueuePull
        ");
    }

    #[test]
    fn a_source_is_pulled_until_it_is_done() {
        let more = Released { n_pending: 0, pulling: true };
        let done = Released { n_pending: 0, pulling: false };
        assert_snapshot!(trace(&[Posted, Claimed, more, ClaimedToPull, done]), @r"
        Posted -> Queued, Enqueue
        Claimed -> Running, Nothing
        Released { n_pending: 0, pulling: true } -> AwaitingRoom, EnqueuePull
        ClaimedToPull -> Running, Nothing
        Released { n_pending: 0, pulling: false } -> Idle, Nothing
        ");
    }
}
