//! Owns the switch for planted bugs: deviations of a line each, by which the suites are held to
//! finding what they are there for (`cargo xtask planted`).
//!
//! Only a build with `--cfg selvedge_planted` has them; there, the environment names the one that
//! is on. In every other build they are gone before code is made.

/// Whether this bug is on.
#[cfg(selvedge_planted)]
pub(crate) fn planted(name: &str) -> bool {
    static ON: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    ON.get_or_init(|| std::env::var("SELVEDGE_PLANTED").unwrap_or_default()) == name
}

/// Whether this bug is on.
#[cfg(not(selvedge_planted))]
#[inline(always)]
pub(crate) const fn planted(_: &str) -> bool {
    false
}
