//! A search through a graph of states by a builder that requires what it provides:
//! `cargo run --release --features reactive --example bfs`.
//!
//! The states are those of three jugs of 12, 8 and 5 litres, the first of them full; one is poured
//! into another until that is full or the first one empty. The builder makes of a state those that
//! it leads to. They come back to it, as it requires its own target, and it leaves out what it has
//! built from before: the search is over when nothing new comes.

use std::collections::BTreeSet;

use selvedge::prelude::*;
use selvedge::reactive::{Reactive, Target, Until, builder, source};

/// How much is in each jug.
pub(crate) type Jugs = (u32, u32, u32);

const SIZES: [u32; 3] = [12, 8, 5];

pub(crate) fn main() -> Result {
    let reached = reachable()?;
    println!("{} ways to fill the jugs can be reached", reached.len());
    for (a, b, c) in reached.iter().filter(|(a, b, _)| a == b) {
        println!("the first two hold the same: {a} {b} {c}");
    }
    Ok(())
}

/// What one pouring makes of a state.
pub(crate) fn poured(&(a, b, c): &Jugs) -> Vec<Jugs> {
    let mut states = Vec::new();
    for from in 0..3 {
        for to in (0..3).filter(|&to| to != from) {
            let mut jugs = [a, b, c];
            let amount = jugs[from].min(SIZES[to] - jugs[to]);
            jugs[from] -= amount;
            jugs[to] += amount;
            if amount > 0 {
                states.push((jugs[0], jugs[1], jugs[2]));
            }
        }
    }
    states
}

/// All states that can be reached.
pub(crate) fn reachable() -> Result<BTreeSet<Jugs>> {
    let mut graph = Reactive::new("jugs");
    let states = graph.merge::<Jugs>("states");
    graph.add(source(&states, [(SIZES[0], 0, 0)]).named("start"));
    let search = builder(&states, &states, poured).named("pour");
    let search: Target<Jugs> = graph.add(search.feedback("states", Until::NothingNew));
    let seen = graph.collect(&search);
    graph.install(Pipeline::builder())?.build()?.run()?;
    Ok(seen.values().into_iter().collect())
}
