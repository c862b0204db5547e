//! Owns `Observer`: who is told what happens, while it happens.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use selvedge_event::Fact;
use selvedge_sync::atomic::{AtomicBool, Ordering};

/// Is told facts, in batches, by the worker that saw them happen.
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
/// An observer is for looking on: nothing may rest on its having been told everything. (Today it
/// is; under pressure it may come to miss facts, counted.)
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

/// Those who are told facts.
pub(crate) struct Observers {
    all: Vec<Guest>,
}

/// An observer's panic, which its thread has printed, is not the run's: it is not asked again.
struct Guest {
    observer: Arc<dyn Observer>,
    /// Relaxed: a batch more or less is told to one that panicked on another thread.
    gone: AtomicBool,
}

impl Observers {
    pub(crate) fn new(all: Vec<Arc<dyn Observer>>) -> Observers {
        let guest = |observer| Guest { observer, gone: AtomicBool::new(false) };
        Observers { all: all.into_iter().map(guest).collect() }
    }

    /// Whether there is nobody to tell.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn tell(&self, facts: &mut Vec<Fact>) {
        for guest in self.all.iter().filter(|guest| !guest.gone.load(Ordering::Relaxed)) {
            let told = catch_unwind(AssertUnwindSafe(|| guest.observer.observe(facts)));
            if told.is_err() {
                guest.gone.store(true, Ordering::Relaxed);
            }
        }
        facts.clear();
    }
}
