//! Owns the state that the steps of a run share: snapshots for those who read, changes that wait
//! until their step has succeeded.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use selvedge_sync::Mutex;

/// What can be the state of a pipe: it is copied when it changes while somebody reads it.
pub trait Shares: Clone + Send + Sync + 'static {}

impl<S: Clone + Send + Sync + 'static> Shares for S {}

/// What a step does to the state once it has succeeded.
type Change<S> = Box<dyn FnOnce(&mut S) + Send>;

/// What a step wants to become of the state.
pub(crate) enum Changes<S> {
    /// One after the other.
    Each(Vec<Change<S>>),
    /// This instead.
    Whole(S),
}

impl<S> Default for Changes<S> {
    fn default() -> Changes<S> {
        Changes::Each(Vec::new())
    }
}

impl<S> Changes<S> {
    pub(crate) fn one(change: Change<S>) -> Changes<S> {
        Changes::Each(vec![change])
    }
}

impl<S: Shares> Changes<S> {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Changes::Each(changes) if changes.is_empty())
    }

    /// Does it. Copies the state only if somebody still reads it.
    pub(crate) fn apply(self, state: &mut Arc<S>) {
        match self {
            Changes::Each(changes) if changes.is_empty() => {}
            Changes::Each(changes) => {
                let state = Arc::make_mut(state);
                changes.into_iter().for_each(|change| change(state));
            }
            Changes::Whole(new) => *state = Arc::new(new),
        }
    }
}

/// Where a step's changes wait for its end.
pub(crate) type Queue<S> = Arc<Mutex<Changes<S>>>;

/// The state as it was when the step began. What other steps change meanwhile is not seen; what
/// this one changes takes effect, in order, when it succeeds, and never otherwise.
///
/// ```
/// use selvedge_flow::steps::{Pipe, State};
///
/// let mut pipe = Pipe::<Vec<&'static str>>::builder("greeting");
/// pipe.step("hello", |words: State<Vec<&'static str>>| {
///     words.update(|words| words.push("hello"));
///     assert!(words.is_empty()); // Not yet.
/// }).to("world");
/// pipe.step("world", |words: State<Vec<&'static str>>| words.update(|words| words.push("world")));
/// let result = pipe.build()?.run(Vec::new())?;
/// assert_eq!(*result.state(), ["hello", "world"]);
/// # Ok::<(), anyhow::Error>(())
/// ```
pub struct State<S> {
    snapshot: Arc<S>,
    queue: Queue<S>,
}

impl<S: Shares> State<S> {
    pub(crate) fn new(snapshot: Arc<S>, queue: Queue<S>) -> State<S> {
        State { snapshot, queue }
    }

    /// Changes the state once the step has succeeded. Don't panic in there: the run would fail.
    pub fn update(&self, change: impl FnOnce(&mut S) + Send + 'static) {
        match &mut *self.queue.lock() {
            Changes::Each(changes) => changes.push(Box::new(change)),
            // Whoever has the whole state to themselves changes that.
            Changes::Whole(whole) => change(whole),
        }
    }
}

impl<S> Deref for State<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.snapshot
    }
}

impl<S: fmt::Debug> fmt::Debug for State<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.snapshot.fmt(f)
    }
}

/// A working copy of the state, which replaces it when the step has succeeded. A step that asks for
/// it runs alone: no other of the run does meanwhile.
///
/// ```
/// use selvedge_flow::steps::{Exclusive, Pipe};
///
/// let mut pipe = Pipe::<Vec<u32>>::builder("sorted");
/// pipe.step("sort", |mut numbers: Exclusive<Vec<u32>>| numbers.sort_unstable());
/// assert_eq!(*pipe.build()?.run(vec![3, 1, 2])?.state(), [1, 2, 3]);
/// # Ok::<(), anyhow::Error>(())
/// ```
pub struct Exclusive<S: Shares> {
    /// There until it is dropped.
    copy: Option<S>,
    queue: Queue<S>,
}

impl<S: Shares> Exclusive<S> {
    pub(crate) fn new(state: &S, queue: Queue<S>) -> Exclusive<S> {
        Exclusive { copy: Some(state.clone()), queue }
    }
}

impl<S: Shares> Deref for Exclusive<S> {
    type Target = S;

    fn deref(&self) -> &S {
        self.copy.as_ref().expect("it is taken when this is dropped")
    }
}

impl<S: Shares> DerefMut for Exclusive<S> {
    fn deref_mut(&mut self) -> &mut S {
        self.copy.as_mut().expect("it is taken when this is dropped")
    }
}

impl<S: Shares> Drop for Exclusive<S> {
    fn drop(&mut self) {
        if let Some(copy) = self.copy.take() {
            *self.queue.lock() = Changes::Whole(copy);
        }
    }
}

impl<S: Shares + fmt::Debug> fmt::Debug for Exclusive<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.copy.fmt(f)
    }
}
