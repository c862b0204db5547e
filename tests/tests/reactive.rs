//! Graphs of builders: the scenarios, what fails in them, what outlives them.

mod builders;
mod hostile;
mod persisted;

use std::sync::{Arc, Mutex};

/// Seeds that a scenario is played under.
const SEEDS: u64 = 200;

/// What a builder was called with, in order.
#[derive(Clone, Debug)]
struct Calls<T>(Arc<Mutex<Vec<T>>>);

impl<T> Calls<T> {
    fn new() -> Calls<T> {
        Calls(Arc::new(Mutex::new(Vec::new())))
    }

    fn note(&self, call: T) {
        self.0.lock().expect("nobody panics with it").push(call);
    }

    fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().expect("nobody panics with it"))
    }
}
