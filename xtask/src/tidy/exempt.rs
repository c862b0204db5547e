//! The list of exemptions, which only shrinks: one that exempts nothing is a finding itself.

use super::{Finding, Rule};

/// A rule that one file may break, and why.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exemption {
    pub(super) path: &'static str,
    pub(super) rule: Rule,
    pub(super) reason: &'static str,
}

/// The debts of the house.
pub(super) const EXEMPT: [Exemption; 0] = [];

/// Takes out what is exempt and adds what no longer needs to be.
pub(super) fn sift(findings: Vec<Finding>, exempt: &[Exemption]) -> Vec<Finding> {
    let covers = |exemption: &Exemption, finding: &Finding| {
        exemption.path == finding.path && exemption.rule == finding.rule
    };
    let stale = exempt
        .iter()
        .filter(|exemption| !findings.iter().any(|finding| covers(exemption, finding)))
        .map(|exemption| {
            let Exemption { path, rule, reason } = exemption;
            let what = format!("nothing is exempt from {rule:?} any more ({reason})");
            Finding::new(*rule, path, 1, what, "remove its line in EXEMPT")
        });
    let stale: Vec<Finding> = stale.collect();
    let open = findings
        .into_iter()
        .filter(|finding| !exempt.iter().any(|exemption| covers(exemption, finding)));
    open.chain(stale).collect()
}
