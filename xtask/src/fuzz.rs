//! Runs the fuzz targets of `crates/event/fuzz`. Installs nothing: it says what is missing.

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::invocation::{Invocation, Sink};
use crate::workspace;

/// Options of `cargo xtask fuzz`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Run only this target; all of them by default.
    #[arg(long)]
    target: Option<String>,
}

/// Runs each target for the given time; a crash fails the task and leaves its input in
/// `artifacts/`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let targets = chosen(&targets()?, options.target.as_deref())?;
    for (probe, install) in [
        ("+nightly --version", "rustup toolchain install nightly --profile minimal"),
        ("+nightly fuzz --version", "cargo install --locked cargo-fuzz"),
    ] {
        let probe = Invocation::cargo(probe);
        if !probe.capture()?.status.success() {
            bail!("`{probe}` doesn't work here, use `{install}` first");
        }
    }
    for target in &targets {
        println!("fuzz {target}: {} s", options.seconds);
        Invocation::cargo("+nightly fuzz run --fuzz-dir fuzz")
            .args([target.clone(), "--".to_owned(), format!("-max_total_time={}", options.seconds)])
            .dir(&workspace::root().join("crates/event"))
            .run(Sink::Stdout)?;
    }
    Ok(())
}

/// The names of the files in `fuzz_targets`, sorted.
fn targets() -> Result<Vec<String>> {
    let dir = workspace::root().join("crates/event/fuzz/fuzz_targets");
    let entries =
        dir.read_dir().with_context(|| format!("no fuzz targets in {}", dir.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

fn chosen(targets: &[String], wanted: Option<&str>) -> Result<Vec<String>> {
    let chosen: Vec<String> = targets
        .iter()
        .filter(|target| wanted.is_none_or(|wanted| wanted == *target))
        .cloned()
        .collect();
    match wanted {
        Some(wanted) if chosen.is_empty() => {
            bail!("no fuzz target `{wanted}`, use one of: {}", targets.join(", "))
        }
        None if chosen.is_empty() => bail!("crates/event/fuzz holds no target"),
        _ => Ok(chosen),
    }
}

#[cfg(test)]
mod tests {
    use super::chosen;

    fn check(targets: &[&str], wanted: Option<&str>) -> String {
        let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
        match chosen(&targets, wanted) {
            Ok(chosen) => chosen.join(" "),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn all_targets_or_the_named_one() {
        insta::assert_snapshot!(check(&["digest", "topic"], None), @"digest topic");
        insta::assert_snapshot!(check(&["digest", "topic"], Some("topic")), @"topic");
        insta::assert_snapshot!(check(&["digest", "topic"], Some("topics")), @"error: no fuzz target `topics`, use one of: digest, topic");
        insta::assert_snapshot!(check(&[], None), @"error: crates/event/fuzz holds no target");
    }
}
