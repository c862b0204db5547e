//! The binary that measures: how it is built, started and read. One process per measurement.

use std::path::PathBuf;
use std::process::Output;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::invocation::{Invocation, Sink};
use crate::workspace;

/// What goes into the binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// Our own runtime, and the libraries that it is held against.
    Libraries,
    /// Our own runtime alone, which builds in a fraction of the time.
    OursAlone,
}

/// The binary, built.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
}

/// The line that the binary prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Measurement {
    pub(super) peer: String,
    pub(super) workload: String,
    /// How many of the workload's unit were done.
    pub(super) n: u64,
    pub(super) ns_per: f64,
    pub(super) peak_rss_kb: u64,
    /// All else that the line says; some of it for few workloads only.
    #[serde(flatten)]
    pub(super) others: Map<String, Value>,
}

impl Measurement {
    /// Processor time of all threads per unit, in nanoseconds, if the line says.
    pub(super) fn cpu_ns_per(&self) -> Option<f64> {
        Some(self.others.get("cpu_secs")?.as_f64()? * 1e9 / self.n as f64)
    }
}

/// What the binary exits with when a peer can't express a workload.
const INEXPRESSIBLE: i32 = 3;

impl Program {
    /// Builds the binary; what that prints goes to standard error.
    pub(super) fn build(contents: Contents) -> Result<Self> {
        let cargo = Invocation::cargo("build --release --package selvedge-peers");
        let cargo = match contents {
            Contents::Libraries => cargo,
            Contents::OursAlone => cargo.args(["--no-default-features"]),
        };
        cargo.dir(&workspace::root()).run(Sink::Stderr)?;
        Ok(Self { path: workspace::load()?.target.join("release/selvedge-peers") })
    }

    /// Where it is.
    pub(super) fn path(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Measures once; none if the peer can't express the workload.
    pub(super) fn measure(
        &self,
        peer: &str,
        workload: &str,
        scale: f64,
    ) -> Result<Option<Measurement>> {
        let invocation = Invocation::new(self.path()).args(arguments(peer, workload, scale));
        let measurement = read(&invocation.capture()?, peer, workload)
            .with_context(|| format!("`{invocation}` failed"))?;
        if let Some(measurement) = &measurement {
            eprintln!("{workload} {peer} {:.1} ns", measurement.ns_per);
        }
        Ok(measurement)
    }
}

/// What the binary is told.
pub(super) fn arguments(peer: &str, workload: &str, scale: f64) -> [String; 6] {
    let scale = scale.to_string();
    ["--peer", peer, "--workload", workload, "--scale", &scale].map(str::to_owned)
}

/// The measurement in the output, or none if the peer can't express the workload.
pub(super) fn read(output: &Output, name: &str, workload: &str) -> Result<Option<Measurement>> {
    if output.status.code() == Some(INEXPRESSIBLE) {
        return Ok(None);
    }
    if !output.status.success() {
        bail!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    let line = stdout.lines().last().context("it printed nothing")?;
    let measurement: Measurement =
        serde_json::from_str(line).with_context(|| format!("no measurement in `{line}`"))?;
    if (measurement.peer.as_str(), measurement.workload.as_str()) != (name, workload) {
        bail!("it measured {} on {} instead", measurement.peer, measurement.workload);
    }
    if !measurement.ns_per.is_finite() {
        bail!("it measured {} ns", measurement.ns_per);
    }
    Ok(Some(measurement))
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::invocation::Invocation;

    fn check(script: &str) -> String {
        let output = Invocation::new("sh").args(["-c", script]).capture().expect("sh starts");
        match read(&output, "kanal", "W1") {
            Ok(Some(measurement)) => format!("{} ns", measurement.ns_per),
            Ok(None) => "inexpressible".to_owned(),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn reads_the_last_line() {
        let line = r#"{"peer":"kanal","workload":"W1","n":5,"ns_per":44.5,"peak_rss_kb":9}"#;
        let line = format!("echo note; echo '{line}'");
        insta::assert_snapshot!(check(&line), @"44.5 ns");
        insta::assert_snapshot!(check(&line.replace("W1", "W2")), @"it measured kanal on W2 instead");
        insta::assert_snapshot!(check("echo kanal cannot express W1 >&2; exit 3"), @"inexpressible");
        insta::assert_snapshot!(check("echo wrong sum >&2; exit 101"), @"exit status: 101: wrong sum");
        insta::assert_snapshot!(check("true"), @"it printed nothing");
        insta::assert_snapshot!(check("echo done"), @"no measurement in `done`: expected value at line 1 column 1");
    }
}
