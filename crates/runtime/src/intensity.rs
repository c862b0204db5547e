//! Owns the restart intensity of one processor: how many restarts lie within the window. Pure: the
//! time comes in from outside.

use std::collections::VecDeque;
use std::time::Duration;

use crate::policy::Restart;

/// The restarts that still count.
#[derive(Debug, Default)]
pub(crate) struct Intensity {
    /// Oldest first; never more than the limit.
    times: VecDeque<Duration>,
}

impl Intensity {
    /// Whether one more restart keeps within the limit; if so it counts from now on.
    pub(crate) fn admit(&mut self, limit: Restart, now: Duration) -> bool {
        while self.times.front().is_some_and(|&time| now.saturating_sub(time) >= limit.per) {
            self.times.pop_front();
        }
        let admitted = self.times.len() < limit.max as usize;
        if admitted {
            self.times.push_back(now);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::{ProptestConfig, any};
    use proptest::{collection, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn trace(max: u32, per: u64, times: &[u64]) -> String {
        let limit = Restart::at_most(max, Duration::from_secs(per));
        let mut intensity = Intensity::default();
        let mut admit = |&time: &u64| match intensity.admit(limit, Duration::from_secs(time)) {
            true => format!("{time} yes"),
            false => format!("{time} no"),
        };
        times.iter().map(&mut admit).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_window_slides() {
        assert_snapshot!(trace(1, 10, &[0, 9, 10, 19, 20]), @"0 yes, 9 no, 10 yes, 19 no, 20 yes");
        assert_snapshot!(trace(2, 10, &[0, 5, 9, 10, 14, 15, 100]), @"0 yes, 5 yes, 9 no, 10 yes, 14 no, 15 yes, 100 yes");
        assert_snapshot!(trace(3, 1, &[0, 0, 0, 0, 1]), @"0 yes, 0 yes, 0 yes, 0 no, 1 yes");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn it_agrees_with_counting_all_that_ever_were(
            max in 1..5_u32,
            per in 1..20_u64,
            steps in collection::vec((0..8_u64, any::<bool>()), 0..60),
        ) {
            let limit = Restart::at_most(max, Duration::from_secs(per));
            let mut intensity = Intensity::default();
            let (mut now, mut all) = (0, Vec::new());
            for (step, still) in steps {
                now += if still { 0 } else { step };
                let n_recent = all.iter().filter(|&&time| now - time < per).count();
                let admitted = intensity.admit(limit, Duration::from_secs(now));
                prop_assert_eq!(admitted, n_recent < max as usize);
                prop_assert!(intensity.times.len() <= max as usize);
                if admitted {
                    all.push(now);
                }
            }
        }
    }
}
