//! Owns the handles that other threads keep on a scope: to post to it, to wait for its end, to call
//! it off.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use selvedge_event::Canceller;

use super::cell::{Cell, Stop};
use super::{PostError, ScopeReport};
use crate::core::Core;

/// A scope that other threads post to. While one is alive the scope does not end, and neither does
/// the run, unless it is stopped; every clone is a handle of its own.
///
/// Opened by [`Running::scope`](crate::Running::scope) and
/// [`Submitter::scope`](crate::Submitter::scope); a turn of the scope takes one by
/// [`TaskContext::handle`](super::TaskContext::handle). Posted tasks are carried out whether or not
/// a handle is left.
pub struct Scope {
    core: Arc<Core>,
    cell: Arc<Cell>,
}

impl Scope {
    /// The handle for which the opener's unit was turned into one outside.
    pub(crate) fn new(core: &Arc<Core>, cell: Arc<Cell>) -> Scope {
        Scope { core: Arc::clone(core), cell }
    }

    /// Posts a task. Never waits.
    ///
    /// # Errors
    ///
    /// [`PostError`], when the scope starts no further task or too many are outstanding.
    pub fn post(&self, index: u32) -> Result<(), PostError> {
        let limit = self.cell.tasks_max;
        if self.cell.n_pending() > limit {
            return Err(PostError::Full { limit });
        }
        self.post_range(index..index.saturating_add(1))
    }

    /// Posts a task for every number of a range. They start in order, as there is room for them:
    /// memory does not depend on how many there are.
    ///
    /// # Errors
    ///
    /// [`PostError::Stopped`], when the scope starts no further task.
    pub fn post_range(&self, range: Range<u32>) -> Result<(), PostError> {
        if self.core.post_from_outside(&self.cell, range) {
            Ok(())
        } else {
            Err(PostError::Stopped)
        }
    }

    /// Waits until the scope is over and says how it ended. This handle is closed first; others
    /// still keep the scope open. Don't call it from a turn: the worker may be the one that is
    /// waited for.
    ///
    /// A run that fails or is aborted gives its scopes up: then the outcome is
    /// [`Abandoned`](super::ScopeOutcome::Abandoned).
    #[must_use]
    pub fn wait(self) -> ScopeReport {
        let cell = Arc::clone(&self.cell);
        drop(self);
        cell.wait()
    }

    /// The same as dropping it, said aloud: nothing more is posted from here.
    pub fn close(self) {
        drop(self);
    }

    /// Calls the scope off, and all that its tasks have opened: no further task starts, and those
    /// under way can [know](super::TaskContext::is_cancelled). The first reason given stays.
    pub fn cancel(&self, by: Canceller) {
        self.core.cancel_scope(&self.cell, Stop::Cancelled(by));
    }

    /// A handle to cancel the scope with and to look at it, which doesn't keep it open.
    #[must_use]
    pub fn control(&self) -> ScopeControl {
        ScopeControl::new(Some(Arc::clone(&self.core)), Arc::clone(&self.cell))
    }
}

impl Clone for Scope {
    fn clone(&self) -> Scope {
        self.core.open();
        self.cell.open();
        Scope { core: Arc::clone(&self.core), cell: Arc::clone(&self.cell) }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.core.close_scope(&self.cell);
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("name", &self.cell.name).finish_non_exhaustive()
    }
}

/// Cancels a scope and looks at it. Keeps nothing open.
///
/// ```
/// use selvedge_event::Canceller;
/// use selvedge_runtime::{Pipeline, ScopeOptions, ScopeOutcome, tasks};
/// let running = Pipeline::builder().build()?.start()?;
/// let scope = running.scope(ScopeOptions::named("idle"), tasks(|_, _| Ok(())))?;
/// let control = scope.control();
/// control.cancel(Canceller::User);
/// let by_user = |outcome| matches!(outcome, ScopeOutcome::Cancelled { by: Canceller::User });
/// assert!(by_user(scope.wait().outcome));
/// assert!(by_user(control.report().unwrap().outcome));
/// running.finish()?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct ScopeControl {
    core: Option<Arc<Core>>,
    cell: Arc<Cell>,
}

impl ScopeControl {
    /// Without a core for a scope that a turn taken alone opened, which never begins.
    pub(crate) fn new(core: Option<Arc<Core>>, cell: Arc<Cell>) -> ScopeControl {
        ScopeControl { core, cell }
    }

    /// See [`Scope::cancel`]. In a turn this is done at once, whether or not the turn succeeds.
    pub fn cancel(&self, by: Canceller) {
        if let Some(core) = &self.core {
            core.cancel_scope(&self.cell, Stop::Cancelled(by));
        }
    }

    /// How the scope ended, if it has.
    #[must_use]
    pub fn report(&self) -> Option<ScopeReport> {
        self.cell.outcome()
    }

    /// Waits until the scope is over and says how it ended. Don't call it from a turn: the worker
    /// may be the one that is waited for.
    #[must_use]
    pub fn wait(&self) -> ScopeReport {
        self.cell.wait()
    }
}

impl fmt::Debug for ScopeControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeControl").field("name", &self.cell.name).finish_non_exhaustive()
    }
}
