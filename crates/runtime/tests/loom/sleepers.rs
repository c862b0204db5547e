//! Models of the shards, and of a worker that falls asleep while another makes work: a small copy
//! of what `core/sched.rs` does, around the real counters and the real fence.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread::spawn;
use selvedge_sync::{Condvar, Mutex};

use crate::check;
use crate::ready::Job;
use crate::shards::{Shards, dekker_fence};

/// What sleeper and pusher share.
struct Floor {
    shards: Shards,
    sched: Mutex<Sched>,
    idle: Condvar,
    n_sleepers: AtomicUsize,
}

#[derive(Default)]
struct Sched {
    n_idle: usize,
    spinning: bool,
}

impl Floor {
    fn new(n_shards: usize) -> Arc<Floor> {
        Arc::new(Floor {
            shards: Shards::new(n_shards, 1),
            sched: Mutex::new(Sched::default()),
            idle: Condvar::new(),
            n_sleepers: AtomicUsize::new(0),
        })
    }

    fn push(&self, own: usize, owner: u32) {
        self.shards.push(own, [(Job::Turns(owner), 0)].into_iter());
        dekker_fence();
        if self.n_sleepers.load(Ordering::Relaxed) > 0 {
            let sched = self.sched.lock();
            if sched.n_idle > 0 && !sched.spinning {
                self.idle.notify_one();
            }
        }
    }

    fn publish_sleepers(&self, sched: &Sched) {
        let n = if sched.spinning { 0 } else { sched.n_idle };
        self.n_sleepers.store(n, Ordering::Relaxed);
    }

    /// Takes a job, sooner or later; `spins` is whether it looks around once before it sleeps.
    fn take(&self, own: usize, spins: Spins) -> Job {
        loop {
            if let Some(job) = self.shards.take(own, own) {
                return job;
            }
            let mut sched = self.sched.lock();
            if spins == Spins::Once && !sched.spinning {
                sched.spinning = true;
                self.publish_sleepers(&sched);
                drop(sched);
                let _ = self.shards.any();
                sched = self.sched.lock();
                sched.spinning = false;
                self.publish_sleepers(&sched);
            }
            while !self.shards.any() {
                sched.n_idle += 1;
                self.publish_sleepers(&sched);
                dekker_fence();
                if !self.shards.any() {
                    sched = self.idle.wait(sched);
                }
                sched.n_idle -= 1;
                self.publish_sleepers(&sched);
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spins {
    Never,
    Once,
}

#[test]
fn a_worker_that_falls_asleep_misses_nothing() {
    check(|| {
        let floor = Floor::new(2);
        let sleeper = Arc::clone(&floor);
        let sleeper = spawn(move || sleeper.take(1, Spins::Never));
        floor.push(0, 7);
        assert_eq!(sleeper.join().expect("no panic"), Job::Turns(7));
    });
}

#[test]
fn a_worker_that_spins_looks_again() {
    check(|| {
        let floor = Floor::new(2);
        let sleeper = Arc::clone(&floor);
        let sleeper = spawn(move || sleeper.take(1, Spins::Once));
        floor.push(0, 7);
        assert_eq!(sleeper.join().expect("no panic"), Job::Turns(7));
    });
}

#[test]
fn a_job_is_taken_once_whoever_steals() {
    check(|| {
        let shards = Arc::new(Shards::new(2, 2));
        let own = [(Job::Turns(0), 1), (Job::Turns(1), 1), (Job::Turns(2), 0)];
        shards.push(0, own.into_iter());
        let thief = Arc::clone(&shards);
        let thief = spawn(move || [thief.take(1, 1), thief.take(1, 1)]);
        let mine = shards.push_and_pop(0, [(Job::Turns(3), 1)].into_iter()).0;
        let theirs = thief.join().expect("no panic");
        let left = std::iter::from_fn(|| shards.take(0, 0).or_else(|| shards.take(1, 1)));
        let mut all: Vec<Job> = mine.into_iter().chain(theirs.into_iter().flatten()).collect();
        all.extend(left);
        all.sort_unstable_by_key(|job| match job {
            Job::Turns(owner) => *owner,
            Job::Scope { .. } => unreachable!("the model has no scopes"),
        });
        assert_eq!(all, [0, 1, 2, 3].map(Job::Turns));
        assert!(!shards.any() && shards.first_band().is_none());
    });
}
