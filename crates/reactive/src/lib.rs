//! Targets that are built when somebody asks for them, from streams of artifacts: builders, stream
//! operators, keyed joins and balanced workers, as processors of one pipeline.
//!
//! ```
//! use selvedge_reactive::Reactive;
//! use selvedge_runtime::Pipeline;
//!
//! let mut graph = Reactive::new("pairs");
//! let letters = graph.source("letters", ['a', 'b']);
//! let numbers = graph.source("numbers", [1_u64, 2]);
//! let pairs = graph.builder("pairs", (&letters, &numbers), |letter: &char, n: &u64| {
//!     format!("{letter}{n}")
//! });
//! let seen = graph.collect(&pairs);
//! graph.install(Pipeline::builder())?.build()?.run()?;
//! assert_eq!(seen.values(), ["a1", "b2"]);
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! A [`Target`] is a name and a type. Whoever provides it (a [`source`](source()), a
//! [`builder`](builder()), an [`operator`]) is a *node*: a processor of the pipeline, beside others
//! that are no nodes. It is dormant until somebody asks for its target; then it asks for what it
//! requires, and takes what has come and what comes, one artifact per turn. Artifacts and requests
//! are events under the target's name, which the runtime's routes lead to those concerned and to
//! nobody else.
//!
//! - `title`, `target`, `artifact`: names, and the form in which artifacts travel.
//! - `operator`, `node`: what takes artifacts, and the processor that it is; `mend` puts a state
//!   back, `replays` tells the past of a target again.
//! - `requires`, `yields`, `build`, `pairing`, `seen`, `memory`, `persist`, `told`, `building`,
//!   `builder`:
//!   builders, which are operators that pair their requirements one by one, leave out inputs that
//!   they know, and bring back what they made in earlier runs.
//! - [`operators`], [`rendezvous`], [`balancer`]: what is done with streams, as machines.
//! - `once`: builders of one artifact, which answer those who ask.
//! - `source`, `entry`, `sink`: both ends.
//! - `definition`, `graph`, `check`, `network`, `explain`: what a graph is made of, what is wrong
//!   with it, what it would do.
//!
//! Knows nothing about lineage, graphs of one-shot turns or connectors.

#![forbid(unsafe_code)]

// `#[builder]` writes `::selvedge_reactive::…`, in this crate's own tests and examples too.
#[expect(unused_extern_crates, reason = "only examples use it")]
extern crate self as selvedge_reactive;

mod artifact;
pub mod balancer;
mod build;
mod builder;
mod building;
mod check;
mod definition;
mod entry;
mod error;
mod explain;
mod graph;
mod json_type;
mod memory;
mod mend;
mod network;
mod node;
mod once;
mod operator;
mod operator_node;
pub mod operators;
mod pairing;
mod persist;
pub mod rendezvous;
mod replays;
mod requires;
mod seen;
mod settings;
mod sink;
mod source;
mod target;
mod title;
mod told;
mod yields;

/// What generated code calls. Not for people.
#[doc(hidden)]
pub mod generated {
    pub use selvedge_event::Signature;
    pub use selvedge_event::payload::generated::{Probe, ViaNothing, ViaSerialize, signed};
}

pub use artifact::{Artifact, Shared};
pub use build::{Build, BuildFn, Function, Refs};
pub use builder::{Builder, Provides, builder, builder_of, every};
pub use definition::{Define, Until};
pub use entry::{Enters, Entry, Json, Typed, from_dynamic, from_events};
pub use error::{GraphError, GraphProblem};
pub use explain::{Action, ExplainError, Explanation, Step};
pub use graph::Reactive;
pub use json_type::JsonType;
pub use network::Network;
pub use once::{Once, YieldsOne, once};
pub use operator::{Hooks, Item, Operator, Out};
pub use operator_node::{OperatorNode, operator};
pub use requires::{Arguments, KnownArguments, Many, Part, Requirement, Requires, Tuple};
/// Makes of a function, or of an `impl` of [`Build`], what a graph adds: a builder with its target,
/// its requirements, and the hash of its code, so that it can be persisted without a version.
///
/// ```
/// use selvedge_reactive::{Build, Out, Reactive, Refs, builder};
/// use selvedge_runtime::{Pipeline, Result};
///
/// #[builder(provides = "areas", requires = ["names", "*sizes"])]
/// fn area(name: &String, a: &u64, b: &u64) -> String {
///     format!("{name} {}", a * b)
/// }
///
/// #[derive(serde::Serialize)]
/// struct Shout { marks: usize }
///
/// #[builder(provides = "shouts", requires = ["areas"])]
/// impl Build for Shout {
///     type Arguments = (String,);
///     type Made = String;
///
///     fn build(&mut self, out: &mut Out<'_, '_, String>, (area,): Refs<'_, (String,)>) -> Result {
///         out.emit(area.to_uppercase() + &"!".repeat(self.marks));
///         Ok(())
///     }
/// }
///
/// let mut graph = Reactive::new("areas");
/// graph.source("names", ["warp".to_owned(), "weft".to_owned()]);
/// graph.source("sizes", [(3_u64, 4_u64), (5, 6)]);
/// graph.add(area().persist());
/// let shouts = graph.add(Shout { marks: 2 }.builder().persist());
/// let seen = graph.collect(&shouts);
/// graph.install(Pipeline::builder())?.build()?.run()?;
/// assert_eq!(seen.values(), ["WARP 12!!", "WEFT 30!!"]);
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// `version = "…"` replaces the hash, which knows nothing of functions that are called. What a
/// function returns in a `Result`, and in an `Option` or `Vec`, are the artifacts. A starred
/// requirement takes as many arguments as the others leave.
pub use selvedge_macros::builder;
pub use sink::{Artifacts, Done};
pub use source::{Source, source, source_of_any};
pub use target::{Got, Resolve, Spread, Target};
pub use yields::Yields;
#[doc(hidden)]
pub use yields::way;
