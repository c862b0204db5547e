//! The command: one measurement per process, one line of JSON on standard output.
//!
//! It owns arguments and exit codes (2: not understood, 3: the peer cannot express the workload);
//! what it measures is the library's.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use selvedge_peers::{Error, Peer, Scale, Workload, find_peer, peers};

/// Drives one peer on one workload, asserts the result and prints the figure as a line of JSON.
///
/// One process per measurement. Run candidates and peers alternately, compare ratios, and say
/// whether the machine was quiet.
#[derive(Debug, Parser)]
struct Args {
    /// Which library, driven how.
    #[arg(long, value_name = "NAME", value_parser = find_peer, required_unless_present = "list")]
    peer: Option<&'static Peer>,

    /// Which job.
    #[arg(long, value_name = "W", required_unless_present = "list")]
    workload: Option<Workload>,

    /// The fraction of the workload's full size to do; only full size is comparable.
    #[arg(long, value_name = "FACTOR", default_value = "1")]
    scale: Scale,

    /// Print the peers with the workloads that each runs, then the workloads with their units.
    #[arg(long, conflicts_with_all = ["peer", "workload"])]
    list: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let output = match (args.peer, args.workload) {
        (Some(peer), Some(workload)) => match peer.run(workload, args.scale) {
            Ok(report) => format!("{report}\n"),
            Err(error) => {
                eprintln!("error: {error}");
                return exit_code(&error);
            }
        },
        // clap admits a missing name only beside `--list`.
        _ => list(),
    };
    match io::stdout().write_all(output.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads closed the pipe (`--list | head`): there is nobody left to tell.
        Err(_) => ExitCode::FAILURE,
    }
}

fn exit_code(error: &Error) -> ExitCode {
    match error {
        Error::NotExpressible { .. } => ExitCode::from(3),
        _ => ExitCode::from(2),
    }
}

fn list() -> String {
    let mut text = String::new();
    for Peer { name, about, workloads, .. } in peers() {
        let names: Vec<_> = workloads.iter().map(|(workload, _)| workload.to_string()).collect();
        text += &format!("{name:<21} {about:<40} {}\n", names.join(" "));
    }
    text.push('\n');
    for workload in Workload::ALL {
        text += &format!("{:<7} {}\n", workload.to_string(), workload.unit());
    }
    text
}
