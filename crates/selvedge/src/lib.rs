//! Event-driven pipelines on threads in which every value knows where it came from.
//!
//! This crate is the facade: it re-exports the layers and offers a [`prelude`].
//!
//! ```
//! use selvedge::prelude::*;
//!
//! #[derive(Event)]
//! struct Start { who: String }
//! #[derive(Event)]
//! struct Greet { who: String }
//!
//! struct Greeter;
//!
//! #[processor] // What it hears: the arms of the match.
//! impl Processor for Greeter {
//!     fn process(&mut self, cx: &mut Context, event: &Event) -> Result {
//!         match event {
//!             Start { who } => cx.emit(Greet { who: who.clone() }),
//!             Greet { who } => println!("hello {who}"),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! let pipeline = Pipeline::builder().processor(Greeter).strict().build()?;
//! assert_eq!(pipeline.submit(Start { who: "world".into() })?, 1); // One processor hears it.
//! let report = pipeline.run()?;
//! assert_eq!(report.handled, 2);
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! # Features
//!
//! | feature | default | what it adds | what it costs |
//! |---|---|---|---|
//! | `io` | yes | [`io`]: sources and sinks for files | gzip (Rust) and Zstandard (C) to compile |
//! | `sled` | no | [`store`]s on a disk | sled and 15 crates of its to compile |
//! | `lineage` | no | `lineage`: records, and the questions about them | a few small crates |
//! | `workspace` | no | `Workspace`: what outlives a run, in a directory | `sled` and `lineage` |
//! | `topology` | no | `topology`: named nodes and edges, checked and drawn | four small crates |
//! | `reactive` | no | `reactive`: builders, operators, joins, balanced workers | `topology` |
//! | `rayon` | no | `reactive::balancer::parallel` | `reactive`, rayon and 4 crates of its |
//! | `flow` | no | `flow`: dataflow graphs and step pipelines | `topology` |
//! | `tracing` | no | spans around the run and each turn | three crates; a check per turn |
//!
//! Without any of them the runtime is left, with events and digests. A pipeline costs the threads
//! that it is given workers (the caller of `run()` is one of them), one more if it
//! [handles signals](runtime::PipelineBuilder::handle_signals), and about half a KiB per
//! processor beside the processor's own state.

#![forbid(unsafe_code)]

pub use selvedge_event as event;
#[cfg(feature = "flow")]
pub use selvedge_flow as flow;
#[cfg(feature = "io")]
pub use selvedge_io as io;
#[cfg(feature = "lineage")]
pub use selvedge_lineage as lineage;
#[cfg(feature = "reactive")]
pub use selvedge_reactive as reactive;
pub use selvedge_runtime as runtime;
pub use selvedge_store as store;
#[cfg(feature = "topology")]
pub use selvedge_topology as topology;

mod error;
pub mod prelude;
#[cfg(feature = "workspace")]
mod workspace;

pub use anyhow;
pub use error::Error;
pub use selvedge_event::{Digest, digest};
pub use serde_json::{Value, json};
#[cfg(feature = "workspace")]
pub use workspace::{InWorkspace, Pruning, PruningPlan, Workspace};
