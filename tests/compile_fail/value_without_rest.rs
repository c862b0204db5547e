//! A match whose value is used needs an arm for the other events.

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
        let n = match event {
            Start { who } => who.len(),
            Stop => 0,
        };
        self.0.truncate(n);
        Ok(())
    }
}

fn main() {}
