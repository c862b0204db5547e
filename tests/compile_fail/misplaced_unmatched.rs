//! `#[unmatched]` is for the arm that is there for exhaustiveness only.

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
            #[unmatched]
            Stop => {}
            #[unmatched]
            _ if self.0.is_empty() => {}
            _ => {}
        }
        Ok(())
    }
}

fn main() {}
