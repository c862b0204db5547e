//! A turn emits on its own thread.

use selvedge_event::Event;
use selvedge_runtime::{Context, Processor, Result};

struct Outsourcing;

impl Processor for Outsourcing {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        std::thread::scope(|threads| {
            threads.spawn(|| cx.emit(event.clone()));
        });
        Ok(())
    }
}

fn main() {}
