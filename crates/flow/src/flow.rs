//! Owns `Flow`: a graph that was checked, and the ways to run it.

use std::sync::Arc;
use std::time::SystemTime;

use selvedge_event::{Digest, Text};
use selvedge_lineage::{RunId, Timestamp};
use selvedge_runtime::ScopeOptions;
use selvedge_topology::Topology;

use crate::builder::FlowBuilder;
use crate::error::RunError;
use crate::journal::Journal;
use crate::plan::Plan;
use crate::request::Request;
use crate::run::{Execution, Writes};

/// A dataflow graph that was checked. Immutable: clones share it, and any number of runs of it go
/// on at once.
#[derive(Clone, Debug)]
pub struct Flow {
    plan: Arc<Plan>,
    writes: Writes,
}

impl Flow {
    /// Begins to define a flow of this name.
    pub fn builder(name: impl Into<Text>) -> FlowBuilder {
        FlowBuilder::new(name.into())
    }

    pub(crate) fn new(plan: Plan) -> Flow {
        Flow { plan: Arc::new(plan), writes: Writes::Result }
    }

    /// The same flow, whose runs record nothing: neither digests nor times are taken.
    #[must_use]
    pub fn without_lineage(mut self) -> Flow {
        self.writes = Writes::Nothing;
        self
    }

    /// The same flow, whose runs are written down in a journal, with all values of their nodes.
    #[must_use]
    pub fn in_journal(mut self, journal: Journal) -> Flow {
        self.writes = Writes::Journal(journal);
        self
    }

    /// What a run that the journal knows was asked for: its parameters. Run again it does the same;
    /// with [`Request::going_on_from`] only what did not succeed then.
    ///
    /// ```
    /// use selvedge_flow::{Flow, Journal, Request, node};
    ///
    /// let mut flow = Flow::builder("shop");
    /// let n = flow.parameter::<u64>("n");
    /// let doubled = flow.node("doubled", (n,), |n: &u64| Ok(n * 2));
    /// let flow = flow.build()?.in_journal(Journal::in_memory()?);
    ///
    /// let first = flow.run(Request::new().with("n", 12))?;
    /// let again = flow.request_of(first.run())?.going_on_from(first.run());
    /// let again = flow.run(again)?;
    /// assert_eq!((again.value(doubled)?, again.reused(doubled)), (&24, Some(first.run())));
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError`], when there is no journal, it does not know the run, or the value of a
    /// parameter is not kept any more.
    pub fn request_of(&self, run: RunId) -> Result<Request, RunError> {
        let flow = || self.name().clone();
        let Writes::Journal(journal) = &self.writes else {
            return Err(RunError::NoJournal { flow: flow(), run });
        };
        let failed = |source| RunError::Journal { flow: flow(), source };
        let told = journal.history().run(run).map_err(|error| failed(error.into()))?;
        let Some(told) = told else {
            return Err(RunError::UnknownRun { flow: flow(), run, hint: String::new() });
        };
        if told.pipeline != *self.name() {
            let hint = format!(": it is one of `{}`", told.pipeline);
            return Err(RunError::UnknownRun { flow: flow(), run, hint });
        }
        let mut request = Request::new();
        for (name, digest) in told.parameters {
            let kept = journal.value(&digest).map_err(|error| failed(error.into()))?;
            let json = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let gone = || RunError::ParameterGone { flow: flow(), run, name: name.clone() };
            request = request.with_json(name.clone(), json.ok_or_else(gone)?);
        }
        Ok(request)
    }

    pub(crate) fn shared_plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    pub(crate) fn writes(&self) -> &Writes {
        &self.writes
    }

    /// The flow's name.
    #[must_use]
    pub fn name(&self) -> &Text {
        &self.plan.name
    }

    /// What the flow is: ids, kinds, policies, wiring, constants and code of all nodes, so far as
    /// their code is known. Equal on every machine; what a run may go on from is told by it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.plan.digest()
    }

    /// Its nodes and edges.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.plan.topology
    }

    /// A run that has not begun, and the scope it wants.
    pub(crate) fn prepare(
        &self,
        request: Request,
    ) -> Result<(Arc<Execution>, ScopeOptions), RunError> {
        let mut options = ScopeOptions::named(self.name().clone());
        if request.concurrency_max == Some(0) {
            // Refused when the scope is opened. Any other cap is not the scope's: limits of time
            // must not wait for what they limit.
            options = options.concurrency_max(0);
        }
        let execution = Execution::new(&self.plan, request, now(), &self.writes)?;
        Ok((Arc::new(execution), options))
    }
}

/// The time of day: a label for people.
pub(crate) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "what a history tells people is wall time")]
    SystemTime::now().into()
}
