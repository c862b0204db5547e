//! Owns `Log`: events in the order in which they were sent, in stretches that go the same way.
//!
//! Consecutive events of one route and one origin share a stretch, which later travels as a whole.
//! Only consecutive ones: merging across another route would reorder a sender and a recipient.

use selvedge_event::{Event, IntoEvent, Kind, Payload, Way};

use crate::error::KindClash;
use crate::mailbox::parcel::{Mail, Stock};
use crate::origin::{Descent, Origin};
use crate::ready::OwnerIdx;
use crate::routes::{RouteCache, RouteIdx};

/// Events of one stretch at most: so much is moved, shared and dropped at a time.
pub(crate) const STRETCH_MAX: usize = 512;

/// Events that go the same way.
#[derive(Debug)]
pub(crate) struct Stretch {
    pub(crate) route: RouteIdx,
    pub(crate) origin: Origin,
    pub(crate) mail: Mail,
    pub(crate) bytes: usize,
}

/// What was sent, oldest first.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) routes: RouteCache,
    pub(crate) stock: Stock,
    closed: Vec<Stretch>,
    /// The stretch that is added to.
    open: Vec<Event>,
    open_bytes: usize,
    open_route: RouteIdx,
    open_origin: Origin,
    /// Up to how many events the open stretch is added to without a look; zero when the next event
    /// must not be added to it.
    open_max: usize,
    /// The way that was gone last: the next event goes there too if it has the same. That of no
    /// event, if the last had none.
    recent: Way,
    /// Events in the log.
    n_events: usize,
    /// What the closed stretches weigh.
    closed_bytes: usize,
    /// That of the turn, or of the submission, which sends now.
    origin: Origin,
}

/// An event from outside that was not added.
#[derive(Debug)]
pub(crate) struct NotTaken {
    pub(crate) event: Event,
    /// Why it can't be routed; if it can, nobody hears it.
    pub(crate) clash: Option<KindClash>,
}

/// The type of no event.
struct Nothing;

impl Payload for Nothing {
    fn kind() -> Kind {
        Kind::literal("selvedge::Nothing")
    }
}

/// Where a log ended at some time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    n_closed: usize,
    n_events: usize,
}

impl Log {
    pub(crate) fn new(routes: RouteCache) -> Log {
        Log {
            routes,
            stock: Stock::default(),
            closed: Vec::new(),
            open: Vec::new(),
            open_bytes: 0,
            open_route: 0,
            open_origin: Origin::default(),
            open_max: 0,
            recent: Way::of::<Nothing>(),
            n_events: 0,
            closed_bytes: 0,
            origin: Origin::default(),
        }
    }

    /// What is sent from now on descends from this.
    #[inline]
    pub(crate) fn descend_from(&mut self, origin: &Origin) {
        if !self.origin.is(origin) {
            self.origin = origin.clone();
            self.open_max = 0;
        }
    }

    /// Keeps nothing of a question that was dealt with: whoever asked waits until nobody has it.
    #[inline]
    pub(crate) fn forget_question(&mut self) {
        if self.origin.question.take().is_some() {
            self.open_max = 0;
        }
        if self.open.is_empty() {
            self.take_open_origin();
        }
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    #[inline]
    pub(crate) fn mark(&self) -> Mark {
        Mark { n_closed: self.closed.len(), n_events: self.n_events }
    }

    /// Events sent since the mark.
    #[inline]
    pub(crate) fn n_since(&self, mark: Mark) -> usize {
        self.n_events - mark.n_events
    }

    /// Events in the log.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.n_events
    }

    /// What they weigh.
    pub(crate) fn bytes(&self) -> usize {
        self.closed_bytes + self.open_bytes
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.n_events == 0
    }

    /// Whether this is the way of the event before, and there is room for another.
    #[inline(always)]
    pub(crate) fn goes_on(&self, way: Option<Way>) -> bool {
        way.is_some_and(|way| way == self.recent) && self.open.len() < self.open_max
    }

    /// How many will hear an event from outside that goes this way, if it is to be added to the
    /// open stretch without a look and somebody hears it. The log's last must be as plain as this.
    #[inline(always)]
    pub(crate) fn n_recipients_of_next(&self, way: Option<Way>) -> Option<usize> {
        let n_recipients = || self.routes.n_recipients(self.open_route);
        self.goes_on(way).then(n_recipients)?.filter(|&n| n > 0)
    }

    /// Adds an event from outside; says how many processors hear it. One that nobody hears comes
    /// back: it would only be in the way.
    #[inline]
    pub(crate) fn take_in<E: IntoEvent>(
        &mut self,
        source: E,
        origin: &Origin,
    ) -> Result<usize, NotTaken> {
        let way = source.way();
        self.descend_from(origin);
        if let Some(n_recipients) = self.n_recipients_of_next(way) {
            self.push(source.into_event());
            return Ok(n_recipients);
        }
        self.take_in_other(source.into_event())
    }

    #[inline(never)]
    fn take_in_other(&mut self, event: Event) -> Result<usize, NotTaken> {
        let route = match self.routes.find(&event) {
            Ok(route) => route,
            Err(clash) => return Err(NotTaken { event, clash: Some(clash) }),
        };
        let n_recipients = self.routes.route(route).recipients(&event).len();
        if n_recipients == 0 {
            return Err(NotTaken { event, clash: None });
        }
        self.add(route, event, usize::MAX);
        Ok(n_recipients)
    }

    /// Adds an event from outside that one processor hears, whoever else hears its like.
    #[cold]
    pub(crate) fn take_in_for(&mut self, to: OwnerIdx, event: Event) -> Result<usize, NotTaken> {
        if let Err(clash) = self.routes.find(&event) {
            return Err(NotTaken { event, clash: Some(clash) });
        }
        let route = self.routes.route_to(to);
        self.add(route, event, usize::MAX);
        // The next one of its like goes to all of them.
        self.open_max = 0;
        Ok(1)
    }

    /// Adds an event that goes the way of the one before.
    #[inline(always)]
    pub(crate) fn push(&mut self, event: Event) {
        self.open_bytes += event.bytes();
        self.n_events += 1;
        self.open.push(event);
    }

    /// The route of an event that goes this way, if it was found recently.
    #[inline]
    pub(crate) fn recent_route(&self, way: Option<Way>) -> Option<RouteIdx> {
        self.routes.recent(way?)
    }

    /// Adds an event that takes this route; the turn that sends it may send `left` altogether.
    pub(crate) fn add(&mut self, route: RouteIdx, event: Event, left: usize) {
        self.add_on_way(route, event.way(), event, left);
    }

    #[inline]
    pub(crate) fn add_on_way(
        &mut self,
        route: RouteIdx,
        way: Option<Way>,
        event: Event,
        left: usize,
    ) {
        let fits = self.open.is_empty() || self.open_route == route;
        if !fits || self.open_max == 0 || self.open.len() >= STRETCH_MAX {
            self.begin_stretch();
        }
        self.open_route = route;
        // What is added without a look is within what the turn may send: so much is left now, and
        // no turn after it may send less.
        self.open_max = STRETCH_MAX.min(self.open.len().saturating_add(left));
        // Without a way, the next event has to be looked at as well.
        self.recent = way.unwrap_or_else(Way::of::<Nothing>);
        self.push(event);
    }

    #[inline(never)]
    fn begin_stretch(&mut self) {
        self.close();
        self.open_origin.clone_from(&self.origin);
    }

    /// Ends the open stretch.
    fn close(&mut self) {
        if let Some(stretch) = self.take_open() {
            self.closed_bytes += stretch.bytes;
            self.closed.push(stretch);
        }
        self.open_max = 0;
    }

    /// Takes the open stretch out, unless it is empty; the next event may go the same way.
    #[inline]
    fn take_open(&mut self) -> Option<Stretch> {
        let mail = match self.open.len() {
            0 => return None,
            1 => Mail::One(self.open.pop()?),
            _ => Mail::Many(std::mem::replace(&mut self.open, self.stock.vector())),
        };
        let bytes = std::mem::take(&mut self.open_bytes);
        Some(Stretch { route: self.open_route, origin: self.take_open_origin(), mail, bytes })
    }

    /// The open stretch's origin. It stays for the next one, unless it is a question: whoever asked
    /// waits until nobody has it.
    #[inline]
    fn take_open_origin(&mut self) -> Origin {
        let descent = self.open_origin.descent;
        let question = self.open_origin.question.take();
        if question.is_some() {
            self.open_max = 0;
        }
        Origin { descent, question }
    }

    /// Forgets what was sent since the mark.
    #[cold]
    pub(crate) fn cut_off(&mut self, mark: Mark) {
        // The stretch that was open then may have been closed since.
        if self.closed.len() > mark.n_closed {
            let later = self.closed.split_off(mark.n_closed);
            let Some(Stretch { route, origin, mail, .. }) = later.into_iter().next() else {
                unreachable!("there is one more than at the mark")
            };
            self.open.clear();
            match mail {
                Mail::Many(events) => self.open = events,
                Mail::One(event) => self.open.push(event),
                Mail::Shared(_) | Mail::Again(_) => unreachable!("a log's mail is its own"),
            }
            (self.open_route, self.open_origin) = (route, origin);
        }
        let n_closed: usize = self.closed.iter().map(|stretch| stretch.mail.len()).sum();
        self.open.truncate(mark.n_events - n_closed);
        self.n_events = mark.n_events;
        self.closed_bytes = self.closed.iter().map(|stretch| stretch.bytes).sum();
        self.open_bytes = self.open.iter().map(Event::bytes).sum();
        self.recent = Way::of::<Nothing>();
        self.open_max = usize::from(self.open_origin.is(&self.origin));
    }

    /// What was sent since the mark, by the ways it goes.
    pub(crate) fn since(&self, mark: Mark) -> impl Iterator<Item = (&[Event], RouteIdx)> {
        // The first of these was open at the mark, perhaps, and holds what was sent before it.
        let closed = self.closed.get(mark.n_closed..).unwrap_or_default();
        let n_closed: usize = closed.iter().map(|stretch| stretch.mail.len()).sum();
        let mut n_before = n_closed + self.open.len() - self.n_since(mark);
        let closed = closed.iter().map(|stretch| (stretch.mail.as_slice(), stretch.route));
        closed.chain([(&self.open[..], self.open_route)]).map(move |(events, route)| {
            let n_skipped = n_before.min(events.len());
            n_before -= n_skipped;
            (&events[n_skipped..], route)
        })
    }

    /// Who hears the log's only event, if it holds just one, and one processor hears it.
    #[inline]
    pub(crate) fn sole_recipient_of_one(&self) -> Option<OwnerIdx> {
        if self.n_events == 1 && self.closed.is_empty() {
            self.routes.sole(self.open_route)
        } else {
            None
        }
    }

    /// Takes that event out.
    #[inline]
    pub(crate) fn take_one(&mut self) -> Option<(Event, Origin)> {
        (self.n_events, self.open_bytes) = (0, 0);
        Some((self.open.pop()?, self.take_open_origin()))
    }

    /// The only stretch, taken out, if there is just one.
    #[inline]
    pub(crate) fn take_only(&mut self) -> Option<Stretch> {
        if !self.closed.is_empty() {
            return None;
        }
        self.n_events = 0;
        self.take_open()
    }

    /// Takes out all stretches.
    pub(crate) fn take_all(&mut self) -> Vec<Stretch> {
        self.close();
        (self.n_events, self.closed_bytes) = (0, 0);
        std::mem::take(&mut self.closed)
    }

    /// Gives back the memory of what [`take_all`](Self::take_all) took out.
    pub(crate) fn reuse(&mut self, mut emptied: Vec<Stretch>) {
        emptied.clear();
        if self.closed.is_empty() && emptied.capacity() > self.closed.capacity() {
            self.closed = emptied;
        }
    }

    /// Moves the oldest stretches to another log, until that is as many events or more.
    pub(crate) fn move_to(&mut self, other: &mut Log, n_min: usize) {
        self.close();
        let mut n_moved = 0;
        let enough = |stretch: &Stretch| {
            let before = n_moved;
            n_moved += stretch.mail.len();
            before < n_min
        };
        let n_stretches = self.closed.iter().map(enough).take_while(|&more| more).count();
        for stretch in self.closed.drain(..n_stretches) {
            let n = stretch.mail.len();
            self.n_events -= n;
            self.closed_bytes -= stretch.bytes;
            other.n_events += n;
            other.closed_bytes += stretch.bytes;
            other.routes.learn(stretch.route);
            other.closed.push(stretch);
        }
    }
}

impl Stretch {
    pub(crate) fn is_inside(&self) -> bool {
        self.origin.descent == Descent::Inside
    }
}
