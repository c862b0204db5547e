//! A ring between one producer and one consumer, published in batches. It holds numbers only, which
//! lets the slots be atomics, so that no unsafe code is needed; on the machines we measure, a
//! relaxed access is a plain one.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Turns that a producer spins for room before it yields its core.
const N_SPINS: u32 = 100;

/// A counter with a cache line (and its prefetched neighbour) of its own.
#[derive(Default)]
#[repr(align(128))]
struct Padded(AtomicU64);

/// The ring. Exactly one thread may push and one may drain.
///
/// `tail` counts what was pushed and only the producer writes it, with release after the slots;
/// `head` counts what was drained and only the consumer writes it, with release after the reads.
/// Each side acquires the other's.
pub(super) struct Ring {
    slots: Box<[AtomicU64]>,
    head: Padded,
    tail: Padded,
}

impl Ring {
    /// An empty ring. The capacity must be a power of two, as positions are taken modulo it by a
    /// mask.
    pub(super) fn new(capacity: usize) -> Self {
        assert!(capacity.is_power_of_two(), "a ring of {capacity} slots has no mask");
        Ring {
            slots: (0..capacity).map(|_| AtomicU64::new(0)).collect(),
            head: Padded::default(),
            tail: Padded::default(),
        }
    }

    #[inline]
    fn slot(&self, position: u64) -> &AtomicU64 {
        &self.slots[(position & (self.slots.len() as u64 - 1)) as usize]
    }

    /// Pushes everything, as much at a time as there is room for, each time with one release store.
    pub(super) fn push_all(&self, mut items: &[u64]) {
        let mut tail = self.tail.0.load(Ordering::Relaxed);
        while !items.is_empty() {
            let n_free = self.wait_for_room(tail);
            let (batch, rest) = items.split_at(n_free.min(items.len()));
            for &item in batch {
                self.slot(tail).store(item, Ordering::Relaxed);
                tail += 1;
            }
            self.tail.0.store(tail, Ordering::Release);
            items = rest;
        }
    }

    fn wait_for_room(&self, tail: u64) -> usize {
        let mut n_spins = 0;
        loop {
            let n_used = tail - self.head.0.load(Ordering::Acquire);
            let n_free = self.slots.len() - n_used as usize;
            if n_free > 0 {
                return n_free;
            }
            n_spins += 1;
            if n_spins > N_SPINS {
                thread::yield_now();
            } else {
                spin_loop();
            }
        }
    }

    /// Hands over everything that is there now; returns how much it was.
    pub(super) fn drain(&self, mut take: impl FnMut(u64)) -> u64 {
        let head = self.head.0.load(Ordering::Relaxed);
        let tail = self.tail.0.load(Ordering::Acquire);
        for position in head..tail {
            take(self.slot(position).load(Ordering::Relaxed));
        }
        if tail > head {
            self.head.0.store(tail, Ordering::Release);
        }
        tail - head
    }
}

/// Collects items into batches of [`Batch::SIZE`] before they go into a ring.
pub(super) struct Batch<'a> {
    ring: &'a Ring,
    items: Vec<u64>,
}

impl<'a> Batch<'a> {
    /// Items per batch.
    const SIZE: usize = 64;

    /// An empty batch for this ring.
    pub(super) fn new(ring: &'a Ring) -> Self {
        Batch { ring, items: Vec::with_capacity(Self::SIZE) }
    }

    /// Adds an item; a full batch is pushed.
    #[inline]
    pub(super) fn push(&mut self, item: u64) {
        self.items.push(item);
        if self.items.len() == Self::SIZE {
            self.flush();
        }
    }

    /// Pushes what is left.
    pub(super) fn flush(&mut self) {
        self.ring.push_all(&self.items);
        self.items.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_keeps_order_over_its_edge_and_across_threads() {
        let ring = Ring::new(8);
        let mut taken = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut batch = Batch::new(&ring);
                (0..1000).for_each(|i| batch.push(i));
                batch.flush();
            });
            while taken.len() < 1000 {
                if ring.drain(|item| taken.push(item)) == 0 {
                    thread::yield_now();
                }
            }
        });
        assert_eq!(taken, (0..1000).collect::<Vec<_>>());
        assert_eq!(ring.drain(|_| ()), 0, "nothing is handed over twice");
    }
}
