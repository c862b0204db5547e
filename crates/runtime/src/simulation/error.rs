//! Owns the ways in which a simulation comes to nothing.

use std::fmt;

use selvedge_event::Text;

use crate::error::{RunError, SubmitError};

/// Why a simulated run has no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// The run failed, as it could have on threads.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Nobody can go on, at any time, and the run is not over.
    #[error("nothing can go on, and the run is not over: {}", Listed(waiting))]
    Stuck {
        /// Who waits for what, a line each.
        waiting: Vec<String>,
    },
    /// The run took more steps than it may: it goes round in circles, or is long.
    #[error(
        "the run is not over after {steps} steps, of which these took most turns: {}; end it, or \
         raise `Sim::steps_max`",
        Listed(&busiest.iter().map(|(name, n)| format!("`{name}` {n}")).collect::<Vec<_>>())
    )]
    TooManySteps {
        /// How many it took.
        steps: u64,
        /// The processors with the most turns, and how many those were.
        busiest: Vec<(Text, u64)>,
    },
    /// A fault or a cost is planned for a processor that is not there.
    #[error("there is no processor `{name}`: plan for one of {}", Listed(known))]
    NoSuchProcessor {
        /// The name it was given.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The pipeline lives by another clock.
    #[error("the pipeline was not built by `Sim::build` of this simulation: its time is real")]
    RealTime,
    /// What a client submitted can't be routed.
    #[error("a client's submission is refused: {source}")]
    Refused {
        /// Why.
        source: SubmitError,
    },
}

/// Several things in a line.
struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}
