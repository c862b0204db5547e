//! Owns `Strategy`: who goes on next, of those who could. Pure: it draws from the generator it is
//! given.

use std::fmt;

use selvedge_sync::random::Rng;

/// How a simulation chooses who goes on next: a worker, or one of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// Whoever it may be, each as likely as any other: all kinds of interleavings, none extreme.
    Random,
    /// By priorities that are drawn at the start, but for `depth - 1` moments at which whoever is
    /// about to go on becomes the last: a bug that needs `depth` steps in a certain order is found
    /// with a known probability. (S. Burckhardt et al., "A randomized scheduler with probabilistic
    /// guarantees of finding bugs", 2010.)
    Pct {
        /// How many ordering constraints the bug may need; 1 only draws priorities.
        depth: u32,
    },
    /// This worker, counted from 0, goes on only when nobody else can: as one whose thread the
    /// system has taken off its core. The others at random.
    Starve {
        /// Which one.
        worker: usize,
    },
}

impl Strategy {
    /// One of them, for so many workers.
    pub(super) fn drawn(rng: &mut Rng, n_workers: usize) -> Strategy {
        match rng.below(4) {
            0 | 1 => Strategy::Random,
            2 => Strategy::Pct { depth: 1 + u32::try_from(rng.below(4)).unwrap_or(0) },
            _ => Strategy::Starve { worker: index(rng, n_workers) },
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Strategy::Random => f.write_str("at random"),
            Strategy::Pct { depth } => write!(f, "by priorities, depth {depth}"),
            Strategy::Starve { worker } => write!(f, "starving worker {worker}"),
        }
    }
}

/// A strategy at work.
#[derive(Debug)]
pub(super) struct Picker {
    strategy: Strategy,
    /// By actor; the highest goes on.
    priorities: Vec<u64>,
    /// After how many steps the next change of priority comes, soonest last.
    changes: Vec<u64>,
    n_picked: u64,
}

/// Changes of priority come within so many steps, in bits: how long a run is nobody knows before,
/// so early ones are as likely as late ones on the scale of powers of two.
const HORIZON_BITS: u64 = 14;

impl Picker {
    pub(super) fn new(strategy: Strategy, n_actors: usize, rng: &mut Rng) -> Picker {
        // The lower half is for those whose priority is changed.
        let priorities = (0..n_actors).map(|_| rng.next_u64() | 1 << 63).collect();
        let mut changes: Vec<u64> = match strategy {
            Strategy::Pct { depth } => (1..depth).map(|_| some_step(rng)).collect(),
            Strategy::Random | Strategy::Starve { .. } => Vec::new(),
        };
        changes.sort_unstable_by_key(|&step| std::cmp::Reverse(step));
        Picker { strategy, priorities, changes, n_picked: 0 }
    }

    /// Who of these goes on. There is at least one.
    pub(super) fn pick(&mut self, able: &[usize], rng: &mut Rng) -> usize {
        self.n_picked += 1;
        match self.strategy {
            Strategy::Random => able[index(rng, able.len())],
            Strategy::Starve { worker } => {
                let others = able.iter().filter(|&&actor| actor != worker).count();
                let mut others_of = able.iter().filter(|&&actor| actor != worker);
                match others {
                    0 => worker,
                    n => *others_of.nth(index(rng, n)).expect("it is one of those counted"),
                }
            }
            Strategy::Pct { .. } => {
                while self.changes.last().is_some_and(|&at| at <= self.n_picked) {
                    self.changes.pop();
                    let first = self.first(able);
                    // Each change goes below the ones before.
                    self.priorities[first] = self.changes.len() as u64;
                }
                self.first(able)
            }
        }
    }

    fn first(&self, able: &[usize]) -> usize {
        let first = able.iter().max_by_key(|&&actor| self.priorities[actor]);
        *first.expect("somebody can go on")
    }
}

fn some_step(rng: &mut Rng) -> u64 {
    let bits = rng.below(HORIZON_BITS);
    (1 << bits) + rng.below(1 << bits)
}

pub(super) fn index(rng: &mut Rng, n: usize) -> usize {
    usize::try_from(rng.below(n as u64)).expect("it is below a usize")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    /// Who goes on, each as often as it does so in a row.
    fn picks(strategy: Strategy, able: &[&[usize]]) -> String {
        let mut rng = Rng::seeded(5);
        let mut picker = Picker::new(strategy, 3, &mut rng);
        let picks: Vec<usize> = able.iter().map(|able| picker.pick(able, &mut rng)).collect();
        let runs = picks.chunk_by(|one, other| one == other);
        let runs: Vec<String> = runs.map(|run| format!("{}x{}", run[0], run.len())).collect();
        format!("{strategy}: {}", runs.join(" "))
    }

    #[test]
    fn who_goes_on() {
        let all: &[usize] = &[0, 1, 2];
        let starve = Strategy::Starve { worker: 1 };
        let lines = [
            picks(Strategy::Random, &[all; 12]),
            picks(Strategy::Pct { depth: 1 }, &[all; 12]),
            picks(Strategy::Pct { depth: 4 }, &[all; 20_000]),
            picks(starve, &[all, all, &[1], all, &[0, 1], &[1, 2]]),
        ];
        assert_snapshot!(lines.join("\n"), @r"
        at random: 0x1 1x1 2x1 1x1 0x1 2x5 1x2
        by priorities, depth 1: 0x12
        by priorities, depth 4: 2x746 0x19254
        starving worker 1: 0x1 2x1 1x1 2x1 0x1 2x1
        ");
    }
}
