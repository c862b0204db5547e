//! Owns `Origin`: what an event's descendants inherit from it.

use std::sync::Arc;

use crate::ask::Question;

/// What an emission inherits from the turn that made it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) descent: Descent,
    /// Who awaits a reply.
    pub(crate) question: Option<Arc<Question>>,
}

/// Where an event comes from in the end.
///
/// A word wide, because origins are moved about: a flag of a byte is moved together with its
/// padding in pieces that straddle the store just before, and each such load stalls the processor
/// for as long as ten others take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Descent {
    /// From the lifecycle, or from nothing else.
    #[default]
    Inside,
    /// From an outside submission: phases don't wait for those to dry up.
    Outside,
}

impl Origin {
    /// The runtime's own events, and what descends from nothing else.
    pub(crate) fn inside() -> Origin {
        Origin::default()
    }

    pub(crate) fn outside() -> Origin {
        Origin { descent: Descent::Outside, question: None }
    }

    /// Whether nobody awaits a reply.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.question.is_none()
    }

    /// Whether events of the two may travel together.
    #[inline]
    pub(crate) fn is(&self, other: &Origin) -> bool {
        let same_question = match (&self.question, &other.question) {
            (None, None) => true,
            (Some(this), Some(that)) => Arc::ptr_eq(this, that),
            _ => false,
        };
        self.descent == other.descent && same_question
    }
}
