//! The rules of a run's life as properties of every interleaving: simulations under hundreds of
//! seeds. `SELVEDGE_SIM_SEEDS=20000 cargo test -p selvedge-tests --release sim` plays more.

mod exactness;
mod lifecycle;
mod plans;
mod scopes;
mod time;

use std::sync::{Arc, Mutex};

/// What processors write down, in order.
#[derive(Clone, Debug, Default)]
struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Log<T> {
    fn new() -> Log<T> {
        Log(Arc::default())
    }

    fn add(&self, entry: T) {
        self.0.lock().expect("nobody panics with it in hand").push(entry);
    }

    fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.0.lock().expect("nobody panics with it in hand"))
    }
}

/// How many seeds each property is played under.
const SEEDS: u64 = 200;
