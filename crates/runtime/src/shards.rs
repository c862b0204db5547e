//! Owns the shards: the jobs that each worker has made ready and takes itself, unless another
//! worker that has nothing to do takes some of them away.
//!
//! Bands are strict over all shards: every band has a count of the jobs that wait in it anywhere,
//! and a worker takes none of its own while a lower band has some elsewhere. With one band in use
//! that costs nothing.

use std::iter::once;

use selvedge_sync::Mutex;
use selvedge_sync::atomic::{AtomicUsize, Ordering, fence};

use crate::planted::planted;
use crate::ready::{Band, BandQueue, Job};

/// All workers' shards.
#[derive(Debug, Default)]
pub(crate) struct Shards {
    shards: Box<[Shard]>,
    /// Jobs per band over all shards; empty if there is one band. Relaxed: a count that is a
    /// moment old delays a job of a lower band by a batch, as any batch under way does.
    n_in_band: Box<[AtomicUsize]>,
}

/// A worker's own jobs. (Aligned so that two workers' don't share a line of the cache.)
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    /// Guards the jobs. Taken with nothing else inside, but for another shard's when stealing:
    /// the robbed one's is given back before the own one's is taken.
    jobs: Mutex<BandQueue>,
    /// How many there are. Written under the lock and read without it.
    n_jobs: AtomicUsize,
}

/// Jobs taken away at a time.
const STOLEN_MAX: usize = 64;

impl Shards {
    pub(crate) fn new(n_shards: usize, n_bands: usize) -> Shards {
        let shard =
            |_| Shard { jobs: Mutex::new(BandQueue::new(n_bands)), n_jobs: AtomicUsize::new(0) };
        let n_counted = if n_bands > 1 { n_bands } else { 0 };
        Shards {
            shards: (0..n_shards).map(shard).collect(),
            n_in_band: (0..n_counted).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    /// How many shards there are.
    pub(crate) fn len(&self) -> usize {
        self.shards.len()
    }

    /// Whether this worker's own shard is empty.
    #[inline]
    pub(crate) fn is_empty(&self, own: usize) -> bool {
        self.shards[own].n_jobs.load(Ordering::Relaxed) == 0
    }

    /// Whether all processors are of one band.
    #[inline]
    pub(crate) fn has_one_band(&self) -> bool {
        self.n_in_band.is_empty()
    }

    /// Whether some shard has a job.
    pub(crate) fn any(&self) -> bool {
        self.shards.iter().any(|shard| shard.n_jobs.load(Ordering::Relaxed) > 0)
    }

    /// Whether a lower band than this has a job in some shard.
    #[inline]
    pub(crate) fn any_before(&self, band: Band) -> bool {
        if planted("band-inversion") {
            return false;
        }
        let before = self.n_in_band.get(..band).unwrap_or_default();
        before.iter().any(|n| n.load(Ordering::Relaxed) > 0)
    }

    /// Adds jobs to a worker's own shard.
    pub(crate) fn push(&self, own: usize, jobs: impl Iterator<Item = (Job, Band)>) {
        let shard = &self.shards[own];
        let mut queue = shard.jobs.lock();
        self.push_all(&mut queue, jobs);
        shard.n_jobs.store(queue.len(), Ordering::Relaxed);
    }

    /// Adds jobs to a worker's own shard and takes the next one; says how many are left.
    ///
    /// None is taken while a lower band has jobs elsewhere.
    #[inline]
    pub(crate) fn push_and_pop(
        &self,
        own: usize,
        jobs: impl Iterator<Item = (Job, Band)>,
    ) -> (Option<Job>, usize) {
        let shard = &self.shards[own];
        let mut queue = shard.jobs.lock();
        self.push_all(&mut queue, jobs);
        let first = queue.first_band();
        let job = match first {
            Some(band) if !self.any_before(band) => queue.pop(),
            _ => None,
        };
        let n_left = queue.len();
        shard.n_jobs.store(n_left, Ordering::Relaxed);
        drop(queue);
        (job.map(|(job, band)| self.count_out(job, band)), n_left)
    }

    #[inline]
    fn push_all(&self, queue: &mut BandQueue, jobs: impl Iterator<Item = (Job, Band)>) {
        for (job, band) in jobs {
            queue.push(job, band);
            if let Some(n) = self.n_in_band.get(band) {
                n.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    #[inline]
    fn count_out(&self, job: Job, band: Band) -> Job {
        if let Some(n) = self.n_in_band.get(band) {
            n.fetch_sub(1, Ordering::Relaxed);
        }
        job
    }

    /// The lowest band that has a job in some shard.
    pub(crate) fn first_band(&self) -> Option<Band> {
        if self.n_in_band.is_empty() {
            return self.any().then_some(0);
        }
        self.n_in_band.iter().position(|n| n.load(Ordering::Relaxed) > 0)
    }

    /// Takes a job of the lowest band there is, from the own shard if it has one of that band,
    /// else from the first other that has, from `robbed` on; of another's, half of the band comes
    /// along.
    pub(crate) fn take(&self, own: usize, robbed: usize) -> Option<Job> {
        let wanted = self.first_band()?;
        let n_shards = self.shards.len();
        let mut fallback = None;
        for victim in once(own).chain(robbed..n_shards).chain(0..robbed) {
            let shard = &self.shards[victim];
            if shard.n_jobs.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let mut queue = shard.jobs.lock();
            match queue.first_band() {
                Some(band) if band <= wanted => {}
                Some(_) => {
                    fallback = fallback.or(Some(victim));
                    continue;
                }
                None => continue,
            }
            return self.take_from(victim, own, &mut queue).map(|(job, along)| {
                drop(queue);
                self.keep(own, along);
                job
            });
        }
        // What was wanted is gone by now; a job of another band is better than none.
        let victim = fallback?;
        let mut queue = self.shards[victim].jobs.lock();
        let (job, along) = self.take_from(victim, own, &mut queue)?;
        drop(queue);
        self.keep(own, along);
        Some(job)
    }

    /// The next job of a locked queue and, of another's, what comes along with it.
    fn take_from(
        &self,
        victim: usize,
        own: usize,
        queue: &mut BandQueue,
    ) -> Option<(Job, Vec<(Job, Band)>)> {
        let (job, band) = queue.pop()?;
        let mut along = Vec::new();
        if victim != own {
            along.extend(queue.pop_half(band, STOLEN_MAX).map(|job| (job, band)));
        }
        self.shards[victim].n_jobs.store(queue.len(), Ordering::Relaxed);
        Some((self.count_out(job, band), along))
    }

    /// Puts what came along into a worker's own shard. It stayed counted on its way: nobody takes
    /// a job of a later band meanwhile.
    fn keep(&self, own: usize, jobs: Vec<(Job, Band)>) {
        if jobs.is_empty() {
            return;
        }
        let shard = &self.shards[own];
        let mut queue = shard.jobs.lock();
        jobs.into_iter().for_each(|(job, band)| queue.push(job, band));
        shard.n_jobs.store(queue.len(), Ordering::Relaxed);
    }
}

/// Makes what was pushed before visible to whoever is about to sleep, or its sleep visible here:
/// one of the two, always. (T. J. Dekker's, as told by E. W. Dijkstra in 1965.)
///
/// A pusher stores `n_jobs`, passes the fence and reads how many sleep; who wants to sleep counts
/// itself among the sleepers, passes the fence and looks at all `n_jobs`.
#[inline]
pub(crate) fn dekker_fence() {
    if !planted("no-fence") {
        fence(Ordering::SeqCst);
    }
}

// A model checker's locks are no use outside of a model.
#[cfg(all(test, not(loom), not(shuttle)))]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const N_SHARDS: usize = 3;
    const N_BANDS: usize = 3;

    #[derive(Clone, Debug)]
    enum Step {
        Push { own: usize, bands: Vec<Band> },
        PushAndPop { own: usize, bands: Vec<Band> },
        Take { own: usize },
    }

    fn step() -> impl Strategy<Value = Step> {
        let bands = || vec(0..N_BANDS, 0..4);
        prop_oneof![
            (0..N_SHARDS, bands()).prop_map(|(own, bands)| Step::Push { own, bands }),
            (0..N_SHARDS, bands()).prop_map(|(own, bands)| Step::PushAndPop { own, bands }),
            (0..N_SHARDS).prop_map(|own| Step::Take { own }),
        ]
    }

    /// What waits where, in the order in which it came: shard, band, owner.
    #[derive(Default)]
    struct Model {
        waiting: Vec<(usize, Band, u32)>,
        n_pushed: u32,
    }

    impl Model {
        fn push(&mut self, own: usize, bands: &[Band]) -> Vec<(Job, Band)> {
            let new = bands.iter().zip(self.n_pushed..).map(|(&band, owner)| (band, owner));
            let new: Vec<_> = new.collect();
            self.n_pushed += u32::try_from(new.len()).expect("a few");
            self.waiting.extend(new.iter().map(|&(band, owner)| (own, band, owner)));
            new.into_iter().map(|(band, owner)| (Job::Turns(owner), band)).collect()
        }

        fn first_band(&self) -> Option<Band> {
            self.waiting.iter().map(|&(_, band, _)| band).min()
        }

        /// Takes the oldest job of this band in this shard out.
        fn pop(&mut self, shard: usize, band: Band) -> Option<u32> {
            let is_it = |&(at, of, _): &(usize, Band, u32)| (at, of) == (shard, band);
            let at = self.waiting.iter().position(is_it)?;
            Some(self.waiting.remove(at).2)
        }

        /// As `Shards::take`: of another's shard, half of what is left of the band comes along.
        fn take(&mut self, own: usize) -> Option<u32> {
            let band = self.first_band()?;
            let holds =
                |&shard: &usize| self.waiting.iter().any(|&(at, of, _)| (at, of) == (shard, band));
            let victim = (own..N_SHARDS).chain(0..own).find(holds)?;
            let taken = self.pop(victim, band);
            if victim != own {
                let left = self.waiting.iter().filter(|&&(at, of, _)| (at, of) == (victim, band));
                for _ in 0..left.count() / 2 {
                    let along = self.pop(victim, band).expect("it was counted");
                    self.waiting.push((own, band, along));
                }
            }
            taken
        }
    }

    fn owner(job: Option<Job>) -> Option<u32> {
        job.map(|job| match job {
            Job::Turns(owner) => owner,
            Job::Scope { .. } => unreachable!("the model has no scopes"),
        })
    }

    proptest! {
        #[test]
        fn whoever_takes_takes_the_oldest_of_the_lowest_band(steps in vec(step(), 1..40)) {
            let (shards, mut model) = (Shards::new(N_SHARDS, N_BANDS), Model::default());
            for step in steps {
                match step {
                    Step::Push { own, bands } => {
                        shards.push(own, model.push(own, &bands).into_iter());
                    }
                    Step::PushAndPop { own, bands } => {
                        let jobs = model.push(own, &bands);
                        let (job, n_left) = shards.push_and_pop(own, jobs.into_iter());
                        let lowest = model.first_band();
                        let expected = lowest.and_then(|band| model.pop(own, band));
                        prop_assert_eq!(owner(job), expected);
                        let own_left = model.waiting.iter().filter(|&&(at, ..)| at == own);
                        prop_assert_eq!(n_left, own_left.count());
                    }
                    Step::Take { own } => {
                        prop_assert_eq!(owner(shards.take(own, own)), model.take(own));
                    }
                }
                prop_assert_eq!(shards.first_band(), model.first_band());
                prop_assert_eq!(shards.any(), !model.waiting.is_empty());
                for band in 0..N_BANDS {
                    let before = model.waiting.iter().any(|&(_, of, _)| of < band);
                    prop_assert_eq!(shards.any_before(band), before);
                }
                for own in 0..N_SHARDS {
                    let empty = !model.waiting.iter().any(|&(at, ..)| at == own);
                    prop_assert_eq!(shards.is_empty(own), empty);
                }
            }
        }

        #[test]
        fn a_queue_is_sorted_by_band_then_by_age(
            steps in vec(prop_oneof![
                3 => (0..N_BANDS).prop_map(Some),
                2 => Just(None),
            ], 0..60),
            half_of in 0..N_BANDS,
        ) {
            let (mut queue, mut model) = (BandQueue::new(N_BANDS), Vec::<(Band, u32)>::new());
            for (step, n) in steps.into_iter().zip(0..) {
                if let Some(band) = step {
                    queue.push(Job::Turns(n), band);
                    model.push((band, n));
                    model.sort_unstable();
                } else {
                    let first = (!model.is_empty()).then(|| model.remove(0));
                    let first = first.map(|(band, n)| (Job::Turns(n), band));
                    prop_assert_eq!(queue.pop(), first);
                }
                prop_assert_eq!(queue.len(), model.len());
                prop_assert_eq!(queue.first_band(), model.first().map(|&(band, _)| band));
            }
            let of_band: Vec<_> = model.iter().filter(|&&(band, _)| band == half_of).collect();
            let half = of_band[..of_band.len() / 2].iter().map(|&&(_, n)| Job::Turns(n));
            let half: Vec<Job> = half.collect();
            prop_assert_eq!(queue.pop_half(half_of, usize::MAX).collect::<Vec<_>>(), half);
        }
    }
}
