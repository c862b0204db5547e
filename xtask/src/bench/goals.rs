//! What we hold ourselves to: one row per goal, judged by the medians of one run.
//!
//! A goal is a ratio wherever it can be, of ours to what was measured beside it: a slower machine
//! slows both. It refuses to judge what was not measured.

use std::fmt;

use serde::Serialize;

use super::figures::spread;
use super::program::Measurement;
use super::suite::{Family, family};

/// One row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal {
    name: &'static str,
    workload: &'static str,
    /// Whose median is divided.
    ours: &'static str,
    /// What it is divided by.
    against: Against,
    sense: Sense,
    limit: f64,
    rank: Rank,
}

/// What one of our medians is divided by.
#[derive(Clone, Copy, Debug)]
enum Against {
    /// The least median of a family.
    Best(Family),
    /// That of one peer, by name.
    Peer(&'static str),
    /// Nothing: nanoseconds are judged as they are.
    Nothing,
    /// Nothing: the bytes of an idle processor, without those of its own state, are.
    IdleBytes,
}

/// Which side of the limit is the good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Sense {
    AtMost,
    AtLeast,
}

/// Whether a miss fails the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rank {
    Required,
    /// Told, and hoped for.
    Stretch,
}

/// What W5's processor keeps for itself: two counters and a shared pointer are 24 bytes, for which
/// the allocator takes 32. What refers to it, its place in the table of processors and its mailbox
/// are the runtime's, and so are counted.
const OWN_STATE_BYTES: f64 = 32.0;

const fn at_most(name: &'static str, workload: &'static str, against: Against, limit: f64) -> Goal {
    let (ours, sense, rank) = ("selvedge", Sense::AtMost, Rank::Required);
    Goal { name, workload, ours, against, sense, limit, rank }
}

const fn stretch(name: &'static str, workload: &'static str, limit: f64) -> Goal {
    Goal { rank: Rank::Stretch, ..at_most(name, workload, Against::Nothing, limit) }
}

/// What our graphs are held to, beside our own processors and the libraries.
pub(super) const OF_GRAPHS: &[Goal] = &[
    graph("chain", "W4", "graph", "selvedge", 1.5),
    graph("chain, dedupe", "W4", "graph_dedupe", "selvedge", 3.0),
    graph("join", "W6", "graph", "selvedge", 1.3),
    graph("join, shards", "W6", "graph_shards", "timely_2w", 2.5),
    graph("balanced", "W7", "graph", "rayon", 1.05),
    graph("uneven, least", "W7u", "graph_least", "graph", 1.0),
];

const fn graph(
    name: &'static str,
    workload: &'static str,
    ours: &'static str,
    against: &'static str,
    limit: f64,
) -> Goal {
    Goal { ours, ..at_most(name, workload, Against::Peer(against), limit) }
}

/// Every goal of the runtime.
pub(super) const GOALS: &[Goal] = &[
    at_most("W1", "W1", Against::Best(Family::Actors), 0.35),
    at_most("W2", "W2", Against::Peer("crossbeam"), 0.9),
    at_most("W2i", "W2i", Against::Best(Family::Actors), 0.2),
    at_most("W3", "W3", Against::Best(Family::Actors), 0.1),
    at_most("W4 actors", "W4", Against::Best(Family::Actors), 0.25),
    at_most("W4 channels", "W4", Against::Best(Family::Channels), 0.8),
    at_most("W5", "W5", Against::Best(Family::Actors), 0.3),
    at_most("W5 bytes", "W5", Against::IdleBytes, 160.0),
    at_most("W6", "W6", Against::Best(Family::Actors), 0.35),
    at_most("W7", "W7", Against::Peer("rayon"), 1.03),
    Goal {
        ours: "selvedge_t3",
        ..at_most("W7 held by credits", "W7", Against::Peer("rayon"), 1.03)
    },
    at_most("W1p", "W1p", Against::Peer("selvedge_w1"), 1.0),
    // The other way round: how many times as fast two workers are.
    Goal {
        ours: "selvedge_w1",
        sense: Sense::AtLeast,
        ..at_most("scaling", "scaling", Against::Peer("selvedge"), 1.7)
    },
    observed("W1 observed", "W1", "selvedge_obs"),
    observed("W3 observed", "W3", "selvedge_obs"),
    observed("W4 observed", "W4", "selvedge_obs"),
    observed("W1 observed in full", "W1", "selvedge_obs_full"),
    observed("W3 observed in full", "W3", "selvedge_obs_full"),
    observed("W4 observed in full", "W4", "selvedge_obs_full"),
    stretch("W4 ns", "W4", 55.0),
    stretch("W6 sharded ns", "W6k", 45.0),
];

const fn observed(name: &'static str, workload: &'static str, ours: &'static str) -> Goal {
    Goal { ours, ..at_most(name, workload, Against::Peer("selvedge"), 1.3) }
}

/// A goal and what became of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Verdict {
    pub(super) goal: &'static str,
    /// What the limit is about, be it a ratio or not; none if it was not measured.
    pub(super) ratio: Option<f64>,
    pub(super) limit: f64,
    pub(super) met: Option<bool>,
    sense: Sense,
    stretch: bool,
    ours: &'static str,
    /// Whose median ours was divided by.
    against: Option<String>,
}

impl Verdict {
    /// Whether this is a goal that may not be missed, and is.
    pub(super) fn is_miss(&self) -> bool {
        self.met == Some(false) && !self.stretch
    }

    /// The sign before the limit.
    pub(super) fn sign(&self) -> &'static str {
        match self.sense {
            Sense::AtMost => "<=",
            Sense::AtLeast => ">=",
        }
    }

    /// One word.
    pub(super) fn word(&self) -> &'static str {
        match (self.met, self.stretch) {
            (Some(true), _) => "met",
            (Some(false), false) => "MISSED",
            (Some(false), true) => "not yet",
            (None, _) => "not measured",
        }
    }

    /// What was divided by what.
    pub(super) fn of(&self) -> String {
        match &self.against {
            Some(against) => format!("{} / {against}", self.ours),
            None => self.ours.to_owned(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = self.ratio.map_or("-".to_owned(), shown);
        let (sign, limit, word) = (self.sign(), self.limit, self.word());
        write!(f, "{:<20}{ratio:>8} {sign} {limit:<6}{word:<14}{}", self.goal, self.of())
    }
}

/// With as many digits as tell a narrow miss from a goal that is met.
pub(super) fn shown(ratio: f64) -> String {
    let digits = if ratio < 10.0 { 3 } else { 1 };
    format!("{ratio:.digits$}")
}

/// Judges these goals.
pub(super) fn judge(goals: &[Goal], measurements: &[Measurement]) -> Vec<Verdict> {
    goals.iter().map(|goal| goal.judge(measurements)).collect()
}

impl Goal {
    fn judge(&self, measurements: &[Measurement]) -> Verdict {
        let median = |peer: &str, figure: fn(&Measurement) -> Option<f64>| {
            let of = |m: &&Measurement| m.workload == self.workload && m.peer == peer;
            let figures: Vec<f64> = measurements.iter().filter(of).filter_map(figure).collect();
            spread(&figures).map(|spread| spread.median)
        };
        let ns = |peer: &str| median(peer, |m| Some(m.ns_per));
        let divided = |against: Option<(String, f64)>| {
            let (against, theirs) = against?;
            Some((ns(self.ours)? / theirs, Some(against)))
        };
        let found = match self.against {
            Against::Best(kind) => {
                let peers = measurements.iter().map(|m| &m.peer);
                let rivals = peers.filter(|peer| family(peer) == kind);
                let medians = rivals.filter_map(|peer| Some((peer.clone(), ns(peer)?)));
                divided(medians.min_by(|(_, a), (_, b)| a.total_cmp(b)))
            }
            Against::Peer(peer) => divided(ns(peer).map(|ns| (peer.to_owned(), ns))),
            Against::Nothing => ns(self.ours).map(|ns| (ns, None)),
            Against::IdleBytes => {
                let bytes = median(self.ours, |m| m.others.get("idle_bytes_per_actor")?.as_f64());
                bytes.map(|bytes| (bytes - OWN_STATE_BYTES, None))
            }
        };
        let (ratio, against) =
            found.map_or((None, None), |(ratio, against)| (Some(ratio), against));
        let met = ratio.map(|ratio| match self.sense {
            Sense::AtMost => ratio <= self.limit,
            Sense::AtLeast => ratio >= self.limit,
        });
        Verdict {
            goal: self.name,
            ratio,
            limit: self.limit,
            met,
            sense: self.sense,
            stretch: self.rank == Rank::Stretch,
            ours: self.ours,
            against,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GOALS, judge};
    use crate::bench::program::Measurement;

    /// Reads `peer workload ns [idle bytes]`, one measurement per line.
    fn measured(text: &str) -> Vec<Measurement> {
        let line = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let mut others = serde_json::Map::new();
            if let Some(bytes) = words.get(3) {
                let bytes: u64 = bytes.parse().expect("a number");
                others.insert("idle_bytes_per_actor".to_owned(), bytes.into());
            }
            Measurement {
                peer: words[0].to_owned(),
                workload: words[1].to_owned(),
                n: 1,
                ns_per: words[2].parse().expect("a number"),
                peak_rss_kb: 1,
                others,
            }
        };
        text.lines().filter(|line| !line.trim().is_empty()).map(line).collect()
    }

    fn check(text: &str) -> String {
        let verdicts = judge(GOALS, &measured(text));
        let lines = verdicts.iter().filter(|verdict| verdict.ratio.is_some());
        lines.map(|verdict| verdict.to_string().trim_end().to_owned() + "\n").collect()
    }

    #[test]
    fn ratios_are_of_medians_and_to_the_best_of_a_family() {
        let text = "
            selvedge W4 10
            selvedge W4 30
            selvedge W4 20
            tokio_mpsc W4 100
            actix_1arb W4 80
            kanal W4 26
            crossbeam_b1024 W4 24
            rayon W4 1
            selvedge W2 8
            kanal W2 1
            crossbeam W2 10
        ";
        insta::assert_snapshot!(check(text), @r"
        W2                     0.800 <= 0.9   met           selvedge / crossbeam
        W4 actors              0.250 <= 0.25  met           selvedge / actix_1arb
        W4 channels            0.833 <= 0.8   MISSED        selvedge / crossbeam_b1024
        W4 ns                   20.0 <= 55    met           selvedge
        ");
    }

    #[test]
    fn ours_against_ours() {
        let text = "
            selvedge W1p 50
            selvedge_w1 W1p 49
            selvedge scaling 10
            selvedge_w1 scaling 17
            selvedge W3 10
            selvedge_obs W3 13.1
            selvedge_obs_full W3 12.9
            selvedge W6k 46
            rayon W7 100
            selvedge W7 103
            selvedge_t3 W7 104
        ";
        insta::assert_snapshot!(check(text), @r"
        W7                     1.030 <= 1.03  met           selvedge / rayon
        W7 held by credits     1.040 <= 1.03  MISSED        selvedge_t3 / rayon
        W1p                    1.020 <= 1     MISSED        selvedge / selvedge_w1
        scaling                1.700 >= 1.7   met           selvedge_w1 / selvedge
        W3 observed            1.310 <= 1.3   MISSED        selvedge_obs / selvedge
        W3 observed in full    1.290 <= 1.3   met           selvedge_obs_full / selvedge
        W6 sharded ns           46.0 <= 45    not yet       selvedge
        ");
    }

    #[test]
    fn bytes_are_those_beyond_the_own_state() {
        let text = "
            selvedge W5 40 192
            actix_1arb W5 200 831
        ";
        insta::assert_snapshot!(check(text), @r"
        W5                     0.200 <= 0.3   met           selvedge / actix_1arb
        W5 bytes               160.0 <= 160   met           selvedge
        ");
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        let verdicts = judge(GOALS, &measured("selvedge W1 10"));
        assert!(verdicts.iter().all(|verdict| verdict.met.is_none() && !verdict.is_miss()));
        let line = serde_json::to_string(&verdicts[0]).expect("a verdict is JSON");
        insta::assert_snapshot!(line, @r#"{"goal":"W1","ratio":null,"limit":0.35,"met":null,"sense":"at_most","stretch":false,"ours":"selvedge","against":null}"#);
        insta::assert_snapshot!(verdicts[0].to_string().trim_end(), @"W1                         - <= 0.35  not measured  selvedge");
    }
}
