//! Owns a join: what has come from each of its parents, and what follows from that.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::shape::{Join, StepShape};
use super::{Effect, Told};

/// Word of a parent's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Arrival {
    /// It came to its end, and leads here.
    Live,
    /// It was not chosen, or went elsewhere.
    Unselected,
    Skipped,
    Failed,
}

/// Why a step never started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Because {
    ParentFailed(u32),
    ParentSkipped(u32),
    /// It waited for this one until nothing was under way.
    NeverCame(u32),
}

/// What a round has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    Start,
    /// It started, or failed, before.
    Already,
    Unselected,
    Never(Because),
}

impl Met {
    /// Of a step with one parent.
    pub(crate) fn by_one(parent: u32, arrival: Arrival) -> Met {
        match arrival {
            Arrival::Live => Met::Start,
            Arrival::Unselected => Met::Unselected,
            Arrival::Skipped => Met::Never(Because::ParentSkipped(parent)),
            Arrival::Failed => Met::Never(Because::ParentFailed(parent)),
        }
    }
}

/// A join between its first arrival and its last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JoinState {
    /// By parent, what has come and is not of a round that is over.
    arrived: Vec<VecDeque<Arrival>>,
    /// What there was to do in this round is done.
    is_decided: bool,
    /// Somebody was told that it waits.
    is_waiting: bool,
}

impl JoinState {
    pub(crate) fn new(plan: &StepShape) -> JoinState {
        let arrived = vec![VecDeque::new(); plan.parents.len()];
        JoinState { arrived, is_decided: false, is_waiting: false }
    }

    /// Whether nothing is left of it that a new one would not have.
    pub(crate) fn is_fresh(&self) -> bool {
        self.arrived.iter().all(VecDeque::is_empty)
    }

    /// Word from a parent has come: what the rounds that are decided by it come to.
    pub(crate) fn arrive(
        &mut self,
        join: u32,
        plan: &StepShape,
        from: u32,
        arrival: Arrival,
        fx: &mut Vec<Effect>,
    ) -> Vec<Met> {
        let at = plan.parents.iter().position(|&parent| parent == from);
        self.arrived[at.expect("word comes from a parent")].push_back(arrival);
        let mut met = Vec::new();
        loop {
            if plan.join == Join::Any && !self.is_decided && self.first().any(is_live) {
                self.is_decided = true;
                met.push(Met::Start);
            }
            if self.arrived.iter().any(VecDeque::is_empty) {
                break;
            }
            met.push(if self.is_decided { Met::Already } else { self.decide(plan) });
            for queue in &mut self.arrived {
                queue.pop_front();
            }
            self.is_decided = false;
            if std::mem::take(&mut self.is_waiting) {
                fx.push(Effect::Disarm { join });
                fx.push(Effect::Tell(Told::JoinRelease { join }));
            }
        }
        self.wait(join, plan, fx);
        met
    }

    /// Tells that it waits, and for whom, once in a round.
    fn wait(&mut self, join: u32, plan: &StepShape, fx: &mut Vec<Effect>) {
        let waits = plan.join == Join::All && !self.is_decided && self.first().any(is_live);
        if !waits || std::mem::replace(&mut self.is_waiting, true) {
            return;
        }
        let missing = plan.parents.iter().zip(&self.arrived);
        let waiting_for: Vec<u32> =
            missing.filter(|(_, queue)| queue.is_empty()).map(|(&parent, _)| parent).collect();
        let arrived = self.first().filter(|&arrival| is_live(arrival)).count() as u32;
        if let Some(limit) = plan.join_limit {
            fx.push(Effect::Arm { join, limit });
        }
        fx.push(Effect::Tell(Told::JoinWait { join, arrived, waiting_for }));
    }

    fn first(&self) -> impl Iterator<Item = Arrival> + '_ {
        self.arrived.iter().filter_map(|queue| queue.front().copied())
    }

    /// All have come by: what that means.
    fn decide(&self, plan: &StepShape) -> Met {
        let by = || plan.parents.iter().copied().zip(self.first());
        let never = by().find_map(|(parent, arrival)| match Met::by_one(parent, arrival) {
            Met::Never(because) => Some(because),
            _ => None,
        });
        match never {
            // The first of any would have started it.
            Some(because) => Met::Never(because),
            None if self.first().any(is_live) => Met::Start,
            None => Met::Unselected,
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// It waits no longer in this round. Says whether it did.
    pub(crate) fn expire(&mut self) -> bool {
        self.is_waiting = false;
        !std::mem::replace(&mut self.is_decided, true)
    }

    /// Whom it has waited for in vain, if it has.
    pub(crate) fn missing(&self, plan: &StepShape) -> Option<u32> {
        if self.is_decided {
            return None;
        }
        let mut parents = plan.parents.iter().zip(&self.arrived);
        parents.find(|(_, queue)| queue.is_empty()).map(|(&parent, _)| parent)
    }
}

fn is_live(arrival: Arrival) -> bool {
    arrival == Arrival::Live
}
