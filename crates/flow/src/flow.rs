//! Owns `Flow`: a graph that was checked, and the ways to run it.

use std::sync::Arc;
use std::time::SystemTime;

use selvedge_event::{Init, Text};
use selvedge_lineage::Timestamp;
use selvedge_runtime::{Context, Pipeline, ScopeOptions, on};
use selvedge_topology::Topology;

use crate::builder::FlowBuilder;
use crate::error::RunError;
use crate::plan::Plan;
use crate::request::Request;
use crate::result::RunResult;
use crate::run::{Execution, Run};

/// A dataflow graph that was checked. Immutable: clones share it, and any number of runs of it go
/// on at once.
#[derive(Clone, Debug)]
pub struct Flow {
    plan: Arc<Plan>,
    records: bool,
}

impl Flow {
    /// Begins to define a flow of this name.
    pub fn builder(name: impl Into<Text>) -> FlowBuilder {
        FlowBuilder::new(name.into())
    }

    pub(crate) fn new(plan: Plan) -> Flow {
        Flow { plan: Arc::new(plan), records: true }
    }

    /// The same flow, whose runs record nothing: neither digests nor times are taken.
    #[must_use]
    pub fn without_lineage(mut self) -> Flow {
        self.records = false;
        self
    }

    /// The flow's name.
    #[must_use]
    pub fn name(&self) -> &Text {
        &self.plan.name
    }

    /// Its nodes and edges.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.plan.topology
    }

    /// Runs it to its end, on as many threads as the machine has cores: this one is one of them.
    ///
    /// # Errors
    ///
    /// [`RunError`], when the request can't be met. That nodes fail is no error: it is in the
    /// result.
    pub fn run(&self, request: Request) -> Result<RunResult, RunError> {
        let failed = |source| RunError::Workers { flow: self.name().clone(), source };
        let (execution, options) = self.prepare(&request)?;
        let opens = {
            let (execution, mut options) = (Arc::clone(&execution), Some(options));
            move |cx: &mut Context<'_>, _: &Init| {
                let start = execution.start();
                if let Some(options) = options.take() {
                    cx.scope(options, Run(Arc::clone(&execution)))?.post(start);
                }
                Ok(())
            }
        };
        let pipeline = Pipeline::builder().processor(on("flow", opens)).build().map_err(failed)?;
        pipeline.run().map_err(|source| RunError::Pipeline {
            flow: self.name().clone(),
            source: Box::new(source),
        })?;
        Ok(RunResult::new(&execution))
    }

    fn prepare(&self, request: &Request) -> Result<(Arc<Execution>, ScopeOptions), RunError> {
        let execution = Execution::new(&self.plan, request, now(), self.records)?;
        let mut options = ScopeOptions::named(self.name().clone());
        if let Some(n) = request.concurrency_max {
            options = options.concurrency_max(n);
        }
        Ok((Arc::new(execution), options))
    }
}

/// The time of day: a label for people.
fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "what a history tells people is wall time")]
    SystemTime::now().into()
}
