//! A strict processor may pass on the events that it names, and no others.

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
            Start { .. } => self.0.push(event.to_string()),
        }
        self.0.push(event.to_string());
        println!("{event:?}");
        Ok(())
    }
}

fn main() {}
