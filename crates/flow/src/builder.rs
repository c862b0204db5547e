//! Owns the definition of a flow: nodes as they come, each after those that it reads. That order is
//! what makes a cycle impossible to write.

mod groups;
mod kinds;

use std::any::{TypeId, type_name};
use std::fmt;

use selvedge_event::{DigestError, Signature, Text};
use selvedge_sync::atomic::{AtomicU32, Ordering};
use selvedge_topology::{NameRules, NodeIndex, Place, Topology};

use crate::body::{Body, Call, Made};
use crate::drawing::shape;
use crate::error::{DefinitionError, DefinitionProblem};
use crate::flow::Flow;
use crate::input::{Function, Inputs, Node, Source};
use crate::plan::{InputPlan, NodePlan, Parameter, Plan, PlanSource};
use crate::spec::{Kind, More, NodeSpec, Options, node};
use crate::value::{Shared, Value, shared};

use groups::Groups;

/// What parameters' ids begin with.
pub(crate) const PARAMETER_PREFIX: &str = "param:";

/// Inputs that a node may have.
const INPUTS_MAX: usize = 1 << 20;

/// Tells flows apart, so that a handle of one is not taken for another's.
static N_FLOWS: AtomicU32 = AtomicU32::new(0);

/// A flow that is being defined.
///
/// ```
/// use selvedge_flow::{Flow, Request};
///
/// let mut flow = Flow::builder("arithmetic");
/// let x = flow.parameter::<i64>("x");
/// let doubled = flow.node("doubled", (x,), |x: &i64| Ok(x * 2));
/// let answer = flow.node("answer", (x, doubled), |x: &i64, doubled: &i64| Ok(x + doubled));
/// let flow = flow.build()?;
///
/// let result = flow.run(Request::new().with("x", 5))?;
/// assert_eq!(result.value(answer)?, &15);
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// Nothing is refused on the way: [`build`](Self::build) tells everything that is wrong at once.
pub struct FlowBuilder {
    id: u32,
    name: Text,
    nodes: Vec<Defined>,
    inputs: Vec<InputPlan>,
    problems: Vec<DefinitionProblem>,
    groups: Groups,
}

/// A node with its place in the flow.
struct Defined {
    id: Text,
    kind: Kind,
    /// Where its inputs end; they begin where the last one's end.
    inputs_end: u32,
    body: Box<dyn Body>,
    options: Options,
    place: Place,
    read: fn(&[u8]) -> serde_json::Result<Shared>,
    parameter: Option<Box<Parameter>>,
}

impl FlowBuilder {
    pub(crate) fn new(name: Text) -> FlowBuilder {
        // Relaxed: a number that nobody else has, and nothing else.
        let id = N_FLOWS.fetch_add(1, Ordering::Relaxed);
        let (nodes, inputs, problems) = (Vec::new(), Vec::new(), Vec::new());
        FlowBuilder { id, name, nodes, inputs, problems, groups: Groups::default() }
    }

    /// A value that each run is given under this name. The node's id is `param:<name>`.
    #[track_caller]
    pub fn parameter<T: Value>(&mut self, name: &str) -> Node<T> {
        self.parameter_node::<T>(name, None)
    }

    /// The same, with what it is in runs that don't say.
    #[track_caller]
    pub fn parameter_or<T: Value>(&mut self, name: &str, default: T) -> Node<T> {
        self.parameter_node::<T>(name, Some(shared(default)))
    }

    #[track_caller]
    fn parameter_node<T: Value>(&mut self, name: &str, default: Option<Shared>) -> Node<T> {
        let parameter = Parameter {
            name: Text::from(name),
            type_id: TypeId::of::<T>(),
            type_name: type_name::<T>(),
            default,
            checks: Vec::new(),
            read: |json| serde_json::from_value::<T>(json).map(shared),
        };
        let id = format!("{PARAMETER_PREFIX}{name}");
        let body = Box::new(IsGiven);
        let node = self.define(id.as_str(), NodeSpec::new(Vec::new(), body, Kind::Parameter));
        if let Some(defined) = self.nodes.last_mut() {
            defined.parameter = Some(Box::new(parameter));
        }
        node
    }

    /// Checks each value that a parameter is given, its default too; the error says what is wrong
    /// with it.
    ///
    /// ```
    /// use selvedge_flow::{Flow, Request};
    ///
    /// let mut flow = Flow::builder("shop");
    /// let n = flow.parameter::<u32>("n");
    /// flow.check(n, |n| if *n > 0 { Ok(()) } else { Err("must be at least 1".to_owned()) });
    /// flow.node("half", (n,), |n: &u32| Ok(n / 2));
    /// let error = flow.build()?.run(Request::new().with("n", 0_u32)).unwrap_err();
    /// assert!(error.to_string().contains("must be at least 1"));
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn check<T: Value>(
        &mut self,
        parameter: Node<T>,
        check: impl Fn(&T) -> Result<(), String> + Send + Sync + 'static,
    ) {
        let mine = parameter.flow == self.id;
        let defined = self.nodes.get_mut(parameter.idx as usize).filter(|_| mine);
        if let Some(parameter) = defined.and_then(|defined| defined.parameter.as_mut()) {
            parameter.checks.push(Box::new(move |value: &Shared| match value.seen_as::<T>() {
                Some(value) => check(value),
                None => Ok(()),
            }));
        }
    }

    /// A node that reads `inputs` and computes something of them. [`add`](Self::add) says more
    /// about a node than this.
    #[track_caller]
    pub fn node<I: Inputs, T: Value, F: Function<I, T>>(
        &mut self,
        id: &str,
        inputs: I,
        function: F,
    ) -> Node<T> {
        self.define(id, node(inputs, function))
    }

    /// Gives a node its id: 1 to 256 letters, digits, `_`, `-`, `.` and `:`, once in a flow.
    ///
    /// ```
    /// use selvedge_flow::{Flow, Request, node};
    /// use selvedge_runtime::Retry;
    ///
    /// let mut flow = Flow::builder("shop");
    /// let x = flow.parameter::<i64>("x");
    /// let fetched = node((x,), |x: &i64| Ok(x + 1)).on_failure(Retry::times(3)).tag("network");
    /// let fetched = flow.add("fetched", fetched);
    /// assert_eq!(flow.build()?.run(Request::new().with("x", 1))?.value(fetched)?, &2);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    #[track_caller]
    pub fn add<T: Value>(&mut self, id: &str, spec: NodeSpec<T>) -> Node<T> {
        self.define(id, spec)
    }

    /// Defines a node, whatever its kind.
    #[track_caller]
    fn define<T: Value>(&mut self, id: &str, spec: NodeSpec<T>) -> Node<T> {
        let NodeSpec { inputs, body, kind, options, .. } = spec;
        let place = Place::here();
        let idx = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        if inputs.len() > INPUTS_MAX {
            let problem = DefinitionProblem::TooManyInputs {
                node: id.to_owned(),
                inputs: inputs.len(),
                max: INPUTS_MAX,
                place: place.clone(),
            };
            self.problems.push(problem);
        }
        for (at, input) in inputs.into_iter().take(INPUTS_MAX).enumerate() {
            let source = match input.source {
                Source::Node { flow, idx: from, receives } if flow == self.id && from < idx => {
                    PlanSource::Node { idx: from, receives }
                }
                Source::Node { .. } => {
                    let node = id.to_owned();
                    let place = place.clone();
                    self.problems.push(DefinitionProblem::ForeignHandle { node, at, place });
                    continue;
                }
                Source::Constant(value) => PlanSource::Constant(value),
                Source::Run => PlanSource::Run,
            };
            self.inputs.push(InputPlan { name: input.name, source });
        }
        self.nodes.push(Defined {
            id: if kind == Kind::Parameter { Text::from(id) } else { self.groups.id(id) },
            kind,
            inputs_end: u32::try_from(self.inputs.len()).unwrap_or(u32::MAX),
            body,
            options,
            place,
            read: |bytes| serde_json::from_slice::<T>(bytes).map(shared),
            parameter: None,
        });
        Node::new(self.id, idx)
    }

    /// Checks everything and freezes it. Linear in nodes and inputs.
    ///
    /// # Errors
    ///
    /// All that is wrong, at once: malformed and duplicate ids, handles of other flows, parameters
    /// that nobody reads, constants without a digest, caching of code that nothing is known of.
    pub fn build(self) -> Result<Flow, DefinitionError> {
        let FlowBuilder { id, name, nodes: defined, inputs, mut problems, mut groups } = self;
        find_problems(&defined, &inputs, &mut problems);
        groups.find_problems(&defined, &mut problems);
        let mut topology = Topology::builder(name.as_str()).names(NameRules::identifiers());
        topology.reserve(defined.len(), inputs.len());
        let mut drawn: Vec<NodeIndex> = Vec::with_capacity(defined.len());
        // By node, the last that was seen to read it: one that is read twice is drawn once.
        let mut last_reader = vec![u32::MAX; defined.len()];
        let mut nodes = Vec::with_capacity(defined.len());
        let mut begin = 0;
        for (node, idx) in defined.into_iter().zip(0_u32..) {
            let Defined { id, kind, inputs_end, body, options, place, read, parameter } = node;
            let index =
                topology.node_at(id.as_str(), place).kind(kind.name()).shape(shape(kind)).index();
            drawn.push(index);
            groups.draw(idx, index, kind, &mut topology);
            let reads = &inputs[begin as usize..inputs_end as usize];
            for parent in reads.iter().filter_map(InputPlan::node) {
                if std::mem::replace(&mut last_reader[parent as usize], idx) != idx {
                    topology.link(drawn[parent as usize], index);
                }
            }
            let signature = match signature(&options, reads) {
                Ok(signature) => signature,
                Err(source) => {
                    let node = id.as_str().to_owned();
                    problems.push(DefinitionProblem::Constants { node, source });
                    None
                }
            };
            let inputs = begin..inputs_end;
            begin = inputs_end;
            nodes.push(NodePlan { id, kind, inputs, body, options, signature, read, parameter });
        }
        match topology.build() {
            Ok(topology) if problems.is_empty() => {
                Ok(Flow::new(Plan::new(id, name, nodes, inputs, groups.list(), topology)))
            }
            Ok(_) => Err(DefinitionError::new(problems)),
            Err(found) => {
                let found = found.list().iter().cloned().map(DefinitionProblem::Topology);
                Err(DefinitionError::new(found.chain(problems).collect()))
            }
        }
    }
}

/// What can be told from the nodes alone.
fn find_problems(defined: &[Defined], inputs: &[InputPlan], problems: &mut Vec<DefinitionProblem>) {
    let mut is_read = vec![false; defined.len()];
    for parent in inputs.iter().filter_map(InputPlan::node) {
        is_read[parent as usize] = true;
    }
    for (node, is_read) in defined.iter().zip(is_read) {
        let name = || node.id.as_str().to_owned();
        let place = || node.place.clone();
        if node.kind == Kind::Parameter && !is_read {
            problems.push(DefinitionProblem::UnusedParameter { node: name(), place: place() });
        }
        if node.options.cached && node.options.code().is_none() {
            problems.push(DefinitionProblem::CachedUnknown { node: name(), place: place() });
        }
        if let Some(reason) = node.options.more().and_then(|more| more.problem.clone()) {
            let (node, place) = (name(), place());
            problems.push(DefinitionProblem::SubFlow { node, reason, place });
        }
        problems.extend(node.options.more().and_then(|more| misplaced(node, more)));
        if let Some(parameter) = &node.parameter
            && let Some(default) = &parameter.default
            && let Err(reason) = parameter.approve(default)
        {
            let (node, place) = (name(), place());
            problems.push(DefinitionProblem::BadDefault { node, reason, place });
        }
    }
}

/// What is wrong with where and when a node is to run.
fn misplaced(node: &Defined, more: &More) -> Option<DefinitionProblem> {
    let (name, place) = (node.id.as_str().to_owned(), node.place.clone());
    if node.kind == Kind::SubFlow {
        let what = match (&more.executor, &more.limits[..]) {
            (Some(_), _) => "executor",
            (None, [_, ..]) => "limit",
            (None, []) => return None,
        };
        return Some(DefinitionProblem::FlowElsewhere { node: name, what, place });
    }
    if more.foreign && more.executor.is_none() {
        return Some(DefinitionProblem::NoExecutor { node: name, place });
    }
    let limit = more.limits.iter().find(|limit| limit.max() == 0)?.name().clone();
    Some(DefinitionProblem::NobodyPasses { node: name, limit, place })
}

/// Code and constants of a node, as far as either is known.
fn signature(options: &Options, read: &[InputPlan]) -> Result<Option<Signature>, DigestError> {
    let mut constants = Vec::new();
    for (input, at) in read.iter().zip(0_u32..) {
        if let PlanSource::Constant(value) = &input.source {
            constants.push((at, value.digest().map_err(Clone::clone)?));
        }
    }
    let own = options.more().and_then(|more| more.constant);
    constants.extend(own.map(|digest| (u32::MAX, digest)));
    let code = options.code().cloned();
    if constants.is_empty() {
        return Ok(code);
    }
    code.unwrap_or_else(unknown_code).with_constants(&constants).map(Some)
}

/// What stands for the code of a closure that declares no version.
pub(crate) fn unknown_code() -> Signature {
    Signature::of_version(Text::literal("closure"), Text::literal("undeclared"))
}

/// A parameter: its value is there when the run begins.
struct IsGiven;

impl Body for IsGiven {
    fn run(&self, _: &mut Call<'_, '_>) -> anyhow::Result<Made> {
        unreachable!("the value of a parameter is there when the run begins")
    }
}

impl fmt::Debug for FlowBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowBuilder")
            .field("name", &self.name)
            .field("nodes", &self.nodes.len())
            .finish_non_exhaustive()
    }
}
