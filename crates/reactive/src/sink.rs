//! Owns where artifacts leave a graph: a function that is called for each, and a collection.

use std::fmt;
use std::sync::Arc;

use anyhow::bail;
use selvedge_event::IntoEvent;
use selvedge_runtime::Result;
use selvedge_sync::Mutex;

use crate::artifact::{Artifact, Shared};
use crate::operator::{Item, Operator, Out};

/// Calls a function for each artifact.
pub(crate) struct Each<F, T, R> {
    function: F,
    types: std::marker::PhantomData<fn(T) -> R>,
}

impl<F, T, R> Each<F, T, R> {
    pub(crate) fn new(function: F) -> Each<F, T, R> {
        Each { function, types: std::marker::PhantomData }
    }
}

/// What a function that is called for each artifact may return.
pub trait Done {
    /// Whether it went well.
    #[doc(hidden)]
    fn done(self) -> Result;
}

impl Done for () {
    #[inline]
    fn done(self) -> Result {
        Ok(())
    }
}

impl<E: Into<anyhow::Error>> Done for Result<(), E> {
    #[inline]
    fn done(self) -> Result {
        self.map_err(Into::into)
    }
}

impl<F, T, R> Operator for Each<F, T, R>
where
    F: FnMut(&T) -> R + Send + 'static,
    T: Artifact,
    R: Done + 'static,
{
    type Made = ();

    #[inline]
    fn item(&mut self, _: &mut Out<'_, '_, ()>, _: usize, item: Item<'_>) -> Result {
        match item.read::<T>() {
            Some(artifact) => (self.function)(artifact).done(),
            None => Ok(()),
        }
    }
}

/// Emits an event for each artifact.
pub(crate) struct Leaving<F, T, E> {
    function: F,
    types: std::marker::PhantomData<fn(T) -> E>,
}

impl<F, T, E> Leaving<F, T, E> {
    pub(crate) fn new(function: F) -> Leaving<F, T, E> {
        Leaving { function, types: std::marker::PhantomData }
    }
}

impl<F, T, E> Operator for Leaving<F, T, E>
where
    F: FnMut(&T) -> E + Send + 'static,
    T: Artifact,
    E: IntoEvent + 'static,
{
    type Made = ();

    #[inline]
    fn item(&mut self, out: &mut Out<'_, '_, ()>, _: usize, item: Item<'_>) -> Result {
        if let Some(artifact) = item.read::<T>() {
            out.cx().emit((self.function)(artifact));
        }
        Ok(())
    }
}

/// The artifacts of one target that a run made, in the order in which they came.
///
/// Made by [`Reactive::collect`](crate::Reactive::collect). Clones share what is collected.
pub struct Artifacts<T> {
    /// Guards what came so far. Taken with nothing inside.
    came: Arc<Mutex<Vec<Shared<T>>>>,
}

impl<T: Artifact> Artifacts<T> {
    /// Takes what has come so far.
    #[must_use]
    pub fn take(&self) -> Vec<Shared<T>> {
        std::mem::take(&mut self.came.lock())
    }

    /// Clones of what has come so far, in order.
    #[must_use]
    pub fn values(&self) -> Vec<T>
    where
        T: Clone,
    {
        let came = self.came.lock().clone();
        came.iter().map(|shared| T::clone(shared)).collect()
    }

    /// How many have come, and were not taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.came.lock().len()
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Default for Artifacts<T> {
    fn default() -> Artifacts<T> {
        Artifacts { came: Arc::default() }
    }
}

impl<T> Clone for Artifacts<T> {
    fn clone(&self) -> Artifacts<T> {
        Artifacts { came: Arc::clone(&self.came) }
    }
}

impl<T> fmt::Debug for Artifacts<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Artifacts<{}>", std::any::type_name::<T>())
    }
}

/// Keeps artifacts for whoever wanted them.
pub(crate) struct Collecting<T> {
    pub(crate) artifacts: Artifacts<T>,
    pub(crate) artifacts_max: usize,
}

impl<T: Artifact> Operator for Collecting<T> {
    type Made = ();

    fn item(&mut self, _: &mut Out<'_, '_, ()>, _: usize, item: Item<'_>) -> Result {
        let Some(shared) = item.share() else { return Ok(()) };
        let mut came = self.artifacts.came.lock();
        if came.len() >= self.artifacts_max {
            bail!(
                "{} artifacts are collected already: take them during the run, or hear each with \
                 `Reactive::each`",
                self.artifacts_max
            );
        }
        came.push(shared);
        Ok(())
    }

    fn is_atomic(&self) -> bool {
        true
    }
}
