//! Owns `Limiter`: at most so many turns in flight under one key. Pure: a lock and the scheduler
//! are around it.
//!
//! *Invariant: while somebody waits, every permit is out.* Each permit that is out is in the hands
//! of a worker, which counts as running, or set aside for a job that is in a ready set or about to
//! be put there by a thread that counts as running. So a run with a waiter is never quiet.

use std::fmt;
use std::num::NonZeroUsize;

use selvedge_event::Text;
use selvedge_sync::Mutex;

use crate::ready::{Band, BandQueue, Job};

/// The permits of one key.
#[derive(Debug)]
pub(crate) struct Limiter {
    cap: NonZeroUsize,
    /// Permits that are out, those set aside included.
    in_use: usize,
    /// Jobs that were handed a permit and have not begun.
    set_aside: Vec<Job>,
    /// First come, first served within a band; lower bands first.
    waiters: BandQueue,
}

/// Whether a job may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It has a permit.
    Go,
    /// It stays with the limiter, and whoever gives a permit back makes it ready.
    Wait,
}

impl Limiter {
    pub(crate) fn new(cap: NonZeroUsize, n_bands: usize) -> Limiter {
        let waiters = BandQueue::new(n_bands);
        Limiter { cap, in_use: 0, set_aside: Vec::new(), waiters }
    }

    /// Asks for a permit.
    pub(crate) fn enter(&mut self, job: Job, band: Band) -> Entry {
        if let Some(place) = self.set_aside.iter().position(|&waited| waited == job) {
            self.set_aside.swap_remove(place);
            return Entry::Go;
        }
        if self.in_use < self.cap.get() {
            self.in_use += 1;
            self.check();
            return Entry::Go;
        }
        self.waiters.push(job, band);
        Entry::Wait
    }

    /// Gives a permit back; it is set aside for the job that is returned, which the caller makes
    /// ready.
    #[must_use]
    pub(crate) fn leave(&mut self) -> Option<Job> {
        self.in_use -= 1;
        let next = self.admit_next();
        self.check();
        next
    }

    /// Changes how many permits there are. The jobs that are returned have one now, and the caller
    /// makes them ready. Permits above the new number run out as they are given back.
    #[must_use]
    pub(crate) fn set_cap(&mut self, cap: NonZeroUsize) -> Vec<Job> {
        self.cap = cap;
        let admitted = std::iter::from_fn(|| self.admit_next()).collect();
        self.check();
        admitted
    }

    fn admit_next(&mut self) -> Option<Job> {
        if self.in_use >= self.cap.get() {
            return None;
        }
        let (job, _) = self.waiters.pop()?;
        self.in_use += 1;
        self.set_aside.push(job);
        Some(job)
    }

    fn check(&self) {
        let all_out = self.in_use >= self.cap.get();
        assert!(
            self.waiters.len() == 0 || all_out,
            "a permit is left and somebody waits: {self:?}"
        );
    }
}

/// A key under which turns in flight are limited.
pub(crate) struct Gate {
    pub(crate) key: Text,
    /// Guards the permits. Taken with nothing else inside; inside the scheduler's lock by who
    /// changes the number.
    limiter: Mutex<Limiter>,
}

impl Gate {
    pub(crate) fn new(key: Text, cap: NonZeroUsize, n_bands: usize) -> Gate {
        Gate { key, limiter: Mutex::new(Limiter::new(cap, n_bands)) }
    }

    pub(crate) fn enter(&self, job: Job, band: Band) -> Entry {
        self.limiter.lock().enter(job, band)
    }

    pub(crate) fn leave(&self) -> Option<Job> {
        self.limiter.lock().leave()
    }

    /// How many permits there are, and who waits for one first; `None` if nobody does.
    pub(crate) fn first_waiter(&self) -> Option<(usize, Job)> {
        let limiter = self.limiter.lock();
        Some((limiter.cap.get(), limiter.waiters.first()?))
    }

    pub(crate) fn set_cap(&self, cap: NonZeroUsize) -> Vec<Job> {
        self.limiter.lock().set_cap(cap)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;

    fn cap(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).expect("it is not zero")
    }

    /// `3` enters in band 0, `3'` in band 1, `-` leaves, `=2` changes the number.
    fn trace(limit: usize, steps: &str) -> String {
        let mut limiter = Limiter::new(cap(limit), 2);
        let step = |step: &str| {
            if step == "-" {
                return format!("- {:?}\n", limiter.leave());
            }
            if let Some(n) = step.strip_prefix('=') {
                return format!(
                    "{step} {:?}\n",
                    limiter.set_cap(cap(n.parse().expect("a number")))
                );
            }
            let band = usize::from(step.ends_with('\''));
            let owner = step.trim_end_matches('\'').parse().expect("a number");
            format!("{step} {:?}\n", limiter.enter(Job::Turns(owner), band))
        };
        steps.split(' ').map(step).collect()
    }

    #[test]
    fn permits_go_to_lower_bands_first_and_then_to_who_has_waited_longest() {
        assert_snapshot!(trace(1, "1 2' 3' 4 - 5' 4 - 2 - 3 - 5 - 1"), @r"
        1 Go
        2' Wait
        3' Wait
        4 Wait
        - Some(Turns(4))
        5' Wait
        4 Go
        - Some(Turns(2))
        2 Go
        - Some(Turns(3))
        3 Go
        - Some(Turns(5))
        5 Go
        - None
        1 Go
        ");
    }

    #[test]
    fn nobody_slips_in_before_who_was_handed_a_permit() {
        assert_snapshot!(trace(2, "1 2 3 - 4 3 - 4"), @r"
        1 Go
        2 Go
        3 Wait
        - Some(Turns(3))
        4 Wait
        3 Go
        - Some(Turns(4))
        4 Go
        ");
    }

    #[test]
    fn more_permits_count_at_once_and_fewer_as_they_come_back() {
        assert_snapshot!(trace(1, "1 2 3 4 =3 2 3 =1 - - - 4"), @r"
        1 Go
        2 Wait
        3 Wait
        4 Wait
        =3 [Turns(2), Turns(3)]
        2 Go
        3 Go
        =1 []
        - None
        - None
        - Some(Turns(4))
        4 Go
        ");
    }

    proptest! {
        #[test]
        fn no_more_than_the_cap_and_everybody_comes_to_go(
            n_permits in 1..4_usize, steps in prop::collection::vec((0..3, 0..2_usize), 1..60),
        ) {
            let mut limiter = Limiter::new(cap(n_permits), 2);
            let (mut next, mut n_inside, mut n_waiting, mut ready) = (0, 0, 0_usize, Vec::new());
            let mut act = |step: i32, band: usize| {
                match step {
                    0 => {
                        let entry = limiter.enter(Job::Turns(next), band);
                        next += 1;
                        if entry == Entry::Go { n_inside += 1 } else { n_waiting += 1 }
                    }
                    1 if n_inside > 0 => {
                        n_inside -= 1;
                        ready.extend(limiter.leave());
                    }
                    _ => if let Some(job) = ready.pop() {
                        assert_eq!(limiter.enter(job, band), Entry::Go);
                        n_inside += 1;
                        n_waiting -= 1;
                    }
                }
                assert!(n_inside + ready.len() <= n_permits);
                (n_inside, n_waiting)
            };
            steps.into_iter().for_each(|(step, band)| { act(step, band); });
            // Whoever is inside leaves, whoever is ready enters.
            while { act(2, 0); act(1, 0).1 > 0 } {}
        }
    }
}
