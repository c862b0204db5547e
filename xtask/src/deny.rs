//! Licences, bans, sources and security advisories of everything we build on, by cargo-deny.

use anyhow::{Result, bail};

use crate::invocation::{Invocation, Sink};
use crate::workspace;

/// The version that `.ci/run` installs; its checks and its configuration format go together.
pub(crate) const VERSION: &str = "0.20.2";

/// How much was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// Everything.
    All,
    /// Everything but the advisories, whose database was out of reach.
    AllButAdvisories,
}

/// Checks all that can be checked here and says loudly what could not.
pub(crate) fn run() -> Result<Checked> {
    run_into(Sink::Stdout)
}

/// As [`run`], with cargo-deny's output sent to `sink`.
pub(crate) fn run_into(sink: Sink) -> Result<Checked> {
    let deny = |words: &str| Invocation::cargo(words).dir(&workspace::root());
    if !deny("deny --version").capture()?.status.success() {
        let install = format!("cargo install --locked cargo-deny --version {VERSION}");
        bail!("cargo-deny isn't installed, use `{install}`");
    }
    // Fetching is tried apart from checking: a failed check must never pass for a network that is
    // down.
    if deny("deny fetch db").capture()?.status.success() {
        deny("deny check").run(sink)?;
        return Ok(Checked::All);
    }
    eprintln!("warning: ADVISORIES NOT CHECKED: their database can't be fetched from here");
    deny("deny check bans licenses sources").run(sink)?;
    Ok(Checked::AllButAdvisories)
}

#[cfg(test)]
mod tests {
    use super::VERSION;
    use crate::workspace;

    #[test]
    fn ci_installs_the_version_we_name() {
        let script = std::fs::read_to_string(workspace::root().join(".ci/run"))
            .expect("the script lies in the repository");
        assert!(
            script.lines().any(|line| line == format!("deny_version={VERSION}")),
            ".ci/run must hold the line deny_version={VERSION}"
        );
    }
}
