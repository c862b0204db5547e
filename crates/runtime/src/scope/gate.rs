//! Owns which tasks of a scope may start: those within its cap, and of a range a chunk at a time.
//! Pure: posts and ends of tasks come in, errands for workers go out.
//!
//! A range stays a range until its numbers are admitted, so that memory does not depend on how many
//! there are. Under a cap, a task that ends admits the next. Without one, short ranges are admitted
//! at once, and long ones by an errand of their own, which takes its turn among the tasks that it
//! admits.

use std::collections::VecDeque;
use std::ops::Range;

use crate::ready::Errand;

/// Numbers admitted at a time when there is no cap.
const CHUNK: u32 = 64;

/// Which tasks wait, and how many are under way.
#[derive(Debug)]
pub(crate) struct Gate {
    cap: Option<u32>,
    /// Counted under a cap only.
    in_flight: u32,
    waiting: VecDeque<Range<u32>>,
    /// Whether an errand is under way that admits what waits.
    admitting: bool,
    shut: bool,
}

impl Gate {
    pub(crate) fn new(cap: Option<u32>) -> Gate {
        Gate { cap, in_flight: 0, waiting: VecDeque::new(), admitting: false, shut: false }
    }

    /// Takes tasks in; `false` if none may start any more.
    pub(crate) fn post(&mut self, tasks: Range<u32>, errands: &mut Vec<Errand>) -> bool {
        if self.shut {
            return false;
        }
        let is_short = tasks.end.saturating_sub(tasks.start) <= CHUNK;
        if self.cap.is_none() && is_short {
            errands.extend(tasks.map(Errand::Task));
            return true;
        }
        match self.waiting.back_mut() {
            Some(last) if last.end == tasks.start => last.end = tasks.end,
            _ if tasks.is_empty() => {}
            _ => self.waiting.push_back(tasks),
        }
        if self.cap.is_some() {
            self.admit(errands);
        } else if !self.admitting {
            self.admitting = true;
            errands.push(Errand::Admit);
        }
        true
    }

    /// Admits the next ones; says whether the errand that asks for it comes again.
    pub(crate) fn admit_chunk(&mut self, errands: &mut Vec<Errand>) -> bool {
        for _ in 0..CHUNK {
            let Some(task) = self.next() else { break };
            errands.push(Errand::Task(task));
        }
        self.admitting = !self.waiting.is_empty();
        if self.admitting {
            errands.push(Errand::Admit);
        }
        self.admitting
    }

    /// A task has come to its end.
    pub(crate) fn finish(&mut self, errands: &mut Vec<Errand>) {
        if self.cap.is_some() {
            self.in_flight -= 1;
            self.admit(errands);
        }
    }

    /// Lets no further task start; says how many waited.
    pub(crate) fn shut(&mut self) -> u64 {
        self.shut = true;
        self.waiting.drain(..).map(|tasks| u64::from(tasks.end - tasks.start)).sum()
    }

    fn admit(&mut self, errands: &mut Vec<Errand>) {
        while self.cap.is_some_and(|cap| self.in_flight < cap)
            && let Some(task) = self.next()
        {
            self.in_flight += 1;
            errands.push(Errand::Task(task));
        }
    }

    fn next(&mut self) -> Option<u32> {
        let front = self.waiting.front_mut()?;
        let task = front.next();
        if Range::is_empty(front) {
            self.waiting.pop_front();
        }
        task
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn shown(errands: &mut Vec<Errand>) -> String {
        let text = |errand| match errand {
            Errand::Task(task) => task.to_string(),
            other => format!("{other:?}"),
        };
        errands.drain(..).map(text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn under_a_cap_a_task_that_ends_admits_the_next() {
        let (mut gate, mut errands) = (Gate::new(Some(2)), Vec::new());
        assert!(gate.post(0..3, &mut errands) && gate.post(7..8, &mut errands));
        assert_snapshot!(shown(&mut errands), @"0 1");
        gate.finish(&mut errands);
        gate.finish(&mut errands);
        assert_snapshot!(shown(&mut errands), @"2 7");
        assert!(gate.post(8..10, &mut errands));
        assert_eq!(gate.shut(), 2);
        gate.finish(&mut errands);
        assert!(!gate.post(4..5, &mut errands));
        assert_snapshot!(shown(&mut errands), @"");
    }

    #[test]
    fn without_a_cap_a_long_range_is_admitted_by_an_errand() {
        let (mut gate, mut errands) = (Gate::new(None), Vec::new());
        assert!(gate.post(1..3, &mut errands) && gate.post(0..66, &mut errands));
        assert!(gate.post(66..130, &mut errands));
        assert_snapshot!(shown(&mut errands), @"1 2 Admit 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99 100 101 102 103 104 105 106 107 108 109 110 111 112 113 114 115 116 117 118 119 120 121 122 123 124 125 126 127 128 129");
        assert!(gate.admit_chunk(&mut errands));
        assert!(shown(&mut errands).ends_with(" 63 Admit"));
        assert!(!gate.admit_chunk(&mut errands));
        assert_snapshot!(shown(&mut errands), @"64 65");
    }

    proptest! {
        #[test]
        fn every_task_is_admitted_once_and_never_more_than_the_cap(
            cap in proptest::option::of(1..5_u32),
            posts in proptest::collection::vec((0..200_u32, 0..200_u32), 1..8),
        ) {
            let (mut gate, mut errands) = (Gate::new(cap), Vec::new());
            let (mut seen, mut posted) = (Vec::new(), Vec::new());
            for (start, n) in posts {
                posted.extend(start..start + n);
                prop_assert!(gate.post(start..start + n, &mut errands));
            }
            while !errands.is_empty() {
                let n = errands.iter().filter(|errand| matches!(errand, Errand::Task(_))).count();
                prop_assert!(cap.is_none_or(|cap| n <= cap as usize));
                prop_assert!(n <= posted.len().min(9 * CHUNK as usize));
                match errands.remove(0) {
                    Errand::Task(task) => {
                        seen.push(task);
                        gate.finish(&mut errands);
                    }
                    _ => drop(gate.admit_chunk(&mut errands)),
                }
            }
            posted.sort_unstable();
            seen.sort_unstable();
            prop_assert_eq!(seen, posted);
        }
    }
}
