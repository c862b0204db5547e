//! Owns scopes that a turn opens: drafts until the turn has succeeded, and nothing if it fails.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::cell::Cell;
use super::{ScopeControl, ScopeError, ScopeOptions, Table, Tasks};
use crate::core::Core;
use crate::origin::Origin;

/// A scope that begins when the turn that opens it succeeds, and not otherwise.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) cell: Arc<Cell>,
    pub(crate) posts: Vec<Range<u32>>,
}

impl Drop for Draft {
    /// Whoever keeps a control learns that nothing came of it.
    fn drop(&mut self) {
        if self.cell.place.get().is_none() {
            drop(self.cell.give_up());
        }
    }
}

/// What the turns of a batch opened, in order; a turn that fails is cut off at the mark.
#[derive(Default)]
pub(crate) struct ScopeLog {
    drafts: Vec<Draft>,
    mark: usize,
    /// None for a turn that is taken alone.
    core: Option<Arc<Core>>,
}

impl ScopeLog {
    pub(crate) fn new(core: &Arc<Core>) -> ScopeLog {
        ScopeLog { core: Some(Arc::clone(core)), ..ScopeLog::default() }
    }

    /// What the threads of the run share, if this is a run.
    pub(crate) fn core(&self) -> Option<&Arc<Core>> {
        self.core.as_ref()
    }

    /// What follows is the current turn's.
    pub(crate) fn mark(&mut self) {
        self.mark = self.drafts.len();
    }

    /// Takes out what the current turn opened.
    #[must_use]
    pub(crate) fn roll_back(&mut self) -> Vec<Draft> {
        self.drafts.split_off(self.mark)
    }

    pub(crate) fn open(
        &mut self,
        options: ScopeOptions,
        tasks: impl Tasks,
        origin: &Origin,
    ) -> Result<ScopeDraft<'_>, ScopeError> {
        options.check()?;
        let table: Option<&Table> = self.core.as_ref().map(|core| &core.scopes);
        if let Some(table) = table
            && table.is_full()
        {
            let limit = table.scopes_max;
            return Err(ScopeError::TooMany { name: options.name, limit });
        }
        let cell = Cell::new(options, Box::new(tasks), origin.clone());
        self.drafts.push(Draft { cell, posts: Vec::new() });
        let draft = self.drafts.last_mut().expect("it was pushed just now");
        Ok(ScopeDraft { draft, core: self.core.as_ref() })
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    pub(crate) fn take(&mut self) -> Vec<Draft> {
        std::mem::take(&mut self.drafts)
    }
}

impl fmt::Debug for ScopeLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeLog").field("drafts", &self.drafts).finish_non_exhaustive()
    }
}

/// A scope that a turn opens. It begins, with what is posted to it here, when the turn has
/// succeeded, and not otherwise.
///
/// ```
/// use selvedge_event::Init;
/// use selvedge_runtime::{Context, Pipeline, ScopeOptions, TaskContext, on, tasks};
/// # use selvedge_event::{Kind, Payload};
/// # struct Square(u32);
/// # impl Payload for Square { fn kind() -> Kind { Kind::literal("doc::Square") } }
/// let mut pipeline = Pipeline::builder()
///     .processor(on("opens", |cx: &mut Context, _: &Init| {
///         let squares = tasks(|cx: &mut TaskContext<'_>, n| Ok(cx.emit(Square(n * n))));
///         cx.scope(ScopeOptions::named("squares"), squares)?.post_range(0..4);
///         Ok(())
///     }))
///     .build()?;
/// let squares = pipeline.collect::<Square>();
/// pipeline.run()?; // Returns when the scope has ended, too.
/// assert_eq!(squares.take().iter().map(|square| square.0).sum::<u32>(), 0 + 1 + 4 + 9);
/// # Ok::<(), anyhow::Error>(())
/// ```
pub struct ScopeDraft<'a> {
    draft: &'a mut Draft,
    core: Option<&'a Arc<Core>>,
}

impl fmt::Debug for ScopeDraft<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeDraft").field("draft", &self.draft).finish_non_exhaustive()
    }
}

impl ScopeDraft<'_> {
    /// Posts a task.
    pub fn post(&mut self, index: u32) {
        match self.draft.posts.last_mut() {
            Some(last) if last.end == index && index < u32::MAX => last.end += 1,
            _ => self.draft.posts.push(index..index.saturating_add(1)),
        }
    }

    /// Posts a task for every number of a range. They start in order, as there is room for them:
    /// memory does not depend on how many there are.
    pub fn post_range(&mut self, range: Range<u32>) {
        self.draft.posts.push(range);
    }

    /// A handle to cancel the scope with and to look at it, from anywhere.
    #[must_use]
    pub fn control(&self) -> ScopeControl {
        ScopeControl::new(self.core.cloned(), Arc::clone(&self.draft.cell))
    }
}
