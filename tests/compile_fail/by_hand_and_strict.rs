//! What is written by hand is not read.

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
    fn interests(&self) -> selvedge_event::Interests {
        selvedge_event::Interests::everything()
    }

    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        self.0.clear();
        Ok(())
    }
}

fn main() {}
