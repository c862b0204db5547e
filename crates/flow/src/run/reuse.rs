//! Owns what need not be computed: what a run that this one goes on from has made, and what a
//! cached node made of the same before.

use std::sync::Arc;

use selvedge_event::{Digest, Text};
use selvedge_lineage::RunId;

use super::{Execution, Took};
use crate::builder::unknown_code;
use crate::error::JournalError;
use crate::input::{Brought, Given};
use crate::journal::{Found, Journal, memo_key};
use crate::outcome::Outcome;
use crate::value::{Shared, Value};

impl Execution {
    /// Whether it is worth looking for what a node made before.
    pub(crate) fn may_reuse(&self, node: u32) -> bool {
        self.journal.is_some() && (self.past.is_some() || self.plan.node(node).options.cached)
    }

    /// The value of a node, if it need not be computed.
    pub(super) fn reuse(&self, node: u32, given: &[Given]) -> Option<(Shared, RunId)> {
        let journal = self.journal.as_ref().filter(|_| self.may_reuse(node))?;
        let plan = self.plan.node(node);
        let inputs = self.read_values(node, given)?;
        let found = self.find(journal, node, self.step(node).as_str(), &inputs)?;
        // What can't be read as the type any more is computed again.
        let value = (plan.read)(&found.bytes).ok()?;
        self.reused.lock().push((node, found.run));
        Some((value, found.run))
    }

    /// What was made of the same before by a node, or by the item of it that the step is.
    fn find(
        &self,
        journal: &Journal,
        node: u32,
        step: &str,
        inputs: &[(Text, Digest)],
    ) -> Option<Found> {
        let plan = self.plan.node(node);
        let signature = plan.signature.clone().unwrap_or_else(unknown_code);
        let read = || inputs.iter().map(|(name, digest)| (name, *digest));
        let made = self.past.as_ref().and_then(|past| past.made(step, &signature, read()));
        if let Some((digest, run)) = made {
            match journal.value(&digest) {
                Ok(Some(bytes)) => return Some(Found { bytes, run }),
                Ok(None) => {}
                Err(error) => self.note(Err(error)),
            }
        }
        if !plan.options.cached {
            return None;
        }
        match journal.recall(&memo_key(&signature, inputs)?) {
            Ok(found) => found,
            Err(error) => {
                self.note(Err(error));
                None
            }
        }
    }

    /// The value of an item of a map, if it need not be computed.
    pub(crate) fn reuse_item<T: Value>(
        &self,
        node: u32,
        step: &str,
        inputs: &[(Text, Digest)],
    ) -> Option<(T, RunId)> {
        let journal = self.journal.as_ref()?;
        let found = self.find(journal, node, step, inputs)?;
        Some((serde_json::from_slice(&found.bytes).ok()?, found.run))
    }

    /// Keeps what an item of a map has made, where there is a journal.
    pub(crate) fn keep_item<T: Value>(
        &self,
        node: u32,
        value: &T,
        digest: &Digest,
        inputs: &[(Text, Digest)],
    ) {
        let Some(journal) = &self.journal else { return };
        let plan = self.plan.node(node);
        let key = plan.signature.as_ref().and_then(|signature| memo_key(signature, inputs));
        let memo = key.filter(|_| plan.options.cached).map(|key| (key, self.run));
        let kept = serde_json::to_vec(value)
            .map_err(|source| JournalError::Value { digest: *digest, source })
            .and_then(|bytes| journal.keep_bytes(&bytes, digest, memo));
        self.note(kept);
    }

    /// What a node has read, by name; `None` if it has read more than values.
    fn read_values(&self, node: u32, given: &[Given]) -> Option<Vec<(Text, Digest)>> {
        self.read_values_from(node, 0, given)
    }

    /// The same of the inputs that begin at one.
    pub(crate) fn read_values_from(
        &self,
        node: u32,
        begin: usize,
        given: &[Given],
    ) -> Option<Vec<(Text, Digest)>> {
        let mut inputs = Vec::with_capacity(given.len());
        for (at, given) in (begin..).zip(given) {
            match (&given.0, self.read(node, at)) {
                (Outcome::Ok(Brought::Value(value)), (name, Some(_))) => {
                    inputs.push((name, Arc::clone(value).digest().ok()?));
                }
                // Constants are in the signature; what the run is makes no difference.
                (Outcome::Ok(_), _) => {}
                (Outcome::Err(_) | Outcome::Skipped(_), _) => return None,
            }
        }
        Some(inputs)
    }

    /// Keeps what a node has made, where there is a journal.
    pub(super) fn keep_value(
        &self,
        node: u32,
        value: &Shared,
        digest: &Digest,
        given: &[Given],
        took: Took,
    ) {
        let Some(journal) = &self.journal else { return };
        if took.reused.is_some() {
            return;
        }
        let plan = self.plan.node(node);
        let memo = || {
            let signature = plan.signature.as_ref()?;
            let inputs = self.read_values(node, given)?;
            Some((memo_key(signature, &inputs)?, self.run))
        };
        let memo = if plan.options.cached { memo() } else { None };
        self.note(journal.keep(value, digest, memo));
    }
}
