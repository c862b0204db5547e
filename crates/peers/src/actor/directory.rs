//! Where actors find each other: the addresses of all of them, by index.

use std::sync::OnceLock;

use super::{Message, System};

/// A framework's address of an actor.
pub(super) trait Address: Send + Sync + 'static {
    /// The framework's non-blocking tell.
    fn tell(&self, message: Message);
}

/// Every actor's address, filled in once, when all are spawned: handlers hold it before it is full.
pub(super) struct Directory<A>(OnceLock<Vec<A>>);

impl<A> Default for Directory<A> {
    fn default() -> Self {
        Directory(OnceLock::new())
    }
}

impl<A> Directory<A> {
    /// Fills the directory.
    pub(super) fn fill(&self, addresses: Vec<A>) {
        assert!(
            self.0.set(addresses).is_ok(),
            "a directory is filled once, by the thread that spawns"
        );
    }
}

impl<A: Address> System for Directory<A> {
    #[inline]
    fn send(&self, to: usize, message: Message) {
        let addresses = self.0.get().expect("nobody sends before every actor is spawned");
        addresses[to].tell(message);
    }
}
