//! Owns what a step tells while it goes on: the words of an answer, one after the other.

use std::fmt;

use serde::Serialize;

use super::cancel::CancelToken;
use super::event::{StepEvent, What};
use crate::stream::{Feed, TokenEnd};

/// Tells what a step makes on the way, to those who listen to the run.
///
/// ```
/// use selvedge_flow::steps::{Pipe, Start, Tokens, What};
///
/// let mut pipe = Pipe::<()>::builder("answer");
/// pipe.step("say", |tokens: Tokens| {
///     for word in ["forty", "two"] {
///         tokens.emit(&word)?;
///     }
///     anyhow::Ok(())
/// });
/// let result = pipe.build()?.run_with(Start::with(()).keeping_events())?;
/// let words = result.events().iter().filter_map(|told| match &told.event.what {
///     What::Token { value } => value.as_str(),
///     _ => None,
/// });
/// assert_eq!(words.collect::<Vec<_>>(), ["forty", "two"]);
/// # Ok::<(), anyhow::Error>(())
/// ```
pub struct Tokens {
    feed: Feed<StepEvent>,
    cancel: CancelToken,
    /// Everything but the value.
    event: StepEvent,
}

impl Tokens {
    pub(crate) fn new(feed: Feed<StepEvent>, cancel: CancelToken, event: StepEvent) -> Tokens {
        Tokens { feed, cancel, event }
    }

    /// Tells one. Waits until all who listen have room for it; if nobody does, it is dropped.
    ///
    /// # Errors
    ///
    /// An error of serde, if the value is no JSON; [`Cancelled`](super::Cancelled), if the run was
    /// called off while this waited.
    pub fn emit(&self, value: &impl Serialize) -> anyhow::Result<()> {
        if !self.feed.is_heard() {
            return Ok(self.cancel.checkpoint()?);
        }
        let what = What::Token { value: serde_json::to_value(value)? };
        let event = StepEvent { what, ..self.event.clone() };
        match self.feed.push_token(event, || self.cancel.is_cancelled()) {
            TokenEnd::CalledOff => Ok(self.cancel.checkpoint()?),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("stage", &self.event.stage).finish_non_exhaustive()
    }
}
