//! The atlas example, run as a program: its results, what it prints, how it refuses bad input and
//! how it ends when it is told to. Nothing here knows its code.
#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "a test waits for a program on real time")]

mod bad_input;
mod check_values;
mod disk;
mod oracle;
mod outputs;
mod program;
mod rules;
mod signals;
mod workspace;
