//! Owns what steps do when it is their turn. One trait, whatever the kind of step.

use std::marker::PhantomData;
use std::sync::Arc;

use anyhow::Result;
use selvedge_event::Text;

use super::control::{Control, IntoControl, IntoKey};
use super::extract::{Items, StepCall, StepFunction};
use super::sub::Child;
use crate::value::Value;

/// What a turn came to.
pub(crate) enum Done<S, C> {
    Control(Control),
    /// A switch's choice.
    Key(Text),
    /// A map's items.
    Items(Items),
    /// Another pipe, to be run for the step.
    Child(Box<dyn Child<S, C>>),
}

/// What a step, a handler or a hook does.
pub(crate) trait StepBody<S, C>: Send + Sync + 'static {
    fn run(&self, call: &StepCall<'_, S, C>) -> Result<Done<S, C>>;
}

/// What the return of a kind of step means.
pub(crate) trait Means<Output>: 'static {
    fn done<S, C>(output: Output) -> Result<Done<S, C>>;
}

/// It is a [`Control`], or becomes one.
pub(crate) struct AsStep;
/// It is a key of a switch's table.
pub(crate) struct AsSwitch;
/// It is a map's items.
pub(crate) struct AsMap;

impl<Output: IntoControl> Means<Output> for AsStep {
    fn done<S, C>(output: Output) -> Result<Done<S, C>> {
        output.into_control().map(Done::Control)
    }
}

impl<Output: IntoKey> Means<Output> for AsSwitch {
    fn done<S, C>(output: Output) -> Result<Done<S, C>> {
        output.into_key().map(Done::Key)
    }
}

impl<Output: IntoItems> Means<Output> for AsMap {
    fn done<S, C>(output: Output) -> Result<Done<S, C>> {
        Ok(Done::Items(Arc::new(output.into_items()?)))
    }
}

/// A function of what it asks for, whose return means this.
struct Of<F, Args, K> {
    function: F,
    kind: PhantomData<fn(Args) -> K>,
}

/// A function as a body, whose return means this.
pub(crate) fn body<S, C, A, F, K>(_: K, function: F) -> Box<dyn StepBody<S, C>>
where
    S: 'static,
    C: 'static,
    A: 'static,
    F: StepFunction<S, C, A>,
    K: Means<F::Output>,
{
    Box::new(Of::<F, A, K> { function, kind: PhantomData })
}

impl<S, C, A, F, K> StepBody<S, C> for Of<F, A, K>
where
    S: 'static,
    C: 'static,
    A: 'static,
    F: StepFunction<S, C, A>,
    K: Means<F::Output>,
{
    fn run(&self, call: &StepCall<'_, S, C>) -> Result<Done<S, C>> {
        K::done(self.function.call(call)?)
    }
}

/// What a map may return: a list of items, or that in a `Result`.
pub trait IntoItems {
    /// What one of them is.
    type Item: Value;

    #[doc(hidden)]
    fn into_items(self) -> Result<Vec<Self::Item>>;
}

impl<T: Value> IntoItems for Vec<T> {
    type Item = T;

    fn into_items(self) -> Result<Vec<T>> {
        Ok(self)
    }
}

impl<T: IntoItems, E: Into<anyhow::Error>> IntoItems for Result<T, E> {
    type Item = T::Item;

    fn into_items(self) -> Result<Vec<T::Item>> {
        self.map_err(Into::into)?.into_items()
    }
}
