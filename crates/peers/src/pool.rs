//! Pools that run tasks and know no actors: the map alone (W7).

use std::thread;

use rayon::prelude::*;

use crate::sample::{Run, Sample, timed};
use crate::scale::Scale;
use crate::workload::Workload;
use crate::workload::map;

/// What rayon runs.
pub(crate) const RAYON: &[(Workload, Run)] = &[
    (Workload::W7, |scale| rayon_map(scale, map::task)),
    (Workload::W7u, |scale| rayon_map(scale, map::uneven)),
];

/// What two threads on one shared queue run.
pub(crate) const SHARED_MPMC: &[(Workload, Run)] = &[(Workload::W7, shared_mpmc_map)];

/// A parallel iterator over the range, collected in order, on rayon's global pool.
fn rayon_map(scale: Scale, task: fn(u64) -> map::Done) -> Sample {
    let n = map::n_tasks(scale);
    // Starts the pool's threads before the clock.
    rayon::join(|| (), || ());
    let (results, sample) =
        timed(n, || (0..n).into_par_iter().map(task).collect::<Vec<map::Done>>());
    map::check_of(&results, n, task);
    sample
}

/// Two threads that take from one bounded crossbeam queue: a free thread takes the next task.
fn shared_mpmc_map(scale: Scale) -> Sample {
    const N_WORKERS: usize = 2;
    const CAPACITY: usize = 256;
    let n = map::n_tasks(scale);
    let (input_sender, inputs) = crossbeam_channel::bounded::<u64>(CAPACITY);
    let (result_sender, results) = crossbeam_channel::unbounded();
    let worker = |_| {
        let (inputs, results) = (inputs.clone(), result_sender.clone());
        thread::spawn(move || {
            for input in inputs {
                results.send(map::task(input)).expect("the measuring thread takes every result");
            }
        })
    };
    let workers: Vec<_> = (0..N_WORKERS).map(worker).collect();
    drop((inputs, result_sender));
    let (slots, sample) = timed(n, || {
        let feeder = thread::spawn(move || {
            for input in 0..n {
                input_sender.send(input).expect("a worker takes inputs until there are no more");
            }
        });
        let mut slots = map::slots(n);
        for result in results {
            slots[result.0 as usize] = result;
        }
        for thread in workers.into_iter().chain([feeder]) {
            thread.join().expect("workers and feeder only pass tasks on");
        }
        slots
    });
    map::check(&slots, n);
    sample
}
