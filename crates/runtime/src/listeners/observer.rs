//! Owns `Observer`: who looks on while a run goes on, and may miss things.

use selvedge_event::{Fact, Wants};

/// Is told facts, in batches, on a thread of its own, while the run goes on.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
/// use selvedge_event::Fact;
/// use selvedge_runtime::Pipeline;
///
/// let seen = Arc::new(AtomicUsize::new(0));
/// let counter = Arc::clone(&seen);
/// let observer = move |facts: &[Fact]| {
///     counter.fetch_add(facts.len(), Ordering::Relaxed);
/// };
/// Pipeline::builder().observer(observer).build()?.run()?;
/// assert_eq!(seen.load(Ordering::Relaxed), 2); // The run started, the run finished.
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// An observer never slows the run. What waits for it is bounded by
/// [`Limits::observer_facts_max`](crate::Limits::observer_facts_max); while it is so far behind,
/// further batches are not kept for it. It is told how many facts those had, by a
/// [`Fact::Missed`] in their place, and the [report](crate::RunReport::observers) says so too. Who
/// must be told everything is a [`Recorder`](crate::Recorder).
///
/// Facts of one worker come in the order in which it saw them; those of several workers interleave
/// by batch. When the run ends, what waits is told before `run()` returns, but for an observer that
/// takes longer than [`Limits::observer_drain_max`](crate::Limits::observer_drain_max): its thread
/// is left to itself, and the report warns of it. One that panics is not told anything more.
pub trait Observer: Send + Sync + 'static {
    /// Takes note.
    fn observe(&self, facts: &[Fact]);

    /// The kinds of facts it is to be told, asked once. Fewer cost the workers less.
    fn wants(&self) -> Wants {
        Wants::ALL
    }
}

impl<F: Fn(&[Fact]) + Send + Sync + 'static> Observer for F {
    fn observe(&self, facts: &[Fact]) {
        self(facts);
    }
}
