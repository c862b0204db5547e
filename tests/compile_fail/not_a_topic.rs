//! An arm names an event.

use selvedge_event::Event;
use selvedge_runtime::{Context, Processor, Result, processor};

#[derive(Event)]
struct Start {
    who: String,
}
#[derive(Event)]
struct Stop;

struct Subject(Vec<String>);

#[processor]
impl Processor for Subject {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            3 => {}
            "start" => {}
            &Stop => {}
            (Start { .. }, _) => {}
            Event { who, .. } => {}
            Event(name) => {}
        }
        Ok(())
    }
}

fn main() {}
