//! Every development task, behind one command: `cargo xtask`.
//!
//! A rule of the house that a machine can check is checked here, and the message says what to do
//! instead. Nothing here is part of what users build, so nothing in `crates/` may depend on it.
#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_methods,
    reason = "xtask drives processes and times them; it is never simulated"
)]

mod atlas;
mod bench;
mod bigfile;
mod ci;
mod cli;
mod deny;
mod durability;
mod fuzz;
mod invocation;
mod layers;
mod planted;
mod sim;
mod size;
mod soak;
mod tidy;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
