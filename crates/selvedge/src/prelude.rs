//! What most programs need: `use selvedge::prelude::*;`.

pub use selvedge_event::{
    Digest, Dynamic, Ending, Event, Init, Interest, Interests, IntoEvent, Key, Kind, Name, Named,
    Payload, Phase, Poison, Signature, Topic, Typed,
};
pub use selvedge_runtime::{
    Backoff, CachedProcessor, Collected, Configure, Context, Control, FailurePolicy, LastResort,
    Limits, Pipeline, PipelineBuilder, Processor, Pull, Restart, Result, Retry, RunError,
    RunReport, Running, Submitter, on, on_cached, processor, signed,
};
