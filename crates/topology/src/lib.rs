//! Named nodes and edges: definition, checks, order, layout and drawings of any graph that a
//! pipeline shows to its users, whatever its nodes do.
//!
//! ```
//! use selvedge_topology::{Drawing, Topology};
//!
//! let mut shop = Topology::builder("shop");
//! shop.node("orders").kind("source");
//! shop.node("bill");
//! shop.edge("orders", "bil"); // A slip of the pen.
//! let problems = shop.build().unwrap_err();
//! assert!(problems.to_string().contains("did you mean `bill`?"));
//!
//! let mut shop = Topology::builder("shop");
//! shop.node("orders").kind("source");
//! shop.node("bill");
//! shop.edge("orders", "bill");
//! let shop = shop.build()?;
//! assert_eq!(Drawing::of(&shop).tree(), "orders [source]\n└─ bill\n");
//! # Ok::<(), selvedge_topology::Problems>(())
//! ```
//!
//! - [`TopologyBuilder`] takes nodes and edges as they come; [`TopologyBuilder::build`] tells
//!   everything that is wrong with them at once, as [`Problems`]: what, where, and what to do.
//! - [`Topology`] answers questions: names, edges both ways, order, levels, ancestors, descendants.
//!   It serializes as a description.
//! - [`Drawing`] writes it as Mermaid, DOT or a tree in text, with what is known of a run beside
//!   it.
//! - [`Layout`] gives coordinates to whoever draws it otherwise.
//!
//! Everything is iterative: depth costs no stack. Everything is linear in nodes and edges, but for
//! the layout, which sorts. There are no threads, files or clocks here.

#![forbid(unsafe_code)]

mod builder;
mod cycles;
mod drawing;
mod error;
mod graph;
mod layout;
mod look;
mod names;
mod order;
mod place;
mod text;
mod topology;

pub use builder::{EdgeMut, Limits, NodeMut, TopologyBuilder};
pub use drawing::Drawing;
pub use error::{CycleStep, End, Problem, Problems, UnknownNode};
pub use layout::{Layout, Spot};
pub use look::{Class, Direction, EdgeStyle, Shape};
pub use names::{NameFault, NameRules, suggestion};
pub use place::Place;
pub use topology::{Edge, EdgeIndex, GroupIndex, NodeIndex, NodeSet, Reach, Topology};
