//! Owns nodes with a time limit: whoever ends such a node first, its turn or its alarm, ends it.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHasher;
use selvedge_runtime::{AlarmHandle, TaskContext};
use selvedge_sync::Mutex;
use selvedge_sync::atomic::{AtomicBool, Ordering};

use crate::plan::Plan;

/// The nodes of a run that have a limit: few, if any.
#[derive(Debug, Default)]
pub(super) struct Timed(HashMap<u32, Limit, BuildHasherDefault<FxHasher>>);

#[derive(Debug)]
pub(super) struct Limit {
    pub(super) limit: Duration,
    /// Somebody ends it, or has. Relaxed: who finds it unset is the only one, and sees what it
    /// needs by other ways.
    claimed: AtomicBool,
    /// What the node can look at.
    pub(super) late: Arc<AtomicBool>,
    alarm: Mutex<Option<AlarmHandle>>,
    /// Held while the node is claimed, and while something is told of it that must come before.
    events: Mutex<()>,
}

impl Timed {
    pub(super) fn of(plan: &Plan) -> Timed {
        let limits = (0_u32..).zip(&plan.nodes).filter_map(|(idx, node)| {
            let limit = Limit {
                limit: node.options.more()?.time_limit?,
                claimed: AtomicBool::new(false),
                late: Arc::new(AtomicBool::new(false)),
                alarm: Mutex::new(None),
                events: Mutex::new(()),
            };
            Some((idx, limit))
        });
        Timed(limits.collect())
    }

    #[inline]
    pub(super) fn get(&self, node: u32) -> Option<&Limit> {
        if self.0.is_empty() { None } else { self.0.get(&node) }
    }

    /// Whether the caller is the one who ends the node.
    #[inline]
    pub(super) fn claim(&self, node: u32) -> bool {
        self.get(node).is_none_or(|limit| {
            let _events = limit.events.lock();
            !limit.claimed.swap(true, Ordering::Relaxed)
        })
    }

    /// Does something that makes sense before the node has ended only.
    #[inline]
    pub(super) fn before_the_end(&self, node: u32, tell: impl FnOnce()) {
        let Some(limit) = self.get(node) else { return tell() };
        let _events = limit.events.lock();
        if !limit.is_claimed() {
            tell();
        }
    }
}

impl Limit {
    /// Whether the node has ended, or is about to.
    pub(super) fn is_claimed(&self) -> bool {
        self.claimed.load(Ordering::Relaxed)
    }

    /// An attempt begins: time counts from here.
    pub(super) fn arm(&self, cx: &mut TaskContext<'_>, task: u32) {
        self.disarm(cx);
        let alarm = cx.alarm(self.limit, task);
        *self.alarm.lock() = Some(alarm);
    }

    /// Nothing is to be told any more.
    pub(super) fn disarm(&self, cx: &mut TaskContext<'_>) {
        let alarm = self.alarm.lock().take();
        if let Some(alarm) = alarm {
            cx.cancel_alarm(alarm);
        }
    }
}
