//! The raw modules, and the protocol by which workers fall asleep, under every interleaving of a
//! few threads and every order in which memory may show their writes, up to three preemptions per
//! thread (M. Musuvathi and S. Qadeer, "Iterative context bounding", 2007).
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p selvedge-runtime --test loom --target-dir target/loom`
//! runs them. The modules are compiled into this test as they are: they are private, and the rest
//! of the runtime is not modelled.

#![cfg(loom)]
#![expect(dead_code, reason = "a model uses some of what it is about")]

#[path = "loom/mailbox.rs"]
mod mailbox;
#[path = "loom/mailboxes.rs"]
mod mailboxes;
#[path = "../src/planted.rs"]
mod planted;
#[path = "../src/ready.rs"]
mod ready;
#[path = "../src/shards.rs"]
mod shards;
#[path = "loom/sleepers.rs"]
mod sleepers;

/// Tries all there is to try.
fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.max_branches = 10_000;
    builder.check(model);
}
