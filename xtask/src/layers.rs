//! The table of layers: which crate may know which. Edges go strictly down, dev-dependencies
//! included.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::workspace::{EdgeKind, Workspace};

/// One layer, lowest first in [`LAYERS`].
#[derive(Debug)]
pub(crate) struct Layer {
    /// What its crates have in common.
    pub(crate) title: &'static str,
    /// Packages, those that are planned included, so that a new crate finds its place taken.
    pub(crate) packages: &'static [&'static str],
}

/// Every crate has its place here before it has a folder. The index is the layer's number.
pub(crate) const LAYERS: [Layer; 7] = [
    Layer {
        title: "values and the machine",
        packages: &["selvedge-event", "selvedge-sync", "selvedge-macros"],
    },
    Layer { title: "bytes and shapes", packages: &["selvedge-store", "selvedge-topology"] },
    Layer { title: "turns and records", packages: &["selvedge-runtime", "selvedge-lineage"] },
    Layer {
        title: "styles and borders",
        packages: &["selvedge-reactive", "selvedge-flow", "selvedge-io", "selvedge-service"],
    },
    Layer { title: "facade", packages: &["selvedge"] },
    Layer {
        title: "on top of the facade",
        packages: &["selvedge-cli", "selvedge-cluster", "selvedge-testkit"],
    },
    Layer { title: "never shipped", packages: &["selvedge-peers", "selvedge-tests", "xtask"] },
];

/// Edges between crates of one layer that the design allows: who, on whom.
pub(crate) const SIBLINGS: [(&str, &str); 1] = [("selvedge-event", "selvedge-macros")];

/// Built by `cargo xtask bench` and checked by `cargo xtask ci`, but kept out of a plain `cargo
/// test`.
const NOT_DEFAULT: [&str; 1] = ["selvedge-peers"];

/// A rule that an edge or a crate breaks, before it has a line in a manifest.
#[derive(Debug)]
pub(crate) struct Breach {
    /// The directory of the crate that breaks it.
    pub(crate) dir: String,
    /// The dependency at fault, if one is.
    pub(crate) needle: Option<String>,
    /// What is wrong.
    pub(crate) what: String,
    /// What to do instead.
    pub(crate) instead: String,
}

/// The number of a package's layer.
pub(crate) fn layer_of(package: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.packages.contains(&package))
}

/// Everything in the workspace that contradicts the table.
pub(crate) fn breaches(workspace: &Workspace) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for member in &workspace.members {
        let mut breach = |needle: Option<&str>, what: String, instead: &str| {
            let (needle, instead) = (needle.map(str::to_owned), instead.to_owned());
            breaches.push(Breach { dir: member.dir.clone(), needle, what, instead });
        };
        let name = member.name.as_str();
        if member.default == NOT_DEFAULT.contains(&name) {
            let (what, instead) = if member.default {
                (format!("{name} is a default member"), "use `cargo xtask bench` to build it")
            } else {
                (
                    format!("{name} is no default member, so `cargo test` passes it by"),
                    "use a line in default-members of the root manifest",
                )
            };
            breach(None, what, instead);
        }
        let expected = package_of(&member.dir);
        if expected != name {
            let what = format!("the package in {} is called {name}", member.dir);
            breach(None, what, &format!("use {expected}"));
        }
        let Some(layer) = layer_of(name) else {
            breach(
                None,
                format!("{name} is in no layer"),
                "use a place in LAYERS of xtask/src/layers.rs",
            );
            continue;
        };
        for edge in &member.edges {
            let to = edge.to.as_str();
            let Some(below) = layer_of(to) else { continue };
            if below < layer || SIBLINGS.contains(&(name, to)) {
                continue;
            }
            let relation = if below > layer { "above it" } else { "beside it" };
            let what =
                format!("{name} (layer {layer}) depends on {to} (layer {below}), {relation}");
            let instead = match edge.kind {
                EdgeKind::Build => "use a type from a lower layer, or have the facade join the two",
                EdgeKind::Dev => "use a test in tests/, where all crates meet",
            };
            breach(Some(to), what, instead);
        }
    }
    breaches
}

/// The directory tells the package's name.
fn package_of(dir: &str) -> String {
    match dir.strip_prefix("crates/") {
        Some("selvedge") => "selvedge".to_owned(),
        Some(short) => format!("selvedge-{short}"),
        None if dir == "tests" => "selvedge-tests".to_owned(),
        None => dir.to_owned(),
    }
}

/// The crates that exist, layer by layer, with the dependencies users get. An edge that a longer
/// path implies is left out, and so are those of the top layer, which may reach everything.
pub(crate) fn mermaid(workspace: &Workspace) -> String {
    let mut out = String::from("```mermaid\nflowchart TB\n");
    let exists = |package: &&&str| workspace.members.iter().any(|member| member.name == **package);
    for (number, layer) in LAYERS.iter().enumerate().rev() {
        let packages: Vec<&str> = layer.packages.iter().filter(exists).copied().collect();
        if packages.is_empty() {
            continue;
        }
        writeln!(out, "    subgraph layer{number}[\"{number} · {}\"]", layer.title)
            .expect("a String takes all that is written to it");
        for package in packages {
            out.push_str(&format!("        {}\n", short(package)));
        }
        out.push_str("    end\n");
    }
    for (from, to) in drawn_edges(workspace) {
        out.push_str(&format!("    {} --> {}\n", short(from), short(to)));
    }
    out.push_str("```\n");
    out
}

fn short(package: &str) -> &str {
    package.strip_prefix("selvedge-").unwrap_or(package)
}

fn drawn_edges(workspace: &Workspace) -> BTreeSet<(&str, &str)> {
    let mut direct: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for member in &workspace.members {
        let top = layer_of(&member.name).is_none_or(|layer| layer == LAYERS.len() - 1);
        let edges = member.edges.iter().filter(|edge| edge.kind == EdgeKind::Build && !top);
        direct.insert(&member.name, edges.map(|edge| edge.to.as_str()).collect());
    }
    let mut drawn = BTreeSet::new();
    for (&from, targets) in &direct {
        for &to in targets {
            let mut others = targets.iter().filter(|&&other| other != to);
            if !others.any(|&other| reaches(&direct, other, to)) {
                drawn.insert((from, to));
            }
        }
    }
    drawn
}

/// Cargo refuses cycles, so this ends.
fn reaches(direct: &BTreeMap<&str, BTreeSet<&str>>, from: &str, to: &str) -> bool {
    let next = direct.get(from).into_iter().flatten();
    next.into_iter().any(|&step| step == to || reaches(direct, step, to))
}
