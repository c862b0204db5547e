//! Owns `Recorder`: who must be told everything, and what its failure means for the run.

use selvedge_event::{Fact, Wants};

use crate::processor::Result;

/// Is told every fact, in batches, on a thread of its own, while the run goes on.
///
/// ```
/// use std::sync::mpsc;
/// use selvedge_event::Fact;
/// use selvedge_runtime::Pipeline;
///
/// let (log, logged) = mpsc::channel();
/// let recorder = move |facts: &[Fact]| {
///     for fact in facts {
///         log.send(fact.to_string())?;
///     }
///     Ok(())
/// };
/// Pipeline::builder().recorder(recorder).build()?.run()?;
/// assert_eq!(logged.iter().collect::<Vec<_>>(), ["run of 0 processors", "run Completed"]);
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// Nothing is lost, so a recorder that is slow holds up the run: while
/// [`Limits::recorder_facts_max`](crate::Limits::recorder_facts_max) facts wait for it, the
/// pipeline admits nothing from outside. Sources are not pulled, and submitters wait once their
/// lane is full. Turns on events that were admitted before go on, and what they emit is handled:
/// were it held up too, processors that send to each other could wait forever. So a pipeline in
/// which few events cause many turns can still get ahead of its recorder, by what it has in flight.
///
/// Order is as for an [`Observer`](crate::Observer). `run()` returns when every recorder has
/// recorded the last fact and is closed. A recorder must not wait for the pipeline, by
/// [submitting](crate::Submitter::submit) for instance: the pipeline may wait for it.
pub trait Recorder: Send + 'static {
    /// Keeps these facts.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from doing so. It is not asked again, neither to record nor to close;
    /// what that means for the run is for its [`RecorderPolicy`] to say. A panic is the same.
    fn record(&mut self, facts: &[Fact]) -> Result<()>;

    /// Brings it to its end: the last fact is recorded. Called after runs that failed, too.
    ///
    /// # Errors
    ///
    /// As for [`record`](Self::record).
    fn close(&mut self) -> Result<()> {
        Ok(())
    }

    /// The kinds of facts it is to be told, asked once. Fewer cost the workers less.
    fn wants(&self) -> Wants {
        Wants::ALL
    }
}

impl<F: FnMut(&[Fact]) -> Result<()> + Send + 'static> Recorder for F {
    fn record(&mut self, facts: &[Fact]) -> Result<()> {
        self(facts)
    }
}

/// What the failure of a [`Recorder`] means for the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecorderPolicy {
    /// No further turn starts, and the run fails with
    /// [`RunError::Recorder`](crate::RunError::Recorder).
    #[default]
    Fail,
    /// The run goes on without it, and its report warns of that.
    Warn,
}
