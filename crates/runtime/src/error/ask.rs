//! Owns what can go wrong with asking.

use selvedge_event::Topic;
use thiserror::Error;

/// Why a question got no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AskError {
    /// Everything the question caused was handled, or the run ended, and nobody replied.
    #[error("nobody replied to {question}")]
    NoReply {
        /// The question.
        question: Box<Topic>,
    },
    /// The reply is not what was asked for.
    #[error("the reply to {question} is {reply}, not a `{expected}`")]
    WrongReply {
        /// The question.
        question: Box<Topic>,
        /// What came back.
        reply: Box<Topic>,
        /// What should have come.
        expected: &'static str,
    },
}
