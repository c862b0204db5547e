//! One measured figure and the line it prints. It owns the clock of a run, and refuses to judge the
//! figure.

use std::fmt;
use std::time::Instant;

use crate::scale::Scale;
use crate::usage::Usage;
use crate::workload::Workload;

/// How a peer runs one workload: it builds the system, measures, asserts the result and tears the
/// system down.
///
/// # Panics
///
/// On a wrong result; the figure of such a run means nothing.
pub type Run = fn(Scale) -> Sample;

/// A figure that stands next to the common ones, for the workloads that have one.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Extra {
    /// The part of `secs` that went into creating the actors (W5).
    SpawnSecs(f64),
    /// Growth of resident memory per actor, after creation and before any message (W5).
    IdleBytesPerActor(u64),
    /// Pairs that the join produced (W6, W6j where the peer counts them).
    Pairs(u64),
    /// How long the hops of one pair took while the others loaded the pool (W1l).
    Latency(Latency),
    /// Growth of resident memory per event that waits (Q8, Q100).
    BytesPerEvent(u64),
}

/// Percentiles of a hop's time from emission to turn, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Half of the hops took at most this.
    pub p50_ns: u64,
    /// 99 of 100 did.
    pub p99_ns: u64,
    /// 999 of 1,000 did.
    pub p999_ns: u64,
}

impl fmt::Display for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Extra::SpawnSecs(secs) => write!(f, r#""spawn_secs":{secs:.4}"#),
            Extra::IdleBytesPerActor(bytes) => write!(f, r#""idle_bytes_per_actor":{bytes}"#),
            Extra::Pairs(pairs) => write!(f, r#""pairs":{pairs}"#),
            Extra::Latency(Latency { p50_ns, p99_ns, p999_ns }) => {
                write!(f, r#""p50_ns":{p50_ns},"p99_ns":{p99_ns},"p999_ns":{p999_ns}"#)
            }
            Extra::BytesPerEvent(bytes) => write!(f, r#""bytes_per_event":{bytes}"#),
        }
    }
}

/// What one run measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// How many of the workload's unit were done.
    pub n: u64,
    /// Wall time for all of them.
    pub secs: f64,
    /// The process's counters when the clock stopped, before the system was torn down.
    pub usage: Usage,
    /// Figures of this workload alone.
    pub extras: Vec<Extra>,
}

impl Sample {
    /// Adds a figure of this workload alone.
    #[must_use]
    pub(crate) fn with(mut self, extra: Extra) -> Self {
        self.extras.push(extra);
        self
    }
}

/// Runs `work`, which does `n` units, against the wall clock and reads the process's counters when
/// it ends.
pub(crate) fn timed<R>(n: u64, work: impl FnOnce() -> R) -> (R, Sample) {
    let start = Instant::now();
    let result = work();
    let secs = start.elapsed().as_secs_f64();
    (result, Sample { n, secs, usage: Usage::now(), extras: Vec::new() })
}

/// A sample and what it is a sample of; its `Display` is one line of JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The peer that ran.
    pub peer: &'static str,
    /// The workload it ran.
    pub workload: Workload,
    /// What was measured.
    pub sample: Sample,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { peer, workload, sample: Sample { n, secs, usage, extras } } = self;
        let per_sec = *n as f64 / secs;
        let ns_per = secs * 1e9 / *n as f64;
        write!(f, r#"{{"peer":"{peer}","workload":"{workload}","n":{n},"secs":{secs:.6},"#)?;
        write!(f, r#""per_sec":{per_sec:.0},"ns_per":{ns_per:.2},"#)?;
        write!(f, r#""peak_rss_kb":{},"cpu_secs":{:.3},"#, usage.peak_rss_kb, usage.cpu_secs)?;
        write!(f, r#""vcsw":{},"#, usage.n_voluntary_switches)?;
        write!(f, r#""ivcsw":{}"#, usage.n_involuntary_switches)?;
        for extra in extras {
            write!(f, ",{extra}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn a_report_is_one_line_of_json() {
        let usage = Usage {
            peak_rss_kb: 2048,
            cpu_secs: 0.75,
            n_voluntary_switches: 3,
            n_involuntary_switches: 4,
        };
        let sample = Sample { n: 1000, secs: 0.5, usage, extras: Vec::new() }
            .with(Extra::SpawnSecs(0.25))
            .with(Extra::IdleBytesPerActor(96))
            .with(Extra::Pairs(7))
            .with(Extra::Latency(Latency { p50_ns: 60, p99_ns: 900, p999_ns: 30_000 }))
            .with(Extra::BytesPerEvent(40));
        let line = Report { peer: "kanal", workload: Workload::W5, sample }.to_string();
        let parsed: serde_json::Value = serde_json::from_str(&line).expect("the line is JSON");
        assert_eq!(parsed["ns_per"], 500_000.0);
        assert_snapshot!(line.replace(",", ",\n"), @r#"
        {"peer":"kanal",
        "workload":"W5",
        "n":1000,
        "secs":0.500000,
        "per_sec":2000,
        "ns_per":500000.00,
        "peak_rss_kb":2048,
        "cpu_secs":0.750,
        "vcsw":3,
        "ivcsw":4,
        "spawn_secs":0.2500,
        "idle_bytes_per_actor":96,
        "pairs":7,
        "p50_ns":60,
        "p99_ns":900,
        "p999_ns":30000,
        "bytes_per_event":40}
        "#);
    }
}
