//! Owns which of the nodes that are ready is taken next, in flows whose nodes have priorities.
//!
//! A scope's tasks are taken as they come. So here a task is a claim on whatever node is the most
//! urgent when a worker comes to it: as many tasks are posted as nodes are ready, each stands for
//! one of them from its first turn on, and nobody waits for anybody. In flows without priorities a
//! task is the node of its number.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use selvedge_sync::Mutex;
use selvedge_sync::atomic::{AtomicU32, Ordering};

use crate::plan::Plan;

/// The ready nodes of a run, and which node each task is.
pub(super) struct Urgency {
    ready: Mutex<Ready>,
    /// By task. Relaxed: a task has one turn at a time, and the runtime hands it on.
    stands_for: Box<[AtomicU32]>,
}

#[derive(Default)]
struct Ready {
    /// By priority, then in the order in which they became ready.
    nodes: BinaryHeap<Reverse<(i32, u64, u32)>>,
    n_came: u64,
}

/// A task that stands for no node yet.
const NONE: u32 = u32::MAX;

impl Urgency {
    /// For flows that have priorities.
    pub(super) fn of(plan: &Plan) -> Option<Urgency> {
        plan.has_priorities.then(|| Urgency {
            ready: Mutex::default(),
            stands_for: plan.nodes.iter().map(|_| AtomicU32::new(NONE)).collect(),
        })
    }

    /// A node is ready, and a task is posted for it.
    pub(super) fn add(&self, priority: i32, node: u32) {
        let mut ready = self.ready.lock();
        let came = ready.n_came;
        ready.n_came += 1;
        ready.nodes.push(Reverse((priority, came, node)));
    }

    /// The node that a task stands for: in its first turn the most urgent one.
    pub(super) fn node_of(&self, task: u32) -> u32 {
        let stands_for = &self.stands_for[task as usize];
        let node = stands_for.load(Ordering::Relaxed);
        if node != NONE {
            return node;
        }
        let next = self.ready.lock().nodes.pop();
        let Reverse((_, _, node)) = next.expect("as many nodes are ready as tasks are posted");
        stands_for.store(node, Ordering::Relaxed);
        node
    }
}
