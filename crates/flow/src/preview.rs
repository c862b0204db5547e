//! Owns what a run would do, without doing it.

use std::collections::HashSet;
use std::fmt;
use std::hash::BuildHasherDefault;

use rustc_hash::FxHasher;
use selvedge_event::{Digest, Signature, Text};
use selvedge_lineage::RunId;
use serde::Serialize;

use crate::builder::unknown_code;
use crate::error::{JournalError, RunError};
use crate::flow::Flow;
use crate::journal::{Journal, memo_key};
use crate::plan::{Plan, PlanSource};
use crate::request::Request;
use crate::run::{Past, Writes, given, wanted};

/// What a run would do: each node's part, in the order of definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RunPlan {
    /// The flow.
    pub flow: Text,
    /// Its nodes.
    pub nodes: Vec<Planned>,
}

/// What would become of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Planned {
    /// The node's id.
    pub id: Text,
    /// What would be done about it.
    #[serde(flatten)]
    pub action: Action,
}

/// What would be done about a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// It is a parameter, which the request or a default says.
    Given,
    /// It would be computed, if its parents come to a value.
    Compute {
        /// Why its value can't be taken from an earlier run.
        why: Why,
    },
    /// Its value would be taken from an earlier run.
    Reuse {
        /// Which one computed it.
        run: RunId,
    },
    /// Nobody asks for it.
    Unwanted,
}

/// Why a node would be computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Why {
    /// It is not cached, and the run goes on from none.
    NotCached,
    /// There is no journal in which anything could be found.
    NoJournal,
    /// What this node makes is not known before it has: it would be computed itself.
    DependsOn {
        /// The node.
        node: Text,
    },
    /// It reads what became of nodes, or nothing whose digest is known.
    Unknowable,
    /// It was never computed with this code, these constants and these inputs.
    New,
    /// The run that this one goes on from has no such value: it was not computed there, or of other
    /// inputs, or with other code.
    NotThere {
        /// The run.
        run: RunId,
    },
    /// It was computed by this run, but its value is not kept any more.
    Gone {
        /// The run.
        run: RunId,
    },
}

impl Flow {
    /// What a run would compute, what it would take from earlier ones, and why. Nothing is run.
    ///
    /// Reads the records of the run that it goes on from, looks up a memo per cached node, and
    /// whether each value that would be taken is kept; linear in nodes and inputs.
    ///
    /// ```
    /// use selvedge_flow::{Flow, Journal, Request, node};
    ///
    /// let mut flow = Flow::builder("shop");
    /// let n = flow.parameter::<u64>("n");
    /// let square = node((n,), |n: &u64| Ok(n * n)).version("shop::square", "1").cached();
    /// let square = flow.add("square", square);
    /// flow.node("shown", (square,), |n: &u64| Ok(format!("{n}!")));
    /// let flow = flow.build()?.in_journal(Journal::in_memory()?);
    ///
    /// flow.run(Request::new().with("n", 12_u64))?;
    /// let plan = flow.plan(&Request::new().with("n", 12_u64))?;
    /// assert!(plan.to_string().contains("shown: computed, it is not cached"), "{plan}");
    /// assert_eq!(plan.n_computed(), 1);
    /// assert_eq!(flow.plan(&Request::new().with("n", 13_u64))?.n_computed(), 2);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError`], when the request can't be met, or the journal can't be read.
    pub fn plan(&self, request: &Request) -> Result<RunPlan, RunError> {
        let flow = || self.name().clone();
        let plan = self.shared_plan();
        let (wanted, _) = wanted(plan, request)?;
        let mut digests: Vec<Option<Digest>> = vec![None; plan.nodes.len()];
        for (node, value) in given(plan, request, &wanted)? {
            digests[node as usize] = value.digest().ok();
        }
        let journal =
            if let Writes::Journal(journal) = self.writes() { Some(journal) } else { None };
        let failed = |source| RunError::Journal { flow: flow(), source };
        let past = match (request.from, journal) {
            (None, _) => None,
            (Some(run), None) => return Err(RunError::NoJournal { flow: flow(), run }),
            (Some(run), Some(journal)) => {
                let n = plan.nodes.len();
                Some(Past::of(journal, run, n).map_err(failed)?)
            }
        };
        let (unknown, kept) = (unknown_code(), HashSet::default());
        let mut looks = Looks { plan, journal, past, digests, unknown, kept };
        let mut nodes = Vec::with_capacity(plan.nodes.len());
        for (node, is_wanted) in (0_u32..).zip(wanted) {
            let action = match is_wanted {
                false => Action::Unwanted,
                true if plan.node(node).parameter.is_some() => Action::Given,
                true => looks.at(node).map_err(failed)?,
            };
            nodes.push(Planned { id: plan.node(node).id.clone(), action });
        }
        Ok(RunPlan { flow: flow(), nodes })
    }
}

struct Looks<'a> {
    plan: &'a Plan,
    journal: Option<&'a Journal>,
    past: Option<Past>,
    /// What nodes would make, as far as that is known.
    digests: Vec<Option<Digest>>,
    /// What code that is not known counts as.
    unknown: Signature,
    /// Values that were found: many nodes may have one.
    kept: HashSet<Digest, BuildHasherDefault<FxHasher>>,
}

impl Looks<'_> {
    fn at(&mut self, node: u32) -> Result<Action, JournalError> {
        let compute = |why| Ok(Action::Compute { why });
        let plan = self.plan.node(node);
        let Some(journal) = self.journal else { return compute(Why::NoJournal) };
        if !plan.options.cached && self.past.is_none() {
            return compute(Why::NotCached);
        }
        for input in self.plan.inputs(node) {
            let PlanSource::Node { idx, receives } = input.source else { continue };
            if receives {
                return compute(Why::Unknowable);
            }
            if self.digests[idx as usize].is_none() {
                return compute(Why::DependsOn { node: self.plan.node(idx).id.clone() });
            }
        }
        let signature = plan.signature.as_ref().unwrap_or(&self.unknown);
        let past = self.past.as_ref();
        let made = past.and_then(|past| past.made(plan.id.as_str(), signature, self.read(node)));
        let made = match made {
            None if plan.options.cached => {
                let inputs: Vec<(Text, Digest)> =
                    self.read(node).map(|(name, digest)| (name.clone(), digest)).collect();
                match memo_key(signature, &inputs) {
                    Some(key) => journal.remembers(&key)?,
                    None => None,
                }
            }
            made => made,
        };
        let Some((digest, run)) = made else {
            return compute(past.map_or(Why::New, |past| Why::NotThere { run: past.run }));
        };
        if !self.kept.contains(&digest) {
            if !journal.has_value(&digest)? {
                return compute(Why::Gone { run });
            }
            self.kept.insert(digest);
        }
        self.digests[node as usize] = Some(digest);
        Ok(Action::Reuse { run })
    }

    /// What a node reads, by name, so far as it is known.
    fn read(&self, node: u32) -> impl Iterator<Item = (&Text, Digest)> {
        self.plan.inputs(node).iter().filter_map(|input| {
            let parent = input.node()?;
            let name = input.name.as_ref().unwrap_or(&self.plan.node(parent).id);
            Some((name, self.digests[parent as usize]?))
        })
    }
}

impl RunPlan {
    /// How many nodes would be computed.
    #[must_use]
    pub fn n_computed(&self) -> usize {
        let is_computed = |node: &&Planned| matches!(node.action, Action::Compute { .. });
        self.nodes.iter().filter(is_computed).count()
    }
}

impl fmt::Display for RunPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, all) = (self.n_computed(), self.nodes.len());
        writeln!(f, "{}: {n} of {all} nodes would be computed", self.flow)?;
        self.nodes.iter().try_for_each(|node| writeln!(f, "  {node}"))
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.action {
            Action::Given => write!(f, "{}: given", self.id),
            Action::Compute { why } => write!(f, "{}: computed, {why}", self.id),
            Action::Reuse { run } => write!(f, "{}: taken from run {run}", self.id),
            Action::Unwanted => write!(f, "{}: not asked for", self.id),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::NotCached => f.write_str("it is not cached"),
            Why::NoJournal => f.write_str("there is no journal"),
            Why::DependsOn { node } => write!(f, "it reads `{node}`, which is"),
            Why::Unknowable => f.write_str("it reads what becomes of others"),
            Why::NotThere { run } => write!(f, "run {run} has not, of the same with the same code"),
            Why::New => f.write_str("with this code and these inputs it never was"),
            Why::Gone { run } => write!(f, "what run {run} made is not kept any more"),
        }
    }
}
