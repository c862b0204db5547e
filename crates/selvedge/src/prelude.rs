//! What most programs need: `use selvedge::prelude::*;`.

pub use selvedge_event::{
    Digest, Dynamic, Ending, Event, Init, Interest, Interests, IntoEvent, Key, Kind, Name, Named,
    Payload, Phase, Poison, Signature, Topic, Typed,
};
pub use selvedge_runtime::{
    Collected, Configure, Context, FailurePolicy, Limits, Pipeline, PipelineBuilder, Processor,
    Pull, Result, RunError, RunReport, Running, Submitter, on, processor,
};
