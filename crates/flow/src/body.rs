//! Owns what a node does when it is its turn. One trait, whatever the kind of node.

use std::marker::PhantomData;
use std::sync::Arc;

use anyhow::Result;
use selvedge_event::Text;
use selvedge_runtime::TaskContext;

use crate::input::{Brought, Function, Given};
use crate::outcome::{Declined, Outcome, Skip};
use crate::run::Execution;
use crate::value::{Shared, Value, shared};

/// What a node does with what it has read.
pub(crate) trait Body: Send + Sync + 'static {
    fn run(&self, call: &mut Call<'_, '_>) -> Result<Made>;

    /// The same for those that need nothing but what they read, so that it can be done anywhere.
    fn compute(&self, given: &[Given]) -> Option<Result<Shared>> {
        let _ = given;
        None
    }
}

/// A node's turn.
pub(crate) struct Call<'c, 't> {
    pub(crate) given: &'c [Given],
    pub(crate) cx: &'c mut TaskContext<'t>,
    pub(crate) execution: &'c Arc<Execution>,
    pub(crate) node: u32,
}

/// What a turn came to.
pub(crate) enum Made {
    Value(Shared),
    /// A scope is at it, and ends the node.
    Later,
}

impl Call<'_, '_> {
    /// An input that a node's kind reads itself.
    pub(crate) fn value(&self, at: usize) -> Shared {
        match &self.given[at].0 {
            Outcome::Ok(Brought::Value(value)) => Arc::clone(value),
            other => unreachable!("a node runs when what it reads is there, and this is {other:?}"),
        }
    }
}

/// A function of what is read.
pub(crate) struct Computes<F, I, T> {
    function: F,
    makes: PhantomData<fn(I) -> T>,
}

impl<F, I, T> Computes<F, I, T> {
    pub(crate) fn new(function: F) -> Computes<F, I, T> {
        Computes { function, makes: PhantomData }
    }
}

impl<F: Function<I, T>, I: 'static, T: Value> Body for Computes<F, I, T> {
    fn run(&self, call: &mut Call<'_, '_>) -> Result<Made> {
        Ok(Made::Value(shared(self.function.call(call.given)?)))
    }

    fn compute(&self, given: &[Given]) -> Option<Result<Shared>> {
        Some(self.function.call(given).map(shared))
    }
}

/// Nothing that could be called here.
pub(crate) struct Foreign;

impl Body for Foreign {
    fn run(&self, _: &mut Call<'_, '_>) -> Result<Made> {
        unreachable!("a node without a function and an executor is refused")
    }
}

/// Lets its input through, or not.
pub(crate) struct Gates<F, T> {
    predicate: F,
    reads: PhantomData<fn(T)>,
}

impl<F, T> Gates<F, T> {
    pub(crate) fn new(predicate: F) -> Gates<F, T> {
        Gates { predicate, reads: PhantomData }
    }
}

impl<F, T: Value> Body for Gates<F, T>
where
    F: Fn(&T) -> Result<bool> + Send + Sync + 'static,
{
    fn run(&self, call: &mut Call<'_, '_>) -> Result<Made> {
        let value = call.value(0);
        let seen = value.seen_as().expect("a handle bears the type of what its node makes");
        match (self.predicate)(seen)? {
            true => Ok(Made::Value(value)),
            false => Err(anyhow::Error::new(Declined(Skip::GateClosed))),
        }
    }
}

/// The arm of a branch: its input, if the branch chose it.
pub(crate) struct Arm {
    pub(crate) name: Text,
}

impl Body for Arm {
    fn run(&self, call: &mut Call<'_, '_>) -> Result<Made> {
        let chosen = call.value(0);
        let chosen: &String = chosen.seen_as().expect("a branch makes the name of an arm");
        if *chosen == *self.name.as_str() {
            Ok(Made::Value(call.value(1)))
        } else {
            let skip = Skip::BranchNotSelected { arm: self.name.clone() };
            Err(anyhow::Error::new(Declined(skip)))
        }
    }
}

/// A function of many values of one type.
pub(crate) struct Aggregates<F, A, T> {
    function: F,
    makes: PhantomData<fn(A) -> T>,
}

impl<F, A, T> Aggregates<F, A, T> {
    pub(crate) fn new(function: F) -> Aggregates<F, A, T> {
        Aggregates { function, makes: PhantomData }
    }
}

impl<F, A: Value, T: Value> Body for Aggregates<F, A, T>
where
    F: Fn(&[&A]) -> Result<T> + Send + Sync + 'static,
{
    fn run(&self, call: &mut Call<'_, '_>) -> Result<Made> {
        let held: Vec<Shared> = (0..call.given.len()).map(|at| call.value(at)).collect();
        let values: Vec<&A> = held
            .iter()
            .map(|value| {
                value.seen_as::<A>().expect("a handle bears the type of what its node makes")
            })
            .collect();
        Ok(Made::Value(shared((self.function)(&values)?)))
    }
}
