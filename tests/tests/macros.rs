//! What `#[derive(Event)]` and `#[processor]` generate, from the outside.

mod events;
mod interests;
mod signatures;
mod turns;

use selvedge_event::Event;
use selvedge_runtime::{Context, Processor, Result};

/// Takes one turn on the event. The only place that makes a context.
fn take_turn(processor: &mut impl Processor, event: &Event) -> Result {
    processor.process(&mut Context::default(), event)
}

#[test]
fn misuse_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.pass("compile_pass/*.rs");
    cases.compile_fail("compile_fail/*.rs");
}
