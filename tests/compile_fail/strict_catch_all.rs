//! A strict processor may not have an arm for every event, unless it is marked.

use selvedge_event::Event;
use selvedge_runtime::{Context, Processor, Result, processor};

#[derive(Event)]
struct Start {
    who: String,
}
#[derive(Event)]
struct Stop;

struct Subject(Vec<String>);

#[processor(strict)]
impl Processor for Subject {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Start { who } => self.0.push(who.clone()),
            _ => {}
        }
        match event {
            Stop => {}
            #[unmatched]
            _ => {}
        }
        match event {
            other => self.0.push(other.to_string()),
        }
        match event {
            Stop | Event { .. } => {}
        }
        Ok(())
    }
}

fn main() {}
