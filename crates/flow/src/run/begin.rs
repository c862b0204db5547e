//! Owns what happens before the first node's turn: what is wanted, what parameters are.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use selvedge_lineage::{Run, RunId, Timestamp};
use selvedge_sync::atomic::{AtomicBool, AtomicU32, Ordering};
use selvedge_sync::{Condvar, Mutex};

use super::elsewhere::Elsewhere;
use super::past::Past;
use super::timed::Timed;
use super::urgency::Urgency;
use super::wide::RunWide;
use super::{Execution, Slot, State, Took};
use crate::error::RunError;
use crate::inner::Outer;
use crate::journal::Journal;
use crate::limit::Passes;
use crate::outcome::Outcome;
use crate::plan::{InputPlan, Parameter, Plan};
use crate::request::{Offered, Request, RunListener};
use crate::run_event::RunEvent;
use crate::stream::{Feed, Listen, Telling};
use crate::value::Shared;

/// What is written of a run.
#[derive(Clone, Debug)]
pub(crate) enum Writes {
    Nothing,
    /// Records, into its result.
    Result,
    /// Records and values.
    Journal(Journal),
}

impl Execution {
    /// A run that has not begun.
    pub(crate) fn new(
        plan: &Arc<Plan>,
        mut request: Request,
        started_at: Timestamp,
        writes: &Writes,
    ) -> Result<Execution, RunError> {
        let (wanted, kept) = wanted(plan, &request)?;
        let given = given(plan, &request, &wanted)?;
        let run = request.run.unwrap_or_else(|| RunId::drawn(started_at));
        let wide = RunWide::new(request.concurrency_max, request.threads_max);
        let journal =
            if let Writes::Journal(journal) = writes { Some(journal.clone()) } else { None };
        let failed = |source| RunError::Journal { flow: plan.name.clone(), source };
        let past = match (request.from, &journal) {
            (None, _) => None,
            (Some(run), None) => {
                return Err(RunError::NoJournal { flow: plan.name.clone(), run });
            }
            (Some(run), Some(journal)) => {
                let n = plan.nodes.len();
                Some(Past::of(journal, run, n).map_err(failed)?)
            }
        };
        let feed = Feed::new();
        let (events, listeners) = (request.events.take(), std::mem::take(&mut request.listeners));
        if let Some(journal) = &journal {
            let told = told(plan, request, run, started_at, &given);
            journal.begin(told).map_err(|error| failed(error.into()))?;
        }
        Ok(Execution {
            plan: Arc::clone(plan),
            run,
            started_at,
            outer: None,
            slots: slots(plan, &wanted, &kept),
            given,
            cancelled: Arc::new(AtomicBool::new(false)),
            records: (!matches!(writes, Writes::Nothing)).then(Mutex::default),
            journal,
            past: past.map(Arc::new),
            reused: Mutex::default(),
            lost: Mutex::default(),
            closed: Mutex::default(),
            timed: Timed::of(plan),
            elsewhere: Elsewhere::new(&wide),
            passes: Passes::default(),
            urgency: Urgency::of(plan),
            is_capped: wide.cap.is_some(),
            wide,
            is_troubled: AtomicBool::new(false),
            n_left: count(&wanted),
            over: Condvar::new(),
            begun: OnceLock::new(),
            events: Mutex::new(events.map(|listen| feed.listen(&listen))),
            tellings: Mutex::new(tellings(plan, &feed, listeners)?),
            feed,
        })
    }

    /// A run within another, for the value of one node.
    pub(crate) fn within(plan: &Arc<Plan>, given: Vec<(u32, Shared)>, outer: Outer) -> Execution {
        let mut kept = vec![false; plan.nodes.len()];
        kept[outer.output as usize] = true;
        let wanted = ancestors(plan, &kept);
        let around = &outer.execution;
        Execution {
            plan: Arc::clone(plan),
            run: around.run,
            started_at: around.started_at,
            slots: slots(plan, &wanted, &kept),
            given: given.into_iter().filter(|&(node, _)| wanted[node as usize]).collect(),
            cancelled: Arc::clone(&around.cancelled),
            records: around.records.is_some().then(Mutex::default),
            journal: around.journal.clone(),
            past: around.past.clone(),
            reused: Mutex::default(),
            lost: Mutex::default(),
            closed: Mutex::default(),
            timed: Timed::of(plan),
            elsewhere: Elsewhere::new(&around.wide),
            passes: Passes::default(),
            urgency: Urgency::of(plan),
            is_capped: around.is_capped,
            wide: Arc::clone(&around.wide),
            is_troubled: AtomicBool::new(false),
            n_left: count(&wanted),
            over: Condvar::new(),
            begun: around.begun.clone(),
            feed: around.feed.clone(),
            events: Mutex::default(),
            tellings: Mutex::default(),
            outer: Some(outer),
        }
    }

    /// Ends the parameters, and posts what reads nothing else.
    pub(super) fn begin(&self, post: &mut dyn FnMut(u32)) {
        // Before a parameter ends: whoever then counts to zero posts that node.
        for (slot, node) in self.slots.iter().zip(0_u32..) {
            let is_ready = slot.pending.load(Ordering::Relaxed) == 0;
            let is_parameter = self.plan.node(node).parameter.is_some();
            if is_ready && !is_parameter && matches!(*slot.state.lock(), State::Waiting) {
                self.note_ready(node);
                post(node);
            }
        }
        for (node, value) in &self.given {
            let outcome = Outcome::Ok(Arc::clone(value));
            self.end(*node, outcome, &[], Took { attempt: 1, ..Took::default() }, post);
        }
    }
}

/// Begins to tell listeners.
fn tellings(
    plan: &Plan,
    feed: &Feed<RunEvent>,
    listeners: Vec<(Listen, RunListener)>,
) -> Result<Vec<(Telling, Duration)>, RunError> {
    let begin = |(listen, listener): (Listen, RunListener)| {
        let telling = feed.listen(&listen).tell(listener);
        let telling =
            telling.map_err(|source| RunError::Listener { flow: plan.name.clone(), source })?;
        Ok((telling, listen.farewell_max))
    };
    listeners.into_iter().map(begin).collect()
}

fn count(wanted: &[bool]) -> AtomicU32 {
    AtomicU32::new(wanted.iter().filter(|&&is_wanted| is_wanted).count() as u32)
}

/// The run, as a history is told it.
fn told(
    plan: &Plan,
    request: Request,
    run: RunId,
    started_at: Timestamp,
    given: &[(u32, Shared)],
) -> Run {
    let mut told = Run::new(run, plan.name.clone(), started_at);
    let Request { actor, trigger, from, tags, .. } = request;
    (told.actor, told.trigger, told.parent) = (actor, trigger, from);
    told.tags.extend(tags);
    for (node, value) in given {
        if let (Some(parameter), Ok(digest)) = (&plan.node(*node).parameter, value.digest()) {
            told.parameters.insert(parameter.name.clone(), digest);
        }
    }
    told
}

/// Which nodes are to run, and whose values are to be kept.
pub(crate) fn wanted(plan: &Plan, request: &Request) -> Result<(Vec<bool>, Vec<bool>), RunError> {
    let flow = || plan.name.clone();
    let mut kept = vec![false; plan.nodes.len()];
    match &request.wanted {
        None => plan.terminals().for_each(|node| kept[node as usize] = true),
        Some(ids) => {
            for id in ids {
                let called = plan.called(id.as_str());
                if called.is_empty() {
                    let hint = selvedge_topology::suggestion(id.as_str(), plan.names());
                    return Err(RunError::UnknownNode { flow: flow(), node: id.clone(), hint });
                }
                called.into_iter().for_each(|node| kept[node as usize] = true);
            }
        }
    }
    if !kept.contains(&true) {
        return Err(RunError::NothingWanted { flow: flow() });
    }
    Ok((ancestors(plan, &kept), kept))
}

/// These nodes, and all that they depend on.
fn ancestors(plan: &Plan, kept: &[bool]) -> Vec<bool> {
    let mut wanted = kept.to_vec();
    // Parents come before children.
    for node in (0..plan.nodes.len() as u32).rev() {
        if wanted[node as usize] {
            for parent in plan.inputs(node).iter().filter_map(InputPlan::node) {
                wanted[parent as usize] = true;
            }
        }
    }
    wanted
}

/// The nodes of a run that has not begun.
fn slots(plan: &Plan, wanted: &[bool], kept: &[bool]) -> Box<[Slot]> {
    let slot = |node: u32| {
        let pending = plan.inputs(node).iter().filter_map(InputPlan::node).count();
        let readers = plan.readers(node).iter().filter(|&&n| wanted[n as usize]).count();
        let keeps = plan.node(node).options.keeps || kept[node as usize];
        let is_wanted = wanted[node as usize];
        Slot {
            pending: AtomicU32::new(pending as u32),
            readers: AtomicU32::new((readers + usize::from(keeps)) as u32),
            state: Mutex::new(if is_wanted { State::Waiting } else { State::Unwanted }),
        }
    };
    (0..plan.nodes.len() as u32).map(slot).collect()
}

/// What the wanted parameters are.
pub(crate) fn given(
    plan: &Plan,
    request: &Request,
    wanted: &[bool],
) -> Result<Vec<(u32, Shared)>, RunError> {
    let flow = || plan.name.clone();
    for (name, _) in &request.parameters {
        if plan.parameter(name.as_str()).is_none() {
            let names = plan.parameters().map(|(_, parameter)| parameter.name.as_str());
            let hint = selvedge_topology::suggestion(name.as_str(), names);
            return Err(RunError::UnknownParameter { flow: flow(), name: name.clone(), hint });
        }
    }
    let mut given = Vec::new();
    for (idx, parameter) in plan.parameters().filter(|&(idx, _)| wanted[idx as usize]) {
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
