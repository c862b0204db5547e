//! Owns the work of a node on its way to an executor and back.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use anyhow::{Result, anyhow};
use selvedge_event::Text;
use selvedge_lineage::RunId;

use crate::input::{Brought, Given};
use crate::outcome::Outcome;
use crate::plan::{InputPlan, PlanSource};
use crate::request::RunInfo;
use crate::run::{CameTo, Elsewhere, Fault};

/// What a node, or an item of a map, has to do, with what it reads. See
/// [`Executor`](crate::Executor).
///
/// It ends once: by [`compute`](Self::compute), [`answer_json`](Self::answer_json) or
/// [`fail`](Self::fail). One that is dropped has failed.
#[must_use = "work that is dropped has failed"]
pub struct Work {
    pub(crate) home: Arc<dyn Home>,
    pub(crate) task: u32,
    /// Of the visit that it is.
    pub(crate) number: u64,
    pub(crate) info: RunInfo,
    pub(crate) given: Vec<Given>,
    pub(crate) ended: bool,
}

/// What work is of: nodes of a run, or items of a map, by number.
pub(crate) trait Home: Send + Sync {
    fn compute(&self, task: u32, given: &[Given]) -> Result<Box<dyn Any + Send>>;
    fn inputs_json(&self, task: u32, given: &[Given]) -> Result<Vec<u8>>;
    fn read(&self, task: u32, json: &[u8]) -> serde_json::Result<Box<dyn Any + Send>>;
    fn elsewhere(&self) -> &Elsewhere;
}

impl Work {
    /// The id of the node; of an item of a map `<node>[<index>]`.
    #[must_use]
    pub fn node(&self) -> &Text {
        &self.info.node
    }

    /// The flow's name.
    #[must_use]
    pub fn flow(&self) -> &Text {
        &self.info.flow
    }

    /// The run's id.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.info.run
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.info.attempt
    }

    /// Whether the run was called off, or the node has used up its time: nobody needs it any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.info.is_cancelled()
    }

    /// Has a function called when nobody needs the work any more: the run was called off or given
    /// up, or the node has used up its time. At once, if that is so already; never, once the work
    /// has ended. It must not wait.
    pub fn on_stop(&self, stop: impl FnOnce() + Send + 'static) {
        self.home.elsewhere().on_stop(self.task, self.number, Box::new(stop));
    }

    /// What the node reads, as a JSON array in the order of its inputs; of an item, the item comes
    /// first. An outcome is `{"ok": …}`, `{"err": …}` or `{"skipped": …}`; what the run is is an
    /// object with `run`, `flow`, `node` and `attempt`.
    ///
    /// # Errors
    ///
    /// serde's, when a value can't be written as JSON.
    pub fn inputs_json(&self) -> Result<Vec<u8>> {
        self.home.inputs_json(self.task, &self.given)
    }

    /// Calls the node's function, here and now, and ends the work with what it returns. A panic is
    /// the node's.
    pub fn compute(self) {
        let computed = catch_unwind(AssertUnwindSafe(|| self.home.compute(self.task, &self.given)));
        self.end(match computed {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Fault::Error(error)),
            Err(panic) => Err(Fault::Panic(panic)),
        });
    }

    /// Ends the work with an answer, which is read as what the node makes.
    pub fn answer_json(self, json: &[u8]) {
        let read = self.home.read(self.task, json);
        self.end(read.map_err(|error| {
            let begins = String::from_utf8_lossy(&json[..json.len().min(60)]).into_owned();
            Fault::Error(anyhow!("the answer {begins:?} can't be read: {error}"))
        }));
    }

    /// Ends the work with an error.
    pub fn fail(self, error: anyhow::Error) {
        self.end(Err(Fault::Error(error)));
    }

    fn end(mut self, came_to: CameTo) {
        self.ended = true;
        self.home.elsewhere().arrive(self.task, self.number, came_to);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.ended {
            let dropped = anyhow!("its executor has dropped the work");
            self.home.elsewhere().arrive(self.task, self.number, Err(Fault::Error(dropped)));
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("node", self.node()).finish_non_exhaustive()
    }
}

/// What inputs have come to, as JSON values one after the other.
pub(crate) fn encoded<'a>(
    inputs: impl Iterator<Item = (&'a InputPlan, &'a Given)>,
) -> Result<Vec<Vec<u8>>> {
    let encode = |(input, given): (&InputPlan, &Given)| {
        let receives = matches!(input.source, PlanSource::Node { receives: true, .. });
        Ok(match &given.0 {
            Outcome::Ok(Brought::Value(value)) => match receives {
                true => [b"{\"ok\":", &value.to_json()?[..], b"}"].concat(),
                false => value.to_json()?,
            },
            Outcome::Ok(Brought::Run(run)) => serde_json::to_vec(&serde_json::json!({
                "run": run.run,
                "flow": run.flow,
                "node": run.node,
                "attempt": run.attempt,
            }))?,
            Outcome::Err(failure) => serde_json::to_vec(&serde_json::json!({ "err": failure }))?,
            Outcome::Skipped(skip) => serde_json::to_vec(&serde_json::json!({ "skipped": skip }))?,
        })
    };
    inputs.map(encode).collect()
}
