//! Owns what a run knows of a slot besides its place: its phase, its alarm, the items of its map.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use selvedge_event::Digest;
use selvedge_runtime::{AlarmHandle, Result};
use selvedge_sync::thread::panic_message;

use super::super::extract::{Caught, Items};
use super::super::state::{Changes, Shares};
use super::Inner;

/// What a slot's turn runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Body,
    /// The step's own handler.
    Local,
    /// The pipe's.
    Global,
}

#[derive(Debug, Default)]
pub(super) struct Doing {
    /// Changes whenever what is under way is not waited for any more.
    pub(super) turn: u64,
    pub(super) phase: Phase,
    pub(super) caught: Option<Caught>,
    /// An attempt has been told to begin, and not to end.
    pub(super) is_told: bool,
    /// The state that the step read, where that is written down.
    pub(super) read: Option<Digest>,
    /// When the attempt began.
    pub(super) started: Duration,
    pub(super) alarm: Option<AlarmHandle>,
    /// Alarms of ended attempts that are on their way.
    pub(super) n_stray: u32,
}

impl Doing {
    /// Whoever has the slot next begins anew.
    pub(super) fn reset(&mut self) {
        let Doing { turn, n_stray, .. } = *self;
        *self = Doing { turn: turn + 1, n_stray, ..Doing::default() };
    }
}

/// A map whose items are under way.
pub(super) struct MapRun<S> {
    pub(super) items: Items,
    /// Changes of items that have succeeded before others that come first. Items that have come to
    /// another end have none.
    changes: BTreeMap<u32, Changes<S>>,
    /// The item whose changes come next.
    next: u32,
    /// Of the items that failed the first, with its error.
    pub(super) error: Option<(u32, String)>,
}

impl<S: Shares> MapRun<S> {
    pub(super) fn new(items: Items) -> MapRun<S> {
        MapRun { items, changes: BTreeMap::new(), next: 0, error: None }
    }

    /// Of a map that others have begun: the items before this one are done.
    pub(super) fn from(items: Items, next: u32) -> MapRun<S> {
        MapRun { next, ..MapRun::new(items) }
    }

    fn change(&mut self, item: u32, changes: Changes<S>, state: &mut Arc<S>) {
        self.changes.insert(item, changes);
        while let Some(changes) = self.changes.remove(&self.next) {
            self.next += 1;
            changes.apply(state);
        }
    }

    pub(super) fn fail(&mut self, item: u32, error: String, state: &mut Arc<S>) {
        if self.error.as_ref().is_none_or(|(first, _)| item < *first) {
            self.error = Some((item, error));
        }
        self.change(item, Changes::default(), state);
    }
}

impl<S: Shares> Inner<S> {
    pub(super) fn doing(&mut self, slot: u32) -> &mut Doing {
        let slot = slot as usize;
        if slot >= self.doing.len() {
            self.doing.resize_with(slot + 1, Doing::default);
        }
        &mut self.doing[slot]
    }

    /// A slot's step has succeeded: what it changes is changed, of an item when it is its turn.
    pub(super) fn change(&mut self, slot: u32, changes: Changes<S>) -> Result {
        let at = self.machine.slot(slot).expect("a step succeeds while it is under way");
        let (state, maps) = (&mut self.state, &mut self.maps);
        let map = at.owner.and_then(|owner| maps.get_mut(&owner));
        if map.is_none() && changes.is_empty() {
            return Ok(());
        }
        let item = at.item;
        self.digest = None;
        let change = AssertUnwindSafe(|| match map {
            Some(map) => map.change(item, changes, state),
            None => changes.apply(state),
        });
        catch_unwind(change).map_err(|panic| {
            let panic = panic_message(&*panic);
            anyhow!("a change of the state panicked, so that it can't be trusted: {panic}")
        })
    }

    /// A slot's body is about to run.
    pub(super) fn started(&mut self, slot: u32) {
        let is_item = self.machine.slot(slot).is_some_and(|slot| slot.owner.is_some());
        self.metrics.started += 1;
        self.n_active += 1;
        self.metrics.peak_active = self.metrics.peak_active.max(self.n_active);
        if is_item {
            self.n_items += 1;
            self.metrics.peak_items = self.metrics.peak_items.max(self.n_items);
        }
    }
}

/// An attempt took longer than it may.
#[derive(Debug)]
pub(super) struct TimedOut {
    pub(super) limit: Duration,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it took longer than {:?}", self.limit)
    }
}

impl std::error::Error for TimedOut {}
