//! The attribute belongs on an impl of `Processor`.

use selvedge_event::Event;
use selvedge_runtime::{Context, Processor, Result, processor};

#[processor]
struct Subject;

#[processor]
impl Subject {
    fn process(&mut self, _: &mut Context<'_>, _: &Event) -> Result {
        Ok(())
    }
}

struct Turnless;

#[processor]
impl Processor for Turnless {
    fn turn(&mut self, _: &mut Context<'_>, _: &Event) -> Result {
        Ok(())
    }
}

struct Eventless;

#[processor]
impl Processor for Eventless {
    fn process(&mut self, _: &mut Context<'_>) -> Result {
        Ok(())
    }
}

fn main() {}
