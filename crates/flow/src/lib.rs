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
//! A [`Flow`] is immutable; any number of runs of it go on at once. A node starts as soon as what it
//! reads is there; what became of it is an [`Outcome`], and its [`Policy`] says what it does when a
//! parent has no value for it.
//!
//! Start reading at `propagation`, then `plan`, `run`, `builder`.

#![forbid(unsafe_code)]

mod body;
mod builder;
mod error;
mod flow;
mod input;
mod outcome;
mod plan;
mod propagation;
mod request;
mod result;
mod run;
mod spec;
mod value;

pub use builder::FlowBuilder;
pub use error::{DefinitionError, DefinitionProblem, RunError, ValueError};
pub use flow::Flow;
pub use input::{
    Called, Constant, Function, Input, Inputs, ItemFunction, Node, OutcomeOf, Running, constant,
    run_info,
};
pub use outcome::{Cause, Failure, Outcome, Skip, skip};
pub use propagation::Policy;
pub use request::{Request, RunInfo};
pub use result::{NodeEnd, RunResult};
pub use spec::{Kind, NodeSpec, node};
pub use value::Value;
