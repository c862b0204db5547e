//! The graphs that are measured. The same ones as `xtask/python/flow_peers.py` makes.

use anyhow::{Result, bail};
use selvedge::flow::{Flow, Node, map};

const LANES: usize = 10;
const LAYERS: usize = 100;
const CHAIN: usize = 1_000;
const ITEMS: u64 = 1_000;

#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// Ten lanes of a hundred layers; a node reads its own lane's and the next one's last.
    Dag,
    Chain,
    /// A list, and the same for each item of it.
    Map,
}

impl Shape {
    pub(crate) fn named(name: &str) -> Result<Shape> {
        Ok(match name {
            "dag" => Shape::Dag,
            "chain" => Shape::Chain,
            "map" => Shape::Map,
            other => bail!("no graph `{other}`"),
        })
    }

    /// Nodes, or items of its map.
    pub(crate) fn n_nodes(self) -> u32 {
        match self {
            Shape::Dag => (LANES * LAYERS) as u32,
            Shape::Chain => CHAIN as u32,
            Shape::Map => ITEMS as u32,
        }
    }

    pub(crate) fn flow(self) -> Result<Flow> {
        let mut flow = Flow::builder("measured");
        match self {
            Shape::Dag => {
                let first = |lane| flow.node(&format!("n0_{lane}"), (), || Ok(0_u64));
                let mut last: Vec<Node<u64>> = (0..LANES).map(first).collect();
                for layer in 1..LAYERS {
                    let next = |lane: usize| {
                        let read = (last[lane], last[(lane + 1) % LANES]);
                        let id = format!("n{layer}_{lane}");
                        flow.node(&id, read, |a: &u64, _: &u64| Ok(a + 1))
                    };
                    last = (0..LANES).map(next).collect();
                }
            }
            Shape::Chain => {
                let mut last = flow.node("n0", (), || Ok(0_u64));
                for n in 1..CHAIN {
                    last = flow.node(&format!("n{n}"), (last,), |a: &u64| Ok(a + 1));
                }
            }
            Shape::Map => {
                let items = flow.node("items", (), || Ok((0..ITEMS).collect::<Vec<u64>>()));
                flow.add("each", map(items, (), |item: &u64| Ok(*item)));
            }
        }
        Ok(flow.build()?)
    }
}

pub(crate) fn ids(nodes: u32) -> Vec<String> {
    (0..nodes).map(|n| format!("n{n}")).collect()
}

/// A graph as large as one likes: lanes as in [`Shape::Dag`].
pub(crate) fn wide(ids: &[String]) -> Result<Flow> {
    let mut flow = Flow::builder("large");
    let mut nodes: Vec<Node<u64>> = Vec::with_capacity(ids.len());
    for (n, id) in ids.iter().enumerate() {
        nodes.push(match n.checked_sub(LANES) {
            None => flow.node(id, (), || Ok(0_u64)),
            Some(parent) => {
                let read = (nodes[parent], nodes[parent + 1]);
                flow.node(id, read, |a: &u64, _: &u64| Ok(a + 1))
            }
        });
    }
    Ok(flow.build()?)
}
