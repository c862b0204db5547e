//! Whole-system tests: one binary, a module per subject.

mod errors;
mod lifecycle;
mod macros;
mod routing;
