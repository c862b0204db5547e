//! Owns what becomes of a node when its parents have come to their ends. Pure.

use serde::{Deserialize, Serialize};

use crate::outcome::Skip;

/// What a node does when a parent has no value for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Policy {
    /// It is skipped.
    #[default]
    SkipIfParentFailed,
    /// It fails.
    RequireAllParents,
    /// It runs: it reads what became of its parents, not their values.
    ReceiveErrors,
}

/// What the parents that a node reads values of have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parents {
    pub(crate) any_err: bool,
    pub(crate) any_skipped: bool,
}

/// How a parent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Ok,
    Err,
    Skipped,
}

impl Ended {
    /// As those after the node see it: nobody depends on the failure of an optional one.
    pub(crate) fn seen_from_below(self, optional: bool) -> Ended {
        match self {
            Ended::Err if optional => Ended::Skipped,
            ended => ended,
        }
    }
}

impl Parents {
    pub(crate) fn note(&mut self, ended: Ended) {
        match ended {
            Ended::Ok => {}
            Ended::Err => self.any_err = true,
            Ended::Skipped => self.any_skipped = true,
        }
    }
}

/// What becomes of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Run,
    Skip(Skip),
    /// It needs all its parents.
    Fail,
}

/// Decides when all parents have ended.
pub(crate) fn decide(policy: Policy, parents: Parents) -> Decision {
    let Parents { any_err, any_skipped } = parents;
    match policy {
        _ if !any_err && !any_skipped => Decision::Run,
        Policy::ReceiveErrors => Decision::Run,
        Policy::SkipIfParentFailed => {
            Decision::Skip(Skip::ParentFailedOrSkipped { any_err, any_skipped })
        }
        Policy::RequireAllParents => Decision::Fail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line per policy and pair of parents, an optional one marked by `?`.
    fn table() -> String {
        let policies =
            [Policy::SkipIfParentFailed, Policy::RequireAllParents, Policy::ReceiveErrors];
        let ends = [Ended::Ok, Ended::Err, Ended::Skipped];
        let mut text = String::new();
        for policy in policies {
            for (first, optional) in ends.iter().flat_map(|&end| [(end, false), (end, true)]) {
                let decisions: Vec<String> = ends
                    .iter()
                    .map(|&second| {
                        let mut parents = Parents::default();
                        parents.note(first.seen_from_below(optional));
                        parents.note(second.seen_from_below(false));
                        let decision = match decide(policy, parents) {
                            Decision::Run => "run".to_owned(),
                            Decision::Fail => "fail".to_owned(),
                            Decision::Skip(Skip::ParentFailedOrSkipped {
                                any_err,
                                any_skipped,
                            }) => {
                                let which = [(any_err, "err"), (any_skipped, "skipped")];
                                let which = which.iter().filter(|(is, _)| *is);
                                let which: Vec<&str> = which.map(|(_, name)| *name).collect();
                                format!("skip({})", which.join("+"))
                            }
                            Decision::Skip(skip) => skip.to_string(),
                        };
                        format!("{second:?} {decision}")
                    })
                    .collect();
                let mark = if optional { "?" } else { "" };
                text += &format!("{policy:?}: {first:?}{mark} with {}\n", decisions.join(", "));
            }
        }
        text
    }

    #[test]
    fn every_policy_meets_every_pair_of_parents() {
        insta::assert_snapshot!(table(), @r"
        SkipIfParentFailed: Ok with Ok run, Err skip(err), Skipped skip(skipped)
        SkipIfParentFailed: Ok? with Ok run, Err skip(err), Skipped skip(skipped)
        SkipIfParentFailed: Err with Ok skip(err), Err skip(err), Skipped skip(err+skipped)
        SkipIfParentFailed: Err? with Ok skip(skipped), Err skip(err+skipped), Skipped skip(skipped)
        SkipIfParentFailed: Skipped with Ok skip(skipped), Err skip(err+skipped), Skipped skip(skipped)
        SkipIfParentFailed: Skipped? with Ok skip(skipped), Err skip(err+skipped), Skipped skip(skipped)
        RequireAllParents: Ok with Ok run, Err fail, Skipped fail
        RequireAllParents: Ok? with Ok run, Err fail, Skipped fail
        RequireAllParents: Err with Ok fail, Err fail, Skipped fail
        RequireAllParents: Err? with Ok fail, Err fail, Skipped fail
        RequireAllParents: Skipped with Ok fail, Err fail, Skipped fail
        RequireAllParents: Skipped? with Ok fail, Err fail, Skipped fail
        ReceiveErrors: Ok with Ok run, Err run, Skipped run
        ReceiveErrors: Ok? with Ok run, Err run, Skipped run
        ReceiveErrors: Err with Ok run, Err run, Skipped run
        ReceiveErrors: Err? with Ok run, Err run, Skipped run
        ReceiveErrors: Skipped with Ok run, Err run, Skipped run
        ReceiveErrors: Skipped? with Ok run, Err run, Skipped run
        ");
    }
}
