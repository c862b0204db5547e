//! Typed dataflow graphs: nodes with three-way results, run as one-shot turns in scopes, in which
//! every value is known by its digest.
//!
//! ```
//! use selvedge_flow::{Flow, Request};
//!
//! let mut flow = Flow::builder("arithmetic");
//! let x = flow.parameter::<i64>("x");
//! let doubled = flow.node("doubled", (x,), |x: &i64| Ok(x * 2));
//! let answer = flow.node("answer", (x, doubled), |x: &i64, doubled: &i64| Ok(x + doubled));
//! let flow = flow.build()?;
//!
//! let result = flow.run(Request::new().with("x", 5))?;
//! assert_eq!(result.value(answer)?, &15);
//! assert_eq!(result.records().len(), 3); // What was computed, of what, with which code.
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! A [`Flow`] is immutable; any number of runs of it go on at once. A node starts as soon as what
//! it reads is there; what became of it is an [`Outcome`], and its [`Policy`] says what it does
//! when a parent has no value for it.
//!
//! [`steps`] is the other front end, for control instead of values: what follows what, over a state
//! that steps share.
//!
//! Start reading at `propagation`, then `plan`, `run`, `builder`.

#![forbid(unsafe_code)]

mod body;
mod builder;
mod drawing;
mod driver;
mod engine;
mod error;
mod executor;
mod flow;
#[cfg(test)]
mod golden;
mod inner;
mod input;
mod journal;
mod limit;
mod map;
mod outcome;
mod plan;
mod preview;
mod propagation;
mod request;
mod result;
mod run;
mod run_event;
mod spec;
pub mod steps;
mod stream;
mod value;

pub use builder::FlowBuilder;
pub use engine::{Engine, RunHandle};
pub use error::{DefinitionError, DefinitionProblem, JournalError, RunError, ValueError};
#[cfg(feature = "rayon")]
pub use executor::Pool;
pub use executor::{Executor, OwnThread, Work};
#[cfg(unix)]
pub use executor::{Subprocess, program};
pub use flow::Flow;
pub use inner::{Grown, SubFlow, expand};
pub use input::{
    Called, Constant, Function, Input, Inputs, ItemFunction, Node, OutcomeOf, PairFunction, Reads,
    Running, constant, run_info,
};
pub use journal::{Journal, JournalPolicy};
pub use limit::Limit;
pub use map::{dict_map, map, zip_map};
pub use outcome::{Cause, Failure, Outcome, Skip, skip};
pub use preview::{Action, Planned, RunPlan, Why};
pub use propagation::Policy;
pub use request::{Request, RunInfo};
pub use result::{NodeEnd, RunResult};
pub use run_event::{Happened, RunEvent};
pub use spec::{Kind, NodeSpec, foreign, node};
pub use stream::{
    Events, Feed, Heard, HeardEnd, Listen, Listener, OnFull, Spill, StreamError, Telling, TokenEnd,
    Told,
};
pub use value::Value;

/// Makes of a function one that gives a node.
///
/// ```
/// use selvedge_flow::{Flow, Outcome, Request, RunInfo, node};
///
/// #[node]
/// fn taxed(price: &f64, rate: &f64) -> anyhow::Result<f64> {
///     anyhow::ensure!(*price >= 0.0, "a price of {price}");
///     Ok(price * rate)
/// }
///
/// #[node]
/// fn told(price: Outcome<&f64>, run: &RunInfo) -> String {
///     match price {
///         Outcome::Ok(price) => format!("{price:.2} in attempt {}", run.attempt()),
///         other => other.ending().to_string(),
///     }
/// }
///
/// let mut flow = Flow::builder("till");
/// let price = flow.parameter::<f64>("price");
/// let with_tax = flow.add("taxed", taxed(price, 1.19).cached());
/// let told = flow.add("told", told(with_tax));
/// let result = flow.build()?.run(Request::new().with("price", 100.0))?;
/// assert_eq!(result.value(told)?, "119.00 in attempt 1");
/// let taxed = result.records().iter().find(|record| record.step.as_str() == "taxed").unwrap();
/// assert_eq!(taxed.inputs[0].name.as_str(), "price");
/// # Ok::<(), anyhow::Error>(())
/// ```
///
pub use selvedge_macros::node;

/// What generated code calls. Not for people.
#[doc(hidden)]
pub mod generated {
    pub use anyhow::Result;
    pub use selvedge_event::Signature;

    /// What a function came to, whatever its errors are.
    pub fn made<T, E: Into<anyhow::Error>>(made: std::result::Result<T, E>) -> Result<T> {
        made.map_err(Into::into)
    }
}
