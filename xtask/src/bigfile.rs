//! Proves that memory doesn't grow with the input: a file far larger than the limit goes through
//! source and sink.
//!
//! The limit is the kernel's, not a measurement: the child starts under `ulimit -v`, so that its
//! whole address space (always more than its resident memory) stays under the limit or an
//! allocation fails and the run with it. Only the child is limited; the build before it isn't.

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::invocation::{Invocation, Sink};
use crate::size::Bytes;
use crate::workspace;

/// Options of `cargo xtask bigfile`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Size of the generated JSONL file, as in `4GiB`.
    #[arg(long, default_value = "4GiB")]
    bytes: Bytes,
    /// Limit of the child's address space, as in `512MiB`.
    #[arg(long, default_value = "512MiB")]
    limit: Bytes,
    /// Keep the generated file and its copy in `target/bigfile`.
    #[arg(long)]
    keep: bool,
}

/// Builds the `bigfile` binary of `tests/`, then runs it under the limit.
///
/// The binary is called as `bigfile --bytes N --dir DIR`: it writes N bytes of JSONL into DIR,
/// sends them through the JSONL source and sink into a second file there, compares the two and
/// exits with 0 only if all went well.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.bytes < Bytes(options.limit.0.saturating_mul(2)) {
        bail!(
            "a file of {} proves nothing under a limit of {}, use at least twice the limit",
            options.bytes,
            options.limit
        );
    }
    Invocation::cargo("build --release --package selvedge-tests --bin bigfile")
        .dir(&workspace::root())
        .run(Sink::Stdout)?;
    let target = workspace::load()?.target;
    let dir = target.join("bigfile");
    std::fs::create_dir_all(&dir).with_context(|| format!("failed to create {}", dir.display()))?;
    let program = target.join("release/bigfile");
    println!("bigfile: {} under {} of address space", options.bytes, options.limit);
    let result = limited(&program.to_string_lossy(), options.limit)
        .args(["--bytes".to_owned(), options.bytes.0.to_string(), "--dir".to_owned()])
        .args([dir.to_string_lossy()])
        .run(Sink::Stdout);
    if options.keep {
        println!("bigfile: kept {}", dir.display());
    } else {
        std::fs::remove_dir_all(&dir)
            .with_context(|| format!("failed to remove {}", dir.display()))?;
    }
    result
}

/// The program under a limit of its address space; `ulimit -v` counts in KiB.
fn limited(program: &str, limit: Bytes) -> Invocation {
    let script = format!("ulimit -v {}; exec \"$@\"", limit.0 / 1024);
    Invocation::new("sh").args(["-c", script.as_str(), "sh", program])
}

#[cfg(test)]
mod tests {
    use super::limited;
    use crate::size::Bytes;

    /// `dd` asks for one buffer of `bs` bytes, so it stands for a program that needs that much
    /// memory.
    fn check(limit: &str, buffer: &str) -> String {
        let limit: Bytes = limit.parse().expect("the limit is written in this test");
        let dd = limited("dd", limit).args(["if=/dev/zero", "of=/dev/null", "count=1"]);
        let output = dd.args(["status=none".to_owned(), format!("bs={buffer}")]).capture();
        let output = output.expect("sh starts");
        format!("{} {}", output.status, String::from_utf8_lossy(&output.stderr))
    }

    #[test]
    fn a_program_over_the_limit_fails() {
        insta::assert_snapshot!(check("256MiB", "1M"), @"exit status: 0");
        insta::assert_snapshot!(
            check("256MiB", "300M"),
            @"exit status: 1 dd: memory exhausted by input buffer of size 314572800 bytes (300 MiB)"
        );
    }
}
