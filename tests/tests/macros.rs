//! What `#[derive(Event)]` and `#[processor]` generate, from the outside.

use selvedge_event::{Event, Interest};
use selvedge_runtime::{Context, Processor, Result, processor};

#[derive(Event)]
struct Start {
    who: String,
}

struct Greeter(Vec<String>);

#[processor]
impl Processor for Greeter {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Start { who } => self.0.push(who.clone()),
        }
        Ok(())
    }
}

#[test]
fn arms_become_interests() {
    assert_eq!(Greeter(Vec::new()).interests().as_slice(), [Interest::of::<Start>()]);
}

#[test]
fn misuse_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.pass("compile_pass/*.rs");
    cases.compile_fail("compile_fail/*.rs");
}
