//! Owns what a run and all runs within it have in common: how many nodes may be under way, how many
//! of them elsewhere, and what stops those when nobody needs them any more.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::{Arc, OnceLock};

use rustc_hash::FxHasher;
use selvedge_sync::Mutex;

use crate::limit::Limit;

/// Nodes of one run that may be elsewhere at a time, unless its request says otherwise.
const ELSEWHERE_MAX: u32 = 64;

/// What a run and those within it share.
pub(crate) struct RunWide {
    /// Of nodes and items under way, if the request says so.
    pub(crate) cap: Option<Limit>,
    elsewhere_max: u32,
    threads: OnceLock<Limit>,
    stops: Mutex<Stops>,
}

/// What is to be called when work is not needed any more, by visit.
#[derive(Default)]
struct Stops {
    functions: HashMap<u64, Vec<Stop>, BuildHasherDefault<FxHasher>>,
    n_visits: u64,
    called_off: bool,
}

type Stop = Box<dyn FnOnce() + Send>;

impl RunWide {
    pub(crate) fn new(concurrency_max: Option<u32>, elsewhere_max: Option<usize>) -> Arc<RunWide> {
        let elsewhere_max = elsewhere_max.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        Arc::new(RunWide {
            cap: concurrency_max.map(|n| Limit::new("run", n)),
            elsewhere_max: elsewhere_max.unwrap_or(ELSEWHERE_MAX),
            threads: OnceLock::new(),
            stops: Mutex::default(),
        })
    }

    /// Whether work may leave the workers at all.
    pub(crate) fn may_go_elsewhere(&self) -> bool {
        self.elsewhere_max > 0
    }

    /// Of how many may be elsewhere, if any may.
    pub(crate) fn threads(&self) -> Option<&Limit> {
        let limit = || self.threads.get_or_init(|| Limit::new("elsewhere", self.elsewhere_max));
        self.may_go_elsewhere().then(limit)
    }

    pub(crate) fn next_visit(&self) -> u64 {
        let mut stops = self.stops.lock();
        stops.n_visits += 1;
        stops.n_visits
    }

    /// Has a visit stopped by this; handed back if that is due already.
    pub(crate) fn on_stop(&self, visit: u64, stop: Stop) -> Option<Stop> {
        let mut stops = self.stops.lock();
        if stops.called_off {
            return Some(stop);
        }
        stops.functions.entry(visit).or_default().push(stop);
        None
    }

    pub(crate) fn forget_stop(&self, visit: u64) {
        let forgotten = self.stops.lock().functions.remove(&visit);
        drop(forgotten);
    }

    /// A visit is not needed any more.
    pub(crate) fn stop(&self, visit: u64) {
        let functions = self.stops.lock().functions.remove(&visit);
        functions.into_iter().flatten().for_each(|stop| stop());
    }

    /// Nothing is.
    pub(crate) fn call_off(&self) {
        let mut stops = self.stops.lock();
        stops.called_off = true;
        let functions = std::mem::take(&mut stops.functions);
        drop(stops);
        functions.into_values().flatten().for_each(|stop| stop());
    }
}
