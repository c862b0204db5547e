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

/// A function of what it asks for, as some kind of body.
struct Of<F, Args, K> {
    function: F,
    kind: PhantomData<fn(Args) -> K>,
}

struct AsStep;
struct AsSwitch;
struct AsMap;

fn body<F, Args, K>(function: F, _: K) -> Of<F, Args, K> {
    Of { function, kind: PhantomData }
}

/// A body that returns a [`Control`], or what becomes one.
pub(crate) fn step<S, C, A, F>(function: F) -> Box<dyn StepBody<S, C>>
where
    S: 'static,
    C: 'static,
    A: 'static,
    F: StepFunction<S, C, A>,
    F::Output: IntoControl,
{
    Box::new(body(function, AsStep))
}

impl<S, C, A, F> StepBody<S, C> for Of<F, A, AsStep>
where
    S: 'static,
    C: 'static,
    A: 'static,
    F: StepFunction<S, C, A>,
    F::Output: IntoControl,
{
    fn run(&self, call: &StepCall<'_, S, C>) -> Result<Done<S, C>> {
        self.function.call(call)?.into_control().map(Done::Control)
    }
}

/// A body that chooses.
pub(crate) fn switch<S, C, A, F>(function: F) -> Box<dyn StepBody<S, C>>
where
    S: 'static,
    C: 'static,
    A: 'static,
    F: StepFunction<S, C, A>,
    F::Output: IntoKey,
{
    Box::new(body(function, AsSwitch))
}

impl<S, C, A, F> StepBody<S, C> for Of<F, A, AsSwitch>
where
    S: 'static,
    C: 'static,
    A: 'static,
    F: StepFunction<S, C, A>,
    F::Output: IntoKey,
{
    fn run(&self, call: &StepCall<'_, S, C>) -> Result<Done<S, C>> {
        self.function.call(call)?.into_key().map(Done::Key)
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

/// A body that makes items.
pub(crate) fn map<S, C, A, F>(function: F) -> Box<dyn StepBody<S, C>>
where
    S: 'static,
    C: 'static,
    A: 'static,
    F: StepFunction<S, C, A>,
    F::Output: IntoItems,
{
    Box::new(body(function, AsMap))
}

impl<S, C, A, F> StepBody<S, C> for Of<F, A, AsMap>
where
    S: 'static,
    C: 'static,
    A: 'static,
    F: StepFunction<S, C, A>,
    F::Output: IntoItems,
{
    fn run(&self, call: &StepCall<'_, S, C>) -> Result<Done<S, C>> {
        let items = self.function.call(call)?.into_items()?;
        Ok(Done::Items(Arc::new(items)))
    }
}
