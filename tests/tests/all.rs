//! Whole-system tests: one binary, a module per subject.

#![expect(clippy::disallowed_methods, reason = "tests stand outside of the runtime they drive")]

mod bigfile;
mod bounds;
mod errors;
mod failure;
mod feeding;
mod hostile;
mod jsonl;
mod lifecycle;
mod macros;
mod observers;
mod policies;
mod routing;
mod scenarios;
mod scopes;
mod sim;
mod soak;
mod sources;
mod stress;
mod timers;
