//! Owns `Observer`: who is told what happens, while it happens.

use selvedge_event::Fact;

/// Is told facts, in batches, by the worker that saw them happen.
///
/// Facts of one worker come in the order in which it saw them; those of several workers
/// interleave by batch. An observer holds up the worker that tells it, so it should only note and
/// return; one that panics is not told anything more.
pub trait Observer: Send + Sync + 'static {
    /// Takes note.
    fn observe(&self, facts: &[Fact]);
}

impl<F: Fn(&[Fact]) + Send + Sync + 'static> Observer for F {
    fn observe(&self, facts: &[Fact]) {
        self(facts);
    }
}
