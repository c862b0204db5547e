//! The naive history: a list of records, and loops over it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use proptest::prelude::*;
use selvedge_event::{Digest, Outcome, Signature};
use selvedge_lineage::{Change, Filter, Record, Run, RunId, Status, Timestamp};

/// A record that a test wants, out of few runs, steps and values, so that they meet.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    run: u8,
    step: u8,
    version: u8,
    inputs: Vec<(u8, Option<u8>)>,
    outputs: Vec<u8>,
    failed: bool,
    started: u8,
}

pub(crate) fn wanted() -> impl Strategy<Value = Wanted> {
    let inputs = prop::collection::vec((0..7_u8, prop::option::of(0..4_u8)), 0..3);
    let outputs = prop::collection::vec(0..7_u8, 0..3);
    (0..4_u8, 0..4_u8, 0..2_u8, inputs, outputs, any::<bool>(), 0..9_u8).prop_map(
        |(run, step, version, inputs, outputs, failed, started)| Wanted {
            run,
            step,
            version,
            inputs,
            outputs,
            failed,
            started,
        },
    )
}

pub(crate) fn run_id(run: u8) -> RunId {
    RunId::named(&format!("run {run}"))
}

pub(crate) fn step(step: u8) -> String {
    format!("step {step}")
}

pub(crate) fn value(value: u8) -> Digest {
    Digest::of(&value).expect("numbers have digests")
}

pub(crate) fn signature(version: u8) -> Signature {
    Signature::of_version("laws::Step", format!("{version}").as_str())
}

/// One of the runs that tests use; the tag tells even from odd ones.
pub(crate) fn run(n: u8) -> Run {
    let parity = if n.is_multiple_of(2) { "even" } else { "odd" };
    Run::new(run_id(n), "laws", Timestamp::from_nanos(u64::from(n / 2))).tag("parity", parity)
}

impl Wanted {
    pub(crate) fn record(&self) -> Record {
        let version = signature(self.version);
        let mut record = Record::new(run_id(self.run), step(self.step).as_str(), version);
        for (n, (read, from)) in self.inputs.iter().enumerate() {
            record = record.input(&format!("in{n}"), from.map(step).as_deref(), value(*read));
        }
        record = self.outputs.iter().fold(record, |record, made| record.output(value(*made)));
        if self.failed {
            let error = "no tea".to_owned();
            record = record.outcome(Outcome::Failed { error, panicked: false });
        }
        record.started_at = Timestamp::from_nanos(self.started.into());
        record
    }
}

/// What a history is told, one by one.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) records: Vec<Option<Record>>,
    pub(crate) runs: BTreeMap<RunId, Run>,
}

/// Which records, by number.
pub(crate) type Ids = Vec<u64>;

impl Model {
    fn placed(&self) -> impl DoubleEndedIterator<Item = (u64, &Record)> {
        (0..)
            .zip(self.records.iter())
            .filter_map(|(n, record)| Some((n, record.as_ref()?)))
            .collect::<Vec<_>>()
            .into_iter()
    }

    pub(crate) fn passes(&self, filter: &Filter, record: &Record) -> bool {
        let is_in = |within: &Range<Timestamp>| within.contains(&record.started_at);
        let run = self.runs.get(&record.run);
        filter.started.as_ref().is_none_or(is_in)
            && (filter.statuses.is_empty()
                || filter.statuses.contains(&Status::of(&record.outcome)))
            && filter.step.as_ref().is_none_or(|step| *step == record.step)
            && (filter.runs.is_empty() || filter.runs.contains(&record.run))
            && filter
                .tags
                .iter()
                .all(|(name, value)| run.is_some_and(|run| run.tags.get(name) == Some(value)))
    }

    pub(crate) fn those(&self, filter: &Filter, wanted: impl Fn(&Record) -> bool) -> Ids {
        let passing = self.placed().filter(|(_, r)| wanted(r) && self.passes(filter, r));
        passing.map(|(n, _)| n).collect()
    }

    /// All records on the way up or down from a value with their depths, in no order.
    pub(crate) fn walk(
        &self,
        up: bool,
        from: Digest,
        depth_max: usize,
        filter: &Filter,
    ) -> BTreeSet<(usize, u64)> {
        let mut found: BTreeMap<u64, usize> = BTreeMap::new();
        let mut known = BTreeSet::from([from]);
        let mut level = known.clone();
        for depth in 1..=depth_max {
            let mut next = BTreeSet::new();
            for (n, record) in self.placed().filter(|(_, record)| self.passes(filter, record)) {
                let read: BTreeSet<Digest> = record.inputs.iter().map(|i| i.digest).collect();
                let made: BTreeSet<Digest> = record.outputs.iter().copied().collect();
                let (near, far) = if up { (made, read) } else { (read, made) };
                if near.intersection(&level).next().is_some() && !found.contains_key(&n) {
                    found.insert(n, depth);
                    next.extend(far);
                }
            }
            level = next.difference(&known).copied().collect();
            known.extend(&level);
        }
        found.into_iter().map(|(n, depth)| (depth, n)).collect()
    }

    /// What would run again: grown until nothing is added.
    pub(crate) fn would_run_again(&self, change: &Change, within: Option<RunId>) -> BTreeSet<u64> {
        let inside = |record: &Record| within.is_none_or(|run| run == record.run);
        let mut again: BTreeSet<u64> = self
            .placed()
            .filter(|(_, record)| {
                inside(record)
                    && match change {
                        Change::Input(value) => record.reads(value),
                        Change::Code(signature) => record.signature == *signature,
                        other => unreachable!("no test imagines {other:?}"),
                    }
            })
            .map(|(n, _)| n)
            .collect();
        loop {
            let n_before = again.len();
            let known = again.clone();
            for (_, producer) in self.placed().filter(|(n, _)| known.contains(n)) {
                for (n, record) in self.placed().filter(|(_, record)| inside(record)) {
                    let reads = record.inputs.iter().any(|input| {
                        producer.makes(&input.digest)
                            && (record.run != producer.run
                                || input.step.as_ref().is_none_or(|step| *step == producer.step))
                    });
                    if reads {
                        again.insert(n);
                    }
                }
            }
            if again.len() == n_before {
                return again;
            }
        }
    }
}
