//! Owns the one look at the clock, for flushes at intervals.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The time since the first look, by a clock that never goes back.
#[expect(clippy::disallowed_methods, reason = "the clock of selvedge-sync takes this place")]
pub(crate) fn now() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
