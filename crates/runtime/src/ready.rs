//! Owns the set of what workers can take next, by band. Pure: the scheduler's lock is around it.

use std::collections::VecDeque;

use crate::mailbox::Effect;

/// A processor's index in the pipeline, in order of registration.
pub(crate) type OwnerIdx = u32;

/// Something for a worker to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Take turns for this processor.
    Turns(OwnerIdx),
    /// Pull from this processor.
    Pull(OwnerIdx),
    /// Post what waits in this lane of outside submissions.
    Lane(u32),
}

/// A place in the ready set to be taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Newly {
    Ready(OwnerIdx),
    Promoted(OwnerIdx),
    Pull(OwnerIdx),
    Lane(u32),
}

impl Newly {
    /// What a mailbox's protocol asks for.
    pub(crate) fn from_effect(effect: Effect, owner: OwnerIdx) -> Option<Newly> {
        match effect {
            Effect::Enqueue => Some(Newly::Ready(owner)),
            Effect::EnqueuePull => Some(Newly::Pull(owner)),
            Effect::Promote => Some(Newly::Promoted(owner)),
            Effect::Nothing | Effect::Discard => None,
        }
    }
}

/// Who waits for a worker. First come, first served within a band; lower bands first, always.
///
/// Lanes go before every band: what is in them may be for the first one, and taking it out is
/// short. They and the pulls are passed over while nothing may be admitted.
#[derive(Debug)]
pub(crate) struct ReadySet {
    bands: Vec<Band>,
    lanes: VecDeque<u32>,
    n_ready: usize,
    n_pulls: usize,
}

#[derive(Clone, Debug, Default)]
struct Band {
    ready: VecDeque<OwnerIdx>,
    pulls: VecDeque<OwnerIdx>,
}

impl ReadySet {
    pub(crate) fn new(n_bands: usize) -> ReadySet {
        ReadySet {
            bands: vec![Band::default(); n_bands],
            lanes: VecDeque::new(),
            n_ready: 0,
            n_pulls: 0,
        }
    }

    /// Sets how many bands there are, when the wiring is complete; only lanes can wait by then.
    pub(crate) fn set_bands(&mut self, n_bands: usize) {
        assert!(self.n_ready + self.n_pulls == 0, "bands are set before anyone is ready");
        self.bands = vec![Band::default(); n_bands];
    }

    pub(crate) fn push(&mut self, owner: OwnerIdx, band: usize) {
        self.bands[band].ready.push_back(owner);
        self.n_ready += 1;
    }

    pub(crate) fn push_pull(&mut self, owner: OwnerIdx, band: usize) {
        self.bands[band].pulls.push_back(owner);
        self.n_pulls += 1;
    }

    pub(crate) fn push_lane(&mut self, lane: u32) {
        self.lanes.push_back(lane);
    }

    /// Moves an owner from the pulls, if it is still there, to the ready ones. Linear in the
    /// number of sources that wait for room.
    pub(crate) fn promote(&mut self, owner: OwnerIdx, band: usize) {
        let pulls = &mut self.bands[band].pulls;
        if let Some(found) = pulls.iter().position(|&waiting| waiting == owner) {
            pulls.remove(found);
            self.n_pulls -= 1;
        }
        self.push(owner, band);
    }

    /// The next thing to do; linear in the number of bands.
    pub(crate) fn pop(&mut self, admit: Admit) -> Option<Work> {
        if admit == Admit::Open
            && let Some(lane) = self.lanes.pop_front()
        {
            return Some(Work::Lane(lane));
        }
        if self.n_takeable(admit) == 0 {
            return None;
        }
        for band in &mut self.bands {
            if let Some(owner) = band.ready.pop_front() {
                self.n_ready -= 1;
                return Some(Work::Turns(owner));
            }
            if admit == Admit::Open
                && let Some(owner) = band.pulls.pop_front()
            {
                self.n_pulls -= 1;
                return Some(Work::Pull(owner));
            }
        }
        None
    }

    /// How many things a worker could take now.
    pub(crate) fn n_takeable(&self, admit: Admit) -> usize {
        match admit {
            Admit::Open => self.n_ready + self.n_pulls + self.lanes.len(),
            Admit::Full => self.n_ready,
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
        while let Some(work) = set.pop(admit) {
            order.push(format!("{work:?}"));
        }
        order.join(" ")
    }

    #[test]
    fn lanes_then_bands_then_first_come() {
        let mut set = ReadySet::new(2);
        set.push(7, 1);
        set.push_pull(8, 1);
        set.push(3, 0);
        set.push(1, 0);
        set.push_lane(0);
        set.push_pull(4, 0);
        let order = "Lane(0) Turns(3) Turns(1) Pull(4) Turns(7) Pull(8)";
        assert_eq!(drained(&mut set, Admit::Open), order);
        assert!(set.is_empty());
    }

    #[test]
    fn nothing_is_admitted_while_full() {
        let mut set = ReadySet::new(1);
        set.push_lane(0);
        set.push_pull(4, 0);
        set.push(1, 0);
        assert_eq!(drained(&mut set, Admit::Full), "Turns(1)");
        assert_eq!(set.n_takeable(Admit::Full), 0);
        assert_eq!(drained(&mut set, Admit::Open), "Lane(0) Pull(4)");
    }

    #[test]
    fn mail_moves_a_source_to_the_ready_ones() {
        let mut set = ReadySet::new(1);
        set.push_pull(4, 0);
        set.push_pull(5, 0);
        set.promote(4, 0);
        // Its entry was popped already: promotion still makes it ready.
        set.promote(6, 0);
        assert_eq!(drained(&mut set, Admit::Full), "Turns(4) Turns(6)");
        assert_eq!(drained(&mut set, Admit::Open), "Pull(5)");
    }
}
