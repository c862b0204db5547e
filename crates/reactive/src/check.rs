//! Owns the checks of a graph: names, providers, types, cycles, all of them at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use selvedge_runtime::{Cache, Journal};
use selvedge_topology::{NameRules, Place, Shape, Topology, TopologyBuilder};

use crate::definition::{Definition, Provided, Sort, Until};
use crate::error::{GraphError, GraphProblem};
use crate::graph::Wanted;
use crate::network::{Member, Network};
use crate::requires::Requirement;
use crate::title::Title;

/// What a graph is made of.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'g> {
    pub(crate) definitions: &'g [Definition],
    pub(crate) merges: &'g [Provided],
    pub(crate) inputs: &'g [Provided],
    pub(crate) wanted: &'g [Wanted],
}

/// A target, and who was the first to provide it.
struct Offer<'g> {
    provided: &'g Provided,
    by: Option<&'g Definition>,
}

type Offers<'g> = BTreeMap<&'g str, Offer<'g>>;

pub(crate) fn check(graph: &str, parts: &Parts<'_>) -> Result<Network, GraphError> {
    let mut problems = Vec::new();
    check_titles(parts, &mut problems);
    check_names(parts, &mut problems);
    let offers = offers(parts, &mut problems);
    for definition in parts.definitions {
        for requirement in &definition.requires {
            if let Some(offer) = offers.get(requirement.title.as_str()) {
                check_type(definition, requirement, offer.provided, &mut problems);
            }
        }
        check_feedback(definition, &mut problems);
        if let Some(None) = definition.durable {
            let builder = definition.name.as_str().to_owned();
            problems.push(GraphProblem::Unsigned { builder, place: definition.place.clone() });
        }
    }
    let topology = match draw(graph, parts, &offers).build() {
        Ok(topology) => Some(topology),
        Err(shape) => {
            problems.extend(shape.list().iter().cloned().map(GraphProblem::Shape));
            None
        }
    };
    for wanted in parts.wanted {
        if !offers.contains_key(wanted.title.as_str()) {
            let target = wanted.title.as_str().to_owned();
            let unknown = topology.as_ref().and_then(|topology| topology.find(&target).err());
            let nearest = unknown.map_or_else(Vec::new, |unknown| unknown.nearest);
            let place = wanted.place.clone();
            problems.push(GraphProblem::NoProvider { target, place, nearest });
        }
    }
    match topology {
        Some(topology) if problems.is_empty() => {
            let members =
                parts.definitions.iter().filter_map(|one| member(graph, one, &topology, &offers));
            Ok(Network { members: members.collect(), topology: Arc::new(topology) })
        }
        _ => Err(GraphError { graph: graph.to_owned(), problems }),
    }
}

/// What is known of a node beside the topology.
fn member(
    graph: &str,
    definition: &Definition,
    topology: &Topology,
    offers: &Offers<'_>,
) -> Option<Member> {
    let name = definition.name.as_str();
    let node = topology.node(name).filter(|_| !is_other_target(definition, offers));
    let node = node.or_else(|| topology.node(&other_name(name)))?;
    let mut requires: Vec<String> = Vec::new();
    for requirement in &definition.requires {
        let target = requirement.title.as_str();
        if !requires.iter().any(|known| known == target) {
            requires.push(target.to_owned());
        }
    }
    let signature = definition.durable.clone().flatten();
    let place = format!("{graph}/{name}");
    let namespace = signature
        .clone()
        .and_then(|signature| Journal::new(signature, Cache::new().namespace(place)).namespace());
    Some(Member {
        name: name.to_owned(),
        sort: definition.sort,
        node,
        provides: definition.provides.iter().map(|one| one.title.as_str().to_owned()).collect(),
        requires,
        dedupes: definition.dedupes,
        namespace,
        signature: signature.map(|signature| signature.to_string()),
    })
}

/// Whether a node is called like a target that is not it.
fn is_other_target(definition: &Definition, offers: &Offers<'_>) -> bool {
    let name = definition.name.as_str();
    let own = matches!(&definition.provides[..], [only] if only.title.as_str() == name);
    let by = offers.get(name).and_then(|offer| offer.by);
    offers.contains_key(name) && !(own && by.is_some_and(|by| std::ptr::eq(by, definition)))
}

fn other_name(name: &str) -> String {
    format!("builder {name}")
}

fn check_titles(parts: &Parts<'_>, problems: &mut Vec<GraphProblem>) {
    let mut look = |title: &Title, place: &Place| {
        if !title.is_kept() {
            let (name, place) = (title.as_str().to_owned(), place.clone());
            problems.push(GraphProblem::TooManyNames { name, place });
        }
    };
    for definition in parts.definitions {
        look(&definition.name, &definition.place);
        definition.provides.iter().for_each(|one| look(&one.title, &one.place));
        definition.requires.iter().for_each(|one| look(&one.title, &one.place));
    }
    parts.merges.iter().chain(parts.inputs).for_each(|one| look(&one.title, &one.place));
}

fn check_names(parts: &Parts<'_>, problems: &mut Vec<GraphProblem>) {
    let mut names: BTreeMap<&str, &Place> = BTreeMap::new();
    for Definition { name, place, .. } in parts.definitions {
        match names.get(name.as_str()) {
            Some(&first) => problems.push(GraphProblem::DuplicateName {
                name: name.as_str().to_owned(),
                first: first.clone(),
                second: place.clone(),
            }),
            None => drop(names.insert(name.as_str(), place)),
        }
    }
}

/// Who provides what.
fn offers<'g>(parts: &Parts<'g>, problems: &mut Vec<GraphProblem>) -> Offers<'g> {
    let mut offers = Offers::new();
    for provided in parts.merges.iter().chain(parts.inputs) {
        offers.insert(provided.title.as_str(), Offer { provided, by: None });
    }
    for definition in parts.definitions {
        for provided in &definition.provides {
            let target = provided.title.as_str();
            match offers.get(target) {
                None => {
                    offers.insert(target, Offer { provided, by: Some(definition) });
                }
                Some(Offer { provided: declared, by: None }) => {
                    if declared.artifact.id != provided.artifact.id {
                        problems.push(mismatch(definition, provided, declared));
                    }
                }
                Some(Offer { by: Some(first), .. }) => {
                    problems.push(GraphProblem::SeveralProviders {
                        target: target.to_owned(),
                        first: first.name.as_str().to_owned(),
                        first_at: first.place.clone(),
                        second: definition.name.as_str().to_owned(),
                        second_at: definition.place.clone(),
                    });
                }
            }
        }
    }
    offers
}

fn mismatch(definition: &Definition, here: &Provided, declared: &Provided) -> GraphProblem {
    GraphProblem::TypeMismatch {
        builder: definition.name.as_str().to_owned(),
        target: here.title.as_str().to_owned(),
        wanted: here.artifact.name,
        required_at: here.place.clone(),
        provided: declared.artifact.name,
        provided_at: declared.place.clone(),
    }
}

fn check_type(
    definition: &Definition,
    requirement: &Requirement,
    provided: &Provided,
    problems: &mut Vec<GraphProblem>,
) {
    if requirement.artifact.id != provided.artifact.id {
        problems.push(GraphProblem::TypeMismatch {
            builder: definition.name.as_str().to_owned(),
            target: requirement.title.as_str().to_owned(),
            wanted: requirement.artifact.name,
            required_at: requirement.place.clone(),
            provided: provided.artifact.name,
            provided_at: provided.place.clone(),
        });
    }
}

fn check_feedback(definition: &Definition, problems: &mut Vec<GraphProblem>) {
    for feedback in &definition.feedback {
        let builder = definition.name.as_str().to_owned();
        let place = feedback.place.clone();
        let mut required = definition.requires.iter();
        if !required.any(|one| one.title.as_str() == feedback.requirement) {
            let requirement = feedback.requirement.clone();
            problems.push(GraphProblem::NoSuchFeedback { builder, requirement, place });
        } else if feedback.until == Until::NothingNew && !definition.dedupes {
            problems.push(GraphProblem::EndlessFeedback { builder, place });
        }
    }
}

/// The graph as nodes and edges: a node for each target, and one for whoever provides it under
/// another name, or provides nothing.
fn draw(graph: &str, parts: &Parts<'_>, offers: &Offers<'_>) -> TopologyBuilder {
    let mut topology = Topology::builder(graph).names(NameRules::free());
    let offered_by = |target: &str, definition: &Definition| {
        let by = offers.get(target).and_then(|offer| offer.by);
        by.is_some_and(|by| std::ptr::eq(by, definition))
    };
    let stands_for_itself = |definition: &Definition| match &definition.provides[..] {
        [only] => {
            let target = only.title.as_str();
            target == definition.name.as_str() && offered_by(target, definition)
        }
        _ => false,
    };
    for merge in parts.merges {
        topology.node_at(merge.title.as_str(), merge.place.clone()).kind("merge");
    }
    for input in parts.inputs {
        let mut node = topology.node_at(input.title.as_str(), input.place.clone());
        node.kind("input").shape(Shape::Stadium);
    }
    for definition in parts.definitions {
        let name = definition.name.as_str();
        let is_target = stands_for_itself(definition);
        let is_other = is_other_target(definition, offers);
        let node = if is_other { other_name(name) } else { name.to_owned() };
        topology
            .node_at(&node, definition.place.clone())
            .kind(definition.sort.as_str())
            .shape(shape(definition.sort));
        if !is_target {
            for provided in &definition.provides {
                let target = provided.title.as_str();
                if offered_by(target, definition) {
                    topology.node_at(target, provided.place.clone()).kind("target");
                }
                topology.edge_at(&node, target, provided.place.clone());
            }
        }
        add_requirements(&mut topology, definition, &node);
    }
    topology
}

fn add_requirements(topology: &mut TopologyBuilder, definition: &Definition, node: &str) {
    let mut drawn: Vec<&str> = Vec::new();
    for requirement in &definition.requires {
        let target = requirement.title.as_str();
        if drawn.contains(&target) {
            continue;
        }
        drawn.push(target);
        let mut edge = topology.edge_at(target, node, requirement.place.clone());
        let declared = definition.feedback.iter().find(|one| one.requirement == target);
        if let Some(declared) = declared {
            edge.feedback(&declared.until.to_string());
        }
    }
}

fn shape(sort: Sort) -> Shape {
    match sort {
        Sort::Source | Sort::Entry => Shape::Stadium,
        Sort::Builder | Sort::Once => Shape::Rectangle,
        Sort::Operator => Shape::Hexagon,
        Sort::Sink => Shape::Parallelogram,
    }
}
