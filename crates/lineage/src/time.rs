//! Owns `Timestamp`: a moment as people write it. Given by whoever records, never read from a clock
//! here.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Nanoseconds since 1970-01-01T00:00:00Z, until the year 2262; shown as RFC 3339 has it.
///
/// ```
/// use selvedge_lineage::Timestamp;
/// assert_eq!(Timestamp::from_nanos(1_500_000_000).to_string(), "1970-01-01T00:00:01.5Z");
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last moment that can be told.
    pub const MAX: Timestamp = Timestamp(i64::MAX as u64);

    /// The moment so many nanoseconds after 1970 began; [`MAX`](Self::MAX) if that is later.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Timestamp {
        if nanos > Timestamp::MAX.0 { Timestamp::MAX } else { Timestamp(nanos) }
    }

    /// The nanoseconds since 1970 began.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// So much later, or the last moment.
    #[must_use]
    pub fn after(self, by: Duration) -> Timestamp {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        Timestamp::from_nanos(self.0.saturating_add(by))
    }

    /// So much earlier, or the beginning of 1970.
    #[must_use]
    pub fn before(self, by: Duration) -> Timestamp {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        Timestamp(self.0.saturating_sub(by))
    }
}

impl From<SystemTime> for Timestamp {
    /// Moments before 1970 become its beginning.
    fn from(time: SystemTime) -> Timestamp {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::default().after(since)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.0));
        fmt::Display::fmt(&time.expect("64 bits of nanoseconds are within jiff's years"), f)
    }
}
