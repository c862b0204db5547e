//! Holds counts of instructions against those that are checked in. Pure: what was counted and what
//! was checked in go in, a verdict comes out.

use serde::{Deserialize, Serialize};

/// Above this share more than checked in, a change fails; below this share less, it should be
/// blessed, or the next one could use up what this one won.
pub(super) const TOLERANCE: f64 = 0.05;

/// Instructions per unit of a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Price {
    pub(super) workload: String,
    /// What it is the price of.
    pub(super) per: String,
    pub(super) instructions: f64,
}

/// What became of one price.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// About the same as before.
    Held,
    /// By more than the tolerance.
    Grew,
    /// By more than the tolerance.
    Shrank,
    /// Nothing is checked in for it.
    New,
}

/// A price, what it was, and what that means.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) price: Price,
    pub(super) before: Option<f64>,
    pub(super) change: Change,
}

/// Holds what was counted against what is checked in.
pub(super) fn judge(counted: Vec<Price>, checked_in: &[Price]) -> Vec<Verdict> {
    let verdict = |price: Price| {
        let same = |other: &&Price| other.workload == price.workload && other.per == price.per;
        let before = checked_in.iter().find(same).map(|price| price.instructions);
        let change = match before {
            None => Change::New,
            Some(before) if price.instructions > before * (1.0 + TOLERANCE) => Change::Grew,
            Some(before) if price.instructions < before * (1.0 - TOLERANCE) => Change::Shrank,
            Some(_) => Change::Held,
        };
        Verdict { price, before, change }
    };
    counted.into_iter().map(verdict).collect()
}

impl Verdict {
    /// A line for people.
    pub(super) fn line(&self) -> String {
        let Price { workload, per, instructions } = &self.price;
        let Some(before) = self.before else {
            return format!("{workload}: {instructions:.1} instructions per {per}, new");
        };
        let percent = (instructions / before - 1.0) * 100.0;
        let word = match self.change {
            Change::Grew => ", GREW",
            Change::Shrank => ", shrank: bless it",
            Change::Held | Change::New => "",
        };
        format!(
            "{workload}: {instructions:.1} instructions per {per}, {before:.1} checked in \
             ({percent:+.1} %){word}"
        )
    }

    /// Whether a change with this may not come in.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self.change, Change::Grew | Change::New)
    }
}

#[cfg(test)]
mod tests {
    use super::{Price, judge};

    fn price(workload: &str, per: &str, instructions: f64) -> Price {
        Price { workload: workload.to_owned(), per: per.to_owned(), instructions }
    }

    #[test]
    fn growth_is_refused_and_gain_is_kept() {
        let checked_in = [price("W3", "delivery", 100.0), price("W4", "hop", 200.0)];
        let check = |w3: f64, w4: f64| {
            let counted = vec![price("W3", "delivery", w3), price("W4", "hop", w4)];
            let verdicts = judge(counted, &checked_in);
            let line = |verdict: &super::Verdict| {
                let refused = if verdict.is_refused() { "no " } else { "yes" };
                format!("{refused} {}\n", verdict.line())
            };
            verdicts.iter().map(line).collect::<String>()
        };
        insta::assert_snapshot!(check(100.0, 210.0), @r"
        yes W3: 100.0 instructions per delivery, 100.0 checked in (+0.0 %)
        yes W4: 210.0 instructions per hop, 200.0 checked in (+5.0 %)
        ");
        insta::assert_snapshot!(check(105.2, 150.0), @r"
        no  W3: 105.2 instructions per delivery, 100.0 checked in (+5.2 %), GREW
        yes W4: 150.0 instructions per hop, 200.0 checked in (-25.0 %), shrank: bless it
        ");
    }

    #[test]
    fn what_is_not_checked_in_is_refused() {
        let verdicts = judge(vec![price("W4", "event", 9.0)], &[price("W4", "hop", 9.0)]);
        assert!(verdicts[0].is_refused());
        insta::assert_snapshot!(verdicts[0].line(), @"W4: 9.0 instructions per event, new");
    }
}
