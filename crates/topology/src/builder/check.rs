//! Owns what makes a definition a topology: names become numbers, and everything that is wrong is
//! found in one go.

use hashbrown::HashMap;

use super::TopologyBuilder;
use crate::cycles::{self, Follow, ShortCycles};
use crate::error::{CycleStep, End, Problem, Problems};
use crate::graph::{Ends, Graph};
use crate::names::Nearest;
use crate::order::Order;
use crate::topology::{NONE, NodeIndex, NodeRecord, Topology};

pub(super) fn build(builder: TopologyBuilder) -> Result<Topology, Problems> {
    let mut check = Check::of(&builder);
    check.names();
    let (graph, edge_ids) = check.edges();
    check.duplicate_edges(&graph, &edge_ids);
    let order = Order::of(&graph);
    if !order.has_all() {
        check.cycles(&graph, &edge_ids);
    }
    let roots = check.roots();
    if !check.problems.is_empty() {
        return Err(check.problems);
    }
    let mut problems = check.problems;
    let topology = finish(builder, graph, order);
    if !roots.is_empty() {
        for node in topology.unreachable(roots) {
            let (name, place) = (topology.name(node).to_owned(), topology.place(node).clone());
            problems.add(|| Problem::Unreachable { name, place });
        }
    }
    if problems.is_empty() { Ok(topology) } else { Err(problems) }
}

fn finish(mut builder: TopologyBuilder, graph: Graph, order: Order) -> Topology {
    builder.names.shrink();
    builder.texts.shrink();
    builder.nodes.shrink_to_fit();
    builder.edges.shrink_to_fit();
    builder.places.shrink();
    Topology {
        title: builder.title,
        names: builder.names,
        node_of_name: builder.node_of_name,
        texts: builder.texts,
        nodes: builder.nodes,
        edges: builder.edges,
        groups: builder.groups,
        places: builder.places,
        graph,
        order,
    }
}

struct Check<'b> {
    builder: &'b TopologyBuilder,
    problems: Problems,
    /// One budget for all suggestions of a build.
    nearest: Nearest,
}

impl<'b> Check<'b> {
    fn of(builder: &'b TopologyBuilder) -> Check<'b> {
        let problems = Problems::none(builder.title.clone(), builder.limits.problems_max);
        Check { builder, problems, nearest: Nearest::default() }
    }

    fn names(&mut self) {
        for found in &self.builder.problems {
            self.problems.add(|| self.builder.problem(found));
        }
    }

    /// The graph of those edges that have both ends, and which edge of the builder each is: all of
    /// them, with the same numbers, if nothing is wrong.
    fn edges(&mut self) -> (Graph, Vec<u32>) {
        let builder = self.builder;
        let mut ends = Vec::with_capacity(builder.edges.len());
        let mut edge_ids = Vec::with_capacity(builder.edges.len());
        let pairs = builder.ends.iter().zip(&builder.edges);
        for (edge, (&(from_name, to_name), record)) in (0_u32..).zip(pairs) {
            let from = builder.node_of_name[from_name as usize];
            let to = builder.node_of_name[to_name as usize];
            for (node, end) in [(from, End::From), (to, End::To)] {
                if node == NONE {
                    self.unknown_endpoint(edge, end);
                }
            }
            let is_feedback = record.until != NONE;
            if is_feedback && builder.texts.text(record.until).trim().is_empty() {
                let (from, to) = self.end_names(edge);
                let place = builder.edge_place(edge);
                self.problems.add(|| Problem::EndlessFeedback { from, to, place });
            }
            if from != NONE && to != NONE {
                ends.push(Ends { from, to, is_feedback });
                edge_ids.push(edge);
            }
        }
        (Graph::new(builder.nodes.len() as u32, ends), edge_ids)
    }

    fn end_names(&self, edge: u32) -> (String, String) {
        let (from, to) = self.builder.ends[edge as usize];
        let names = &self.builder.names;
        (names.text(from).to_owned(), names.text(to).to_owned())
    }

    fn unknown_endpoint(&mut self, edge: u32, end: End) {
        let builder = self.builder;
        let nearest = &mut self.nearest;
        self.problems.add(|| {
            let (from, to) = builder.ends[edge as usize];
            let (from, to) = (builder.names.text(from), builder.names.text(to));
            let wanted = if end == End::From { from } else { to };
            Problem::UnknownEndpoint {
                from: from.to_owned(),
                to: to.to_owned(),
                end,
                nearest: nearest.to(wanted, node_names(builder)),
                place: builder.edge_place(edge),
            }
        });
    }

    /// Linear: a stamp per node finds pairs that have several edges, and only their labels are
    /// looked at.
    fn duplicate_edges(&mut self, graph: &Graph, edge_ids: &[u32]) {
        let mut last_from = vec![NONE; graph.n_nodes as usize];
        let mut labelled: HashMap<(u32, u32), u32> = HashMap::new();
        for from in 0..graph.n_nodes {
            let edges = graph.out.of(from);
            let mut is_several = false;
            for &edge in edges {
                let last = &mut last_from[graph.ends(edge).to as usize];
                is_several |= *last == from;
                *last = from;
            }
            if !is_several {
                continue;
            }
            labelled.clear();
            for &edge in edges {
                let id = edge_ids[edge as usize];
                let key = (graph.ends(edge).to, self.builder.edges[id as usize].label);
                let first = *labelled.entry(key).or_insert(id);
                if first != id {
                    let (from, to) = self.end_names(id);
                    let place = |id: u32| self.builder.edge_place(id);
                    let (first, second) = (place(first), place(id));
                    self.problems.add(|| Problem::DuplicateEdge { from, to, first, second });
                }
            }
        }
    }

    fn cycles(&mut self, graph: &Graph, edge_ids: &[u32]) {
        let builder = self.builder;
        let mut short = ShortCycles::new(graph, Follow::Forward);
        let tangles = cycles::tangles(graph, Follow::Forward).into_iter();
        let mut cycles: Vec<(Vec<u32>, usize)> =
            tangles.map(|members| (short.of(&members), members.len())).collect();
        cycles.sort_by_key(|(edges, _)| edges.len());
        for (edges, n_entangled) in cycles {
            self.problems.add(|| {
                let step = |&edge: &u32| {
                    let id = edge_ids[edge as usize];
                    let name = builder.names.text(builder.ends[id as usize].0).to_owned();
                    CycleStep { name, place: builder.edge_place(id) }
                };
                Problem::Cycle { steps: edges.iter().map(step).collect(), n_entangled }
            });
        }
    }

    fn roots(&mut self) -> Vec<NodeIndex> {
        let builder = self.builder;
        let mut roots = Vec::with_capacity(builder.roots.len());
        for (name, place) in &builder.roots {
            let node = builder.node_of_name[*name as usize];
            if node != NONE {
                roots.push(NodeIndex(node));
                continue;
            }
            let nearest = &mut self.nearest;
            self.problems.add(|| {
                let name = builder.names.text(*name);
                Problem::UnknownRoot {
                    name: name.to_owned(),
                    nearest: nearest.to(name, node_names(builder)),
                    place: place.clone(),
                }
            });
        }
        roots
    }
}

/// Each name once, in order of definition.
fn node_names(builder: &TopologyBuilder) -> impl Iterator<Item = &str> {
    let first_of_name =
        |&(node, record): &(u32, &NodeRecord)| builder.node_of_name[record.name as usize] == node;
    let nodes = (0_u32..).zip(&builder.nodes).filter(first_of_name);
    nodes.map(|(_, node)| builder.names.text(node.name))
}
