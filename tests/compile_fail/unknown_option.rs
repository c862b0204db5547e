//! An option that nobody knows.

use selvedge_event::Event;
use selvedge_runtime::{Context, Processor, Result, processor};

#[derive(Event)]
struct Start {
    who: String,
}
#[derive(Event)]
struct Stop;

struct Subject(Vec<String>);

#[processor(lenient, version = "1")]
impl Processor for Subject {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        self.0.clear();
        Ok(())
    }
}

fn main() {}
