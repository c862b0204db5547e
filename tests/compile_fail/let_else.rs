//! Interests are read from `match` only.

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
        let Start { who } = event else { return Ok(()) };
        self.0.push(who.clone());
        let Event { name, .. } = event;
        Ok(())
    }
}

fn main() {}
