//! W7, parallel map: `0..n` through a task of about 10 us, results in input order.
//!
//! Unit: one task, so two cores cannot do better than half of one task's time. The task is a fixed
//! number of dependent multiplications; it was 9.92 us on the machine that the number was chosen
//! on.

use crate::scale::Scale;

const N_TASKS: u64 = 100_000;
const N_ROUNDS: u64 = 4_600;
const N_CHECKED: u64 = 200;

/// A task's input and output.
pub(crate) type Done = (u64, u64);

/// Tasks in a run.
pub(crate) fn n_tasks(scale: Scale) -> u64 {
    scale.count(N_TASKS)
}

/// The task.
#[inline(never)]
pub(crate) fn busy(seed: u64) -> u64 {
    let mut x = seed | 1;
    for i in 0..N_ROUNDS {
        x = (x ^ (x >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(i);
    }
    x
}

/// The task together with its input, as every peer hands it back.
#[inline]
pub(crate) fn task(input: u64) -> Done {
    (input, busy(input))
}

/// The task of W7u: one in a hundred is a hundred of them.
#[inline]
#[cfg(any(feature = "graphs", feature = "libraries"))]
pub(crate) fn uneven(input: u64) -> Done {
    let n = if input % 100 == 7 { 100 } else { 1 };
    (input, (0..n).fold(0, |sum, part| sum ^ busy(input ^ (part << 32))))
}

/// One slot per result; a slot that nobody fills fails the check.
pub(crate) fn slots(n_tasks: u64) -> Vec<Done> {
    vec![(u64::MAX, 0); n_tasks as usize]
}

/// Asserts that every result stands at its input's place and that about 200 of them, evenly spread,
/// are right.
pub(crate) fn check(results: &[Done], n_tasks: u64) {
    check_of(results, n_tasks, task);
}

/// The same of another task.
pub(crate) fn check_of(results: &[Done], n_tasks: u64, task: fn(u64) -> Done) {
    assert_eq!(results.len() as u64, n_tasks, "one result per task");
    for (slot, result) in results.iter().enumerate() {
        assert_eq!(result.0, slot as u64, "results stand in input order");
    }
    let step = (n_tasks / N_CHECKED).max(1);
    for input in (0..n_tasks).step_by(step as usize) {
        assert_eq!(results[input as usize], task(input), "result of task {input}");
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use insta::assert_snapshot;

    use super::*;

    /// What `check` says about right results that were then spoilt.
    fn trace(spoil: impl FnOnce(&mut Vec<Done>)) -> String {
        let mut results: Vec<_> = (0..16).map(task).collect();
        spoil(&mut results);
        match catch_unwind(AssertUnwindSafe(|| check(&results, 16))) {
            Ok(()) => "fine".to_owned(),
            Err(panic) => panic.downcast_ref::<String>().expect("a formatted message").clone(),
        }
    }

    #[test]
    fn results_must_be_complete_in_order_and_right() {
        assert_snapshot!(trace(|_| ()), @"fine");
        assert_snapshot!(trace(|results| results.truncate(15)), @r"
        assertion `left == right` failed: one result per task
          left: 15
         right: 16
        ");
        assert_snapshot!(trace(|results| results.swap(3, 4)), @r"
        assertion `left == right` failed: results stand in input order
          left: 4
         right: 3
        ");
        assert_snapshot!(trace(|results| results[7].1 = 0), @r"
        assertion `left == right` failed: result of task 7
          left: (7, 0)
         right: (7, 8824416871193704163)
        ");
    }
}
