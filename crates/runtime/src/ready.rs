//! Owns the sets of what workers can take next, by band. Pure: locks are around them.

use std::collections::VecDeque;

use crate::mailbox::Effect;

/// A processor's index in the pipeline, in order of registration.
pub(crate) type OwnerIdx = u32;

/// A scope's place in the table of those that are open; used again when it is over.
pub(crate) type ScopeIdx = u32;

/// A band's index: priorities in use, numbered from the first to be served.
pub(crate) type Band = usize;

/// Someone's turns, to be taken by whichever worker comes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Those of this processor.
    Turns(OwnerIdx),
    /// One of this scope, which is in this band.
    Scope { scope: ScopeIdx, band: u16, errand: Errand },
}

/// What there is to do for a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// Take the turn of this task.
    Task(u32),
    /// Attempt again the task that waited with this ticket.
    Again(u32),
    /// Post this task: an alarm is due.
    Due(u32),
    /// Admit what waits of a range.
    Admit,
    /// Take the last turn.
    End,
}

/// Something for a worker to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Take turns.
    Job(Job),
    /// Pull from this processor.
    Pull(OwnerIdx),
    /// Post what waits in this lane of outside submissions.
    Lane(u32),
    /// See to the timers that are due.
    Alarms,
}

/// A place in a ready set to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Newly {
    Ready(Job),
    Promoted(OwnerIdx),
    Pull(OwnerIdx),
    Lane(u32),
}

impl Newly {
    /// What a mailbox's protocol asks for.
    #[inline]
    pub(crate) fn from_effect(effect: Effect, owner: OwnerIdx) -> Option<Newly> {
        match effect {
            Effect::Enqueue => Some(Newly::Ready(Job::Turns(owner))),
            Effect::EnqueuePull => Some(Newly::Pull(owner)),
            Effect::Promote => Some(Newly::Promoted(owner)),
            Effect::Nothing | Effect::Discard => None,
        }
    }
}

/// Jobs that wait for a worker. First come, first served within a band; lower bands first.
#[derive(Debug, Default)]
pub(crate) struct BandQueue {
    bands: Vec<VecDeque<Job>>,
    n_jobs: usize,
}

impl BandQueue {
    pub(crate) fn new(n_bands: usize) -> BandQueue {
        BandQueue { bands: vec![VecDeque::new(); n_bands], n_jobs: 0 }
    }

    #[inline]
    pub(crate) fn push(&mut self, job: Job, band: Band) {
        self.bands[band].push_back(job);
        self.n_jobs += 1;
    }

    /// The next job and its band; linear in the number of bands.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(Job, Band)> {
        if self.n_jobs == 0 {
            return None;
        }
        let mut bands = self.bands.iter_mut().zip(0..);
        let found = bands.find_map(|(jobs, band)| Some((jobs.pop_front()?, band)));
        self.n_jobs -= usize::from(found.is_some());
        found
    }

    /// Takes out half of what waits in this band, oldest first, at most `n_max`.
    pub(crate) fn pop_half(&mut self, band: Band, n_max: usize) -> impl Iterator<Item = Job> {
        let n = (self.bands[band].len() / 2).min(n_max);
        self.n_jobs -= n;
        self.bands[band].drain(..n)
    }

    /// The band of the next job.
    pub(crate) fn first_band(&self) -> Option<Band> {
        self.bands.iter().position(|jobs| !jobs.is_empty())
    }

    /// The next job, which stays.
    pub(crate) fn first(&self) -> Option<Job> {
        self.bands.iter().find_map(|jobs| jobs.front().copied())
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.n_jobs
    }
}

/// What waits under the scheduler's lock, apart from the jobs that workers keep in shards of their
/// own: lanes, pulls, and jobs that no worker made ready.
///
/// Lanes and pulls are passed over while nothing may be admitted.
#[derive(Debug)]
pub(crate) struct ReadySet {
    jobs: BandQueue,
    pulls: Vec<VecDeque<OwnerIdx>>,
    lanes: VecDeque<u32>,
    n_pulls: usize,
}

impl ReadySet {
    pub(crate) fn new(n_bands: usize) -> ReadySet {
        ReadySet {
            jobs: BandQueue::new(n_bands),
            pulls: vec![VecDeque::new(); n_bands],
            lanes: VecDeque::new(),
            n_pulls: 0,
        }
    }

    /// Sets how many bands there are, when the wiring is complete; only lanes can wait by then.
    pub(crate) fn set_bands(&mut self, n_bands: usize) {
        assert!(self.jobs.len() + self.n_pulls == 0, "bands are set before anyone is ready");
        let lanes = std::mem::take(&mut self.lanes);
        *self = ReadySet { lanes, ..ReadySet::new(n_bands) };
    }

    pub(crate) fn push(&mut self, job: Job, band: Band) {
        self.jobs.push(job, band);
    }

    pub(crate) fn push_pull(&mut self, owner: OwnerIdx, band: Band) {
        self.pulls[band].push_back(owner);
        self.n_pulls += 1;
    }

    pub(crate) fn push_lane(&mut self, lane: u32) {
        self.lanes.push_back(lane);
    }

    /// Forgets an owner's place among the pulls, if it is still there: it has become ready. Linear
    /// in the number of sources that wait for room.
    pub(crate) fn forget_pull(&mut self, owner: OwnerIdx, band: Band) {
        let pulls = &mut self.pulls[band];
        if let Some(found) = pulls.iter().position(|&waiting| waiting == owner) {
            pulls.remove(found);
            self.n_pulls -= 1;
        }
    }

    /// Whether any job waits.
    pub(crate) fn has_jobs(&self) -> bool {
        self.jobs.len() > 0
    }

    /// Whether a lane or a pull waits.
    pub(crate) fn has_more(&self) -> bool {
        self.n_pulls > 0 || !self.lanes.is_empty()
    }

    /// The band of the first job.
    pub(crate) fn first_job_band(&self) -> Option<Band> {
        self.jobs.first_band()
    }

    /// The band of the first pull.
    pub(crate) fn first_pull_band(&self, admit: Admit) -> Option<Band> {
        match admit {
            Admit::Open if self.n_pulls > 0 => self.pulls.iter().position(|p| !p.is_empty()),
            Admit::Open | Admit::Full => None,
        }
    }

    pub(crate) fn pop_lane(&mut self, admit: Admit) -> Option<u32> {
        if admit == Admit::Open { self.lanes.pop_front() } else { None }
    }

    pub(crate) fn pop_job(&mut self) -> Option<Job> {
        self.jobs.pop().map(|(job, _)| job)
    }

    pub(crate) fn pop_pull(&mut self, band: Band) -> Option<OwnerIdx> {
        let pull = self.pulls[band].pop_front();
        self.n_pulls -= usize::from(pull.is_some());
        pull
    }

    /// How many things a worker could take now.
    pub(crate) fn n_takeable(&self, admit: Admit) -> usize {
        match admit {
            Admit::Open => self.jobs.len() + self.n_pulls + self.lanes.len(),
            Admit::Full => self.jobs.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.n_takeable(Admit::Open) == 0
    }
}

/// Whether more may come in from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admit {
    /// There is room.
    Open,
    /// As many deliveries are in flight as there may be.
    Full,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(set: &mut ReadySet, admit: Admit) -> String {
        let mut order = Vec::new();
        while let Some(lane) = set.pop_lane(admit) {
            order.push(format!("Lane({lane})"));
        }
        order.extend(std::iter::from_fn(|| set.pop_job()).map(|job| format!("{job:?}")));
        while let Some(band) = set.first_pull_band(admit) {
            order.extend(set.pop_pull(band).map(|owner| format!("Pull({owner})")));
        }
        order.join(" ")
    }

    #[test]
    fn lanes_then_bands_then_first_come() {
        let mut set = ReadySet::new(2);
        set.push(Job::Turns(7), 1);
        set.push_pull(8, 1);
        set.push(Job::Turns(3), 0);
        set.push(Job::Turns(1), 0);
        set.push_lane(0);
        set.push_pull(4, 0);
        let order = "Lane(0) Turns(3) Turns(1) Turns(7) Pull(4) Pull(8)";
        assert_eq!(drained(&mut set, Admit::Open), order);
        assert!(set.is_empty());
    }

    #[test]
    fn nothing_is_admitted_while_full() {
        let mut set = ReadySet::new(1);
        set.push_lane(0);
        set.push_pull(4, 0);
        set.push(Job::Turns(1), 0);
        assert_eq!(drained(&mut set, Admit::Full), "Turns(1)");
        assert_eq!(set.n_takeable(Admit::Full), 0);
        assert_eq!(drained(&mut set, Admit::Open), "Lane(0) Pull(4)");
    }

    #[test]
    fn who_has_mail_waits_for_no_room() {
        let mut set = ReadySet::new(1);
        set.push_pull(4, 0);
        set.push_pull(5, 0);
        set.forget_pull(4, 0);
        // Its entry was popped already.
        set.forget_pull(6, 0);
        assert_eq!(drained(&mut set, Admit::Open), "Pull(5)");
    }

    #[test]
    fn half_of_a_band_can_be_taken_away() {
        let mut queue = BandQueue::new(2);
        (0..5).for_each(|owner| queue.push(Job::Turns(owner), 1));
        queue.push(Job::Turns(9), 0);
        assert_eq!(queue.first_band(), Some(0));
        let taken: Vec<Job> = queue.pop_half(1, 64).collect();
        assert_eq!(taken, [Job::Turns(0), Job::Turns(1)]);
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(
            order,
            [(Job::Turns(9), 0), (Job::Turns(2), 1), (Job::Turns(3), 1), (Job::Turns(4), 1),]
        );
        assert_eq!(queue.len(), 0);
    }
}
