//! Owns groups: nodes that belong together by name.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use rustc_hash::FxHasher;
use selvedge_event::Text;
use selvedge_topology::{GroupIndex, NameRules, NodeIndex, Place, TopologyBuilder};

use super::{Defined, FlowBuilder};
use crate::error::DefinitionProblem;
use crate::plan::Group;
use crate::spec::Kind;

/// What stands between a group's name and those of its nodes.
const SEPARATOR: char = '.';

/// The groups of a flow that is being defined.
#[derive(Default)]
pub(super) struct Groups {
    /// In the order in which they were opened: an outer one comes before those within it.
    opened: Vec<Opened>,
    /// Those that are open, or being drawn, and their names as the beginning of ids.
    open: Vec<usize>,
    prefix: String,
    /// How many the drawing has come to.
    n_begun: usize,
}

struct Opened {
    group: Group,
    /// Titles from the outermost group to this one.
    path: Vec<String>,
    name: String,
    place: Place,
    /// Once it is drawn.
    drawn: Option<GroupIndex>,
}

impl FlowBuilder {
    /// Defines nodes that belong together: their ids begin with `<name>.`, but for parameters,
    /// which belong to the whole flow. Groups can lie in each other; drawings show them as boxes.
    /// Whoever [asks for](crate::Request::only) a group asks for those of its nodes that none of
    /// the others in it reads.
    ///
    /// ```
    /// use selvedge_flow::{Flow, Request};
    ///
    /// let mut flow = Flow::builder("shop");
    /// let price = flow.parameter::<u32>("price");
    /// let [net, gross] = flow.group("prices", |flow| {
    ///     let net = flow.node("net", (price,), |price: &u32| Ok(*price));
    ///     [net, flow.node("gross", (net,), |net: &u32| Ok(net * 119 / 100))]
    /// });
    /// let label = flow.node("label", (gross,), |gross: &u32| Ok(format!("{gross} cents")));
    /// let flow = flow.build()?;
    ///
    /// let result = flow.run(Request::new().with("price", 100_u32).only(["prices"]))?;
    /// assert_eq!(result.value(gross)?, &119);
    /// assert!(result.value(label).is_err()); // Nobody asked for it.
    /// assert!(flow.drawing().mermaid().contains("subgraph"));
    /// assert_eq!(result.nodes().nth(1).unwrap().id.as_str(), "prices.net");
    /// # let _ = net;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    #[track_caller]
    pub fn group<R>(&mut self, name: &str, define: impl FnOnce(&mut FlowBuilder) -> R) -> R {
        let place = Place::here();
        let begin = self.groups.prefix.len();
        let id = Text::from(format!("{}{name}", self.groups.prefix));
        self.groups.prefix.push_str(name);
        self.groups.prefix.push(SEPARATOR);
        let around = self.groups.open.last().map(|&around| &self.groups.opened[around]);
        let mut path = around.map(|around| around.path.clone()).unwrap_or_default();
        path.push(name.to_owned());
        let group = Group { id, begin: self.nodes.len() as u32, end: u32::MAX };
        let at = self.groups.opened.len();
        let (name, drawn) = (name.to_owned(), None);
        self.groups.opened.push(Opened { group, path, name, place, drawn });
        self.groups.open.push(at);
        let defined = define(self);
        self.groups.open.pop();
        self.groups.opened[at].group.end = self.nodes.len() as u32;
        self.groups.prefix.truncate(begin);
        defined
    }
}

impl Groups {
    /// The id of a node that is defined now.
    pub(super) fn id(&self, id: &str) -> Text {
        if self.prefix.is_empty() { Text::from(id) } else { Text::from(self.prefix.clone() + id) }
    }

    /// Groups whose names are none, are taken, or that hold nothing.
    pub(super) fn find_problems(&self, defined: &[Defined], problems: &mut Vec<DefinitionProblem>) {
        if self.opened.is_empty() {
            return;
        }
        let rules = NameRules::identifiers();
        let ids: HashSet<&str, BuildHasherDefault<FxHasher>> =
            defined.iter().map(|node| node.id.as_str()).collect();
        for Opened { group, name, place, .. } in &self.opened {
            let reason = match rules.check(name) {
                Err(fault) => fault.to_string(),
                Ok(()) if group.begin == group.end => "there is no node in it".to_owned(),
                Ok(()) if ids.contains(group.id.as_str()) => "a node is called so".to_owned(),
                Ok(()) => continue,
            };
            let (group, place) = (group.id.escape_debug().to_string(), place.clone());
            problems.push(DefinitionProblem::Group { group, reason, place });
        }
    }

    /// Draws a node into the innermost group that holds it. Nodes come in order.
    pub(super) fn draw(
        &mut self,
        idx: u32,
        node: NodeIndex,
        kind: Kind,
        topology: &mut TopologyBuilder,
    ) {
        while self.opened.get(self.n_begun).is_some_and(|next| next.group.begin <= idx) {
            self.open.push(self.n_begun);
            self.n_begun += 1;
        }
        while self.open.last().is_some_and(|&last| self.opened[last].group.end <= idx) {
            self.open.pop();
        }
        if let (Some(&innermost), true) = (self.open.last(), kind != Kind::Parameter) {
            let Opened { path, drawn, .. } = &mut self.opened[innermost];
            let group = *drawn.get_or_insert_with(|| {
                topology.group(&path.iter().map(String::as_str).collect::<Vec<&str>>())
            });
            topology.put_within(node, group);
        }
    }

    pub(super) fn list(self) -> Vec<Group> {
        self.opened.into_iter().map(|opened| opened.group).collect()
    }
}
