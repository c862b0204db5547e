//! Owns what is said of a node before it has its place in a flow: what it reads, what it does, and
//! how.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Digest, Signature, Text};
use selvedge_runtime::FailurePolicy;

use crate::body::{Body, Computes, Foreign};
use crate::executor::{Executor, OwnThread};
use crate::input::{Described, Function, Inputs};
use crate::limit::Limit;
use crate::value::Value;

/// A node that has no place in a flow yet: [`FlowBuilder::add`](crate::FlowBuilder::add) gives it
/// one. Made by [`node`].
#[must_use = "a node does nothing until it is added to a flow"]
pub struct NodeSpec<T> {
    pub(crate) inputs: Vec<Described>,
    pub(crate) body: Box<dyn Body>,
    pub(crate) kind: Kind,
    pub(crate) options: Options,
    makes: PhantomData<fn() -> T>,
}

/// What kind of node it is: how drawings show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A value that each run is given.
    Parameter,
    /// Reads nothing.
    Source,
    /// Computes.
    Node,
    /// Computes what nobody in the flow reads.
    Sink,
    /// Computes one value from many of a type.
    Aggregator,
    /// Chooses an arm.
    Branch,
    /// Goes on if it was chosen.
    Arm,
    /// Lets a value through, or not.
    Gate,
    /// Does the same for each item of a list.
    Map,
    /// A flow within the flow.
    SubFlow,
}

impl Kind {
    /// Its name, as drawings and descriptions have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Parameter => "parameter",
            Kind::Source => "source",
            Kind::Node => "node",
            Kind::Sink => "sink",
            Kind::Aggregator => "aggregator",
            Kind::Branch => "branch",
            Kind::Arm => "arm",
            Kind::Gate => "gate",
            Kind::Map => "map",
            Kind::SubFlow => "sub-flow",
        }
    }
}

/// What else is said of a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) requires_all: bool,
    pub(crate) optional: bool,
    pub(crate) keeps: bool,
    pub(crate) cached: bool,
    /// It has limits, or an executor.
    pub(crate) particular: bool,
    /// Most nodes have none of it.
    pub(crate) more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct More {
    pub(crate) code: Option<Signature>,
    pub(crate) on_failure: Option<FailurePolicy>,
    pub(crate) time_limit: Option<Duration>,
    /// What is wrong with it.
    pub(crate) problem: Option<String>,
    /// Of a map.
    pub(crate) items_at_a_time: Option<u32>,
    pub(crate) description: Option<Text>,
    pub(crate) tags: Vec<Text>,
    pub(crate) executor: Option<Arc<dyn Executor>>,
    /// Whether there is no function to be called.
    pub(crate) foreign: bool,
    /// What its code is given beside its inputs.
    pub(crate) constant: Option<Digest>,
    /// In the order in which they are asked for.
    pub(crate) limits: Vec<Limit>,
    pub(crate) priority: i32,
}

/// A node that reads `inputs` and computes something of them.
///
/// The function takes as many arguments as the tuple has entries: `&T` for a
/// [`Node<T>`](crate::Node).
pub fn node<I: Inputs, T: Value, F: Function<I, T>>(inputs: I, function: F) -> NodeSpec<T> {
    let inputs = inputs.describe();
    let kind = if inputs.is_empty() { Kind::Source } else { Kind::Node };
    NodeSpec::new(inputs, Box::new(Computes::new(function)), kind)
}

/// A node that reads `inputs`, and of which nothing is known but the type of what it makes: an
/// [executor](NodeSpec::runs_on) answers for it.
pub fn foreign<I: Inputs, T: Value>(inputs: I) -> NodeSpec<T> {
    let inputs = inputs.describe();
    let kind = if inputs.is_empty() { Kind::Source } else { Kind::Node };
    let mut spec = NodeSpec::new(inputs, Box::new(Foreign), kind);
    spec.more().foreign = true;
    spec
}

impl<T> NodeSpec<T> {
    pub(crate) fn new(inputs: Vec<Described>, body: Box<dyn Body>, kind: Kind) -> NodeSpec<T> {
        NodeSpec { inputs, body, kind, options: Options::default(), makes: PhantomData }
    }

    /// A node that can't be part of a flow, and why.
    pub(crate) fn broken(mut self, problem: String) -> NodeSpec<T> {
        self.more().problem = Some(problem);
        self
    }

    fn more(&mut self) -> &mut More {
        self.options.more.get_or_insert_default()
    }

    /// Fails the node if a parent failed or was skipped, instead of skipping it.
    pub fn require_all_parents(mut self) -> NodeSpec<T> {
        self.options.requires_all = true;
        self
    }

    /// Lets the run succeed without it: if it fails, that is recorded, those after it see it
    /// skipped, and the run does not fail for it.
    pub fn optional(mut self) -> NodeSpec<T> {
        self.options.optional = true;
        self
    }

    /// Keeps its value until the result is dropped, though others read it.
    pub fn keep(mut self) -> NodeSpec<T> {
        self.options.keeps = true;
        self
    }

    /// Takes its value from an earlier run that computed it with the same code, constants and
    /// inputs. Needs to know the code: see [`version`](Self::version).
    pub fn cached(mut self) -> NodeSpec<T> {
        self.options.cached = true;
        self
    }

    /// Declares which version of the code this is; raise it when the code means something else.
    pub fn version(mut self, subject: &str, version: &str) -> NodeSpec<T> {
        let code = Signature::of_version(Text::from(subject), Text::from(version));
        self.more().code = Some(code);
        self
    }

    /// What is known of the code, where a macro has read it.
    pub fn signed(mut self, code: Signature) -> NodeSpec<T> {
        self.more().code = Some(code);
        self
    }

    /// What happens after it failed: [`Retry`](selvedge_runtime::Retry) attempts it again. When
    /// that is used up, or without it, the node has failed; its flow goes on as far as it can.
    pub fn on_failure(mut self, policy: impl Into<FailurePolicy>) -> NodeSpec<T> {
        self.more().on_failure = Some(policy.into());
        self
    }

    /// How long it may take: then it has failed, and what it makes later is dropped. Its function
    /// is not interrupted, but [`RunInfo::is_cancelled`](crate::RunInfo::is_cancelled) tells it.
    pub fn time_limit(mut self, limit: Duration) -> NodeSpec<T> {
        self.more().time_limit = Some(limit);
        self
    }

    /// Has an executor compute it, and not the run's workers. Of a map it computes the items, one
    /// by one. What it fails with is attempted again as elsewhere; a limit of time stops it. Flows
    /// within the flow only see to their own nodes, and have none.
    pub fn runs_on(mut self, executor: impl Executor) -> NodeSpec<T> {
        self.options.particular = true;
        self.more().executor = Some(Arc::new(executor));
        self
    }

    /// Lets no more nodes be under way at a time than a [`Limit`] says, in all runs in which it
    /// occurs. A node may have several. Flows within the flow have none: their nodes may.
    pub fn limited_by(mut self, limit: &Limit) -> NodeSpec<T> {
        self.options.particular = true;
        let limits = &mut self.more().limits;
        limits.push(limit.clone());
        limits.sort_by_key(Limit::number);
        limits.dedup_by_key(|limit| limit.number());
        self
    }

    /// Which nodes of its flow it goes with when several are ready: lower numbers go first, as with
    /// processors; 0 unless it is set. What is under way is not interrupted, and items of maps and
    /// nodes of flows within come as they do.
    ///
    /// ```
    /// use selvedge_flow::{Engine, Flow, Request, node};
    /// use std::sync::{Arc, Mutex};
    ///
    /// let order = Arc::new(Mutex::new(String::new()));
    /// let mut flow = Flow::builder("order");
    /// for (name, priority) in [("a", 1), ("b", 0), ("c", -1)] {
    ///     let order = Arc::clone(&order);
    ///     let says = node((), move || Ok(order.lock().unwrap().push_str(name)));
    ///     flow.add(name, says.priority(priority));
    /// }
    /// let engine = Engine::with_workers(1)?;
    /// assert!(engine.launch(&flow.build()?, Request::new())?.wait().succeeded());
    /// assert_eq!(*order.lock().unwrap(), "cba");
    /// engine.close()?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn priority(mut self, priority: i32) -> NodeSpec<T> {
        self.more().priority = priority;
        self
    }

    /// What its code is given beside its inputs: part of its signature.
    #[cfg(unix)]
    pub(crate) fn constant(mut self, constant: Option<Digest>) -> NodeSpec<T> {
        self.more().constant = constant;
        self
    }

    /// Runs it on a thread of its own, since it blocks: a worker that waits is lost to all others.
    ///
    /// ```
    /// use selvedge_flow::{Flow, Request, node};
    ///
    /// let (hand_over, receive) = std::sync::mpsc::channel::<u32>();
    /// let receive = std::sync::Mutex::new(receive);
    /// let mut flow = Flow::builder("post");
    /// let letter = node((), move || Ok(receive.lock().unwrap().recv()?)).on_own_thread();
    /// let letter = flow.add("letter", letter);
    /// let writer = flow.node("writer", (), move || Ok(hand_over.send(7)?));
    /// let result = flow.build()?.run(Request::new())?;
    /// assert_eq!(result.value(letter)?, &7);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn on_own_thread(self) -> NodeSpec<T> {
        self.runs_on(OwnThread)
    }

    /// How many items of a map may be under way at a time. Other nodes have none.
    pub fn items_at_a_time(mut self, n: u32) -> NodeSpec<T> {
        self.more().items_at_a_time = Some(n);
        self
    }

    /// Says what it is for.
    pub fn describe(mut self, description: impl Into<Text>) -> NodeSpec<T> {
        self.more().description = Some(description.into());
        self
    }

    /// Adds a tag.
    pub fn tag(mut self, tag: impl Into<Text>) -> NodeSpec<T> {
        self.more().tags.push(tag.into());
        self
    }
}

impl<T> fmt::Debug for NodeSpec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NodeSpec { inputs, kind, options, .. } = self;
        f.debug_struct("NodeSpec")
            .field("makes", &type_name::<T>())
            .field("kind", kind)
            .field("inputs", inputs)
            .field("options", options)
            .finish_non_exhaustive()
    }
}
