//! W1: one record in a feedback loop, exchanged every iteration, so that with two workers it
//! changes over.
//!
//! An iteration has a timestamp of its own, so this measures progress tracking, which is what a hop
//! costs here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use timely::dataflow::operators::vec::{BranchWhen, Map};
use timely::dataflow::operators::{Concat, ConnectLoop, Exchange, Feedback, ToStream};

use super::execute;
use crate::sample::{Sample, timed};
use crate::scale::Scale;
use crate::workload::hop;

/// Counts to the number of hops around the loop.
pub(super) fn run<const WORKERS: usize>(scale: Scale) -> Sample {
    let n = hop::n_hops(scale);
    let n_hops = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&n_hops);
    let (_, sample) = timed(n, || {
        execute(WORKERS, move |worker| {
            // The one record enters on the first worker.
            let records = if worker.index() == 0 { vec![0] } else { Vec::<u64>::new() };
            let counter = Arc::clone(&counter);
            worker.dataflow::<u64, _, _>(move |scope| {
                let (feedback, cycle) = scope.feedback(1);
                let hop = move |record: &mut u64| {
                    *record += 1;
                    counter.fetch_add(1, Ordering::Relaxed);
                };
                let hopped = records.to_stream(scope).concat(cycle).exchange(|&record| record);
                let (_, again) = hopped.map_in_place(hop).branch_when(move |time| *time < n - 1);
                again.connect_loop(feedback);
            });
        })
    });
    // The workers were joined, so relaxed increments are all visible.
    assert_eq!(n_hops.load(Ordering::Relaxed), n);
    sample
}
