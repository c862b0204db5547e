//! Owns `Chain`, a queue of boxed nodes that is appended to and taken apart in constant time and
//! needs no memory of its own: a hundred thousand mailboxes have one each.
//!
//! This is one of the runtime's raw modules: the links are pointers. What is unsafe about them
//! stays inside; the interface is safe.
#![expect(unsafe_code, reason = "a linked queue whose idle form is one word")]

use std::fmt;
use std::ptr;

/// One item and the link to what comes after it.
pub(crate) struct Node<T> {
    pub(super) next: *mut Node<T>,
    pub(crate) item: T,
}

// SAFETY: whoever has a node has what it links to, by the invariant of `Chain`, or ignores the
// link; the pointer adds nothing to what the items say about threads.
unsafe impl<T: Send> Send for Node<T> {}

impl<T> Node<T> {
    pub(crate) fn new(item: T) -> Box<Node<T>> {
        Box::new(Node { next: ptr::null_mut(), item })
    }
}

impl<T: fmt::Debug> fmt::Debug for Node<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.item.fmt(f)
    }
}

/// Nodes in a row, first come, first out. A word wide: the last node leads back to the first.
///
/// Invariant: `last` is null, or leads over `next` links to itself; every node on the way came out
/// of a `Box` and is owned by this chain alone.
pub(crate) struct Chain<T> {
    last: *mut Node<T>,
}

// SAFETY: a chain owns its nodes; nothing is shared.
unsafe impl<T: Send> Send for Chain<T> {}

impl<T> Default for Chain<T> {
    fn default() -> Chain<T> {
        Chain { last: ptr::null_mut() }
    }
}

impl<T> Chain<T> {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.last.is_null()
    }

    /// The oldest item.
    #[inline]
    pub(crate) fn front(&self) -> Option<&T> {
        // SAFETY: by the invariant `last` is null or an owned node, and so is what it leads to;
        // the borrow of the chain keeps it so.
        unsafe { self.last.as_ref().map(|last| &(*last.next).item) }
    }

    /// All items, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let mut before = self.last;
        let mut is_over = before.is_null();
        std::iter::from_fn(move || {
            if is_over {
                return None;
            }
            // SAFETY: the chain is not empty, so by the invariant the links lead over owned nodes
            // back to `last`; the chain is borrowed for as long as the items are.
            let node = unsafe { &*(*before).next };
            before = ptr::from_ref(node).cast_mut();
            is_over = ptr::eq(before, self.last);
            Some(&node.item)
        })
    }

    #[inline]
    pub(crate) fn push_back(&mut self, node: Box<Node<T>>) {
        let node = Box::into_raw(node);
        // SAFETY: the node came out of its box just now; `last`, if it is one, is owned by this
        // chain.
        unsafe {
            if self.last.is_null() {
                (*node).next = node;
            } else {
                (*node).next = (*self.last).next;
                (*self.last).next = node;
            }
        }
        self.last = node;
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<Box<Node<T>>> {
        if self.last.is_null() {
            return None;
        }
        // SAFETY: by the invariant `last` is an owned node and leads to one. The first came out of
        // a `Box` and is owned by this chain alone; it is unlinked before anyone else sees it.
        unsafe {
            let first = (*self.last).next;
            if ptr::eq(first, self.last) {
                self.last = ptr::null_mut();
            } else {
                (*self.last).next = (*first).next;
            }
            Some(Box::from_raw(first))
        }
    }

    /// Adds all of another chain behind this one.
    #[inline]
    pub(crate) fn append(&mut self, mut other: Chain<T>) {
        if self.last.is_null() {
            std::mem::swap(self, &mut other);
        } else if !other.last.is_null() {
            // SAFETY: neither chain is empty, so each `last` is a node that its chain owns.
            unsafe { std::mem::swap(&mut (*self.last).next, &mut (*other.last).next) };
            self.last = other.last;
            other.last = ptr::null_mut();
        }
    }

    /// Takes over a list that was pushed newest first, as the oldest-first chain it stands for.
    ///
    /// # Safety
    ///
    /// `newest` is null or leads over `next` links to null; every node on the way came out of a
    /// `Box` and is given up by the caller.
    pub(super) unsafe fn from_newest(newest: *mut Node<T>) -> Chain<T> {
        let mut after = ptr::null_mut();
        let mut node = newest;
        while !node.is_null() {
            // SAFETY: the caller gives up every node on the way to null.
            let next = unsafe { std::mem::replace(&mut (*node).next, after) };
            after = node;
            node = next;
        }
        if !newest.is_null() {
            // SAFETY: as above. What was the last link is the one that leads back.
            unsafe { (*newest).next = after };
        }
        Chain { last: newest }
    }
}

impl<T> Drop for Chain<T> {
    fn drop(&mut self) {
        while self.pop_front().is_some() {}
    }
}

impl<T> fmt::Debug for Chain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "Chain(empty)" } else { "Chain(..)" })
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn drained(mut chain: Chain<Rc<u32>>) -> Vec<u32> {
        std::iter::from_fn(|| chain.pop_front().map(|node| *node.item)).collect()
    }

    #[test]
    fn chains_keep_order_and_own_what_is_in_them() {
        let counted = Rc::new(7);
        let chain_of = |n: usize| {
            let mut chain = Chain::default();
            (0..n).for_each(|_| chain.push_back(Node::new(Rc::clone(&counted))));
            chain
        };
        for (a, b) in [(0, 0), (0, 2), (2, 0), (1, 1), (3, 2)] {
            let mut chain = chain_of(a);
            chain.append(chain_of(b));
            assert_eq!(chain.front().is_some(), a + b > 0);
            assert_eq!(chain.iter().count(), a + b);
            chain.push_back(Node::new(Rc::new(9)));
            let mut expected = vec![7; a + b];
            expected.push(9);
            assert_eq!(drained(chain), expected);
        }
        drop(chain_of(3));
        assert_eq!(Rc::strong_count(&counted), 1);
    }

    proptest! {
        /// Two chains against two lists; each byte is a step.
        #[test]
        fn chains_agree_with_lists(steps in vec(0_u8..6, 0..60)) {
            let mut chains: [Chain<u32>; 2] = Default::default();
            let mut lists: [Vec<u32>; 2] = Default::default();
            for (step, n) in steps.into_iter().zip(0..) {
                let which = usize::from(step % 2);
                match step / 2 {
                    0 => {
                        chains[which].push_back(Node::new(n));
                        lists[which].push(n);
                    }
                    1 => {
                        let first = (!lists[which].is_empty()).then(|| lists[which].remove(0));
                        prop_assert_eq!(chains[which].pop_front().map(|node| node.item), first);
                    }
                    _ => {
                        let other = std::mem::take(&mut chains[1 - which]);
                        chains[which].append(other);
                        let other = std::mem::take(&mut lists[1 - which]);
                        lists[which].extend(other);
                    }
                }
                for (chain, list) in chains.iter().zip(&lists) {
                    prop_assert_eq!(chain.front(), list.first());
                    prop_assert_eq!(chain.is_empty(), list.is_empty());
                }
            }
        }
    }
}
