//! The one knob of a run: how much of a workload's full size to do. It refuses sizes whose sums
//! would overflow.

use std::str::FromStr;

use crate::error::Error;

/// The fraction of every workload's full size that a run does.
///
/// Figures are comparable at [`Scale::FULL`] only: smaller runs fit other caches and amortise less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale(f64);

impl Scale {
    /// The sizes that published figures are taken at.
    pub const FULL: Scale = Scale(1.0);
    /// The largest scale: beyond it the sums that the checks expect would leave `u64`.
    pub const MAX: f64 = 1000.0;
    /// No count goes below this, so that every worker and stage sees something even at a tiny
    /// scale.
    const COUNT_MIN: f64 = 16.0;

    /// A scale of `factor` times the full size.
    ///
    /// # Errors
    ///
    /// [`Error::ScaleOutOfRange`] unless `0 < factor <= Scale::MAX`.
    pub fn new(factor: f64) -> Result<Self, Error> {
        if factor > 0.0 && factor <= Self::MAX {
            Ok(Scale(factor))
        } else {
            Err(Error::ScaleOutOfRange { value: factor.to_string(), max: Self::MAX })
        }
    }

    /// `base` scaled and rounded down, at least 16.
    #[must_use]
    pub fn count(self, base: u64) -> u64 {
        (base as f64 * self.0).max(Self::COUNT_MIN) as u64
    }
}

impl FromStr for Scale {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let out_of_range = || Error::ScaleOutOfRange { value: text.to_owned(), max: Self::MAX };
        Scale::new(text.parse().map_err(|_| out_of_range())?)
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn trace(texts: &[&str]) -> String {
        let line = |text: &&str| match text.parse::<Scale>() {
            Ok(scale) => format!("{text}: {} of 1000000\n", scale.count(1_000_000)),
            Err(error) => format!("{text}: {error}\n"),
        };
        texts.iter().map(line).collect()
    }

    #[test]
    fn a_scale_is_a_positive_number_with_a_ceiling() {
        let texts = ["1", "0.1", "0.0000001", "1000", "1001", "0", "-1", "NaN", "x"];
        assert_snapshot!(trace(&texts), @r"
        1: 1000000 of 1000000
        0.1: 100000 of 1000000
        0.0000001: 16 of 1000000
        1000: 1000000000 of 1000000
        1001: scale `1001` is out of range; give a number above 0 and at most 1000
        0: scale `0` is out of range; give a number above 0 and at most 1000
        -1: scale `-1` is out of range; give a number above 0 and at most 1000
        NaN: scale `NaN` is out of range; give a number above 0 and at most 1000
        x: scale `x` is out of range; give a number above 0 and at most 1000
        ");
    }
}
