//! Owns `Explanation`: what would happen if a target were asked for, and why, found out without
//! building anything.

use std::collections::VecDeque;
use std::fmt;

use selvedge_store::{Read, Scan, StoreError};
use serde::Serialize;
use thiserror::Error;

use crate::definition::Sort;
use crate::network::{Member, Network};

/// What a node would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// It would be pulled from.
    Pull,
    /// It would make artifacts of the events that come.
    Hear,
    /// It would build.
    Build,
    /// It would bring back what it has built, leave out what that was built from, and build from
    /// the rest.
    Replay,
    /// Nothing would be asked of it: nobody on the way to the target requires what it makes.
    Skip,
}

/// What one node would do, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Step {
    /// The node.
    pub node: String,
    /// What it provides.
    pub provides: Vec<String>,
    /// What it requires.
    pub requires: Vec<String>,
    /// What it would do.
    pub action: Action,
    /// How many builds it would bring back.
    pub n_kept: u64,
    /// Why.
    pub why: String,
}

/// What would happen if a target were asked for. Shown, it is a line per node, those that are
/// required before those that require them; it serializes, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The target.
    pub target: String,
    /// The nodes that would be asked, then those that would not.
    pub steps: Vec<Step>,
}

/// Why a target can't be explained.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// Nobody provides it.
    #[error("nobody provides `{target}`{}", .nearest.first().map_or_else(String::new, |nearest| {
        format!("; did you mean `{nearest}`?")
    }))]
    NoProvider {
        /// The target.
        target: String,
        /// Names that are there, nearest first.
        nearest: Vec<String>,
    },
    /// What is kept can't be counted.
    #[error("what is kept can't be counted: {0}")]
    Store(#[from] StoreError),
}

impl Network {
    /// Says what would be built, replayed or skipped if a target were asked for, and why. With the
    /// store that the pipeline would have, it counts what is kept there; nothing is built.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use selvedge_reactive::{Reactive, builder};
    /// use selvedge_runtime::Pipeline;
    /// use selvedge_store::Memory;
    ///
    /// let define = || {
    ///     let mut graph = Reactive::new("doubling");
    ///     let numbers = graph.source("numbers", [1_u64, 2, 3]);
    ///     let doubles = builder("doubles", &numbers, |n: &u64| n * 2).version("1").persist();
    ///     let doubles = graph.add(doubles);
    ///     graph.want(&doubles);
    ///     graph
    /// };
    /// let store = Arc::new(Memory::new());
    /// define().install(Pipeline::builder().store(store.clone()))?.build()?.run()?;
    ///
    /// let explained = define().network()?.explain("doubles", Some(&*store))?;
    /// assert_eq!(explained.to_string(), "\
    /// doubles
    ///   numbers: pull, a source has no memory
    ///   doubles: replay, 3 builds are kept under doubles version 1; inputs that they were built \
    /// from are left out
    /// ");
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ExplainError`]: nobody provides the target, or the store can't be read.
    pub fn explain(
        &self,
        target: &str,
        store: Option<&dyn Read>,
    ) -> Result<Explanation, ExplainError> {
        let asked = self.asked_for(target)?;
        // In order of the topology: what is required comes first.
        let mut members: Vec<&Member> = self.members.iter().collect();
        let rank = |member: &Member| self.topology.level(member.node);
        members.sort_by_key(|member| rank(member));
        let (mut steps, mut others) = (Vec::new(), Vec::new());
        for member in members {
            if asked.contains(&member.name.as_str()) {
                steps.push(member.step(store)?);
            } else if member.sort != Sort::Sink {
                let why = format!("nothing that `{target}` is built from requires it");
                others.push(member.with(Action::Skip, 0, why));
            }
        }
        steps.append(&mut others);
        Ok(Explanation { target: target.to_owned(), steps })
    }

    /// The names of all nodes that would be asked.
    fn asked_for(&self, target: &str) -> Result<Vec<&str>, ExplainError> {
        let mut asked: Vec<&str> = Vec::new();
        let mut pending = VecDeque::from([target]);
        while let Some(target) = pending.pop_front() {
            let provides =
                |member: &&Member| member.provides.iter().any(|provided| provided == target);
            for member in self.members.iter().filter(provides) {
                if !asked.contains(&member.name.as_str()) {
                    asked.push(&member.name);
                    pending.extend(member.requires.iter().map(String::as_str));
                }
            }
        }
        if asked.is_empty() {
            self.resolve(target)?;
        }
        Ok(asked)
    }
}

impl Member {
    fn with(&self, action: Action, n_kept: u64, why: String) -> Step {
        let (provides, requires) = (self.provides.clone(), self.requires.clone());
        Step { node: self.name.clone(), provides, requires, action, n_kept, why }
    }

    fn step(&self, store: Option<&dyn Read>) -> Result<Step, StoreError> {
        if self.sort == Sort::Source {
            return Ok(self.with(Action::Pull, 0, "a source has no memory".to_owned()));
        }
        if self.sort == Sort::Entry {
            let why = "its artifacts come from outside of the graph, as events".to_owned();
            return Ok(self.with(Action::Hear, 0, why));
        }
        let left_out = if self.dedupes {
            "inputs that it has built from in this run are left out"
        } else {
            "it builds from every input"
        };
        let (Some(namespace), Some(signature)) = (&self.namespace, &self.signature) else {
            let why = format!("nothing of it outlives a run; {left_out}");
            return Ok(self.with(Action::Build, 0, why));
        };
        let Some(store) = store else {
            let why = format!("it would be persisted, but there is no store; {left_out}");
            return Ok(self.with(Action::Build, 0, why));
        };
        let mut n_kept = 0;
        for entry in store.scan(Scan::all(namespace)) {
            entry?;
            n_kept += 1;
        }
        if n_kept == 0 {
            let why = format!("nothing is kept under {signature}: it is new, or its code is");
            return Ok(self.with(Action::Build, 0, why));
        }
        let builds = if n_kept == 1 { "build is" } else { "builds are" };
        let then = if self.dedupes {
            "inputs that they were built from are left out"
        } else {
            "it builds from every input all the same"
        };
        let why = format!("{n_kept} {builds} kept under {signature}; {then}");
        Ok(self.with(Action::Replay, n_kept, why))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Pull => "pull",
            Action::Hear => "hear",
            Action::Build => "build",
            Action::Replay => "replay",
            Action::Skip => "skip",
        })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.target)?;
        for Step { node, action, why, .. } in &self.steps {
            writeln!(f, "  {node}: {action}, {why}")?;
        }
        Ok(())
    }
}
