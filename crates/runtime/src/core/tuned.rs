//! Owns the limits that can be changed while a run goes on.
//!
//! Each is read by itself, where it is applied: Relaxed, as a value that is a moment old
//! is as good.

use std::time::Duration;

use selvedge_sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::limits::Limits;

/// Those of the [`Limits`] that can be changed while a run goes on.
#[derive(Debug, Default)]
pub(crate) struct Tuned {
    in_flight_max: AtomicUsize,
    in_flight_bytes_max: AtomicUsize,
    lane_max: AtomicUsize,
    lane_bytes_max: AtomicUsize,
    pipeline_events_max: AtomicUsize,
    pipeline_bytes_max: AtomicUsize,
    batch_turns_max: AtomicUsize,
    batch_time_nanos_max: AtomicU64,
    timers_max: AtomicUsize,
    dead_letters_max: AtomicUsize,
    dead_letters_bytes_max: AtomicUsize,
}

macro_rules! each_count {
    ($do:ident) => {
        $do!(
            in_flight_max,
            in_flight_bytes_max,
            lane_max,
            lane_bytes_max,
            pipeline_events_max,
            pipeline_bytes_max,
            batch_turns_max,
            timers_max,
            dead_letters_max,
            dead_letters_bytes_max
        );
    };
}

macro_rules! readings {
    ($($limit:ident),*) => {
        $(
            #[inline]
            pub(crate) fn $limit(&self) -> usize {
                self.$limit.load(Ordering::Relaxed)
            }
        )*
    };
}

impl Tuned {
    pub(crate) fn new(limits: &Limits) -> Tuned {
        let tuned = Tuned::default();
        // Whatever is in there is no limit that anyone set.
        macro_rules! store {
            ($($limit:ident),*) => {
                $(tuned.$limit.store(limits.$limit, Ordering::Relaxed);)*
            };
        }
        each_count!(store);
        tuned.batch_time_nanos_max.store(nanos(limits.batch_time_max), Ordering::Relaxed);
        tuned
    }

    each_count!(readings);

    #[inline]
    pub(crate) fn batch_time_max(&self) -> Duration {
        Duration::from_nanos(self.batch_time_nanos_max.load(Ordering::Relaxed))
    }

    /// The whole table as it is now; `fixed` has what does not change.
    pub(crate) fn table(&self, fixed: &Limits) -> Limits {
        let mut limits = fixed.clone();
        macro_rules! read {
            ($($limit:ident),*) => { $(limits.$limit = self.$limit();)* };
        }
        each_count!(read);
        limits.batch_time_max = self.batch_time_max();
        limits
    }

    /// Takes over what differs between two tables: what somebody else has changed meanwhile stays.
    /// `false`, and nothing happens, when something differs that is fixed.
    pub(crate) fn change(&self, before: &Limits, after: &Limits) -> bool {
        let mut fixed = after.clone();
        macro_rules! undo {
            ($($limit:ident),*) => { $(fixed.$limit = before.$limit;)* };
        }
        each_count!(undo);
        fixed.batch_time_max = before.batch_time_max;
        if fixed != *before {
            return false;
        }
        macro_rules! store {
            ($($limit:ident),*) => {
                $(
                    if before.$limit != after.$limit {
                        self.$limit.store(after.$limit, Ordering::Relaxed);
                    }
                )*
            };
        }
        each_count!(store);
        if before.batch_time_max != after.batch_time_max {
            self.batch_time_nanos_max.store(nanos(after.batch_time_max), Ordering::Relaxed);
        }
        true
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
