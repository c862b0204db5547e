//! Owns the outbox: what the turns of one batch emitted, in order, until it is published.
//!
//! It is a log with a mark: a turn that fails is cut off at the mark, and so was never heard.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use selvedge_event::{Digest, Event, IntoEvent, Way};
use selvedge_sync::Clock;

use crate::ask::Question;
use crate::cache::{Record, Records};
use crate::error::KindClash;
use crate::log::{Log, Mark, Stretch};
use crate::mailbox::parcel::{Mail, Parcel, Stock};
use crate::origin::Origin;
use crate::parcels::Parcels;
use crate::planted::planted;
use crate::ready::OwnerIdx;
use crate::routes::{Route, RouteCache, RouteIdx};
use crate::scope::{ScopeDraft, ScopeError, ScopeLog, ScopeOptions, Tasks};
use crate::timer_log::{TimerHandle, TimerLog, TimerRefusal};
use crate::timers::Repeat;

/// Why a turn may not emit what it wants to.
#[derive(Debug)]
pub(crate) enum Refusal {
    TooMany,
    KindClash(KindClash),
    Timer(TimerRefusal),
}

impl Refusal {
    pub(crate) fn explain(self, per_turn_max: usize) -> anyhow::Error {
        match self {
            Refusal::TooMany => anyhow!(
                "the turn emitted more than {per_turn_max} events: emit from several turns, from a \
                 source, or raise `Limits::emissions_per_turn_max`"
            ),
            Refusal::KindClash(clash) => clash.into(),
            Refusal::Timer(refusal) => refusal.explain(),
        }
    }
}

/// What the turns of one batch emitted.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) log: Log,
    pub(crate) timers: TimerLog,
    pub(crate) scopes: ScopeLog,
    /// What turns are told the time by.
    pub(crate) clock: Clock,
    replies: Vec<(Arc<Question>, Event)>,
    /// How many there were before the current turn, if it gave one.
    n_replies_before: usize,
    records: Records,
    mark: Mark,
    per_turn_max: usize,
    /// The first thing that went wrong in this turn.
    refusal: Option<Refusal>,
    /// What the current turn did besides emitting.
    aside: Aside,
    /// Whether there may be more to carry out than to publish.
    has_more: bool,
    /// What the current turn's result will be kept under, while it is computed.
    memo_key: Option<Digest>,
}

/// What a turn did besides emitting. Most do nothing of it, and that is seen at one look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Aside(u16);

impl Aside {
    const REPLIED: Aside = Aside(1);
    const SET_TIMERS: Aside = Aside(2);
    const WANTS_PULL: Aside = Aside(4);
    const WAS_REFUSED: Aside = Aside(8);
    const OPENED_SCOPES: Aside = Aside(16);
    const RECORDED: Aside = Aside(32);
    const REPLAYED: Aside = Aside(64);
    const TOLD: Aside = Aside(128);
    const ANSWERED: Aside = Aside(256);

    fn has(self, other: Aside) -> bool {
        self.0 & other.0 != 0
    }

    /// Adds a deed; `true` when it is the first of its sort.
    fn add(&mut self, other: Aside) -> bool {
        let is_first = !self.has(other);
        self.0 |= other.0;
        is_first
    }
}

impl Outbox {
    /// For a worker of this number.
    pub(crate) fn new(routes: RouteCache, per_turn_max: usize, worker: u32) -> Outbox {
        Outbox {
            log: Log::new(routes),
            timers: TimerLog::new(worker),
            scopes: ScopeLog::default(),
            clock: Clock::manual(),
            replies: Vec::new(),
            n_replies_before: 0,
            records: Records::default(),
            mark: Mark::default(),
            per_turn_max,
            refusal: None,
            aside: Aside::default(),
            has_more: false,
            memo_key: None,
        }
    }

    /// What the turns from now on emit descends from this.
    #[inline]
    pub(crate) fn descend_from(&mut self, origin: &Origin) {
        self.log.descend_from(origin);
    }

    /// Begins a turn.
    #[inline(always)]
    pub(crate) fn begin_turn(&mut self) {
        self.mark = self.log.mark();
        self.aside = Aside::default();
    }

    /// Adds an emission of the current turn. The usual case is short enough to be part of the
    /// user's code, where the event is written to its place at once.
    #[inline(always)]
    pub(crate) fn emit_from(&mut self, source: impl IntoEvent) {
        let way = source.way();
        if self.log.goes_on(way) {
            self.log.push(source.into_event());
        } else {
            self.emit_elsewhere(way, source.into_event());
        }
    }

    #[inline(never)]
    fn emit_elsewhere(&mut self, way: Option<Way>, event: Event) {
        let left = self.per_turn_max - self.n_emitted();
        match self.log.recent_route(way) {
            Some(route) if left > 0 => self.log.add_on_way(route, way, event, left),
            _ => self.emit(event),
        }
    }

    /// Adds an emission of the current turn, if it has any left.
    pub(crate) fn emit(&mut self, event: Event) {
        let left = self.per_turn_max - self.n_emitted();
        if left == 0 {
            self.refuse(Refusal::TooMany);
            return;
        }
        match self.log.routes.find(&event) {
            Ok(route) => self.log.add(route, event, left),
            Err(clash) => self.refuse(Refusal::KindClash(clash)),
        }
    }

    #[cold]
    fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
        self.aside.add(Aside::WAS_REFUSED);
    }

    /// Sets a timer when the current turn succeeds.
    pub(crate) fn set_timer(
        &mut self,
        after: Duration,
        repeat: Repeat,
        event: Event,
    ) -> TimerHandle {
        self.mark_timers();
        // What can't be routed is refused now, when there is a turn to fail.
        if let Err(clash) = self.log.routes.find(&event) {
            self.refuse(Refusal::KindClash(clash));
        }
        let handle = self.timers.set(after, repeat, event, self.log.origin());
        if let Some(refusal) = self.timers.take_refusal() {
            self.refuse(Refusal::Timer(refusal));
        }
        handle
    }

    /// Cancels one then.
    pub(crate) fn cancel_timer(&mut self, timer: TimerHandle) {
        self.mark_timers();
        self.timers.cancel(timer);
    }

    /// Opens a scope when the current turn succeeds.
    pub(crate) fn open_scope(
        &mut self,
        options: ScopeOptions,
        tasks: impl Tasks,
    ) -> Result<ScopeDraft<'_>, ScopeError> {
        if self.aside.add(Aside::OPENED_SCOPES) {
            self.scopes.mark();
            self.has_more = true;
        }
        self.scopes.open(options, tasks, self.log.origin())
    }

    fn mark_timers(&mut self) {
        if self.aside.add(Aside::SET_TIMERS) {
            self.timers.mark();
            self.has_more = true;
        }
    }

    /// Says what the current turn's result will be kept under, or that it is computed.
    pub(crate) fn compute(&mut self, key: Option<Digest>) {
        self.memo_key = key;
    }

    /// What the current turn's result will be kept under.
    pub(crate) fn memo_key(&self) -> Option<&Digest> {
        self.memo_key.as_ref()
    }

    /// Has what the current turn emitted written before it is published.
    pub(crate) fn record(&mut self, record: Record) {
        if self.aside.add(Aside::RECORDED) {
            self.records.push(record);
            self.has_more = true;
        }
    }

    /// The current turn emits what it did before.
    pub(crate) fn note_replay(&mut self) {
        self.aside.add(Aside::REPLAYED);
    }

    /// There is something to be told of the current turn.
    pub(crate) fn note_told(&mut self) {
        self.aside.add(Aside::TOLD);
    }

    /// What is to be written before anything is published.
    pub(crate) fn records(&mut self) -> &mut Records {
        &mut self.records
    }

    /// Whether there may be more to do than to publish: records to write, scopes to begin, timers
    /// to set.
    #[inline]
    pub(crate) fn has_more(&self) -> bool {
        self.has_more
    }

    /// All of that is done.
    pub(crate) fn note_carried_out(&mut self) {
        self.has_more = false;
    }

    /// The processor asks to be pulled from.
    pub(crate) fn start_pulling(&mut self) {
        self.aside.add(Aside::WANTS_PULL);
    }

    /// Whether it did so in the current turn.
    pub(crate) fn wants_pull(&self) -> bool {
        self.aside.has(Aside::WANTS_PULL)
    }

    /// Whether the current turn did nothing but emit, and no more than it may.
    #[inline(always)]
    pub(crate) fn just_emitted(&self) -> bool {
        self.aside == Aside::default()
    }

    /// Adds a reply of the current turn, unless it has given one: a turn has one question, and
    /// the first reply counts.
    pub(crate) fn reply(&mut self, event: Event) {
        if self.is_asked() {
            self.mark_replies();
        }
        if let Some(question) = &self.log.origin().question
            && self.aside.add(Aside::REPLIED)
        {
            self.replies.push((Arc::clone(question), event));
        }
    }

    /// Adds a reply to a question of an earlier turn.
    pub(crate) fn reply_to(&mut self, question: Arc<Question>, event: Event) {
        self.mark_replies();
        self.aside.add(Aside::ANSWERED);
        self.replies.push((question, event));
    }

    fn mark_replies(&mut self) {
        if !self.aside.has(Aside::REPLIED) && !self.aside.has(Aside::ANSWERED) {
            self.n_replies_before = self.replies.len();
        }
    }

    /// Who awaits a reply of the current turn.
    pub(crate) fn question(&self) -> Option<&Arc<Question>> {
        self.log.origin().question.as_ref()
    }

    /// Whether somebody awaits a reply of the current turn.
    pub(crate) fn is_asked(&self) -> bool {
        self.log.origin().question.is_some()
    }

    /// How many events the current turn has emitted.
    #[inline]
    pub(crate) fn n_emitted(&self) -> usize {
        self.log.n_since(self.mark)
    }

    /// How many events wait to be published.
    #[inline]
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

    /// Whether the current turn was not allowed all it wanted.
    pub(crate) fn was_refused(&self) -> bool {
        self.refusal.is_some()
    }

    pub(crate) fn take_refusal(&mut self) -> Option<Refusal> {
        self.refusal.take()
    }

    /// Forgets what the current turn emitted.
    pub(crate) fn roll_back(&mut self) {
        if !planted("failed-turn-heard") {
            self.forget_emissions();
        }
        if self.aside.has(Aside::REPLIED) || self.aside.has(Aside::ANSWERED) {
            self.replies.truncate(self.n_replies_before);
        }
        if self.aside.has(Aside::SET_TIMERS) {
            self.timers.roll_back();
        }
        if self.aside.has(Aside::OPENED_SCOPES) {
            drop(self.scopes.roll_back());
        }
        if self.aside.has(Aside::RECORDED) {
            self.records.roll_back();
        }
        self.memo_key = None;
        self.aside = Aside::default();
    }

    /// Forgets the emissions of the current turn, but not its replies.
    pub(crate) fn forget_emissions(&mut self) {
        self.log.cut_off(self.mark);
    }

    /// The emissions of the current turn by the ways they go, for those who are told of them.
    #[inline]
    pub(crate) fn current_turn(&self) -> impl Iterator<Item = (&[Event], Ways<'_>)> {
        let routes = &self.log.routes;
        self.log.since(self.mark).map(move |(events, route)| {
            (events, Ways { routes, route, n_all: routes.n_recipients(route) })
        })
    }

    /// Hands every emission to each of its recipients, and gives out the replies. A recipient gets
    /// its events in order, in as few parcels as possible.
    #[inline]
    pub(crate) fn drain(&mut self, parcels: &mut Parcels, send: &mut impl Deliver) -> Drained {
        let mut drained = Drained::default();
        match self.log.take_only() {
            Some(stretch) => self.send_only(stretch, parcels, &mut drained, send),
            None => self.drain_sorted(parcels, &mut drained, send),
        }
        self.mark = Mark::default();
        if self.has_replies() {
            self.give_replies();
        }
        drained
    }

    /// Sends all there is: one stretch. If it goes to one recipient, it goes as it is.
    fn send_only(
        &mut self,
        stretch: Stretch,
        parcels: &mut Parcels,
        drained: &mut Drained,
        send: &mut impl Deliver,
    ) {
        let Log { routes, stock, .. } = &mut self.log;
        if let Some(only) = routes.sole(stretch.route) {
            drained.count(&stretch, 1);
            let Stretch { origin, mail, bytes, .. } = stretch;
            send.deliver_only(only, Parcel { origin, mail, heap_bytes: bytes }, stock);
        } else {
            let route = routes.route(stretch.route);
            share_out(stretch, route, parcels, stock, drained, send);
            parcels.send_all(stock, send);
        }
    }

    fn drain_sorted(
        &mut self,
        parcels: &mut Parcels,
        drained: &mut Drained,
        send: &mut impl Deliver,
    ) {
        let mut stretches = self.log.take_all();
        let Log { routes, stock, .. } = &mut self.log;
        for stretch in stretches.drain(..) {
            let route = routes.route(stretch.route);
            share_out(stretch, route, parcels, stock, drained, send);
        }
        parcels.send_all(stock, send);
        self.log.reuse(stretches);
    }

    /// Gives the askers their answers.
    pub(crate) fn give_replies(&mut self) {
        for (question, event) in self.replies.drain(..) {
            question.answer(event);
        }
    }
}

/// Where some emissions go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ways<'a> {
    routes: &'a RouteCache,
    route: RouteIdx,
    /// How many hear each, if they all go the same way.
    n_all: Option<usize>,
}

impl Ways<'_> {
    /// How many hear one of them.
    #[inline]
    pub(crate) fn n_recipients(self, event: &Event) -> usize {
        self.n_all.unwrap_or_else(|| self.routes.route(self.route).recipients(event).len())
    }
}

/// Where parcels go.
pub(crate) trait Deliver {
    /// Takes a parcel.
    fn deliver(&mut self, to: OwnerIdx, parcel: Parcel, stock: &mut Stock);

    /// Takes a parcel, told that there will be no other this time.
    fn deliver_only(&mut self, to: OwnerIdx, parcel: Parcel, stock: &mut Stock) {
        self.deliver(to, parcel, stock);
    }
}

/// From how many events on a stretch is shared by its recipients instead of copied for each.
const SHARED_MIN: usize = 2;

/// Gives the events of a stretch to all who hear them.
fn share_out(
    stretch: Stretch,
    route: &Route,
    parcels: &mut Parcels,
    stock: &mut Stock,
    drained: &mut Drained,
    send: &mut impl Deliver,
) {
    if route.is_keyed() {
        return share_out_by_key(stretch, route, parcels, stock, drained, send);
    }
    let recipients = route.plain();
    drained.count(&stretch, recipients.len());
    let Stretch { origin, mail, bytes, .. } = stretch;
    match (recipients, mail) {
        ([], Mail::Many(events)) => stock.put_back_vector(events),
        ([], _) => {}
        (&[only], mail) => parcels.add(only, &origin, mail, bytes, stock, send),
        (all, Mail::Many(events)) if events.len() >= SHARED_MIN => {
            let events = Arc::new(events);
            for &to in all {
                let mail = Mail::Shared(Arc::clone(&events));
                parcels.add(to, &origin, mail, bytes, stock, send);
            }
        }
        (all, mail) => {
            for event in mail.as_slice() {
                for &to in all {
                    let mail = Mail::One(event.clone());
                    parcels.add(to, &origin, mail, event.bytes(), stock, send);
                }
            }
        }
    }
}

fn share_out_by_key(
    stretch: Stretch,
    route: &Route,
    parcels: &mut Parcels,
    stock: &mut Stock,
    drained: &mut Drained,
    send: &mut impl Deliver,
) {
    let is_inside = stretch.is_inside();
    let Stretch { origin, mut mail, .. } = stretch;
    let mut share = |event: Event| {
        let recipients = route.recipients(&event);
        let bytes = event.bytes();
        drained.count_events(1, bytes, is_inside, recipients.len());
        let Some((&last, others)) = recipients.split_last() else { return };
        for &to in others {
            parcels.add(to, &origin, Mail::One(event.clone()), bytes, stock, send);
        }
        parcels.add(last, &origin, Mail::One(event), bytes, stock, send);
    };
    match &mut mail {
        Mail::Many(events) => events.drain(..).for_each(&mut share),
        mail => mail.as_slice().iter().cloned().for_each(&mut share),
    }
    if let Mail::Many(events) = mail {
        stock.put_back_vector(events);
    }
}

/// What became of an outbox's emissions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Drained {
    /// Emissions that don't descend from an outside submission.
    pub(crate) inside: u64,
    /// One per emission and recipient.
    pub(crate) deliveries: u64,
    /// What those weigh.
    pub(crate) bytes: u64,
    /// Emissions that nobody hears.
    pub(crate) unrouted: u64,
}

impl Drained {
    #[inline]
    fn count(&mut self, stretch: &Stretch, n_recipients: usize) {
        let is_inside = stretch.is_inside();
        self.count_events(stretch.mail.len(), stretch.bytes, is_inside, n_recipients);
    }

    #[inline]
    fn count_events(&mut self, n: usize, bytes: usize, is_inside: bool, n_recipients: usize) {
        self.deliveries += (n * n_recipients) as u64;
        self.bytes += (bytes * n_recipients) as u64;
        if is_inside {
            self.inside += n as u64;
        }
        if n_recipients == 0 {
            self.unrouted += n as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use selvedge_event::{Dynamic, Interest, Interests};

    use super::*;
    use crate::origin::Descent;
    use crate::routes::RouteTable;

    /// What was sent to whom, in the order in which parcels were sent.
    struct Shown(Vec<(OwnerIdx, Vec<String>)>);

    impl Deliver for Shown {
        fn deliver(&mut self, to: OwnerIdx, parcel: Parcel, _: &mut Stock) {
            let events = parcel.mail.as_slice();
            let bytes: usize = events.iter().map(Event::bytes).sum();
            assert_eq!(parcel.heap_bytes, bytes);
            let places = events.iter().filter_map(Event::value).map(ToString::to_string);
            match self.0.iter_mut().find(|(known, _)| *known == to) {
                Some((_, sent)) => sent.extend(places),
                None => self.0.push((to, places.collect())),
            }
        }
    }

    impl Shown {
        fn text(&self) -> String {
            self.0.iter().map(|(to, places)| format!("{to}: {}\n", places.join(" "))).collect()
        }
    }

    /// Processor 0 hears `a`, 1 and 2 hear `b`, 3 hears `k` of key 7. Each word is a turn: its
    /// letters are what it emits, and a `!` makes it fail. Shows what everyone is sent, with the
    /// place of each event among all that were emitted.
    fn trace(turns: &str) -> String {
        let hears = |interest: Interest| Interests::listed([interest]);
        let listeners = ["a", "b", "b"].map(|kind| hears(Interest::kind(kind)));
        let keyed = hears(Interest::kind("k").keyed(7_u64));
        let listeners: Vec<_> = listeners.into_iter().chain([keyed]).collect();
        let table = RouteTable::of(&listeners);
        let mut outbox = Outbox::new(RouteCache::new(table), 100, 0);
        let mut place = 0;
        for turn in turns.split(' ') {
            outbox.begin_turn();
            for kind in turn.chars().filter(char::is_ascii_alphabetic) {
                let event = Dynamic::new(kind.to_lowercase().to_string().as_str(), place);
                let key = if kind.is_lowercase() { 7_u64 } else { 8 };
                outbox.emit(Event::new(event.keyed(key)));
                place += 1;
            }
            if turn.ends_with('!') {
                outbox.roll_back();
            }
        }
        let mut shown = Shown(Vec::new());
        let drained = outbox.drain(&mut Parcels::default(), &mut shown);
        let Drained { inside, deliveries, unrouted, .. } = drained;
        assert!(outbox.is_empty() && outbox.n_emitted() == 0);
        shown.text() + &format!("{inside} inside, {deliveries} deliveries, {unrouted} unrouted")
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

    #[derive(Event)]
    struct Typed(u32);

    #[derive(Event)]
    struct Cast(u32);

    /// Where among all emissions an event was emitted.
    fn place(event: &Event) -> u32 {
        let typed = event.payload::<Typed>().map(|typed| typed.0);
        let cast = event.payload::<Cast>().map(|cast| cast.0);
        let of_value = || u32::try_from(event.value()?.as_u64()?).ok();
        typed.or(cast).or_else(of_value).expect("every event of this test has one")
    }

    /// What a turn emits, one letter each; how it ends; whether the outbox is drained after it.
    #[derive(Clone, Debug)]
    struct Turn {
        emits: Vec<char>,
        outside: bool,
        fails: bool,
        publishes: bool,
    }

    const PER_TURN_MAX: usize = 6;
    /// Two recipients whose parcels are in each other's way, and the one in between.
    const FAR: OwnerIdx = 65;

    fn turn() -> impl Strategy<Value = Turn> {
        let letters = vec(prop::sample::select(vec!['t', 't', 'c', 'k', 'K', 'x']), 0..9);
        let (fails, publishes) = (prop::bool::weighted(0.3), prop::bool::weighted(0.2));
        (letters, any::<bool>(), fails, publishes).prop_map(|(emits, outside, fails, publishes)| {
            Turn { emits, outside, fails, publishes }
        })
    }

    fn hears(letter: char) -> &'static [OwnerIdx] {
        match letter {
            't' => &[1],
            'c' => &[0, 1, FAR],
            'k' => &[FAR],
            _ => &[],
        }
    }

    /// Each delivery: the recipient, where it was emitted, whether outside events caused it.
    type Sent = Vec<(OwnerIdx, u32, bool)>;

    struct Noted(Sent);

    impl Deliver for Noted {
        fn deliver(&mut self, to: OwnerIdx, parcel: Parcel, _: &mut Stock) {
            let outside = parcel.origin.descent == Descent::Outside;
            self.0.extend(parcel.mail.as_slice().iter().map(|event| (to, place(event), outside)));
        }
    }

    fn table() -> Arc<RouteTable> {
        let mut listeners = vec![Interests::listed([Interest::kind("nobody's")]); 66];
        let (typed, cast) = (Interest::of::<Typed>(), Interest::of::<Cast>());
        listeners[0] = Interests::listed([cast.clone()]);
        listeners[1] = Interests::listed([typed, cast.clone()]);
        listeners[FAR as usize] = Interests::listed([cast, Interest::kind("k").keyed(7_u64)]);
        RouteTable::of(&listeners)
    }

    proptest! {
        /// The model is a list of deliveries, per recipient in the order of emission.
        #[test]
        fn what_is_sent_to_whom_agrees_with_a_list(turns in vec(turn(), 0..30)) {
            let mut outbox = Outbox::new(RouteCache::new(table()), PER_TURN_MAX, 0);
            let mut parcels = Parcels::default();
            let (mut expected, mut n_emitted, mut next) = (Sent::new(), 0, 0);
            let last = Turn { emits: Vec::new(), outside: false, fails: false, publishes: true };
            for turn in turns.into_iter().chain([last]) {
                outbox.descend_from(&Origin {
                    descent: if turn.outside { Descent::Outside } else { Descent::Inside },
                    question: None,
                });
                outbox.begin_turn();
                let first = next;
                for &letter in &turn.emits {
                    let keyed = |key: u64| Event::new(Dynamic::new("k", next).keyed(key));
                    match letter {
                        't' => outbox.emit_from(Typed(next)),
                        'c' => outbox.emit_from(Cast(next)),
                        'k' => outbox.emit(keyed(7)),
                        'K' => outbox.emit(keyed(8)),
                        _ => outbox.emit(Event::new(Dynamic::new("unheard of", next))),
                    }
                    next += 1;
                }
                let too_many = outbox.take_refusal().is_some();
                prop_assert_eq!(too_many, turn.emits.len() > PER_TURN_MAX);
                if turn.fails || too_many {
                    outbox.roll_back();
                } else {
                    let emitted = outbox.current_turn().flat_map(|(events, _)| events);
                    let emitted: Vec<u32> = emitted.map(place).collect();
                    prop_assert!(emitted.into_iter().eq(first..next));
                    n_emitted += turn.emits.len();
                    for (&letter, place) in turn.emits.iter().zip(first..) {
                        expected.extend(hears(letter).iter().map(|&to| (to, place, turn.outside)));
                    }
                }
                prop_assert_eq!(outbox.len(), n_emitted);
                if turn.publishes {
                    let mut noted = Noted(Sent::new());
                    let drained = outbox.drain(&mut parcels, &mut noted);
                    prop_assert_eq!(drained.deliveries, expected.len() as u64);
                    // Stable: what a recipient gets stays in order.
                    noted.0.sort_by_key(|&(to, ..)| to);
                    expected.sort_by_key(|&(to, ..)| to);
                    prop_assert_eq!(noted.0, std::mem::take(&mut expected));
                    prop_assert!(outbox.is_empty());
                    n_emitted = 0;
                }
            }
        }
    }
}
