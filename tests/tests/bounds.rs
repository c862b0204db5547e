//! Which types can cross threads, and which can be shared by them: part of the interface.

use selvedge::event::{Fact, Outcome};
use selvedge::io::jsonl;
use selvedge::prelude::*;
use selvedge::runtime::{
    Answer, BuildError, Monitor, PipelineBuilder, Running, Solo, StopHandle, SubmitError,
};

#[derive(Event)]
struct Any;

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}

macro_rules! bounds {
    ($($name:ident: $($type:ty),* $(,)?);* $(;)?) => {
        $($(let _ = $name::<$type>;)*)*
    };
}

#[test]
fn what_is_shared_and_what_is_only_sent() {
    bounds! {
        is_send: Event, Typed<Any>, Dynamic, Digest, Fact, Outcome, Interests, Signature,
            PipelineBuilder, Pipeline, Running, Submitter, StopHandle, Monitor, Answer<Any>,
            Collected<Any>, Limits, RunReport, RunError, BuildError, SubmitError, Solo,
            FailurePolicy, Backoff, Retry, Restart, LastResort,
            jsonl::Source<Dynamic>, jsonl::Sink<Dynamic>, jsonl::Writer;
        is_sync: Event, Typed<Any>, Dynamic, Digest, Fact, Outcome, Interests, Signature,
            Submitter, StopHandle, Monitor, Answer<Any>, Collected<Any>, Limits, RunReport,
            RunError, BuildError, SubmitError, FailurePolicy, Backoff, Retry, Restart, LastResort;
    }
}
