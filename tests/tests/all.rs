//! Whole-system tests: one binary, a module per subject.

mod macros;
