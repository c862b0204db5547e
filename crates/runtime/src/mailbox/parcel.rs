//! Owns parcels: events on their way to one recipient together, all of one origin.

use std::sync::Arc;

use selvedge_event::Event;

use super::chain::{Chain, Node};
use crate::origin::Origin;

/// Events on their way to one recipient.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    pub(crate) origin: Origin,
    pub(crate) mail: Mail,
    /// What the events own outside of themselves, counted while they are under way.
    pub(crate) heap_bytes: usize,
}

/// The events of a parcel, oldest first.
#[derive(Debug)]
pub(crate) enum Mail {
    One(Event),
    Many(Vec<Event>),
    /// Sent to several recipients.
    Shared(Arc<Vec<Event>>),
    /// One whose turn failed that often before it was put off.
    Again(Box<(Event, u32)>),
}

impl Default for Mail {
    /// No events.
    fn default() -> Mail {
        Mail::Many(Vec::new())
    }
}

impl Mail {
    #[inline]
    pub(crate) fn as_slice(&self) -> &[Event] {
        match self {
            Mail::One(event) => std::slice::from_ref(event),
            Mail::Many(events) => events,
            Mail::Shared(events) => events,
            Mail::Again(again) => std::slice::from_ref(&again.0),
        }
    }

    /// The events of mail that nobody else has.
    pub(crate) fn into_events(self) -> Vec<Event> {
        match self {
            Mail::One(event) => vec![event],
            Mail::Many(events) => events,
            Mail::Shared(events) => events.to_vec(),
            Mail::Again(again) => vec![again.0],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// What its events weigh.
    pub(crate) fn bytes(&self) -> usize {
        self.as_slice().iter().map(Event::bytes).sum()
    }
}

/// A chain of parcels and how many events are in it; linear in the parcels.
pub(crate) fn counted(mut chain: Chain<Parcel>) -> (Chain<Parcel>, u64) {
    let mut counted = Chain::default();
    let mut n = 0;
    while let Some(node) = chain.pop_front() {
        n += node.item.mail.len() as u64;
        counted.push_back(node);
    }
    (counted, n)
}

impl Chain<Parcel> {
    /// What the parcels weigh; linear in their number.
    pub(crate) fn weight(&self) -> u64 {
        self.iter().map(|parcel| parcel.heap_bytes as u64).sum()
    }
}

/// Memory that a worker keeps for the next parcels: blank nodes and empty vectors.
///
/// What was used last is taken first, while it is in the cache.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    #[expect(clippy::vec_box, reason = "a node is linked into a mailbox as it is, box and all")]
    nodes: Vec<Box<Node<Parcel>>>,
    vectors: Vec<Vec<Event>>,
}

/// How much a worker keeps; above, memory goes back to where it came from.
const NODES_MAX: usize = 256;
const VECTORS_MAX: usize = 32;
/// A burst must not pin memory for ever.
const VECTOR_CAPACITY_MAX: usize = 1_024;

impl Stock {
    #[inline]
    pub(crate) fn node(&mut self, parcel: Parcel) -> Box<Node<Parcel>> {
        match self.nodes.pop() {
            Some(mut node) => {
                // A blank owns nothing; to forget it is cheaper than to find that out.
                std::mem::forget(std::mem::replace(&mut node.item, parcel));
                node
            }
            None => Node::new(parcel),
        }
    }

    #[inline]
    pub(crate) fn vector(&mut self) -> Vec<Event> {
        self.vectors.pop().unwrap_or_default()
    }

    /// Takes a used node back. Events that nobody else has are dropped here.
    #[inline]
    pub(crate) fn put_back(&mut self, mut node: Box<Node<Parcel>>) {
        let used = std::mem::take(&mut node.item);
        if self.nodes.len() < NODES_MAX {
            self.nodes.push(node);
        }
        match used.mail {
            Mail::Many(events) => self.put_back_vector(events),
            mail => drop(mail),
        }
    }

    #[inline]
    pub(crate) fn put_back_vector(&mut self, mut events: Vec<Event>) {
        events.clear();
        let fits = (1..=VECTOR_CAPACITY_MAX).contains(&events.capacity());
        if fits && self.vectors.len() < VECTORS_MAX {
            self.vectors.push(events);
        }
    }
}
