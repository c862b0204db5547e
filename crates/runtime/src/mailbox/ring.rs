//! Owns `Ring`: what waits in a mailbox with a capacity, and what gives way when there is no room.
//! Pure, and so is its part of the bell: whoever puts something in is told whether the mailbox's
//! word has to be told. [`BoundedMail`] is the lock around it.

use std::collections::VecDeque;

use selvedge_event::Event;
use selvedge_sync::Mutex;

use super::chain::{Chain, Node};
use super::parcel::{Mail, Parcel, Stock};
use crate::log::STRETCH_MAX;
use crate::origin::Origin;
use crate::overflow::{Bounds, MailboxCapacity, Overflow};

/// What waits, oldest first, each with its weight.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    waiting: VecDeque<(T, usize)>,
    bytes: usize,
    bounds: Bounds,
    /// Somebody tells the mailbox's word that something waits here, or its owner knows.
    told: bool,
}

/// What came of putting something in.
#[derive(Debug)]
pub(crate) struct Put<T> {
    /// The caller, and nobody else, tells the mailbox's word.
    pub(crate) rings: bool,
    /// What gave way, to be dropped when no lock is held.
    pub(crate) dropped: Vec<(T, usize)>,
    /// The capacity that was exceeded, if that fails the run.
    pub(crate) exceeded: Option<MailboxCapacity>,
}

impl<T> Ring<T> {
    pub(crate) fn new(bounds: Bounds) -> Ring<T> {
        Ring { waiting: VecDeque::new(), bytes: 0, bounds, told: false }
    }

    /// Puts these in, or what of them there is room for, or makes room for them.
    pub(crate) fn put(&mut self, coming: Vec<(T, usize)>) -> Put<T> {
        let mut put = Put { rings: false, dropped: Vec::new(), exceeded: None };
        for (item, bytes) in coming {
            if let Some(exceeded) = self.exceeded_by(bytes) {
                match self.bounds.overflow {
                    Overflow::DropNewest => {
                        put.dropped.push((item, bytes));
                        continue;
                    }
                    Overflow::DropOldest => {
                        while self.exceeded_by(bytes).is_some() {
                            put.dropped.extend(self.pop());
                        }
                    }
                    // It is given up with all the rest.
                    Overflow::FailRun => put.exceeded = put.exceeded.or(Some(exceeded)),
                }
            }
            self.bytes += bytes;
            self.waiting.push_back((item, bytes));
        }
        put.rings = !self.told && !self.waiting.is_empty();
        self.told |= put.rings;
        put
    }

    /// The capacity for which one more of this weight is too much. An empty mailbox takes whatever
    /// comes: what weighs more than the capacity could never be delivered otherwise.
    fn exceeded_by(&self, bytes: usize) -> Option<MailboxCapacity> {
        let Bounds { events: n_max, bytes: bytes_max, .. } = self.bounds;
        if self.waiting.is_empty() {
            None
        } else if self.waiting.len() >= n_max {
            Some(MailboxCapacity::Events(n_max))
        } else if self.bytes.saturating_add(bytes) > bytes_max {
            Some(MailboxCapacity::Bytes(bytes_max))
        } else {
            None
        }
    }

    fn pop(&mut self) -> Option<(T, usize)> {
        let (item, bytes) = self.waiting.pop_front()?;
        self.bytes -= bytes;
        Some((item, bytes))
    }

    /// Takes out the oldest, so many at most. If that is all, the next to come rings.
    pub(crate) fn take(&mut self, n_max: usize) -> Vec<(T, usize)> {
        let n = self.waiting.len().min(n_max);
        let taken: Vec<_> = self.waiting.drain(..n).collect();
        self.bytes -= taken.iter().map(|(_, bytes)| bytes).sum::<usize>();
        self.told = !self.waiting.is_empty();
        taken
    }

    /// Whether something waits that nobody else will tell of.
    pub(crate) fn is_told(&self) -> bool {
        self.told
    }
}

/// The mail of a mailbox with a capacity.
#[derive(Debug)]
pub(crate) struct BoundedMail {
    pub(crate) bounds: Bounds,
    /// Guards what waits. Taken with nothing else inside.
    ring: Mutex<Ring<(Event, Origin)>>,
}

impl BoundedMail {
    pub(crate) fn new(bounds: Bounds) -> BoundedMail {
        BoundedMail { bounds, ring: Mutex::new(Ring::new(bounds)) }
    }

    /// Puts the events of a parcel in.
    pub(crate) fn put(&self, parcel: Parcel, stock: &mut Stock) -> Put<(Event, Origin)> {
        let Parcel { origin, mail, .. } = parcel;
        // What an event weighs is the user's code: it is asked under no lock.
        let weighed = |event: Event| {
            let bytes = event.bytes();
            ((event, origin.clone()), bytes)
        };
        let coming = match mail {
            Mail::One(event) => vec![weighed(event)],
            Mail::Many(mut events) => {
                let coming = events.drain(..).map(weighed).collect();
                stock.put_back_vector(events);
                coming
            }
            Mail::Shared(events) => events.iter().cloned().map(weighed).collect(),
            Mail::Again(_) => unreachable!("what is attempted again has its place already"),
        };
        self.ring.lock().put(coming)
    }

    /// Takes out the oldest, so many at most, as parcels.
    pub(crate) fn take(&self, n_max: usize, into: &mut Chain<Parcel>, stock: &mut Stock) {
        let taken = self.ring.lock().take(n_max);
        let mut open: Option<Parcel> = None;
        for ((event, origin), bytes) in taken {
            match &mut open {
                Some(Parcel { origin: same, mail: Mail::Many(events), heap_bytes })
                    if same.is(&origin) && events.len() < STRETCH_MAX =>
                {
                    events.push(event);
                    *heap_bytes += bytes;
                }
                _ => {
                    let mut events = stock.vector();
                    events.push(event);
                    let next = Parcel { origin, mail: Mail::Many(events), heap_bytes: bytes };
                    if let Some(full) = open.replace(next) {
                        into.push_back(stock.node(full));
                    }
                }
            }
        }
        if let Some(last) = open {
            into.push_back(stock.node(last));
        }
    }

    /// Takes out all there is, which will have no turn.
    pub(crate) fn give_up(&self) -> Chain<Parcel> {
        let taken = self.ring.lock().take(usize::MAX);
        let mut chain = Chain::default();
        for ((event, origin), heap_bytes) in taken {
            chain.push_back(Node::new(Parcel { origin, mail: Mail::One(event), heap_bytes }));
        }
        chain
    }

    /// Whether something waits that nobody but the mailbox's owner will tell of.
    pub(crate) fn is_told(&self) -> bool {
        self.ring.lock().is_told()
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;

    /// Puts in what has digits, each its weight, and takes out so many at `-n`.
    fn trace(events: usize, bytes: usize, overflow: Overflow, steps: &str) -> String {
        let mut ring = Ring::new(Bounds { events, bytes, overflow });
        let mut text = String::new();
        let show = |items: &[(char, usize)]| items.iter().map(|(item, _)| item).collect::<String>();
        for step in steps.split(' ') {
            if let Some(n) = step.strip_prefix('-') {
                let taken = ring.take(n.parse().expect("a number"));
                text += &format!("{step} took {}, told {}\n", show(&taken), ring.is_told());
                continue;
            }
            let weigh = |item: char| (item, item.to_digit(10).expect("a digit") as usize);
            let Put { rings, dropped, exceeded } = ring.put(step.chars().map(weigh).collect());
            let dropped = show(&dropped);
            text += &format!("{step} rings {rings}, dropped {dropped:?}, exceeded {exceeded:?}\n");
        }
        text
    }

    #[test]
    fn who_is_too_late_gives_way_or_who_has_waited_longest() {
        assert_snapshot!(trace(2, usize::MAX, Overflow::DropNewest, "123 4 -1 56 -9"), @r#"
        123 rings true, dropped "3", exceeded None
        4 rings false, dropped "4", exceeded None
        -1 took 1, told true
        56 rings false, dropped "6", exceeded None
        -9 took 25, told false
        "#);
        assert_snapshot!(trace(2, usize::MAX, Overflow::DropOldest, "123 4 -1 56 -9"), @r#"
        123 rings true, dropped "1", exceeded None
        4 rings false, dropped "2", exceeded None
        -1 took 3, told true
        56 rings false, dropped "4", exceeded None
        -9 took 56, told false
        "#);
        assert_snapshot!(trace(2, usize::MAX, Overflow::FailRun, "12 3 -9"), @r#"
        12 rings true, dropped "", exceeded None
        3 rings false, dropped "", exceeded Some(Events(2))
        -9 took 123, told false
        "#);
    }

    #[test]
    fn weight_counts_too_and_an_empty_mailbox_takes_anything() {
        assert_snapshot!(trace(9, 5, Overflow::DropNewest, "9 1 -9 232 -9"), @r#"
        9 rings true, dropped "", exceeded None
        1 rings false, dropped "1", exceeded None
        -9 took 9, told false
        232 rings true, dropped "2", exceeded None
        -9 took 23, told false
        "#);
        assert_snapshot!(trace(9, 5, Overflow::DropOldest, "221 3 9 1 -9"), @r#"
        221 rings true, dropped "", exceeded None
        3 rings false, dropped "22", exceeded None
        9 rings false, dropped "13", exceeded None
        1 rings false, dropped "9", exceeded None
        -9 took 1, told false
        "#);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_nothing_is_twice_and_nobody_is_left_untold(
            n_max in 1..6_usize,
            bytes_max in 1..20_usize,
            policy in 0..3,
            steps in prop::collection::vec((0..8_usize, 0..9_usize), 1..40),
        ) {
            let overflow =
                [Overflow::FailRun, Overflow::DropNewest, Overflow::DropOldest][policy as usize];
            let mut ring = Ring::new(Bounds { events: n_max, bytes: bytes_max, overflow });
            let (mut n_put, mut seen) = (0, Vec::new());
            for (n, weight) in steps {
                let was_told = ring.is_told();
                if n == 0 {
                    let taken = ring.take(weight);
                    // What is taken out at once is in order.
                    prop_assert!(taken.windows(2).all(|pair| pair[0].0 < pair[1].0));
                    seen.extend(taken.into_iter().map(|(item, _)| item));
                } else {
                    let put = ring.put((n_put..n_put + n).map(|item| (item, weight)).collect());
                    n_put += n;
                    prop_assert_eq!(put.rings, !was_told && ring.is_told());
                    prop_assert_eq!(put.exceeded.is_some() && overflow != Overflow::FailRun, false);
                    seen.extend(put.dropped.into_iter().map(|(item, _)| item));
                    if overflow != Overflow::FailRun {
                        let fits = ring.waiting.len() <= n_max && ring.bytes <= bytes_max;
                        prop_assert!(fits || ring.waiting.len() == 1);
                    }
                }
                prop_assert_eq!(ring.is_told(), !ring.waiting.is_empty());
            }
            seen.extend(ring.take(usize::MAX).into_iter().map(|(item, _)| item));
            prop_assert_eq!(ring.bytes, 0);
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..n_put).collect::<Vec<_>>());
        }
    }
}
