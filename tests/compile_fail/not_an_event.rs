//! An arm names an event, not just any type.

use selvedge_event::Event;
use selvedge_runtime::{Context, Processor, Result, processor};

#[derive(Event)]
struct Start {
    who: String,
}
#[derive(Event)]
struct Stop;

struct Plain {
    size: usize,
}

struct Subject(Vec<String>);

#[processor]
impl Processor for Subject {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Plain { size } => self.0.truncate(*size),
        }
        Ok(())
    }
}

fn main() {}
