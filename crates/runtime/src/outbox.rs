//! Owns the outbox: what the turns of one batch emitted, in order, until it is published.
//!
//! It is a log with a mark: a turn that fails is cut off at the mark, and so was never heard.

use std::sync::Arc;

use selvedge_event::Event;

use crate::ask::Question;
use crate::envelope::{Descent, Envelope, Origin};
use crate::error::KindClash;
use crate::ready::OwnerIdx;
use crate::routes::{RouteCache, RouteIdx};

/// An event that a turn emitted, not yet published.
#[derive(Debug)]
struct Emission {
    route: RouteIdx,
    envelope: Envelope,
}

/// Why a turn may not emit what it wants to.
#[derive(Debug)]
pub(crate) enum Refusal {
    TooMany,
    KindClash(KindClash),
}

/// What the turns of one batch emitted.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) routes: RouteCache,
    log: Vec<Emission>,
    replies: Vec<(Arc<Question>, Event)>,
    mark: Mark,
    /// The first thing that went wrong in this turn.
    refusal: Option<Refusal>,
    per_turn_max: usize,
}

/// Where the current turn began.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    log: usize,
    replies: usize,
}

impl Outbox {
    pub(crate) fn new(routes: RouteCache, per_turn_max: usize) -> Outbox {
        Outbox {
            routes,
            log: Vec::new(),
            replies: Vec::new(),
            mark: Mark::default(),
            refusal: None,
            per_turn_max,
        }
    }

    /// Begins a turn.
    pub(crate) fn mark(&mut self) {
        self.mark = Mark { log: self.log.len(), replies: self.replies.len() };
        self.refusal = None;
    }

    /// Adds an emission of the current turn.
    #[inline]
    pub(crate) fn emit(&mut self, event: Event, origin: &Origin) {
        if self.n_emitted() >= self.per_turn_max {
            self.refusal.get_or_insert(Refusal::TooMany);
            return;
        }
        match self.routes.find(&event) {
            Ok(route) => {
                let envelope = Envelope { event, origin: origin.clone() };
                self.log.push(Emission { route, envelope });
            }
            Err(clash) => {
                self.refusal.get_or_insert(Refusal::KindClash(clash));
            }
        }
    }

    /// Adds a reply of the current turn, unless it has given one: a turn has one question, and
    /// the first reply counts.
    pub(crate) fn reply(&mut self, question: Arc<Question>, event: Event) {
        if self.replies.len() == self.mark.replies {
            self.replies.push((question, event));
        }
    }

    /// How many events the current turn has emitted.
    pub(crate) fn n_emitted(&self) -> usize {
        self.log.len() - self.mark.log
    }

    /// How many events wait to be published.
    pub(crate) fn len(&self) -> usize {
        self.log.len()
    }

    /// Whether there is nothing to publish.
    pub(crate) fn is_empty(&self) -> bool {
        self.log.is_empty() && self.replies.is_empty()
    }

    pub(crate) fn per_turn_max(&self) -> usize {
        self.per_turn_max
    }

    /// Whether the current turn was not allowed to emit all it wanted to.
    #[inline]
    pub(crate) fn has_refused(&self) -> bool {
        self.refusal.is_some()
    }

    pub(crate) fn take_refusal(&mut self) -> Option<Refusal> {
        self.refusal.take()
    }

    /// Forgets what the current turn emitted.
    pub(crate) fn roll_back(&mut self) {
        self.log.truncate(self.mark.log);
        self.replies.truncate(self.mark.replies);
    }

    /// Forgets the emissions of the current turn, but not its replies.
    pub(crate) fn forget_emissions(&mut self) {
        self.log.truncate(self.mark.log);
    }

    /// The emissions of the current turn, for those who are told of them.
    pub(crate) fn current_turn(&self) -> Vec<(Event, usize)> {
        let count = |emission: &Emission| {
            let event = emission.envelope.event.clone();
            let n_recipients = self.routes.route(emission.route).recipients(&event).len();
            (event, n_recipients)
        };
        self.log[self.mark.log..].iter().map(count).collect()
    }

    /// Hands every emission to each of its recipients, in order, and gives out the replies.
    pub(crate) fn drain(&mut self, mut deliver: impl FnMut(OwnerIdx, Envelope)) -> Drained {
        let mut drained = Drained::default();
        for Emission { route, envelope } in self.log.drain(..) {
            let route = self.routes.route(route);
            let recipients = route.recipients(&envelope.event);
            drained.inside += u64::from(envelope.origin.descent == Descent::Inside);
            drained.deliveries += recipients.len() as u64;
            match recipients.split_last() {
                Some((&last, others)) => {
                    for &owner in others {
                        deliver(owner, envelope.clone());
                    }
                    deliver(last, envelope);
                }
                None => drained.unrouted += 1,
            }
        }
        self.give_replies();
        self.mark = Mark::default();
        drained
    }

    /// Gives the askers their answers.
    pub(crate) fn give_replies(&mut self) {
        for (question, event) in self.replies.drain(..) {
            question.answer(event);
        }
    }
}

/// What became of an outbox's emissions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Drained {
    /// Emissions that don't descend from an outside submission.
    pub(crate) inside: u64,
    /// One per emission and recipient.
    pub(crate) deliveries: u64,
    /// Emissions that nobody hears.
    pub(crate) unrouted: u64,
}
