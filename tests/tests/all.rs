//! Whole-system tests: one binary, a module per subject.

#![expect(clippy::disallowed_methods, reason = "tests stand outside of the runtime they drive")]

mod bigfile;
mod bounds;
mod control;
mod errors;
mod failure;
mod hostile;
mod jsonl;
mod lifecycle;
mod macros;
mod observers;
mod policies;
mod routing;
mod soak;
mod sources;
mod stress;
mod timers;
