//! What `#[derive(Event)]` and `#[processor]` generate, from the outside.

mod events;
mod hygiene;
mod interests;
mod signatures;
mod turns;

use selvedge_event::Event;
use selvedge_runtime::{Pipeline, Processor, RunError};

/// Takes one turn on the event, if the processor hears it.
fn take_turn(processor: impl Processor, event: Event) -> Result<(), RunError> {
    let pipeline = Pipeline::builder().processor(processor).build();
    let pipeline = pipeline.expect("one processor that hears something can be built");
    pipeline.submit(event).expect("an idle pipeline has room for one event");
    pipeline.run().map(drop)
}

#[test]
fn misuse_does_not_compile() {
    trybuild::TestCases::new().compile_fail("compile_fail/*.rs");
}
