//! Whole-system tests: one binary, a module per subject.

#![expect(
    clippy::disallowed_methods,
    reason = "tests play the part of programs, whose threads and clocks are their own"
)]

mod failure;
mod hostile;
mod lifecycle;
mod macros;
mod routing;
mod sources;
mod stress;
