//! Owns where nodes are computed: by the run's workers, unless an [`Executor`] takes their work.
//! Refuses to decide when: that is the run's.

#[cfg(feature = "rayon")]
mod pool;
#[cfg(unix)]
mod subprocess;
mod work;

use std::fmt;
use std::sync::Arc;

use anyhow::Result;
use selvedge_sync::thread;

#[cfg(feature = "rayon")]
pub use pool::Pool;
#[cfg(unix)]
pub use subprocess::{Subprocess, program};
pub use work::Work;
pub(crate) use work::{Home, encoded};

/// Where nodes are computed: a thread, a pool, another process, another machine. Given to a node
/// with [`NodeSpec::runs_on`](crate::NodeSpec::runs_on); without, the run's workers compute it in
/// its turn.
///
/// An executor is handed the work of a node, or of one item of a map, when it is due, and has it
/// [computed](Work::compute) or [answered](Work::answer_json) on whatever thread it likes.
/// Attempts, limits of time, and how many may be under way at a time are seen to by the run. There
/// are [`OwnThread`], `Pool` (feature `rayon`) and, on Unix, `Subprocess`.
///
/// ```
/// use selvedge_flow::{Executor, Flow, Request, Work, foreign};
/// use serde_json::{from_slice, to_vec};
///
/// /// Stands for another machine: numbers go there as JSON, and their sum comes back.
/// #[derive(Debug)]
/// struct Remote;
///
/// impl Executor for Remote {
///     fn execute(&self, work: Work) -> anyhow::Result<()> {
///         let request = work.inputs_json()?;
///         // Somebody over there, some time later:
///         let sum: i64 = from_slice::<Vec<i64>>(&request)?.iter().sum();
///         work.answer_json(&to_vec(&sum)?);
///         Ok(())
///     }
/// }
///
/// let mut flow = Flow::builder("far away");
/// let (a, b) = (flow.parameter_or("a", 2_i64), flow.parameter_or("b", 3_i64));
/// let sum = flow.add("sum", foreign::<_, i64>((a, b)).runs_on(Remote));
/// assert_eq!(flow.build()?.run(Request::new())?.value(sum)?, &5);
/// # Ok::<(), anyhow::Error>(())
/// ```
pub trait Executor: fmt::Debug + Send + Sync + 'static {
    /// Takes work in. This is called in a turn of the run: it must not wait for the work, but hand
    /// it on. The work says how it ended; work that is dropped has failed.
    ///
    /// # Errors
    ///
    /// Any error, when it can't be taken in: this attempt at the node has failed.
    fn execute(&self, work: Work) -> Result<()>;

    /// The same for runs that may have [no thread](crate::Request::threads_max) elsewhere, as in
    /// simulations: the work has ended when this returns. Unless this says otherwise, the node's
    /// function is called.
    fn execute_here(&self, work: Work) {
        work.compute();
    }
}

impl<E: Executor + ?Sized> Executor for Arc<E> {
    fn execute(&self, work: Work) -> Result<()> {
        (**self).execute(work)
    }

    fn execute_here(&self, work: Work) {
        (**self).execute_here(work);
    }
}

/// A thread for each node that is under way: for calls that block, since a worker that waits is
/// lost to all others.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnThread;

impl Executor for OwnThread {
    fn execute(&self, work: Work) -> Result<()> {
        let name = format!("selvedge-{}", work.node());
        // Its last deed is to say how it ended; nobody joins it, since it may be late.
        drop(thread::spawn(&name, move || work.compute())?);
        Ok(())
    }
}
