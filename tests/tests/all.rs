//! Whole-system tests: one binary, a module per subject.

mod lifecycle;
mod macros;
mod routing;
