//! Owns what a step's function can ask for: each argument's type says what it gets.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use anyhow::{Error, Result, anyhow};
use selvedge_event::Text;

use super::cancel::CancelToken;
use super::state::{Exclusive, Queue, Shares, State};
use super::tokens::Tokens;
use crate::request::RunInfo;
use crate::value::Value;

/// A step's turn, as what its function asks for is taken from it.
pub struct StepCall<'c, S, C> {
    pub(crate) state: &'c Arc<S>,
    pub(crate) queue: &'c Queue<S>,
    pub(crate) context: &'c Arc<C>,
    pub(crate) item: Option<(&'c Items, u32)>,
    pub(crate) cancel: &'c CancelToken,
    pub(crate) caught: Option<&'c Caught>,
    pub(crate) resumed: Option<&'c serde_json::Value>,
    pub(crate) info: &'c dyn Fn() -> RunInfo,
    pub(crate) tokens: &'c dyn Fn() -> Tokens,
    pub(crate) attempt: u32,
}

/// The items of a map, whatever they are.
pub(crate) type Items = Arc<dyn AnyItems>;

/// A list whose type is known to the map that made it and to the step that does its items.
pub(crate) trait AnyItems: Send + Sync {
    fn len(&self) -> usize;
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
    fn to_json(&self) -> serde_json::Result<serde_json::Value>;
}

impl<T: Value> AnyItems for Vec<T> {
    fn len(&self) -> usize {
        self.len()
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn to_json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}

/// An argument of a step's function.
pub trait Extract<S, C>: Sized {
    #[doc(hidden)]
    fn extract(call: &StepCall<'_, S, C>) -> Result<Self>;

    #[doc(hidden)]
    #[must_use]
    fn needs() -> Needs {
        Needs::Nothing
    }
}

/// What an argument asks of the step's place in the pipe.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Needs {
    Nothing,
    /// Nothing may run beside it.
    Alone,
    /// It does an item of a map.
    Item {
        type_id: TypeId,
        type_name: &'static str,
    },
    /// It handles a failure.
    Failure,
    /// It reads what the run is resumed with.
    Input {
        check: CheckInput,
    },
}

impl Needs {
    pub(crate) fn input(&self) -> Option<CheckInput> {
        if let Needs::Input { check } = self { Some(*check) } else { None }
    }
}

/// What is wrong with what a run is to be resumed with, if anything is.
#[doc(hidden)]
pub type CheckInput = fn(&serde_json::Value) -> std::result::Result<(), String>;

impl<S: Shares, C> Extract<S, C> for State<S> {
    fn extract(call: &StepCall<'_, S, C>) -> Result<State<S>> {
        Ok(State::new(Arc::clone(call.state), Arc::clone(call.queue)))
    }
}

impl<S: Shares, C> Extract<S, C> for Exclusive<S> {
    fn extract(call: &StepCall<'_, S, C>) -> Result<Exclusive<S>> {
        Ok(Exclusive::new(call.state, Arc::clone(call.queue)))
    }

    fn needs() -> Needs {
        Needs::Alone
    }
}

/// What all steps of a run are given besides the state, and don't change: clients, settings.
///
/// ```
/// use selvedge_flow::steps::{Ctx, Pipe, Start, State};
///
/// let mut pipe = Pipe::<String, u32>::builder("shout");
/// pipe.step("shout", |text: State<String>, n: Ctx<u32>| {
///     let marks = "!".repeat(*n as usize);
///     text.update(move |text| text.push_str(&marks));
/// });
/// let result = pipe.build()?.run_with(Start::with("hey".to_owned()).context(3))?;
/// assert_eq!(*result.state(), "hey!!!");
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Debug)]
pub struct Ctx<C>(Arc<C>);

impl<C> Deref for Ctx<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0
    }
}

impl<S, C> Extract<S, C> for Ctx<C> {
    fn extract(call: &StepCall<'_, S, C>) -> Result<Ctx<C>> {
        Ok(Ctx(Arc::clone(call.context)))
    }
}

/// The item that a step does for a map.
///
/// ```
/// use selvedge_flow::steps::{Item, Pipe, State};
///
/// let mut pipe = Pipe::<Vec<u64>>::builder("squares");
/// pipe.map("numbers", "square", || (0..4_u64).collect::<Vec<_>>());
/// pipe.step("square", |n: Item<u64>, squares: State<Vec<u64>>| {
///     let square = *n * *n;
///     squares.update(move |squares| squares.push(square));
/// });
/// assert_eq!(*pipe.build()?.run(Vec::new())?.state(), [0, 1, 4, 9]); // In the order of the items.
/// # Ok::<(), anyhow::Error>(())
/// ```
pub struct Item<T> {
    items: Arc<Vec<T>>,
    at: u32,
}

impl<T> Item<T> {
    /// Its number, from 0.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.at
    }
}

impl<T> Deref for Item<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.items[self.at as usize]
    }
}

impl<T: fmt::Debug> fmt::Debug for Item<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<S, C, T: Value> Extract<S, C> for Item<T> {
    fn extract(call: &StepCall<'_, S, C>) -> Result<Item<T>> {
        let Some((items, at)) = call.item else {
            return Err(anyhow!("it asks for an item, and no map has started it"));
        };
        let items = Arc::clone(items).as_any().downcast::<Vec<T>>();
        let items = items.map_err(|_| anyhow!("the map's items are no `{}`", type_name::<T>()))?;
        Ok(Item { items, at })
    }

    fn needs() -> Needs {
        Needs::Item { type_id: TypeId::of::<T>(), type_name: type_name::<T>() }
    }
}

/// Whether the run is being called off.
#[derive(Clone, Debug)]
pub struct Cancel(CancelToken);

impl Deref for Cancel {
    type Target = CancelToken;

    fn deref(&self) -> &CancelToken {
        &self.0
    }
}

impl<S, C> Extract<S, C> for Cancel {
    fn extract(call: &StepCall<'_, S, C>) -> Result<Cancel> {
        Ok(Cancel(call.cancel.clone()))
    }
}

/// Which attempt at the step this is, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt(pub u32);

impl<S, C> Extract<S, C> for Attempt {
    fn extract(call: &StepCall<'_, S, C>) -> Result<Attempt> {
        Ok(Attempt(call.attempt))
    }
}

impl<S, C> Extract<S, C> for RunInfo {
    fn extract(call: &StepCall<'_, S, C>) -> Result<RunInfo> {
        Ok((call.info)())
    }
}

impl<S, C> Extract<S, C> for Tokens {
    fn extract(call: &StepCall<'_, S, C>) -> Result<Tokens> {
        Ok((call.tokens)())
    }
}

/// What the run was last resumed with; nothing before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed<T>(pub Option<T>);

impl<S, C, T: Value> Extract<S, C> for Resumed<T> {
    fn extract(call: &StepCall<'_, S, C>) -> Result<Resumed<T>> {
        let Some(input) = call.resumed else { return Ok(Resumed(None)) };
        Ok(Resumed(Some(read_input(input).map_err(Error::msg)?)))
    }

    fn needs() -> Needs {
        Needs::Input { check: |input| read_input::<T>(input).map(drop) }
    }
}

fn read_input<T: Value>(input: &serde_json::Value) -> std::result::Result<T, String> {
    let read = T::deserialize(input);
    read.map_err(|error| {
        format!("what the run is resumed with is no `{}`: {error}", type_name::<T>())
    })
}

/// How a step failed: what a handler is told.
#[derive(Clone, Debug)]
pub struct Caught {
    pub(crate) step: Text,
    pub(crate) error: Arc<anyhow::Error>,
    pub(crate) attempts: u32,
}

impl Caught {
    /// Which step it was.
    #[must_use]
    pub fn step(&self) -> &Text {
        &self.step
    }

    /// Its error; of a panic, the message.
    #[must_use]
    pub fn error(&self) -> &anyhow::Error {
        &self.error
    }

    /// How often it was tried.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }
}

impl<S, C> Extract<S, C> for Caught {
    fn extract(call: &StepCall<'_, S, C>) -> Result<Caught> {
        call.caught.cloned().ok_or_else(|| anyhow!("it asks for a failure, and handles none"))
    }

    fn needs() -> Needs {
        Needs::Failure
    }
}

/// A function of a step: what its arguments ask for, up to six of them, and what it returns.
pub trait StepFunction<S, C, Args>: Send + Sync + 'static {
    /// What it returns.
    type Output;

    #[doc(hidden)]
    fn call(&self, call: &StepCall<'_, S, C>) -> Result<Self::Output>;

    #[doc(hidden)]
    fn needs() -> Vec<Needs>;
}

macro_rules! arities {
    ($(($($arg:ident),*)),* $(,)?) => {$(
        impl<Func, Made, S, C, $($arg),*> StepFunction<S, C, ($($arg,)*)> for Func
        where
            Func: Fn($($arg),*) -> Made + Send + Sync + 'static,
            $($arg: Extract<S, C>),*
        {
            type Output = Made;

            fn call(&self, _call: &StepCall<'_, S, C>) -> Result<Made> {
                Ok(self($($arg::extract(_call)?),*))
            }

            fn needs() -> Vec<Needs> {
                vec![$($arg::needs()),*]
            }
        }
    )*};
}

arities!(
    (),
    (A1),
    (A1, A2),
    (A1, A2, A3),
    (A1, A2, A3, A4),
    (A1, A2, A3, A4, A5),
    (A1, A2, A3, A4, A5, A6)
);

impl<S, C> fmt::Debug for StepCall<'_, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepCall").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}
