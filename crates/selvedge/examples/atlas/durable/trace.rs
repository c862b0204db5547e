//! Gives every package a digest of all that its row depends on, and tells the history what that is.
//!
//! What a package needs is a Merkle digest over sets of packages that all need each other: of the
//! members' names and sizes, and of the digests of the sets that they need. What needs it is one
//! likewise, the other way round and of names alone. So a digest changes exactly if something does
//! that a row could tell.
//!
//! R. Merkle, "A digital signature based on a conventional encryption function", 1987.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context as _;
use selvedge::Workspace;
use selvedge::lineage::{History, Input, Record, RunId, Timestamp};
use selvedge::prelude::*;
use selvedge::store::{Durability, Durable, Read as _, Store as _};

use super::{Maps, N_WALKERS, Wanted};
use crate::events::{Resolved, Sized};
use crate::graph::Graph;
use crate::stages::{PACKAGES, SIZES};

/// How many records are appended at a time.
const RECORDS_MAX: usize = 16_384;
/// How many sets one record names; more are told in several records, which a further one names.
const SETS_MAX: usize = 256;

/// Where the workspace's store notes what the history was told in the last run.
const NOTE: (&str, &[u8]) = ("atlas", b"recorded");

/// The step that puts together what the row of a package depends on.
pub fn row_step(package: &str) -> String {
    format!("{ROW_STEP}{package}")
}

pub const ROW_STEP: &str = "row ";

/// Which code makes the digests. Raise the version when they come to mean something else.
pub fn signature() -> Signature {
    Signature::of_version("atlas::Trace", "1")
}

/// Tells the history, once, how the digests came about.
pub struct Ledger {
    store: Arc<Durable>,
    history: History,
    run: RunId,
    /// What the history has been told in the run before.
    known: HashSet<Digest>,
    recorded: Vec<Digest>,
    pending: Vec<Record>,
    n_new: usize,
}

impl Ledger {
    pub fn open(workspace: &Workspace, run: RunId) -> anyhow::Result<Ledger> {
        let note = workspace.store().get(NOTE.0, NOTE.1)?.unwrap_or_default();
        let (digests, _) = note.as_chunks::<{ Digest::LEN }>();
        Ok(Ledger {
            store: Arc::clone(workspace.store()),
            history: workspace.history().clone(),
            run,
            known: digests.iter().map(|bytes| Digest::from_bytes(*bytes)).collect(),
            recorded: Vec::new(),
            pending: Vec::new(),
            n_new: 0,
        })
    }

    /// Records that a step made this of that, unless that is known.
    fn record(
        &mut self,
        made: Digest,
        step: impl FnOnce() -> String,
        inputs: impl FnOnce() -> anyhow::Result<Vec<Input>>,
    ) -> anyhow::Result<()> {
        self.recorded.push(made);
        if self.known.contains(&made) {
            return Ok(());
        }
        let mut record = Record::new(self.run, step(), signature()).output(made);
        record.inputs = inputs()?;
        record.started_at = Timestamp::from(SystemTime::now());
        self.pending.push(record);
        self.n_new += 1;
        if self.pending.len() == RECORDS_MAX {
            self.history.append(std::mem::take(&mut self.pending))?;
        }
        Ok(())
    }

    /// Makes sure of what was recorded.
    fn finish(&mut self) -> anyhow::Result<()> {
        self.history.append(std::mem::take(&mut self.pending))?;
        if self.n_new > 0 || self.recorded.len() != self.known.len() {
            let note: Vec<u8> = self.recorded.iter().flat_map(|made| *made.as_bytes()).collect();
            // After the records: without the note they would only be told twice.
            self.store.put(NOTE.0, NOTE.1, &note, Durability::Group)?;
        }
        Ok(())
    }
}

/// Finds out what the row of each package depends on, and asks for it.
pub struct Trace {
    ledger: Ledger,
    lines: HashMap<String, Lines>,
}

/// The two lines about a package, as far as the atlas reads them.
struct Lines {
    package: Digest,
    size: Digest,
}

impl Trace {
    pub fn new(ledger: Ledger) -> Trace {
        Trace { ledger, lines: HashMap::new() }
    }
}

#[processor(strict)]
impl Processor for Trace {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Sized { record, kib } => {
                let name = &record.package;
                let package =
                    Digest::of(&(name, &record.section, &record.depends, &record.provides))?;
                let lines = Lines { package, size: Digest::of(&(name, kib))? };
                self.lines.insert(name.clone(), lines);
            }
            Resolved(graph) => {
                let lines = std::mem::take(&mut self.lines);
                let needed_by = Arc::new(graph.reversed());
                let maps = Arc::new(Maps { needs: Arc::clone(graph), needed_by });
                let needs = self.ledger.needs(&maps.needs, &lines)?;
                let needed_by = self.ledger.needed_by(&maps.needed_by, &lines)?;
                for (package, (needs, needed_by)) in (0..).zip(needs.iter().zip(&needed_by)) {
                    let name = graph.name(package);
                    let depends_on = Digest::of(&(name, needs.digest, needed_by.digest))?;
                    let inputs = || Ok(vec![needs.clone(), needed_by.clone()]);
                    self.ledger.record(depends_on, || row_step(name), inputs)?;
                    let walker = usize::from(Digest::of(name)?.as_bytes()[0]) % N_WALKERS;
                    cx.emit(Wanted { walker, package, depends_on, maps: Arc::clone(&maps) });
                }
                self.ledger.finish()?;
            }
        }
        Ok(())
    }
}

impl Ledger {
    /// What each package needs.
    fn needs(
        &mut self,
        graph: &Graph,
        lines: &HashMap<String, Lines>,
    ) -> anyhow::Result<Vec<Input>> {
        self.digests(
            graph,
            "needs",
            |package| Digest::of(&(graph.name(package), graph.kib(package))),
            |package| both_lines(lines, graph.name(package)),
            |_| Ok(Vec::new()),
        )
    }

    /// What needs each package.
    fn needed_by(
        &mut self,
        graph: &Graph,
        lines: &HashMap<String, Lines>,
    ) -> anyhow::Result<Vec<Input>> {
        let line = |package| Ok(vec![package_line(lines, graph.name(package))?]);
        self.digests(graph, "needed by", |package| Digest::of(graph.name(package)), line, line)
    }

    /// A digest for each set of packages that all need each other: of what identifies the members,
    /// and of the sets that they need. By package.
    fn digests(
        &mut self,
        graph: &Graph,
        what: &str,
        identify: impl Fn(u32) -> Result<Digest, selvedge::event::DigestError>,
        lines_of_member: impl Fn(u32) -> anyhow::Result<Vec<Input>>,
        lines_of_needed: impl Fn(u32) -> anyhow::Result<Vec<Input>>,
    ) -> anyhow::Result<Vec<Input>> {
        let components = graph.components();
        let mut inputs: Vec<Input> = Vec::new();
        for (number, set) in (0..).zip(&components.sets) {
            let step = || format!("{what} {}", graph.name(set[0]));
            let members =
                set.iter().map(|&member| identify(member)).collect::<Result<Vec<_>, _>>()?;
            let mut needed: Vec<u32> = set
                .iter()
                .flat_map(|&member| graph.needs(member))
                .copied()
                .filter(|&needed| components.of[needed as usize] != number)
                .collect();
            needed.sort_unstable();
            needed.dedup();
            let input_of = |needed: u32| &inputs[components.of[needed as usize] as usize];
            let parts = needed
                .into_iter()
                .map(|needed| Part { digest: input_of(needed).digest, what: What::Needed(needed) })
                .collect();
            // Most sets are known, and what would be told of them is not even put together.
            let told = |part: &Part| match &part.what {
                What::Needed(needed) => {
                    let mut lines = lines_of_needed(*needed)?;
                    lines.push(input_of(*needed).clone());
                    Ok(lines)
                }
                What::Several(step) => {
                    let step = Some(step.as_str().into());
                    Ok(vec![Input { name: "some".into(), step, digest: part.digest }])
                }
            };
            let parts = self.gathered(&step, parts, &told)?;
            let below: Vec<Digest> = parts.iter().map(|part| part.digest).collect();
            let digest = Digest::of(&(what, &members, &below))?;
            self.record(digest, step, || {
                let mut all = Vec::new();
                for &member in set {
                    all.append(&mut lines_of_member(member)?);
                }
                for part in &parts {
                    all.append(&mut told(part)?);
                }
                Ok(all)
            })?;
            inputs.push(Input { name: what.into(), step: Some(step().into()), digest });
        }
        Ok(components.of.iter().map(|&set| inputs[set as usize].clone()).collect())
    }

    /// Few enough parts for one record: of many, each stands for some.
    fn gathered(
        &mut self,
        step: &dyn Fn() -> String,
        parts: Vec<Part>,
        told: &dyn Fn(&Part) -> anyhow::Result<Vec<Input>>,
    ) -> anyhow::Result<Vec<Part>> {
        if parts.len() <= SETS_MAX {
            return Ok(parts);
        }
        let step = step();
        let mut gathered = Vec::new();
        for (n, some) in parts.chunks(SETS_MAX).enumerate() {
            let digests: Vec<Digest> = some.iter().map(|part| part.digest).collect();
            let digest = Digest::of(&(&step, &digests))?;
            let step = format!("{step} [{n}]");
            self.record(
                digest,
                || step.clone(),
                || {
                    let mut all = Vec::new();
                    for part in some {
                        all.append(&mut told(part)?);
                    }
                    Ok(all)
                },
            )?;
            gathered.push(Part { digest, what: What::Several(step) });
        }
        self.gathered(&|| format!("{step} "), gathered, told)
    }
}

/// What a set depends on, and what is told of it.
struct Part {
    digest: Digest,
    what: What,
}

enum What {
    /// This package, and so the set that it is in.
    Needed(u32),
    /// Several, which this step put together.
    Several(String),
}

fn lines<'l>(lines: &'l HashMap<String, Lines>, package: &str) -> anyhow::Result<&'l Lines> {
    lines.get(package).with_context(|| format!("`{package}` has no lines"))
}

fn line(stream: &str, package: &str, digest: Digest) -> Input {
    Input { name: format!("{stream}: {package}").into(), step: None, digest }
}

fn package_line(all: &HashMap<String, Lines>, package: &str) -> anyhow::Result<Input> {
    Ok(line(PACKAGES, package, lines(all, package)?.package))
}

fn both_lines(all: &HashMap<String, Lines>, package: &str) -> anyhow::Result<Vec<Input>> {
    let size = line(SIZES, package, lines(all, package)?.size);
    Ok(vec![package_line(all, package)?, size])
}
