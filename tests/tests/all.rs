//! Whole-system tests: one binary, a module per subject.

#![expect(clippy::disallowed_methods, reason = "tests stand outside of the runtime they drive")]

mod bigfile;
mod bounds;
mod caching;
mod capacities;
mod concurrency;
mod control;
mod errors;
mod failure;
mod fairness;
mod feeding;
mod flow;
mod hostile;
mod jsonl;
mod kills;
mod lifecycle;
mod macros;
mod observers;
mod policies;
mod reactive;
mod replay;
mod routing;
mod scenarios;
mod scopes;
mod sim;
mod soak;
mod sources;
mod steps;
mod store;
mod stress;
mod timers;
mod watchdog;
mod workspaces;
