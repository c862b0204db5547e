//! Owns `Log`: events in the order in which they were sent, in stretches that go the same way.
//!
//! Consecutive events of one route and one origin share a stretch, which later travels as a whole.
//! Only consecutive ones: merging across another route would reorder a sender and a recipient.

use std::any::TypeId;

use selvedge_event::Event;

use crate::mailbox::parcel::{Mail, Stock};
use crate::origin::{Descent, Origin};
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
    n_closed_events: usize,
    n_closed_bytes: usize,
    open: Open,
    /// That of the turn, or of the submission, which sends now.
    origin: Origin,
}

/// The stretch that is added to.
#[derive(Debug, Default)]
struct Open {
    events: Vec<Event>,
    bytes: usize,
    route: RouteIdx,
    origin: Origin,
    /// The type that was sent last: if the next event is of it as well, it goes the same way.
    payload: Option<TypeId>,
    /// Events it may hold as things stand; zero when the next event must not be added to it.
    max: usize,
}

/// Where a log ended at some time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    n_closed: usize,
    n_closed_events: usize,
    n_closed_bytes: usize,
    n_open: usize,
    n_open_bytes: usize,
}

impl Mark {
    fn n_events(self) -> usize {
        self.n_closed_events + self.n_open
    }
}

impl Log {
    pub(crate) fn new(routes: RouteCache) -> Log {
        Log {
            routes,
            stock: Stock::default(),
            closed: Vec::new(),
            n_closed_events: 0,
            n_closed_bytes: 0,
            open: Open::default(),
            origin: Origin::default(),
        }
    }

    /// What is sent from now on descends from this.
    #[inline]
    pub(crate) fn descend_from(&mut self, origin: &Origin) {
        if !self.origin.is(origin) {
            self.origin = origin.clone();
            self.open.payload = None;
            self.open.max = 0;
        }
    }

    /// Keeps nothing of a question that was dealt with: whoever asked waits until nobody has it.
    pub(crate) fn forget_question(&mut self) {
        self.descend_from(&Origin { descent: self.origin.descent, question: None });
        if self.open.events.is_empty() {
            self.open.origin = Origin::default();
        }
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    #[inline]
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            n_closed: self.closed.len(),
            n_closed_events: self.n_closed_events,
            n_closed_bytes: self.n_closed_bytes,
            n_open: self.open.events.len(),
            n_open_bytes: self.open.bytes,
        }
    }

    /// Events sent since the mark.
    #[inline]
    pub(crate) fn n_since(&self, mark: Mark) -> usize {
        self.len() - mark.n_events()
    }

    /// Events in the log.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.n_closed_events + self.open.events.len()
    }

    /// What they weigh.
    pub(crate) fn bytes(&self) -> usize {
        self.n_closed_bytes + self.open.bytes
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an event if its type alone says that it goes the way of the one before; else hands it
    /// back. Nothing in it can fail or unwind.
    #[inline]
    pub(crate) fn add_alike(&mut self, payload: TypeId, event: Event) -> Result<(), Event> {
        let open = &mut self.open;
        let alike = open.payload == Some(payload)
            || (open.max > 0 && self.routes.recent(payload) == Some(open.route));
        if alike && open.events.len() < open.max {
            open.payload = Some(payload);
            open.bytes += event.bytes();
            open.events.push(event);
            return Ok(());
        }
        Err(event)
    }

    /// Adds an event that takes this route.
    pub(crate) fn add(&mut self, route: RouteIdx, event: Event) {
        let fits =
            self.open.max > 0 && self.open.route == route && self.open.events.len() < self.open.max;
        if !fits {
            self.close();
            self.open.route = route;
            self.open.origin = self.origin.clone();
        }
        self.open.max = STRETCH_MAX;
        self.open.payload = event.default_route();
        self.open.bytes += event.bytes();
        self.open.events.push(event);
    }

    /// Ends the open stretch.
    fn close(&mut self) {
        let open = &mut self.open;
        (open.payload, open.max) = (None, 0);
        let n = open.events.len();
        if n == 0 {
            return;
        }
        let mail = match (n, open.events.pop()) {
            (1, Some(only)) => Mail::One(only),
            (_, last) => {
                open.events.extend(last);
                Mail::Many(std::mem::replace(&mut open.events, self.stock.vector()))
            }
        };
        let bytes = std::mem::take(&mut open.bytes);
        let origin = std::mem::take(&mut open.origin);
        self.closed.push(Stretch { route: open.route, origin, mail, bytes });
        self.n_closed_events += n;
        self.n_closed_bytes += bytes;
    }

    /// Forgets what was sent since the mark.
    #[cold]
    pub(crate) fn cut_off(&mut self, mark: Mark) {
        // The stretch that was open then may have been closed since.
        if self.closed.len() > mark.n_closed {
            self.closed.truncate(mark.n_closed + 1);
            let Some(Stretch { route, origin, mail, .. }) = self.closed.pop() else {
                unreachable!("one more than the mark is left")
            };
            self.open.events.clear();
            match mail {
                Mail::Many(events) => self.open.events = events,
                Mail::One(event) => self.open.events.push(event),
                Mail::Shared(_) | Mail::Again(_) => unreachable!("a log's mail is its own"),
            }
            (self.open.route, self.open.origin) = (route, origin);
        }
        self.open.events.truncate(mark.n_open);
        self.open.bytes = mark.n_open_bytes;
        (self.n_closed_events, self.n_closed_bytes) = (mark.n_closed_events, mark.n_closed_bytes);
        // What comes next begins a stretch of its own unless it turns out to fit.
        self.open.payload = None;
        self.open.max = if self.open.events.is_empty() { 0 } else { self.open_max() };
    }

    /// What the open stretch may hold, if what is sent now may be added to it at all.
    fn open_max(&self) -> usize {
        if self.open.origin.is(&self.origin) { STRETCH_MAX } else { 0 }
    }

    /// What was sent since the mark, with its routes.
    pub(crate) fn since(&self, mark: Mark) -> impl Iterator<Item = (&Event, RouteIdx)> {
        let closed = self.closed.get(mark.n_closed..).unwrap_or_default();
        let mut skip = mark.n_open;
        let closed = closed.iter().flat_map(move |stretch| {
            let events = &stretch.mail.as_slice()[std::mem::take(&mut skip)..];
            events.iter().map(|event| (event, stretch.route))
        });
        let skip = if self.closed.len() > mark.n_closed { 0 } else { mark.n_open };
        let open = self.open.events[skip..].iter().map(|event| (event, self.open.route));
        closed.chain(open)
    }

    /// The only stretch, taken out, if there is just one.
    #[inline]
    pub(crate) fn take_only(&mut self) -> Option<Stretch> {
        if !self.closed.is_empty() || self.open.events.is_empty() {
            return None;
        }
        let open = &mut self.open;
        (open.payload, open.max) = (None, 0);
        let mail = if open.events.len() == 1
            && let Some(only) = open.events.pop()
        {
            Mail::One(only)
        } else {
            Mail::Many(std::mem::replace(&mut open.events, self.stock.vector()))
        };
        let bytes = std::mem::take(&mut open.bytes);
        let origin = std::mem::take(&mut open.origin);
        Some(Stretch { route: open.route, origin, mail, bytes })
    }

    /// Takes out all stretches.
    pub(crate) fn take_all(&mut self) -> Vec<Stretch> {
        self.close();
        (self.n_closed_events, self.n_closed_bytes) = (0, 0);
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
            self.n_closed_events -= n;
            self.n_closed_bytes -= stretch.bytes;
            other.n_closed_events += n;
            other.n_closed_bytes += stretch.bytes;
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
