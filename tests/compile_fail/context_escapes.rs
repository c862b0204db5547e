//! Emitting is possible during a turn only: the context can't be kept.

use selvedge_event::Event;
use selvedge_runtime::{Context, Processor, Result, processor};

struct Keeper {
    kept: Option<&'static mut Context<'static>>,
}

#[processor]
impl Processor for Keeper {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        let _ = event;
        self.kept = Some(cx);
        Ok(())
    }
}

fn main() {}
