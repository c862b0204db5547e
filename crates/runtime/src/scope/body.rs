//! Owns what the turns of a scope need, and nothing that changes.

use std::time::Duration;

use super::Tasks;
use crate::origin::Origin;
use crate::policy::FailurePolicy;

/// What the turns of a scope need. Dropped when it is over, whoever keeps a handle.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) tasks: Box<dyn Tasks>,
    pub(crate) origin: Origin,
    pub(crate) policy: FailurePolicy,
    pub(crate) budgets: Option<Budgets>,
}

/// How long attempts should take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Budgets {
    Same(Duration),
    /// As long as the task says, or else this.
    OfTasks {
        otherwise: Option<Duration>,
    },
}
