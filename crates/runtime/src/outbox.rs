//! Owns the outbox: what the turns of one batch emitted, in order, until it is published.
//!
//! It is a log with a mark: a turn that fails is cut off at the mark, and so was never heard.

use std::any::TypeId;
use std::collections::VecDeque;
use std::sync::Arc;

use selvedge_event::Event;

use crate::ask::Question;
use crate::envelope::{Descent, Envelope, Origin};
use crate::error::KindClash;
use crate::parcels::Parcels;
use crate::ready::OwnerIdx;
use crate::routes::{RouteCache, RouteIdx};

/// A stretch of the log whose events take the same route.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    route: RouteIdx,
    /// Where in the log it ends; it begins where the one before it ends.
    end: usize,
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
    log: VecDeque<Envelope>,
    stretches: Vec<Stretch>,
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
    stretches: usize,
    replies: usize,
}

impl Outbox {
    pub(crate) fn new(routes: RouteCache, per_turn_max: usize) -> Outbox {
        Outbox {
            routes,
            log: VecDeque::new(),
            stretches: Vec::new(),
            replies: Vec::new(),
            mark: Mark::default(),
            refusal: None,
            per_turn_max,
        }
    }

    /// Begins a turn.
    pub(crate) fn mark(&mut self) {
        self.mark = Mark {
            log: self.log.len(),
            stretches: self.stretches.len(),
            replies: self.replies.len(),
        };
        self.refusal = None;
    }

    /// Adds an emission of the current turn whose payload's type is known, if it decides the route.
    ///
    /// The usual case is kept apart because nothing in it can fail or unwind: the event goes from
    /// registers into the log. By way of the stack it would be read in other pieces than it was
    /// written in, and wait for that.
    #[inline]
    pub(crate) fn emit_by(&mut self, payload: Option<TypeId>, event: Event, origin: &Origin) {
        let has_room =
            self.log.len() != self.log.capacity() && self.n_emitted() < self.per_turn_max;
        let route = payload.and_then(|payload| self.routes.recent(payload));
        match (route, &origin.question) {
            (Some(route), None) if has_room => {
                let origin = Origin { descent: origin.descent, question: None };
                self.log.push_back(Envelope { event, origin });
                self.extend_stretch(route);
            }
            _ => self.emit(event, origin),
        }
    }

    /// Adds an emission of the current turn.
    #[inline(never)]
    pub(crate) fn emit(&mut self, event: Event, origin: &Origin) {
        if self.n_emitted() >= self.per_turn_max {
            self.refusal.get_or_insert(Refusal::TooMany);
            return;
        }
        match self.routes.find(&event) {
            Ok(route) => {
                self.log.push_back(Envelope { event, origin: origin.clone() });
                self.extend_stretch(route);
            }
            Err(clash) => {
                self.refusal.get_or_insert(Refusal::KindClash(clash));
            }
        }
    }

    /// Notes which way the last event of the log goes.
    #[inline]
    fn extend_stretch(&mut self, route: RouteIdx) {
        let end = self.log.len();
        match self.stretches.last_mut() {
            Some(last) if last.route == route => last.end = end,
            _ => self.stretches.push(Stretch { route, end }),
        }
    }

    /// Adds what outside threads submitted, in order.
    pub(crate) fn forward(&mut self, submitted: &mut VecDeque<Envelope>) {
        for envelope in submitted.drain(..) {
            let Ok(route) = self.routes.find(&envelope.event) else {
                unreachable!("an event is routed before its lane accepts it");
            };
            self.log.push_back(envelope);
            self.extend_stretch(route);
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

    /// Whether someone's reply waits to be given.
    #[inline]
    pub(crate) fn has_replies(&self) -> bool {
        !self.replies.is_empty()
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
        self.forget_emissions();
        self.replies.truncate(self.mark.replies);
    }

    /// Forgets the emissions of the current turn, but not its replies.
    pub(crate) fn forget_emissions(&mut self) {
        self.log.truncate(self.mark.log);
        self.stretches.truncate(self.mark.stretches);
        // The turn may have gone on where the one before it ended.
        if let Some(last) = self.stretches.last_mut() {
            last.end = self.mark.log;
        }
    }

    /// The emissions of the current turn, for those who are told of them.
    pub(crate) fn current_turn(&self) -> impl Iterator<Item = (&Event, usize)> {
        let look = |idx: usize| {
            let at = self.stretches.partition_point(|stretch| stretch.end <= idx);
            let event = &self.log[idx].event;
            let route = self.routes.route(self.stretches[at].route);
            (event, route.recipients(event).len())
        };
        (self.mark.log..self.log.len()).map(look)
    }

    /// Hands every emission to each of its recipients, and gives out the replies. A recipient gets
    /// its events in order, in as few parcels as possible; `send` empties them.
    pub(crate) fn drain(
        &mut self,
        parcels: &mut Parcels,
        mut send: impl FnMut(OwnerIdx, &mut VecDeque<Envelope>),
    ) -> Drained {
        let inside = |envelope: &&Envelope| envelope.origin.descent == Descent::Inside;
        let mut drained =
            Drained { inside: self.log.iter().filter(inside).count() as u64, ..Drained::default() };
        match self.only_recipient() {
            Some(owner) => {
                drained.count(self.log.len(), 1);
                send(owner, &mut self.log);
            }
            None => self.drain_sorted(parcels, &mut drained, send),
        }
        self.stretches.clear();
        self.give_replies();
        self.mark = Mark::default();
        drained
    }

    /// Who gets the log as it is, if there is nobody else to get any of it.
    fn only_recipient(&self) -> Option<OwnerIdx> {
        let [Stretch { route, .. }] = self.stretches[..] else { return None };
        let route = self.routes.route(route);
        match *route.plain() {
            [only] if !route.is_keyed() => Some(only),
            _ => None,
        }
    }

    fn drain_sorted(
        &mut self,
        parcels: &mut Parcels,
        drained: &mut Drained,
        mut send: impl FnMut(OwnerIdx, &mut VecDeque<Envelope>),
    ) {
        let mut begin = 0;
        for &Stretch { route, end } in &self.stretches {
            let route = self.routes.route(route);
            let n = end - std::mem::replace(&mut begin, end);
            if route.is_keyed() {
                for envelope in self.log.drain(..n) {
                    let recipients = route.recipients(&envelope.event);
                    drained.count(1, recipients.len());
                    let Some((&last, others)) = recipients.split_last() else { continue };
                    for &owner in others {
                        parcels.add(owner, [envelope.clone()], &mut send);
                    }
                    parcels.add(last, [envelope], &mut send);
                }
            } else {
                drained.count(n, route.plain().len());
                share_out(&mut self.log, n, route.plain(), parcels, &mut send);
            }
        }
        parcels.send_all(send);
    }

    /// Gives the askers their answers.
    #[inline]
    pub(crate) fn give_replies(&mut self) {
        for (question, event) in self.replies.drain(..) {
            question.answer(event);
        }
    }
}

/// Gives the first `n` events to all recipients.
///
/// A few events at a time for all, and not all events for one recipient after the other: what is
/// shared out is in the cache, and not yet in another worker's hands.
fn share_out(
    log: &mut VecDeque<Envelope>,
    mut n: usize,
    recipients: &[OwnerIdx],
    parcels: &mut Parcels,
    mut send: impl FnMut(OwnerIdx, &mut VecDeque<Envelope>),
) {
    const AT_A_TIME: usize = 32;
    let Some((&last, others)) = recipients.split_last() else {
        log.drain(..n);
        return;
    };
    while n > 0 {
        let n_now = n.min(AT_A_TIME);
        for &owner in others {
            parcels.add(owner, log.range(..n_now).cloned(), &mut send);
        }
        parcels.add(last, log.drain(..n_now), &mut send);
        n -= n_now;
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

impl Drained {
    fn count(&mut self, n_events: usize, n_recipients: usize) {
        self.deliveries += (n_events * n_recipients) as u64;
        if n_recipients == 0 {
            self.unrouted += n_events as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use selvedge_event::{Dynamic, Interest, Interests};

    use super::*;
    use crate::routes::{KindTypes, RouteTable};

    /// Processor 0 hears `a`, 1 and 2 hear `b`, 3 hears `k` of key 7. Each word is a turn: its
    /// letters are what it emits, and a `!` makes it fail. Shows what everyone is sent, with the
    /// place of each event among all that were emitted.
    fn trace(turns: &str) -> String {
        let hears = |interest: Interest| Interests::listed([interest]);
        let listeners = ["a", "b", "b"].map(|kind| hears(Interest::kind(kind)));
        let keyed = hears(Interest::kind("k").keyed(7_u64));
        let listeners: Vec<_> = listeners.into_iter().chain([keyed]).collect();
        let types = KindTypes::of(&listeners).expect("there are no types to clash");
        let table = Arc::new(RouteTable::new(&listeners, &types));
        let mut outbox = Outbox::new(RouteCache::new(table), 100);
        let mut place = 0;
        for turn in turns.split(' ') {
            outbox.mark();
            for kind in turn.chars().filter(char::is_ascii_alphabetic) {
                let event = Dynamic::new(kind.to_lowercase().to_string().as_str(), place);
                let key = if kind.is_lowercase() { 7_u64 } else { 8 };
                outbox.emit(Event::new(event.keyed(key)), &Origin::inside());
                place += 1;
            }
            if turn.ends_with('!') {
                outbox.roll_back();
            }
        }
        let mut text = String::new();
        let drained = outbox.drain(&mut Parcels::default(), |to, mail| {
            let places = mail.drain(..).filter_map(|envelope| envelope.event.value().cloned());
            let places: Vec<String> = places.map(|place| place.to_string()).collect();
            text += &format!("{to}: {}\n", places.join(" "));
        });
        let Drained { inside, deliveries, unrouted } = drained;
        assert!(outbox.is_empty() && outbox.n_emitted() == 0);
        text + &format!("{inside} inside, {deliveries} deliveries, {unrouted} unrouted")
    }

    #[test]
    fn everyone_is_sent_what_it_hears_in_order() {
        assert_snapshot!(trace("a aa a"), @r"
        0: 0 1 2 3
        4 inside, 4 deliveries, 0 unrouted
        ");
        assert_snapshot!(trace("ab ba x"), @r"
        0: 0 3
        1: 1 2
        2: 1 2
        5 inside, 6 deliveries, 1 unrouted
        ");
        assert_snapshot!(trace("kKak"), @r"
        3: 0 3
        0: 2
        4 inside, 3 deliveries, 1 unrouted
        ");
        let many = "b".repeat(70);
        assert_snapshot!(trace(&many).lines().last().unwrap_or_default(), @"70 inside, 140 deliveries, 0 unrouted");
    }

    #[test]
    fn a_failed_turn_is_cut_off_wherever_it_goes_on_from() {
        assert_snapshot!(trace("a aab! a"), @r"
        0: 0 4
        2 inside, 2 deliveries, 0 unrouted
        ");
        assert_snapshot!(trace("a a! b"), @r"
        0: 0
        1: 2
        2: 2
        2 inside, 3 deliveries, 0 unrouted
        ");
        assert_snapshot!(trace("ab!"), @"0 inside, 0 deliveries, 0 unrouted");
    }
}
