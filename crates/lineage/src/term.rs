//! Owns what records are found by: a run, a step, a signature, a value made, a value read.

use selvedge_event::{Digest, Signature};

use crate::record::Record;
use crate::run::RunId;

/// One thing that records are found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Term<'t> {
    /// Those of a run.
    Run(RunId),
    /// The executions of a step, in any run.
    Step(&'t str),
    /// What this code did.
    Signature(&'t Signature),
    /// Who made the value.
    Output(Digest),
    /// Who read the value.
    Input(Digest),
}

impl Term<'_> {
    /// Whether a record is one of those: an index may only say that it could be.
    pub(crate) fn is_of(&self, record: &Record) -> bool {
        match self {
            Term::Run(run) => record.run == *run,
            Term::Step(step) => record.step.as_str() == *step,
            Term::Signature(signature) => record.signature == **signature,
            Term::Output(digest) => record.makes(digest),
            Term::Input(digest) => record.reads(digest),
        }
    }
}
