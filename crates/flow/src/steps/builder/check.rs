//! Owns what must hold of a pipe as a whole, and the plan that is made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use selvedge_event::Text;
use selvedge_topology::{EdgeStyle, NameRules, Place, Problem, Shape as Look, Topology};

use super::super::error::{PipeError, PipeProblem};
use super::super::extract::Needs;
use super::super::machine::{Shape, ShapeKind, StepShape};
use super::super::plan::{Plan, StepKind, StepPlan};
use super::{Defined, PipeBuilder, Routes};

pub(super) fn build<S, C>(builder: PipeBuilder<S, C>) -> Result<Plan<S, C>, PipeError> {
    let mut problems = Vec::new();
    find_problems(&builder, &mut problems);
    let topology = match topology(&builder) {
        Ok(topology) if problems.is_empty() => topology,
        Ok(_) => return Err(PipeError(problems)),
        Err(found) => {
            let found = found.list().iter().cloned().map(problem);
            return Err(PipeError(found.chain(problems).collect()));
        }
    };
    let numbers: BTreeMap<Text, u32> =
        builder.steps.iter().map(|step| step.name.clone()).zip(0..).collect();
    let shape = shape(&builder, &numbers, &topology);
    let roots = roots(&builder);
    let roots: Vec<u32> = (0_u32..).zip(roots).filter(|(_, is)| *is).map(|(n, _)| n).collect();
    let steps = builder.steps.into_iter().map(|step| step.planned(&numbers)).collect();
    Ok(Plan {
        name: builder.name,
        steps,
        shape,
        roots,
        topology,
        on_error: builder.on_error,
        on_startup: builder.on_startup,
        on_shutdown: builder.on_shutdown,
        concurrency_max: builder.concurrency_max,
        time_limit: builder.time_limit,
        retries_max: builder.retries_max,
        digest: OnceLock::new(),
    })
}

/// What is wrong with names and edges, in the words of pipes.
fn problem(problem: Problem) -> PipeProblem {
    let Problem::Cycle { steps, .. } = problem else { return PipeProblem::Topology(problem) };
    let names = steps.iter().map(|step| step.name.as_str());
    let again = steps.first().map(|step| step.name.as_str());
    let names: Vec<String> = names.chain(again).map(|name| format!("`{name}`")).collect();
    let place = steps.first().map_or_else(Place::here, |step| step.place.clone());
    PipeProblem::Cycle { cycle: names.join(" → "), place }
}

impl<S, C> Defined<S, C> {
    /// Steps that an edge of its own leads to, each once, as they were said.
    fn targets(&self) -> Vec<&Text> {
        let routes = self.routes.iter().filter_map(|(_, to)| to.as_ref());
        let otherwise = self.otherwise.iter().flatten();
        let mut seen = BTreeSet::new();
        self.to.iter().chain(routes).chain(otherwise).filter(|to| seen.insert(*to)).collect()
    }

    fn needs_alone(&self) -> bool {
        self.needs.iter().any(|needs| matches!(needs, Needs::Alone))
    }

    fn planned(self, numbers: &BTreeMap<Text, u32>) -> StepPlan<S, C> {
        let number = |to: Option<Text>| to.map(|to| numbers[&to]);
        let routes: Routes = self.routes.into_iter().map(|(key, to)| (key, number(to))).collect();
        StepPlan {
            name: self.name,
            kind: self.kind,
            body: self.body,
            on_error: self.on_error,
            on_failure: self.on_failure,
            time_limit: self.time_limit,
            code: self.code,
            routes,
            otherwise: self.otherwise.map(number),
            items_max: self.items_max,
            read_items: self.read_items,
            sub: self.sub,
            inputs: self.needs.iter().filter_map(Needs::input).collect(),
            tags: self.tags,
            description: self.description,
        }
    }
}

/// Steps that nothing leads to. A jump back to what comes before it leads nowhere new.
fn roots<S, C>(builder: &PipeBuilder<S, C>) -> Vec<bool> {
    let by_name: BTreeMap<&Text, &Defined<S, C>> =
        builder.steps.iter().map(|step| (&step.name, step)).collect();
    let mut led_to = BTreeSet::new();
    for step in &builder.steps {
        led_to.extend(step.targets());
        led_to.extend(step.jumps.iter().filter(|to| !leads(&by_name, to, &step.name)));
        led_to.extend(step.each.iter());
    }
    builder.steps.iter().map(|step| !led_to.contains(&step.name)).collect()
}

/// Whether edges lead from one step to another, or they are the same.
fn leads<'b, S, C>(
    by_name: &BTreeMap<&'b Text, &'b Defined<S, C>>,
    from: &'b Text,
    to: &Text,
) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![from];
    while let Some(step) = next.pop() {
        if step == to {
            return true;
        }
        if seen.insert(step) {
            next.extend(by_name.get(step).into_iter().flat_map(|step| step.targets()));
        }
    }
    false
}

/// Names, edges, cycles.
fn topology<S, C>(builder: &PipeBuilder<S, C>) -> Result<Topology, selvedge_topology::Problems> {
    let mut topology = Topology::builder(builder.name.as_str()).names(NameRules::identifiers());
    for step in &builder.steps {
        let look = match step.kind {
            StepKind::Step => Look::Rectangle,
            StepKind::Map => Look::Subroutine,
            StepKind::Switch => Look::Diamond,
            StepKind::Sub => Look::Parallelogram,
        };
        topology.node_at(step.name.as_str(), step.place.clone()).kind(step.kind.name()).shape(look);
    }
    for step in &builder.steps {
        let (from, place) = (step.name.as_str(), &step.place);
        for to in step.to.iter().collect::<BTreeSet<_>>() {
            topology.edge_at(from, to.as_str(), place.clone());
        }
        let keys = step.routes.iter().map(|(key, to)| (key.as_str(), to));
        let otherwise = step.otherwise.iter().map(|to| ("otherwise", to));
        for (key, to) in keys.chain(otherwise) {
            if let Some(to) = to {
                topology.edge_at(from, to.as_str(), place.clone()).label(key);
            }
        }
        if let Some(each) = &step.each {
            let mut edge = topology.edge_at(from, each.as_str(), place.clone());
            edge.label("each").style(EdgeStyle::Dotted);
        }
        for to in &step.jumps {
            let mut edge = topology.edge_at(from, to.as_str(), place.clone());
            edge.label("jump").style(EdgeStyle::Dotted).feedback("the step says where it jumps");
        }
    }
    topology.build()
}

/// What the machine knows of the pipe.
fn shape<S, C>(
    builder: &PipeBuilder<S, C>,
    numbers: &BTreeMap<Text, u32>,
    topology: &Topology,
) -> Shape {
    let number = |name: &Text| numbers[name];
    let mut parents: Vec<Vec<u32>> = vec![Vec::new(); builder.steps.len()];
    for (step, from) in builder.steps.iter().zip(0_u32..) {
        step.targets().into_iter().for_each(|to| parents[number(to) as usize].push(from));
    }
    let mut ranks = vec![0; builder.steps.len()];
    for (node, rank) in topology.order().zip(0_u32..) {
        ranks[node.idx()] = rank;
    }
    let steps = builder.steps.iter().zip(parents).zip(ranks).map(|((step, parents), rank)| {
        let targets: Vec<u32> = step.targets().into_iter().map(number).collect();
        let (kind, to) = match (step.kind, &step.each) {
            (StepKind::Switch, _) => (ShapeKind::Switch { targets }, Vec::new()),
            (StepKind::Map, Some(each)) => {
                (ShapeKind::Map { each: number(each), cap: step.at_a_time }, targets)
            }
            (StepKind::Sub, _) => (ShapeKind::Sub, targets),
            _ => (ShapeKind::Step, targets),
        };
        let (join, join_limit) = (step.join, step.join_limit);
        let exclusive = step.needs_alone();
        StepShape { kind, to, parents, join, join_limit, exclusive, rank }
    });
    Shape(steps.collect())
}

/// What can be told without following edges.
fn find_problems<S, C>(builder: &PipeBuilder<S, C>, problems: &mut Vec<PipeProblem>) {
    let is_first = roots(builder);
    let first: Vec<&str> = (builder.steps.iter().zip(&is_first))
        .filter(|(_, is_first)| **is_first)
        .map(|(step, _)| step.name.as_str())
        .collect();
    if first.is_empty() && !builder.steps.is_empty() {
        problems.push(PipeProblem::NoRoot { pipe: builder.name.clone() });
    }
    if first.len() > 1 && !builder.several_roots {
        let roots: Vec<String> = first.iter().take(10).map(|name| format!("`{name}`")).collect();
        let (pipe, n, roots) = (builder.name.clone(), first.len(), roots.join(", "));
        problems.push(PipeProblem::SeveralRoots { pipe, n, roots });
    }
    if builder.concurrency_max == Some(0) {
        let what = format!("pipe `{}`", builder.name);
        problems.push(PipeProblem::Zero { option: "concurrency_max", what });
    }
    let by_name: BTreeMap<&Text, &Defined<S, C>> =
        builder.steps.iter().map(|step| (&step.name, step)).collect();
    let led_to: BTreeSet<&Text> = builder.steps.iter().flat_map(Defined::targets).collect();
    let eaches: BTreeSet<&Text> = builder.steps.iter().filter_map(|s| s.each.as_ref()).collect();
    for step in &builder.steps {
        problems_of(step, problems);
        if let Some(worker) = step.each.as_ref().and_then(|each| by_name.get(each)) {
            problems_of_worker(step, worker, problems);
        }
        let asks = step.needs.iter().any(|needs| matches!(needs, Needs::Item { .. }));
        if asks && (led_to.contains(&step.name) || !eaches.contains(&step.name)) {
            let (step, place) = (step.name.to_string(), step.place.clone());
            problems.push(PipeProblem::ItemOutsideMap { step, place });
        }
    }
}

fn problems_of<S, C>(defined: &Defined<S, C>, problems: &mut Vec<PipeProblem>) {
    let step = || defined.name.to_string();
    let place = || defined.place.clone();
    if defined.kind == StepKind::Switch && defined.routes.is_empty() {
        problems.push(PipeProblem::NoRoutes { step: step(), place: place() });
    }
    let mut seen = BTreeSet::new();
    for (key, _) in &defined.routes {
        if !seen.insert(key) {
            let (step, key, place) = (step(), key.to_string(), place());
            problems.push(PipeProblem::DuplicateKey { step, key, place });
        }
    }
    if defined.at_a_time == Some(0) {
        let what = format!("map `{}`", defined.name);
        problems.push(PipeProblem::Zero { option: "at_a_time", what });
    }
    let items = defined.needs.iter().filter(|needs| matches!(needs, Needs::Item { .. })).count();
    let what = if items > 1 {
        Some("more than one item")
    } else if defined.needs.iter().any(|needs| matches!(needs, Needs::Failure)) {
        Some("a failure, which only handlers have: say `.on_error(…)` of a step or of the pipe")
    } else {
        None
    };
    if let Some(what) = what {
        problems.push(PipeProblem::Arguments { step: step(), what, place: place() });
    }
}

fn problems_of_worker<S, C>(
    map: &Defined<S, C>,
    worker: &Defined<S, C>,
    problems: &mut Vec<PipeProblem>,
) {
    let step = || worker.name.to_string();
    let place = || worker.place.clone();
    let map_name = || map.name.to_string();
    if !worker.targets().is_empty() {
        let (step, map, place) = (step(), map_name(), place());
        problems.push(PipeProblem::WorkerWithTargets { step, map, place });
    }
    if worker.kind != StepKind::Step || worker.needs_alone() {
        let kind = if worker.needs_alone() { "step that runs alone" } else { worker.kind.name() };
        let (step, map, place) = (step(), map_name(), place());
        problems.push(PipeProblem::BadWorker { step, map, kind, place });
    }
    let Some(made) = map.makes else { return };
    for needs in &worker.needs {
        if let Needs::Item { type_id, type_name } = *needs
            && type_id != made.id
        {
            let (step, map, place) = (step(), map_name(), place());
            let (wanted, made) = (type_name, made.name);
            problems.push(PipeProblem::ItemType { step, wanted, map, made, place });
        }
    }
}
