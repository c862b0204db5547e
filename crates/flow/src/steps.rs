//! Step pipelines: control flow over a state that the steps share, with joins, maps, switches, and
//! suspension.
//!
//! ```
//! use selvedge_flow::steps::{Join, Pipe, Start, State};
//!
//! #[derive(Clone, Debug, Default)]
//! struct Trip {
//!     flight: Option<&'static str>,
//!     hotel: Option<&'static str>,
//! }
//!
//! let mut pipe = Pipe::<Trip>::builder("trip");
//! pipe.step("plan", || ()).to(["flight", "hotel"]);
//! pipe.step("flight", |trip: State<Trip>| trip.update(|trip| trip.flight = Some("LH 123")))
//!     .to("confirm");
//! pipe.step("hotel", |trip: State<Trip>| trip.update(|trip| trip.hotel = Some("Grand")))
//!     .to("confirm");
//! pipe.step("confirm", |trip: State<Trip>| {
//!     anyhow::ensure!(trip.flight.is_some() && trip.hotel.is_some(), "not all is booked");
//!     Ok(())
//! });
//! let result = pipe.build()?.run(Trip::default())?;
//! assert!(result.succeeded());
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! A step starts when those before it have come to their ends. It reads the state as it was when it
//! started, and what it changes takes effect when it succeeds. A function's arguments say what it
//! is given: [`State`], [`Exclusive`], [`Ctx`], [`Item`], [`Cancel`], [`Attempt`],
//! [`RunInfo`](crate::RunInfo), [`Resumed`], [`Tokens`], and [`Caught`] in handlers.
//!
//! Start reading at `machine`, then `run`, `builder`.

mod body;
mod builder;
mod cancel;
mod checkpoints;
mod control;
mod error;
mod event;
mod extract;
mod machine;
mod pipe;
mod plan;
mod position;
mod recording;
mod run;
mod state;
mod sub;
mod tokens;

pub use body::IntoItems;
pub use builder::{IsMap, IsStep, IsSwitch, Names, PipeBuilder, StepMut};
pub use cancel::{CancelToken, Cancelled};
pub use checkpoints::{Checkpoints, Waiting};
pub use control::{Control, IntoControl, IntoKey, Suspension};
pub use error::{CheckpointError, PipeError, PipeProblem, StartError};
pub use event::{
    FailureKind, FailureSource, Finished, Metrics, StepEvent, StepFailure, StepMetrics, What,
};
pub use extract::{
    Attempt, Cancel, Caught, CheckInput, Ctx, Extract, Item, Needs, Resumed, StepCall, StepFunction,
};
pub use machine::Join;
pub use pipe::{Pipe, PipeResult, PipeRun, Start, Suspended};
pub use plan::{Described, DescribedStep, StepKind};
pub use state::{Exclusive, Shares, State};
pub use tokens::Tokens;
