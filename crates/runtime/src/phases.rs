//! Owns the order of a run: drain, phases until one causes nothing new, poison, done.
//! Pure: told that the pipeline is quiet, it says what comes next.

use selvedge_event::Ending;

/// Where a run stands between two moments of quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PhaseLoop {
    stage: Stage,
    phase_max: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Handling what came from outside.
    Draining,
    /// Handling what phase `number` caused.
    Phase { number: u32 },
    /// Handling what poison caused.
    Poisoned,
}

/// What is known when nothing is outstanding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quiet {
    /// Events emitted since the last step by turns that don't descend from an outside submission.
    pub(crate) emitted_inside: u64,
    /// Whether any processor hears phases.
    pub(crate) phase_heard: bool,
    /// Set when the run is to end early.
    pub(crate) stopping: Option<Ending>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Emit phase `number`, then drain.
    Phase { number: u32 },
    /// Emit poison, then drain.
    Poison { ending: Ending },
    /// Close the processors.
    Close,
    /// Give up: phases never end.
    NeverSettles,
}

impl PhaseLoop {
    pub(crate) fn new(phase_max: u32) -> PhaseLoop {
        PhaseLoop { stage: Stage::Draining, phase_max }
    }

    /// What comes next, now that the pipeline is quiet.
    pub(crate) fn on_quiet(&mut self, quiet: Quiet) -> Step {
        let ended = match (self.stage, quiet.stopping) {
            (Stage::Poisoned, _) => return Step::Close,
            (_, Some(ending)) => Some(ending),
            (Stage::Draining, None) => (!quiet.phase_heard).then_some(Ending::Completed),
            (Stage::Phase { .. }, None) => (quiet.emitted_inside == 0).then_some(Ending::Completed),
        };
        if let Some(ending) = ended {
            self.stage = Stage::Poisoned;
            return Step::Poison { ending };
        }
        let number = self.n_phases() + 1;
        if number > self.phase_max {
            return Step::NeverSettles;
        }
        self.stage = Stage::Phase { number };
        Step::Phase { number }
    }

    fn n_phases(&self) -> u32 {
        match self.stage {
            Stage::Phase { number } => number,
            Stage::Draining | Stage::Poisoned => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    /// Each quiet moment as (events emitted inside, the early end asked for).
    fn trace(phase_heard: bool, quiets: &[(u64, Option<Ending>)]) -> String {
        let mut phases = PhaseLoop::new(3);
        let step = |&(emitted_inside, stopping): &(u64, Option<Ending>)| {
            let step = phases.on_quiet(Quiet { emitted_inside, phase_heard, stopping });
            format!("{emitted_inside} emitted -> {step:?}\n")
        };
        quiets.iter().map(step).collect()
    }

    #[test]
    fn phases_go_on_while_they_cause_events() {
        assert_snapshot!(trace(true, &[(9, None), (1, None), (0, None), (4, None)]), @r"
        9 emitted -> Phase { number: 1 }
        1 emitted -> Phase { number: 2 }
        0 emitted -> Poison { ending: Completed }
        4 emitted -> Close
        ");
    }

    #[test]
    fn nobody_hears_phases() {
        assert_snapshot!(trace(false, &[(9, None), (0, None)]), @r"
        9 emitted -> Poison { ending: Completed }
        0 emitted -> Close
        ");
    }

    #[test]
    fn phases_that_never_end_are_an_error() {
        assert_snapshot!(trace(true, &[(0, None), (1, None), (1, None), (1, None)]), @r"
        0 emitted -> Phase { number: 1 }
        1 emitted -> Phase { number: 2 }
        1 emitted -> Phase { number: 3 }
        1 emitted -> NeverSettles
        ");
    }

    #[test]
    fn a_stop_skips_what_is_left_of_the_phases() {
        let stop = Some(Ending::Interrupted);
        assert_snapshot!(trace(true, &[(0, None), (5, stop), (2, stop)]), @r"
        0 emitted -> Phase { number: 1 }
        5 emitted -> Poison { ending: Interrupted }
        2 emitted -> Close
        ");
    }
}
