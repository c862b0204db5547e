//! Owns what happens before the first node's turn: what is wanted, what parameters are.

use std::sync::Arc;

use selvedge_lineage::{RunId, Timestamp};
use selvedge_sync::Mutex;
use selvedge_sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::{Execution, Slot, State, Took};
use crate::error::RunError;
use crate::outcome::Outcome;
use crate::plan::{InputPlan, Parameter, Plan};
use crate::request::{Offered, Request};
use crate::value::Shared;

impl Execution {
    /// A run that has not begun.
    pub(crate) fn new(
        plan: &Arc<Plan>,
        request: &Request,
        started_at: Timestamp,
        records: bool,
    ) -> Result<Execution, RunError> {
        let (wanted, kept) = wanted(plan, request)?;
        let given = given(plan, request, &wanted)?;
        let slots: Vec<Slot> = (0..plan.nodes.len() as u32)
            .map(|node| {
                let is_wanted = wanted[node as usize];
                let pending = plan.inputs(node).iter().filter_map(InputPlan::node).count();
                let readers = plan.readers(node).iter().filter(|&&n| wanted[n as usize]).count();
                let keeps = plan.node(node).options.keeps || kept[node as usize];
                let readers = readers + usize::from(keeps);
                Slot {
                    pending: AtomicU32::new(pending as u32),
                    readers: AtomicU32::new(readers as u32),
                    state: Mutex::new(if is_wanted { State::Waiting } else { State::Unwanted }),
                }
            })
            .collect();
        Ok(Execution {
            plan: Arc::clone(plan),
            run: request.run.unwrap_or_else(|| RunId::drawn(started_at)),
            started_at,
            slots: slots.into(),
            given,
            cancelled: Arc::new(AtomicBool::new(false)),
            records: records.then(Mutex::default),
        })
    }

    /// The number of the task that begins the run.
    pub(crate) fn start(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Ends the parameters, and posts what reads nothing else.
    pub(super) fn begin(&self, post: &mut dyn FnMut(u32)) {
        // Before a parameter ends: whoever then counts to zero posts that node.
        for (slot, node) in self.slots.iter().zip(0_u32..) {
            let is_ready = slot.pending.load(Ordering::Relaxed) == 0;
            let is_parameter = self.plan.node(node).parameter.is_some();
            if is_ready && !is_parameter && matches!(*slot.state.lock(), State::Waiting) {
                post(node);
            }
        }
        for (node, value) in &self.given {
            let outcome = Outcome::Ok(Arc::clone(value));
            self.end(*node, outcome, &[], Took { attempt: 1, ..Took::default() }, post);
        }
    }
}

/// Which nodes are to run, and whose values are to be kept.
fn wanted(plan: &Plan, request: &Request) -> Result<(Vec<bool>, Vec<bool>), RunError> {
    let flow = || plan.name.clone();
    let mut kept = vec![false; plan.nodes.len()];
    match &request.wanted {
        None => plan.terminals().for_each(|node| kept[node as usize] = true),
        Some(ids) => {
            for id in ids {
                let Some(node) = plan.topology.node(id.as_str()) else {
                    let names = plan.nodes.iter().map(|node| node.id.as_str());
                    let hint = selvedge_topology::suggestion(id.as_str(), names);
                    return Err(RunError::UnknownNode { flow: flow(), node: id.clone(), hint });
                };
                kept[node.idx()] = true;
            }
        }
    }
    if !kept.contains(&true) {
        return Err(RunError::NothingWanted { flow: flow() });
    }
    let mut wanted = kept.clone();
    // Parents come before children.
    for node in (0..plan.nodes.len() as u32).rev() {
        if wanted[node as usize] {
            for parent in plan.inputs(node).iter().filter_map(InputPlan::node) {
                wanted[parent as usize] = true;
            }
        }
    }
    Ok((wanted, kept))
}

/// What the wanted parameters are.
fn given(plan: &Plan, request: &Request, wanted: &[bool]) -> Result<Vec<(u32, Shared)>, RunError> {
    let flow = || plan.name.clone();
    let parameters = || {
        let nodes = plan.nodes.iter().zip(0_u32..);
        nodes.filter_map(|(node, idx)| Some((idx, node.parameter.as_deref()?)))
    };
    for (name, _) in &request.parameters {
        if !parameters().any(|(_, parameter)| parameter.name == *name) {
            let names = parameters().map(|(_, parameter)| parameter.name.as_str());
            let hint = selvedge_topology::suggestion(name.as_str(), names);
            return Err(RunError::UnknownParameter { flow: flow(), name: name.clone(), hint });
        }
    }
    let mut given = Vec::new();
    for (idx, parameter) in parameters().filter(|&(idx, _)| wanted[idx as usize]) {
        let mut offers = request.parameters.iter().rev();
        let offered = offers.find(|(name, _)| *name == parameter.name);
        let value = match offered {
            Some((_, offered)) => accept(plan, parameter, offered)?,
            None => parameter.default.clone().ok_or_else(|| RunError::MissingParameter {
                flow: flow(),
                name: parameter.name.clone(),
            })?,
        };
        given.push((idx, value));
    }
    Ok(given)
}

/// A value for a parameter, if it is one.
fn accept(plan: &Plan, parameter: &Parameter, offered: &Offered) -> Result<Shared, RunError> {
    let (flow, name) = (plan.name.clone(), parameter.name.clone());
    let wrong = |found: String| RunError::ParameterType {
        flow: flow.clone(),
        name: name.clone(),
        wanted: parameter.type_name,
        found,
    };
    let read = |json| (parameter.read)(json).map_err(|error| error.to_string());
    let value = match offered {
        Offered::Value { value, .. } if value.type_id() == parameter.type_id => Arc::clone(value),
        // An `i32` will do for an `i64`: what counts is whether serde reads one as the other.
        Offered::Value { value, type_name } => value
            .to_json()
            .and_then(|bytes| serde_json::from_slice(&bytes))
            .map_err(|error| error.to_string())
            .and_then(read)
            .map_err(|error| wrong(format!("a `{type_name}` was given that is none: {error}")))?,
        Offered::Json(json) => {
            read(json.clone()).map_err(|error| wrong(format!("the JSON given is none: {error}")))?
        }
    };
    match parameter.approve(&value) {
        Ok(()) => Ok(value),
        Err(reason) => Err(RunError::ParameterRefused { flow, name, reason }),
    }
}
