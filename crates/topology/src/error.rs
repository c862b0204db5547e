//! Owns what can be wrong with a topology, and the list of all of it.

use std::fmt;

use thiserror::Error;

use crate::names::{NameFault, did_you_mean};
use crate::place::Place;
use crate::text::Visible;

/// How many nodes of a long cycle a message names, at its beginning and at its end.
const N_STEPS_FIRST: usize = 8;
const N_STEPS_LAST: usize = 2;

fn shown(name: &str) -> Visible<'_> {
    Visible::in_message(name)
}

/// One thing that is wrong with a topology: what, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// A name breaks the rules.
    #[error(
        "node `{}` at {place} has a malformed name: {fault}{}", shown(name), rename(.suggestion)
    )]
    MalformedName {
        /// The name.
        name: String,
        /// What is wrong with it.
        fault: NameFault,
        /// The legal name that is most like it.
        suggestion: Option<String>,
        /// Where the node is defined.
        place: Place,
    },
    /// Two nodes share a name.
    #[error(
        "node `{}` is defined twice, at {first} and at {second}: give one of them another name{}",
        shown(name), free(.suggestion)
    )]
    DuplicateName {
        /// The name.
        name: String,
        /// The definition that came first.
        first: Place,
        /// The one after it.
        second: Place,
        /// A name like it that is free.
        suggestion: Option<String>,
    },
    /// An edge begins at a node that there is not, or ends there.
    #[error(
        "the edge from `{}` to `{}` at {place} {end} a node that is not defined: define `{}`, or \
         correct the name{}",
        shown(from), shown(to), shown(.end.of(from, to)), did_you_mean(.nearest)
    )]
    UnknownEndpoint {
        /// Where the edge begins.
        from: String,
        /// Where it ends.
        to: String,
        /// Which of the two is not there.
        end: End,
        /// Names that are there, nearest first.
        nearest: Vec<String>,
        /// Where the edge is defined.
        place: Place,
    },
    /// A declared root is not a node.
    #[error(
        "root `{}` at {place} is a node that is not defined: define it, or correct the name{}",
        shown(name), did_you_mean(.nearest)
    )]
    UnknownRoot {
        /// The name.
        name: String,
        /// Names that are there, nearest first.
        nearest: Vec<String>,
        /// Where the root is declared.
        place: Place,
    },
    /// Two edges are the same, label included.
    #[error(
        "the edge from `{}` to `{}` is defined twice, at {first} and at {second}: remove one of \
         them, or tell them apart by their labels",
        shown(from),
        shown(to)
    )]
    DuplicateEdge {
        /// Where both begin.
        from: String,
        /// Where both end.
        to: String,
        /// The definition that came first.
        first: Place,
        /// The one after it.
        second: Place,
    },
    /// An edge is declared feedback, and nothing is said of what ends the cycle.
    #[error(
        "the edge from `{}` to `{}` at {place} is feedback without an end: say what ends the \
         cycle, as in `.feedback(\"no new key\")`",
        shown(from),
        shown(to)
    )]
    EndlessFeedback {
        /// Where the edge begins.
        from: String,
        /// Where it ends.
        to: String,
        /// Where the edge is defined.
        place: Place,
    },
    /// Nodes depend on each other in a circle, and none of the edges is declared feedback.
    #[error(
        "{}: take out an edge, or declare the one that closes the cycle `.feedback(…)`, saying \
         what ends it", circle(.steps, *.n_entangled)
    )]
    Cycle {
        /// The nodes of a shortest known cycle in order, from the one that was defined first; the
        /// last leads back to it.
        steps: Vec<CycleStep>,
        /// How many nodes are in cycles with these, themselves included.
        n_entangled: usize,
    },
    /// No way leads from the declared roots to a node.
    #[error(
        "node `{}` at {place} can't be reached from any root: lead an edge to it, or declare it \
         with `.root(…)`",
        shown(name)
    )]
    Unreachable {
        /// The node.
        name: String,
        /// Where it is defined.
        place: Place,
    },
    /// More of something than the limits allow.
    #[error("more than {max} {what}, at {place}: make fewer, or raise `Limits::{limit}`")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        max: u32,
        /// Its field in [`Limits`](crate::Limits).
        limit: &'static str,
        /// Where the first one too many is defined.
        place: Place,
    },
}

/// An end of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Where it begins.
    From,
    /// Where it ends.
    To,
}

impl End {
    fn of<'n>(self, from: &'n str, to: &'n str) -> &'n str {
        match self {
            End::From => from,
            End::To => to,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::From => "begins at",
            End::To => "leads to",
        })
    }
}

/// A node of a cycle, and the edge by which the cycle leaves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CycleStep {
    /// The node.
    pub name: String,
    /// Where the edge to the next node is defined.
    pub place: Place,
}

fn rename(suggestion: &Option<String>) -> String {
    match suggestion {
        Some(name) => format!("; call it `{}`, for example", shown(name)),
        None => "; give it another".to_owned(),
    }
}

fn free(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map_or_else(String::new, |name| format!("; `{}` is free", shown(name)))
}

fn circle(steps: &[CycleStep], n_entangled: usize) -> String {
    let step = |step: &CycleStep| format!("`{}` ({}) → ", shown(&step.name), step.place);
    let mut text = String::from("cycle: ");
    if steps.len() <= N_STEPS_FIRST + N_STEPS_LAST {
        text.extend(steps.iter().map(step));
    } else {
        let (first, rest) = steps.split_at(N_STEPS_FIRST);
        let (left_out, last) = rest.split_at(rest.len() - N_STEPS_LAST);
        text.extend(first.iter().map(step));
        text.push_str(&format!("… {} more … → ", left_out.len()));
        text.extend(last.iter().map(step));
    }
    if let Some(first) = steps.first() {
        text.push_str(&format!("`{}`", shown(&first.name)));
    }
    if n_entangled > steps.len() {
        text.push_str(&format!(" (a shortest one among {n_entangled} nodes in cycles)"));
    }
    text
}

/// Why a topology could not be built: everything that is wrong with it, up to
/// [`Limits::problems_max`](crate::Limits).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    topology: String,
    list: Vec<Problem>,
    n_omitted: usize,
    max: usize,
}

impl Problems {
    pub(crate) fn none(topology: String, max: usize) -> Problems {
        Problems { topology, list: Vec::new(), n_omitted: 0, max: max.max(1) }
    }

    /// Makes the problem only if there is room for it: suggestions cost something.
    pub(crate) fn add(&mut self, problem: impl FnOnce() -> Problem) {
        if self.list.len() < self.max {
            self.list.push(problem());
        } else {
            self.n_omitted += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The problems: names first, then edges, cycles (shortest first) and unreachable nodes, each
    /// in the order of definition.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// How many more there are than [`list`](Self::list) shows.
    #[must_use]
    pub fn n_omitted(&self) -> usize {
        self.n_omitted
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_problems = self.list.len() + self.n_omitted;
        let noun = if n_problems == 1 { "problem" } else { "problems" };
        write!(f, "`{}` can't be built, {n_problems} {noun}", shown(&self.topology))?;
        for problem in &self.list {
            write!(f, "\n- {problem}")?;
        }
        if self.n_omitted > 0 {
            write!(f, "\n- and {} more", self.n_omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A name that no node has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{}` has no node `{}`: use the name of one{}",
    shown(.topology), shown(.name), did_you_mean(.nearest)
)]
#[non_exhaustive]
pub struct UnknownNode {
    /// The topology that was asked.
    pub topology: String,
    /// The name.
    pub name: String,
    /// Names that are there, nearest first.
    pub nearest: Vec<String>,
}
