//! Owns `Observer`: who looks on while a run goes on, and may miss things.

use selvedge_event::{Fact, Wants};

use super::Recorder;
use crate::processor::Result;

/// Is told facts, in batches, on a thread of its own, while the run goes on: those that are
/// [notable](Wants::NOTABLE), or what it [wants](Self::wants).
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

    /// The kinds of facts it is to be told, asked once: [`Wants::NOTABLE`] unless it says
    /// otherwise, which costs a busy run nothing. What [each turn](Wants::EACH_TURN) tells costs
    /// the worker some nanoseconds a turn, and its listener more.
    fn wants(&self) -> Wants {
        Wants::NOTABLE
    }
}

impl<F: Fn(&[Fact]) + Send + Sync + 'static> Observer for F {
    fn observe(&self, facts: &[Fact]) {
        self(facts);
    }
}

/// A listener that is told other kinds of facts than it asks for, or than a closure can ask for.
/// Made by [`wanting`].
#[derive(Clone, Copy, Debug)]
pub struct Wanting<L> {
    wants: Wants,
    listener: L,
}

/// Has an observer or a recorder told these kinds of facts, whatever it wants itself.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
/// use selvedge_event::{Fact, Wants};
/// use selvedge_runtime::{Context, Pipeline, on, wanting};
/// # use selvedge_event::Init;
///
/// let turns = Arc::new(AtomicUsize::new(0));
/// let counter = Arc::clone(&turns);
/// let observer = wanting(Wants::TURNS, move |facts: &[Fact]| {
///     counter.fetch_add(facts.len(), Ordering::Relaxed);
/// });
/// let idle = on("idle", |_: &mut Context<'_>, _: &Init| Ok(()));
/// Pipeline::builder().processor(idle).observer(observer).build()?.run()?;
/// assert_eq!(turns.load(Ordering::Relaxed), 1);
/// # Ok::<(), anyhow::Error>(())
/// ```
pub const fn wanting<L>(wants: Wants, listener: L) -> Wanting<L> {
    Wanting { wants, listener }
}

impl<O: Observer> Observer for Wanting<O> {
    fn observe(&self, facts: &[Fact]) {
        self.listener.observe(facts);
    }

    fn wants(&self) -> Wants {
        self.wants
    }
}

impl<R: Recorder> Recorder for Wanting<R> {
    fn record(&mut self, facts: &[Fact]) -> Result<()> {
        self.listener.record(facts)
    }

    fn close(&mut self) -> Result<()> {
        self.listener.close()
    }

    fn wants(&self) -> Wants {
        self.wants
    }
}
