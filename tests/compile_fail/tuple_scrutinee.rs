//! The event is matched alone.

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
        match (event, self.0.len()) {
            (Start { who }, 0) => self.0.push(who.clone()),
            _ => {}
        }
        Ok(())
    }
}

fn main() {}
