//! Owns the position of a run: which steps are under way, what has reached each join, what waits.
//! Pure: what happened to a step comes in, what is to be done about it goes out as [`Effect`]s.
//! Refuses state, bodies, clocks and threads.
//!
//! Something travels along every edge in every round, so that a join always knows what it may still
//! wait for: a step that was not chosen, or did not come to its end, sends word of that instead of
//! itself (dead-path elimination, as workflow engines have it: Leymann and Altenhuber, "Managing
//! business processes as an information resource", 1994).

mod join;
mod shape;
mod slot;

use std::collections::{BTreeSet, VecDeque};
use std::hash::BuildHasherDefault;
use std::time::Duration;

use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

pub(crate) use join::{Arrival, Because};
use join::{JoinState, Met};
pub use shape::Join;
pub(crate) use shape::{Shape, ShapeKind, StepShape};
use slot::Items;
pub(crate) use slot::Slot;

/// Items of a map that are under way at a time, unless it has a cap of its own.
pub(crate) const WINDOW: u32 = 1_024;

/// How far items of a map may run ahead of the first that has not ended: what they change in the
/// state is kept until it is its turn.
const AHEAD_MAX: u32 = 1 << 16;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The slot's body is to run.
    Post(u32),
    /// A join waits from now on, for so long at most.
    Arm { join: u32, limit: Duration },
    /// It waits no more.
    Disarm { join: u32 },
    /// All items of a map have ended; the first that failed, if one did.
    ItemsDone { slot: u32, failed: Option<u32> },
    /// Something to be heard.
    Tell(Told),
}

/// What there is to hear of a step besides how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It never started.
    Skipped {
        step: u32,
        because: Because,
    },
    /// It began and will not end.
    GivenUp {
        slot: u32,
    },
    MapStart {
        slot: u32,
        items: u32,
    },
    MapWorker {
        slot: u32,
        item: u32,
    },
    MapComplete {
        slot: u32,
        items: u32,
    },
    JoinWait {
        join: u32,
        arrived: u32,
        waiting_for: Vec<u32>,
    },
    JoinRelease {
        join: u32,
    },
}

/// How a step's turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Go on with what comes after it.
    Next,
    /// Go on with this step instead.
    Jump(u32),
    /// A switch chose this one of its targets; `None` stops.
    Route(u32),
    /// Start nothing any more.
    Stop,
    /// Nothing comes after it.
    Skip,
    /// Start nothing until the run is resumed; then go on with what comes after it.
    Suspend,
    /// It failed, and nothing was left to do about that.
    Failed,
}

/// Whether new steps start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mode {
    #[default]
    Running,
    /// Nothing starts any more.
    Stopping,
    /// Nothing starts until the run is resumed.
    Holding,
}

/// See the module.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// By number; free ones are listed.
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    n_invocations: u64,
    joins: std::collections::HashMap<u32, JoinState, BuildHasherDefault<FxHasher>>,
    mode: Mode,
    /// Steps that start when the run is resumed.
    held: Vec<u32>,
    /// Slots that wait until nothing that may not run beside them does.
    waiting: VecDeque<u32>,
    /// Bodies under way.
    n_active: u32,
    /// Slots that runs within this one are for.
    n_away: u32,
    is_exclusive: bool,
}

type Effects = Vec<Effect>;

impl Machine {
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Joins that wait in this round and have a limit.
    fn limited<'s>(&'s self, shape: &'s Shape) -> impl Iterator<Item = (u32, Duration)> + 's {
        let waiting = self.joins.iter().filter(|(_, state)| state.is_waiting());
        waiting.filter_map(|(&join, _)| Some((join, shape.step(join).join_limit?)))
    }

    pub(crate) fn slot(&self, slot: u32) -> Option<&Slot> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// Steps that start when the run is resumed.
    pub(crate) fn held(&self) -> &[u32] {
        &self.held
    }

    /// The first item of a map that has not ended.
    pub(crate) fn frontier(&self, slot: u32) -> u32 {
        self.slot(slot).and_then(|slot| slot.items.as_ref()).map_or(0, |items| items.frontier)
    }

    fn slot_mut(&mut self, slot: u32) -> &mut Slot {
        self.slots[slot as usize].as_mut().expect("whoever names a slot has not ended it")
    }

    /// Whether no body is under way or about to be.
    pub(crate) fn is_idle(&self) -> bool {
        self.n_active == 0 && self.n_away == 0 && self.waiting.is_empty()
    }

    /// Starts these steps, whatever leads to them.
    pub(crate) fn start(&mut self, shape: &Shape, steps: &[u32], fx: &mut Effects) {
        steps.iter().for_each(|&step| self.activate(shape, step, fx));
    }

    /// The next attempt of a slot begins.
    pub(crate) fn attempt(&mut self, slot: u32) -> u32 {
        let slot = self.slot_mut(slot);
        slot.attempt += 1;
        slot.attempt
    }

    /// The body of a slot has returned, and something else is at it: what may run alone needs not
    /// wait for it.
    pub(crate) fn open(&mut self, shape: &Shape, slot: u32, fx: &mut Effects) {
        self.slot_mut(slot).opened = true;
        self.rest(shape, slot, fx);
    }

    /// A run within this one is at a slot.
    pub(crate) fn send_away(&mut self, shape: &Shape, slot: u32, fx: &mut Effects) {
        self.n_away += 1;
        self.open(shape, slot, fx);
    }

    /// It is not any more.
    pub(crate) fn come_back(&mut self, slot: u32) {
        self.n_away -= 1;
        self.n_active += 1;
        self.slot_mut(slot).opened = false;
    }

    /// The run within waits, and so does this one.
    pub(crate) fn hold(&mut self, shape: &Shape, slot: u32, fx: &mut Effects) {
        if self.mode == Mode::Running {
            self.mode = Mode::Holding;
        }
        self.open(shape, slot, fx);
    }

    /// A map has its items.
    pub(crate) fn map(&mut self, shape: &Shape, slot: u32, total: u32, fx: &mut Effects) {
        let ShapeKind::Map { cap, .. } = shape.step(self.slot_mut(slot).step).kind else {
            unreachable!("items are a map's");
        };
        let cap = cap.unwrap_or(WINDOW);
        let (ahead, failed) = (BTreeSet::new(), None);
        let items = Items { total, next: 0, n_active: 0, cap, frontier: 0, ahead, failed };
        self.slot_mut(slot).items = Some(Box::new(items));
        fx.push(Effect::Tell(Told::MapStart { slot, items: total }));
        self.open(shape, slot, fx);
        self.admit(shape, slot, fx);
    }

    /// Begins as many items of a map as there is room for; tells when all have ended.
    fn admit(&mut self, shape: &Shape, owner: u32, fx: &mut Effects) {
        let ShapeKind::Map { each, .. } = shape.step(self.slot_mut(owner).step).kind else {
            unreachable!("items are a map's");
        };
        loop {
            let mode = self.mode;
            let items = self.slot_mut(owner).items.as_mut().expect("a map that is open has items");
            let has_room = items.n_active < items.cap && items.next - items.frontier < AHEAD_MAX;
            if mode != Mode::Running || items.next == items.total || !has_room {
                break;
            }
            let item = items.next;
            items.next += 1;
            items.n_active += 1;
            let slot = self.take_slot(each, Some(owner), item);
            fx.push(Effect::Tell(Told::MapWorker { slot, item }));
            self.post(shape, slot, fx);
        }
        let items = self.slot_mut(owner).items.as_ref().expect("a map that is open has items");
        if items.frontier == items.total {
            let (items, failed) = (items.total, items.failed);
            fx.push(Effect::Tell(Told::MapComplete { slot: owner, items }));
            fx.push(Effect::ItemsDone { slot: owner, failed });
        }
    }

    /// A slot has come to its end, and what follows from that is done.
    pub(crate) fn end(&mut self, shape: &Shape, slot: u32, end: End, fx: &mut Effects) {
        let ended = self.slots[slot as usize].take().expect("a slot ends once");
        self.free.push(slot);
        if !ended.opened {
            self.n_active -= 1;
            self.is_exclusive = false;
        }
        match ended.owner {
            Some(owner) => self.item_ended(shape, owner, ended.item, end, fx),
            None => self.step_ended(shape, ended.step, end, fx),
        }
        self.wake(shape, fx);
    }

    fn item_ended(&mut self, shape: &Shape, owner: u32, item: u32, end: End, fx: &mut Effects) {
        match end {
            End::Stop => self.mode = Mode::Stopping,
            End::Suspend if self.mode == Mode::Running => self.mode = Mode::Holding,
            _ => {}
        }
        let items = self.slot_mut(owner).items.as_mut().expect("a map that is open has items");
        items.n_active -= 1;
        if end == End::Failed {
            items.failed = Some(items.failed.map_or(item, |first| first.min(item)));
        }
        items.ahead.insert(item);
        while items.ahead.remove(&items.frontier) {
            items.frontier += 1;
        }
        self.admit(shape, owner, fx);
    }

    fn step_ended(&mut self, shape: &Shape, step: u32, end: End, fx: &mut Effects) {
        let mut word = VecDeque::new();
        let plan = shape.step(step);
        let targets = plan.targets();
        let mut tell = |arrival| word.extend(targets.iter().map(|&to| (to, step, arrival)));
        match end {
            End::Next => tell(Arrival::Live),
            End::Route(chosen) => word.extend(targets.iter().map(|&to| {
                (to, step, if to == chosen { Arrival::Live } else { Arrival::Unselected })
            })),
            End::Suspend => {
                // What comes after it is held, as is all else from here on.
                if self.mode == Mode::Running {
                    self.mode = Mode::Holding;
                }
                tell(Arrival::Live);
            }
            End::Jump(target) => {
                // What leads back here will come by again: what follows waits for that.
                if !shape.leads(target, step) {
                    tell(Arrival::Unselected);
                }
                self.activate(shape, target, fx);
            }
            End::Stop => self.mode = Mode::Stopping,
            End::Skip => tell(Arrival::Skipped),
            End::Failed => tell(Arrival::Failed),
        }
        self.spread(shape, word, fx);
    }

    /// Brings word to where it goes, and what follows from it without a turn.
    fn spread(&mut self, shape: &Shape, mut word: VecDeque<(u32, u32, Arrival)>, fx: &mut Effects) {
        while let Some((to, from, arrival)) = word.pop_front() {
            if self.mode == Mode::Stopping {
                return;
            }
            let plan = shape.step(to);
            if let [_] = plan.parents[..] {
                self.meet(shape, to, Met::by_one(from, arrival), &mut word, fx);
                continue;
            }
            let mut join = self.joins.remove(&to).unwrap_or_else(|| JoinState::new(plan));
            for met in join.arrive(to, plan, from, arrival, fx) {
                self.meet(shape, to, met, &mut word, fx);
            }
            if !join.is_fresh() {
                self.joins.insert(to, join);
            }
        }
    }

    fn meet(
        &mut self,
        shape: &Shape,
        step: u32,
        met: Met,
        word: &mut VecDeque<(u32, u32, Arrival)>,
        fx: &mut Effects,
    ) {
        let onward = match met {
            Met::Start => return self.activate(shape, step, fx),
            Met::Already => return,
            Met::Unselected => Arrival::Unselected,
            Met::Never(because) => {
                fx.push(Effect::Tell(Told::Skipped { step, because }));
                Arrival::Skipped
            }
        };
        word.extend(shape.step(step).targets().iter().map(|&to| (to, step, onward)));
    }

    /// A join has waited for too long: it has failed, and what comes later in this round is too
    /// late. Says whether it was still waiting.
    pub(crate) fn join_late(&mut self, join: u32) -> bool {
        self.joins.get_mut(&join).is_some_and(JoinState::expire)
    }

    /// What follows from a join that failed without a start.
    pub(crate) fn join_failed(&mut self, shape: &Shape, join: u32, end: End, fx: &mut Effects) {
        self.step_ended(shape, join, end, fx);
    }

    fn take_slot(&mut self, step: u32, owner: Option<u32>, item: u32) -> u32 {
        self.n_invocations += 1;
        let invocation = self.n_invocations;
        let slot = Slot { step, invocation, attempt: 0, owner, item, opened: false, items: None };
        match self.free.pop() {
            Some(free) => {
                self.slots[free as usize] = Some(slot);
                free
            }
            None => {
                self.slots.push(Some(slot));
                self.slots.len() as u32 - 1
            }
        }
    }

    fn activate(&mut self, shape: &Shape, step: u32, fx: &mut Effects) {
        match self.mode {
            Mode::Running => {
                let slot = self.take_slot(step, None, 0);
                self.post(shape, slot, fx);
            }
            Mode::Holding => self.held.push(step),
            Mode::Stopping => {}
        }
    }

    fn may_run(&self, shape: &Shape, slot: u32) -> bool {
        let wants_alone = self.slot(slot).is_some_and(|slot| shape.step(slot.step).exclusive);
        !self.is_exclusive && (!wants_alone || self.n_active == 0)
    }

    fn post(&mut self, shape: &Shape, slot: u32, fx: &mut Effects) {
        if self.waiting.is_empty() && self.may_run(shape, slot) {
            self.run(shape, slot, fx);
        } else {
            self.waiting.push_back(slot);
        }
    }

    fn run(&mut self, shape: &Shape, slot: u32, fx: &mut Effects) {
        self.n_active += 1;
        self.is_exclusive = shape.step(self.slot_mut(slot).step).exclusive;
        fx.push(Effect::Post(slot));
    }

    /// A body is under way no more.
    fn rest(&mut self, shape: &Shape, slot: u32, fx: &mut Effects) {
        debug_assert!(self.slot(slot).is_some(), "a slot rests before it ends");
        self.n_active -= 1;
        self.is_exclusive = false;
        self.wake(shape, fx);
    }

    fn wake(&mut self, shape: &Shape, fx: &mut Effects) {
        while let Some(&slot) = self.waiting.front() {
            if self.mode == Mode::Stopping {
                self.waiting.pop_front();
                self.slots[slot as usize] = None;
                self.free.push(slot);
                continue;
            }
            if !self.may_run(shape, slot) {
                return;
            }
            self.waiting.pop_front();
            self.run(shape, slot, fx);
        }
    }

    /// Starts nothing any more.
    pub(crate) fn stop(&mut self) {
        self.mode = Mode::Stopping;
    }

    /// Nothing is under way: tells what will never be, so that nothing is starved silently. What
    /// is held stays so.
    pub(crate) fn settle(&mut self, shape: &Shape, fx: &mut Effects) {
        if self.mode == Mode::Holding {
            return;
        }
        for slot in 0..self.slots.len() as u32 {
            if self.slot(slot).is_some() {
                fx.push(Effect::Tell(Told::GivenUp { slot }));
            }
        }
        if self.mode == Mode::Stopping {
            return;
        }
        // A join that hears of it may be what another waits for.
        while let Some(join) = self.joins.keys().copied().min_by_key(|&join| shape.step(join).rank)
        {
            let state = self.joins.remove(&join).expect("it was just seen");
            let Some(missing) = state.missing(shape.step(join)) else { continue };
            let because = Because::NeverCame(missing);
            let mut word = VecDeque::new();
            self.meet(shape, join, Met::Never(because), &mut word, fx);
            self.spread(shape, word, fx);
        }
    }

    /// Goes on after a suspension, or where a process died: what was held starts, and so does again
    /// what was under way.
    pub(crate) fn resume(&mut self, shape: &Shape, fx: &mut Effects) {
        self.mode = Mode::Running;
        (self.n_active, self.n_away, self.is_exclusive) = (0, 0, false);
        self.waiting.clear();
        let mut again = Vec::new();
        let mut maps = Vec::new();
        for slot in 0..self.slots.len() as u32 {
            let Some(at) = &mut self.slots[slot as usize] else { continue };
            if at.owner.is_some() {
                // Its map begins it again.
                self.slots[slot as usize] = None;
                self.free.push(slot);
            } else if let Some(items) = &mut at.items {
                (items.next, items.n_active) = (items.frontier, 0);
                items.ahead.clear();
                maps.push(slot);
            } else {
                at.opened = false;
                again.push(slot);
            }
        }
        let limited: Vec<_> = self.limited(shape).collect();
        fx.extend(limited.into_iter().map(|(join, limit)| Effect::Arm { join, limit }));
        again.into_iter().for_each(|slot| self.post(shape, slot, fx));
        for step in std::mem::take(&mut self.held) {
            self.activate(shape, step, fx);
        }
        maps.into_iter().for_each(|slot| self.admit(shape, slot, fx));
    }
}
