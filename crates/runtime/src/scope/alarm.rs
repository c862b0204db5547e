//! Owns the handle of an alarm: a task that a scope posts to itself when the time has come.

use crate::timers::TimerId;

/// An alarm of a scope, for a later turn to cancel. See
/// [`TaskContext::alarm`](crate::TaskContext::alarm).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AlarmHandle {
    /// None if there was nothing to be armed any more.
    pub(crate) timer: Option<TimerId>,
    /// The scope's number.
    pub(crate) scope: u64,
}

/// What came of arming an alarm.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Armed {
    Set(TimerId),
    /// The scope starts no further task, or the run no further turn.
    InVain,
    /// There are as many timers as there may be.
    TooMany,
}
