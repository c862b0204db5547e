//! Owns `Processor`: a unit of computation that reacts to events, one turn at a time.

use selvedge_event::{Ending, Event, Interests, Signature};

use crate::context::Context;

/// What a turn returns, and what most fallible user code here does.
pub type Result<T = (), E = anyhow::Error> = std::result::Result<T, E>;

/// A unit of computation that reacts to events, one turn at a time.
///
/// The runtime never calls it concurrently with itself, so `&mut self` needs no lock. Successive
/// turns may run on different threads. `#[processor]` on the impl block writes
/// [`interests`](Self::interests) and [`signature`](Self::signature) from the `match` over the
/// event; both can be written by hand instead.
pub trait Processor: Send + 'static {
    /// Takes one turn on one event.
    ///
    /// # Errors
    ///
    /// An error discards what the turn emitted and goes to the processor's failure policy.
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result;

    /// What is routed here. Read once, when the pipeline is built. Unless it is written, or
    /// inferred by `#[processor]`, the processor hears every event but those of the lifecycle.
    fn interests(&self) -> Interests {
        Interests::everything()
    }

    /// Which code this is, for caches and lineage.
    fn signature(&self) -> Option<Signature> {
        None
    }

    /// Where it stands among the others unless its registration says otherwise: lower goes first.
    fn default_priority(&self) -> i32 {
        0
    }

    /// Brings in events from outside, in batches of at most [`Context::room`].
    ///
    /// Called again and again after a turn asked for it with [`Context::start_pulling`], whenever
    /// the pipeline has room for more, until it answers [`Pull::Done`]. It should return soon: it
    /// holds a worker, and the processor's mailbox waits.
    ///
    /// ```
    /// use selvedge_event::{Dynamic, Event, Init, Interest, Interests};
    /// use selvedge_runtime::{Context, Pipeline, Processor, Pull, Result};
    ///
    /// struct Countdown(u32);
    /// impl Processor for Countdown {
    ///     fn interests(&self) -> Interests {
    ///         Interests::listed([Interest::of::<Init>()])
    ///     }
    ///     fn process(&mut self, cx: &mut Context, _init: &Event) -> Result {
    ///         cx.start_pulling();
    ///         Ok(())
    ///     }
    ///     fn pull(&mut self, cx: &mut Context) -> Result<Pull> {
    ///         while cx.room() > 0 && self.0 > 0 {
    ///             cx.emit(Dynamic::new("count", self.0));
    ///             self.0 -= 1;
    ///         }
    ///         Ok(if self.0 == 0 { Pull::Done } else { Pull::More })
    ///     }
    /// }
    ///
    /// let report = Pipeline::builder().processor(Countdown(5_000)).build()?.run()?;
    /// assert_eq!(report.unrouted, 5_000); // Nobody hears them.
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`process`](Self::process); pulling ends.
    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        let _ = cx;
        Ok(Pull::Done)
    }

    /// What a turn on this event was about, that has panicked: it stands before the panic's message
    /// in errors, reports and records. Asked before the state of before the turn is put back, if
    /// that can be had.
    fn about(&self, event: &Event) -> Option<String> {
        let _ = event;
        None
    }

    /// Begins anew in its own place, for a [`Restart`](crate::Restart) of one that was registered
    /// to [restart itself](crate::Registration::restarting_itself): what has to outlive a restart,
    /// such as what it has done already, is kept. `false` when it can't, which fails the run.
    fn restart(&mut self) -> bool {
        false
    }

    /// Says good-bye after the last event: flush, sync, put the result in its place.
    ///
    /// Called once, in order of registration, when nothing is outstanding any more. A run that
    /// fails or is aborted does not close its processors, it drops them: what was not closed is
    /// not finished.
    ///
    /// # Errors
    ///
    /// An error fails the run; the processors after it are dropped without being closed.
    fn close(&mut self, ending: Ending) -> Result {
        let _ = ending;
        Ok(())
    }
}

/// What a source says after a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pull {
    /// There may be more: pull again when there is room.
    More,
    /// Nothing is left, or will ever be.
    Done,
}
