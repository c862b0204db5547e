//! Numbers of bytes, as people write them: `4GiB`, `512 MiB`, `100000`.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, bail};

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bytes(pub(crate) u64);

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl FromStr for Bytes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
        let unit = text[digits.len()..].trim_start();
        let factor = match UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, factor)) => *factor,
            None if unit.is_empty() => 1,
            None => bail!("unknown unit `{unit}` in `{text}`, use B, KiB, MiB or GiB"),
        };
        let count: u64 = digits.parse().with_context(|| format!("no whole number in `{text}`"))?;
        let bytes = count.checked_mul(factor).with_context(|| format!("`{text}` is too large"))?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, factor): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(*factor);
        let (name, factor) = UNITS.iter().find(whole).unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / factor)
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    fn check(texts: &[&str]) -> String {
        let read = |text: &&str| match text.parse::<Bytes>() {
            Ok(bytes) => format!("{text} -> {} = {bytes}\n", bytes.0),
            Err(error) => format!("{text} -> {error}\n"),
        };
        texts.iter().map(read).collect()
    }

    #[test]
    fn sizes() {
        insta::assert_snapshot!(
            check(&["4GiB", "512 MiB", "1536KiB", "7", "0", "4GB", "GiB", "-1", "99999999999GiB"]),
            @r"
        4GiB -> 4294967296 = 4GiB
        512 MiB -> 536870912 = 512MiB
        1536KiB -> 1572864 = 1536KiB
        7 -> 7 = 7B
        0 -> 0 = 0B
        4GB -> unknown unit `GB` in `4GB`, use B, KiB, MiB or GiB
        GiB -> no whole number in `GiB`
        -1 -> no whole number in `-1`
        99999999999GiB -> `99999999999GiB` is too large
        "
        );
    }
}
