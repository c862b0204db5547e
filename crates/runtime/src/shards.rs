//! Owns the shards: the jobs that each worker has made ready and takes itself, unless another
//! worker that has nothing to do takes some of them away.
//!
//! Bands are strict over all shards: every band has a count of the jobs that wait in it anywhere,
//! and a worker takes none of its own while a lower band has some elsewhere. With one band in use
//! that costs nothing.

use selvedge_sync::Mutex;
use selvedge_sync::atomic::{AtomicUsize, Ordering, fence};

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
    /// else from the first other that has; of another's, half of the band comes along.
    pub(crate) fn take(&self, own: usize) -> Option<Job> {
        let wanted = self.first_band()?;
        let n_shards = self.shards.len();
        let mut fallback = None;
        for victim in (own..n_shards).chain(0..own) {
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
    fence(Ordering::SeqCst);
}
