//! Owns what can be wrong with a graph, and the list of all of it.

use std::fmt;

use selvedge_topology::Place;
use thiserror::Error;

use crate::title::TITLES_MAX;

/// One thing that is wrong with a graph: what, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GraphProblem {
    /// What is wrong with names, requirements and cycles.
    #[error("{0}")]
    Shape(selvedge_topology::Problem),
    /// A builder takes artifacts of another type than their target has.
    #[error(
        "`{builder}` requires `{target}` as `{wanted}` at {required_at}, but it is provided as \
         `{provided}` at {provided_at}: change one of the types, or build one from the other"
    )]
    TypeMismatch {
        /// The builder.
        builder: String,
        /// The target.
        target: String,
        /// The type that is required.
        wanted: &'static str,
        /// Where that is said.
        required_at: Place,
        /// The type that is provided.
        provided: &'static str,
        /// Where that is said.
        provided_at: Place,
    },
    /// Two provide one target, and it is not declared that they may.
    #[error(
        "`{target}` is provided twice, by `{first}` at {first_at} and by `{second}` at \
         {second_at}: give one of them another target, or declare it with `.merge(…)`"
    )]
    SeveralProviders {
        /// The target.
        target: String,
        /// The builder that was added first.
        first: String,
        /// Where it is defined.
        first_at: Place,
        /// The one after it.
        second: String,
        /// Where it is defined.
        second_at: Place,
    },
    /// Two nodes have one name.
    #[error(
        "two nodes are called `{name}`, at {first} and at {second}: give one of them another name \
         with `.named(…)`"
    )]
    DuplicateName {
        /// The name.
        name: String,
        /// Where the first is defined.
        first: Place,
        /// Where the second is.
        second: Place,
    },
    /// Nobody provides what is wanted.
    #[error("`{target}` is wanted at {place}, but nobody provides it{}", did_you_mean(.nearest))]
    NoProvider {
        /// The target.
        target: String,
        /// Where it is asked for.
        place: Place,
        /// Names that are there, nearest first.
        nearest: Vec<String>,
    },
    /// Feedback is declared on what is not required.
    #[error("`{builder}` has feedback by `{requirement}` at {place}, but doesn't require that")]
    NoSuchFeedback {
        /// The builder.
        builder: String,
        /// What is not required.
        requirement: String,
        /// Where that is said.
        place: Place,
    },
    /// A cycle is said to end when nothing new comes, but its builder doesn't know what is new.
    #[error(
        "the feedback of `{builder}` at {place} is to end when nothing new comes, but it builds \
         from every input: leave dedupe on, or bound it with `Until::Builds`"
    )]
    EndlessFeedback {
        /// The builder.
        builder: String,
        /// Where that is said.
        place: Place,
    },
    /// Results are to be kept, and nothing says what they are to be known by.
    #[error(
        "`{builder}` at {place} is to be persisted, but nothing is known of its code: declare a \
         version of the function with `.version(…)`, or write the builder with `#[builder]`"
    )]
    Unsigned {
        /// The builder.
        builder: String,
        /// Where it is defined.
        place: Place,
    },
    /// The program has more distinct names than graphs take, or one is too long.
    #[error(
        "there is no room for the name `{name}` at {place}: names are kept for as long as the \
         program runs, {TITLES_MAX} of at most 256 bytes; they are not for what comes from data"
    )]
    TooManyNames {
        /// The name.
        name: String,
        /// Where it is used.
        place: Place,
    },
}

fn did_you_mean(nearest: &[String]) -> String {
    match nearest.first() {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None => String::new(),
    }
}

/// Why a graph could not be built: everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphError {
    pub(crate) graph: String,
    pub(crate) problems: Vec<GraphProblem>,
}

impl GraphError {
    /// The problems: names first, then types and providers, then cycles.
    #[must_use]
    pub fn problems(&self) -> &[GraphProblem] {
        &self.problems
    }
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_problems = self.problems.len();
        let noun = if n_problems == 1 { "problem" } else { "problems" };
        write!(f, "`{}` can't be built, {n_problems} {noun}", self.graph)?;
        for problem in &self.problems {
            write!(f, "\n- {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for GraphError {}
