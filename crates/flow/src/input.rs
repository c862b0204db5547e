//! Owns what a node reads: handles of other nodes, constants and what the run offers, and how they
//! become the arguments of its function.

use std::fmt;
use std::marker::PhantomData;

use selvedge_event::Text;

use crate::outcome::Outcome;
use crate::request::RunInfo;
use crate::value::{Shared, Value, shared};

/// A node of a flow that is being built, or of one that was: what it makes is a `T`.
///
/// A handle is two numbers; it belongs to the flow whose builder gave it.
pub struct Node<T> {
    pub(crate) flow: u32,
    pub(crate) idx: u32,
    makes: PhantomData<fn() -> T>,
}

impl<T> Node<T> {
    pub(crate) fn new(flow: u32, idx: u32) -> Node<T> {
        Node { flow, idx, makes: PhantomData }
    }

    /// What became of the node instead of its value: whoever reads this runs whether or not the
    /// node did what it was for.
    #[must_use]
    pub fn outcome(self) -> OutcomeOf<T> {
        OutcomeOf(self)
    }
}

impl<T> Clone for Node<T> {
    fn clone(&self) -> Node<T> {
        *self
    }
}

impl<T> Copy for Node<T> {}

impl<T> fmt::Debug for Node<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({} of flow {})", self.idx, self.flow)
    }
}

/// What became of a node, as an input. Made by [`Node::outcome`].
#[derive(Clone, Copy, Debug)]
pub struct OutcomeOf<T>(Node<T>);

/// A value that is known when the flow is built, as an input. Part of the node's signature.
///
/// ```
/// use selvedge_flow::{Flow, Request, constant};
/// let mut flow = Flow::builder("shop");
/// let n = flow.parameter::<i64>("n");
/// let product = flow.node("product", (n, constant(3)), |n: &i64, k: &i64| Ok(n * k));
/// let result = flow.build()?.run(Request::new().with("n", 4))?;
/// assert_eq!(result.value(product)?, &12);
/// # Ok::<(), anyhow::Error>(())
/// ```
pub fn constant<T: Value>(value: T) -> Constant<T> {
    Constant { value: shared(value), makes: PhantomData }
}

/// A constant, as an input. Made by [`constant`].
#[derive(Clone, Debug)]
pub struct Constant<T> {
    value: Shared,
    makes: PhantomData<fn() -> T>,
}

/// What the run is, as an input: its id, the attempt, whether it was called off.
///
/// ```
/// use selvedge_flow::{Flow, Request, RunInfo, run_info};
/// let mut flow = Flow::builder("shop");
/// let attempt = flow.node("attempt", (run_info(),), |run: &RunInfo| Ok(run.attempt()));
/// assert_eq!(flow.build()?.run(Request::new())?.value(attempt)?, &1);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[must_use]
pub fn run_info() -> Running {
    Running(())
}

/// What the run is, as an input. Made by [`run_info`].
#[derive(Clone, Copy, Debug)]
pub struct Running(());

/// An input under a name of its own in records and errors. Made by [`Input::called`].
#[derive(Clone, Debug)]
pub struct Called<I> {
    name: Text,
    input: I,
}

/// One thing that a node reads.
///
/// A [`Node`] is read as `&T`, its [outcome](Node::outcome) as [`Outcome<&T>`](Outcome), a
/// [`constant`] as `&T`, [`run_info`] as `&RunInfo`.
pub trait Input: Sized + 'static {
    /// How the node's function sees it.
    type Arg<'a>;

    /// Gives it a name of its own. Otherwise it has that of the node that it comes from.
    fn called(self, name: impl Into<Text>) -> Called<Self> {
        Called { name: name.into(), input: self }
    }

    #[doc(hidden)]
    fn describe(self) -> Described;

    #[doc(hidden)]
    fn argument(given: &Given) -> Self::Arg<'_>;
}

/// What an input is, without its type.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Described {
    pub(crate) name: Option<Text>,
    pub(crate) source: Source,
}

#[derive(Clone, Debug)]
pub(crate) enum Source {
    Node { flow: u32, idx: u32, receives: bool },
    Constant(Shared),
    Run,
}

/// What an input has come to in a run.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Given(pub(crate) Outcome<Brought>);

#[derive(Clone, Debug)]
pub(crate) enum Brought {
    Value(Shared),
    /// Few nodes read it, and it is large.
    Run(Box<RunInfo>),
}

impl PartialEq for Brought {
    fn eq(&self, _: &Brought) -> bool {
        false
    }
}

impl Given {
    /// The value as the type that the handle bears.
    fn value<T: Value>(&self) -> &T {
        match &self.0 {
            Outcome::Ok(Brought::Value(value)) => {
                value.seen_as().expect("a handle bears the type of what its node makes")
            }
            other => unreachable!("a node runs when what it reads is there, and this is {other:?}"),
        }
    }
}

impl<T: Value> Input for Node<T> {
    type Arg<'a> = &'a T;

    fn describe(self) -> Described {
        let source = Source::Node { flow: self.flow, idx: self.idx, receives: false };
        Described { name: None, source }
    }

    fn argument(given: &Given) -> &T {
        given.value()
    }
}

impl<T: Value> Input for OutcomeOf<T> {
    type Arg<'a> = Outcome<&'a T>;

    fn describe(self) -> Described {
        let source = Source::Node { flow: self.0.flow, idx: self.0.idx, receives: true };
        Described { name: None, source }
    }

    fn argument(given: &Given) -> Outcome<&T> {
        match &given.0 {
            Outcome::Ok(_) => Outcome::Ok(given.value()),
            Outcome::Err(failure) => Outcome::Err(failure.clone()),
            Outcome::Skipped(skip) => Outcome::Skipped(skip.clone()),
        }
    }
}

impl<T: Value> Input for Constant<T> {
    type Arg<'a> = &'a T;

    fn describe(self) -> Described {
        Described { name: None, source: Source::Constant(self.value) }
    }

    fn argument(given: &Given) -> &T {
        given.value()
    }
}

impl Input for Running {
    type Arg<'a> = &'a RunInfo;

    fn describe(self) -> Described {
        Described { name: None, source: Source::Run }
    }

    fn argument(given: &Given) -> &RunInfo {
        match &given.0 {
            Outcome::Ok(Brought::Run(run)) => run,
            other => unreachable!("what the run is is always there, and this is {other:?}"),
        }
    }
}

impl<I: Input> Input for Called<I> {
    type Arg<'a> = I::Arg<'a>;

    fn describe(self) -> Described {
        Described { name: Some(self.name), ..self.input.describe() }
    }

    fn argument(given: &Given) -> I::Arg<'_> {
        I::argument(given)
    }
}

/// What a node made by `#[node]` reads as a `T`: a [`Node`] that makes one, or one itself, as a
/// constant.
pub trait Reads<T: Value> {
    #[doc(hidden)]
    type Read: for<'a> Input<Arg<'a> = &'a T>;

    #[doc(hidden)]
    fn reads(self) -> Self::Read;
}

impl<T: Value> Reads<T> for Node<T> {
    type Read = Node<T>;

    fn reads(self) -> Node<T> {
        self
    }
}

impl<T: Value> Reads<T> for T {
    type Read = Constant<T>;

    fn reads(self) -> Constant<T> {
        constant(self)
    }
}

/// A tuple of up to eight [inputs](Input).
pub trait Inputs: 'static {
    #[doc(hidden)]
    fn describe(self) -> Vec<Described>;
}

/// The function of a node that reads `I` and makes a `T`: it takes as many arguments, by reference.
pub trait Function<I, T>: Send + Sync + 'static {
    #[doc(hidden)]
    fn call(&self, given: &[Given]) -> anyhow::Result<T>;
}

/// The function of a map: an item first, then what all items share.
pub trait ItemFunction<A, I, T>: Send + Sync + 'static {
    #[doc(hidden)]
    fn call_on(&self, item: &A, given: &[Given]) -> anyhow::Result<T>;
}

/// The function of a map over pairs: both first, then what all pairs share.
pub trait PairFunction<A, B, I, T>: Send + Sync + 'static {
    #[doc(hidden)]
    fn call_on_both(&self, first: &A, second: &B, given: &[Given]) -> anyhow::Result<T>;
}

macro_rules! arities {
    ($(($($input:ident $at:tt),*)),* $(,)?) => {$(
        impl<$($input: Input),*> Inputs for ($($input,)*) {
            fn describe(self) -> Vec<Described> {
                vec![$(self.$at.describe()),*]
            }
        }

        impl<Func, T, $($input: Input),*> Function<($($input,)*), T> for Func
        where
            Func: for<'a> Fn($($input::Arg<'a>),*) -> anyhow::Result<T> + Send + Sync + 'static,
        {
            fn call(&self, _given: &[Given]) -> anyhow::Result<T> {
                self($($input::argument(&_given[$at])),*)
            }
        }

        impl<Func, Item, T, $($input: Input),*> ItemFunction<Item, ($($input,)*), T> for Func
        where
            Func: for<'a> Fn(&'a Item, $($input::Arg<'a>),*) -> anyhow::Result<T>
                + Send + Sync + 'static,
        {
            fn call_on(&self, item: &Item, _given: &[Given]) -> anyhow::Result<T> {
                self(item, $($input::argument(&_given[$at])),*)
            }
        }

        impl<Func, One, Two, T, $($input: Input),*> PairFunction<One, Two, ($($input,)*), T>
        for Func
        where
            Func: for<'a> Fn(&'a One, &'a Two, $($input::Arg<'a>),*) -> anyhow::Result<T>
                + Send + Sync + 'static,
        {
            fn call_on_both(
                &self,
                first: &One,
                second: &Two,
                _given: &[Given],
            ) -> anyhow::Result<T> {
                self(first, second, $($input::argument(&_given[$at])),*)
            }
        }
    )*};
}

arities!(
    (),
    (A 0),
    (A 0, B 1),
    (A 0, B 1, C 2),
    (A 0, B 1, C 2, D 3),
    (A 0, B 1, C 2, D 3, E 4),
    (A 0, B 1, C 2, D 3, E 4, F 5),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7),
);
