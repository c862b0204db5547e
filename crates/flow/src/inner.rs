//! Owns flows within flows: once, again and again, or made on the way. An inner run is a scope
//! within its node's; its steps are called `<node>/<step>`, and they are recorded in the same run.

use std::any::{TypeId, type_name};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use selvedge_event::Signature;
use selvedge_runtime::{ScopeOptions, TaskContext};

use crate::body::{Body, Call, Made};
use crate::flow::Flow;
use crate::input::{Constant, Described, Function, Given, Input, Inputs, Node};
use crate::outcome::{Failure, Outcome};
use crate::plan::Plan;
use crate::request::Request;
use crate::run::{Execution, Run, Took};
use crate::spec::{Kind, NodeSpec};
use crate::value::{Shared, Value};

/// How deep flows may lie in each other in one run.
const DEPTH_MAX: u32 = 32;
/// Nodes that a flow may have that is made on the way.
const GROWN_MAX: usize = 1 << 20;

/// A flow as a node of another one.
///
/// ```
/// use selvedge_flow::{Flow, Request, SubFlow};
///
/// let mut inner = Flow::builder("hypotenuse");
/// let a = inner.parameter::<f64>("a");
/// let b = inner.parameter_or::<f64>("b", 4.0);
/// let squares = inner.node("squares", (a, b), |a: &f64, b: &f64| Ok(a * a + b * b));
/// let root = inner.node("root", (squares,), |squares: &f64| Ok(squares.sqrt()));
/// let inner = inner.build()?;
///
/// let mut flow = Flow::builder("triangle");
/// let side = flow.parameter::<f64>("side");
/// let longest = flow.add("longest", SubFlow::of(&inner).given("a", side).making(root));
/// let result = flow.build()?.run(Request::new().with("side", 3.0))?;
/// assert_eq!(result.value(longest)?, &5.0);
/// assert!(result.records().iter().any(|record| record.step.as_str() == "longest/squares"));
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct SubFlow {
    flow: Flow,
    inputs: Vec<Described>,
    /// By input: the inner flow's parameter.
    parameters: Vec<u32>,
    problem: Option<String>,
}

impl SubFlow {
    /// This flow, with nothing given to it.
    pub fn of(flow: &Flow) -> SubFlow {
        SubFlow { flow: flow.clone(), inputs: Vec::new(), parameters: Vec::new(), problem: None }
    }

    /// Gives a parameter of the inner flow the value of a node of the outer one.
    pub fn given<A: Value>(self, parameter: &str, node: Node<A>) -> SubFlow {
        self.given_as::<A>(parameter, node.describe())
    }

    /// Gives a parameter a value that is known now.
    pub fn given_constant<A: Value>(self, parameter: &str, value: Constant<A>) -> SubFlow {
        self.given_as::<A>(parameter, value.describe())
    }

    fn given_as<A: Value>(mut self, name: &str, described: Described) -> SubFlow {
        let plan = self.flow.shared_plan();
        match plan.parameter(name) {
            Some((idx, parameter)) if parameter.type_id == TypeId::of::<A>() => {
                self.parameters.push(idx);
                let name = described.name.or_else(|| Some(parameter.name.clone()));
                self.inputs.push(Described { name, ..described });
            }
            Some((_, parameter)) => {
                let (wanted, found) = (parameter.type_name, type_name::<A>());
                self.problem.get_or_insert(format!(
                    "parameter `{name}` of flow `{}` is a `{wanted}`, and a `{found}` is given",
                    plan.name
                ));
            }
            None => {
                let names = plan.parameters().map(|(_, parameter)| parameter.name.as_str());
                let hint = selvedge_topology::suggestion(name, names);
                self.problem
                    .get_or_insert(format!("flow `{}` has no parameter `{name}`{hint}", plan.name));
            }
        }
        self
    }

    /// What is missing to run it.
    fn missing(&self) -> Option<String> {
        let plan = self.flow.shared_plan();
        let is_given = |idx: &u32| self.parameters.contains(idx);
        let mut missing = plan
            .parameters()
            .filter(|(idx, parameter)| parameter.default.is_none() && !is_given(idx));
        let (_, parameter) = missing.next()?;
        Some(format!("parameter `{}` of flow `{}` is not given", parameter.name, plan.name))
    }

    /// The node: its value is that of this node of the inner flow. It fails with the first failure
    /// in there, and is skipped if that node is.
    pub fn making<T: Value>(self, output: Node<T>) -> NodeSpec<T> {
        self.node(output, None)
    }

    /// The node, as a loop: the inner flow runs again and again; the first time `parameter` is what
    /// was given, then what `output` has made, until `is_done` says that this is it. A loop that
    /// isn't done after `max` rounds has failed.
    ///
    /// ```
    /// use selvedge_flow::{Flow, Request, SubFlow};
    ///
    /// let mut newton = Flow::builder("newton");
    /// let x = newton.parameter::<f64>("x");
    /// let better = newton.node("better", (x,), |x: &f64| Ok((x + 2.0 / x) / 2.0));
    /// let newton = newton.build()?;
    ///
    /// let mut flow = Flow::builder("root-of-2");
    /// let guess = flow.parameter_or("guess", 1.0_f64);
    /// let is_done = |x: &f64| (x * x - 2.0).abs() < 1e-9;
    /// let root = SubFlow::of(&newton).given("x", guess).repeated("x", better, 20, is_done);
    /// let root = flow.add("root", root);
    /// let result = flow.build()?.run(Request::new())?;
    /// assert!((result.value(root)? - 2.0_f64.sqrt()).abs() < 1e-9);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn repeated<T: Value>(
        mut self,
        parameter: &str,
        output: Node<T>,
        max: u32,
        is_done: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> NodeSpec<T> {
        let plan = self.flow.shared_plan();
        let carried = match plan.parameter(parameter) {
            Some((idx, found)) if found.type_id == TypeId::of::<T>() => Some(idx),
            _ => None,
        };
        if carried.is_none_or(|idx| !self.parameters.contains(&idx)) {
            self.problem.get_or_insert(format!(
                "a loop carries a parameter that is given and has the type of what it makes, and \
                 `{parameter}` is none"
            ));
        }
        if max == 0 {
            self.problem.get_or_insert("a loop of no rounds makes nothing".to_owned());
        }
        let is_done = move |value: &Shared| value.seen_as::<T>().is_none_or(&is_done);
        let again = Again { carried: carried.unwrap_or(0), max, is_done: Arc::new(is_done) };
        self.node(output, Some(again))
    }

    fn node<T: Value>(mut self, output: Node<T>, again: Option<Again>) -> NodeSpec<T> {
        let plan = Arc::clone(self.flow.shared_plan());
        if output.flow != plan.id {
            let problem = format!("what it makes is no node of flow `{}`", plan.name);
            self.problem.get_or_insert(problem);
        }
        let missing = self.missing();
        self.problem = self.problem.or(missing);
        let code = plan.is_known().then(|| Signature::of_code(*plan.digest().as_bytes()));
        let body = Runs { plan, parameters: self.parameters, output: output.idx, again };
        let mut spec = NodeSpec::new(self.inputs, Box::new(body), Kind::SubFlow);
        if let Some(problem) = self.problem {
            spec = spec.broken(problem);
        }
        if let Some(code) = code {
            spec = spec.signed(code);
        }
        spec
    }
}

/// Until when an inner flow is run again.
#[derive(Clone)]
struct Again {
    carried: u32,
    max: u32,
    is_done: Arc<dyn Fn(&Shared) -> bool + Send + Sync>,
}

/// Runs an inner flow.
struct Runs {
    plan: Arc<Plan>,
    parameters: Vec<u32>,
    output: u32,
    again: Option<Again>,
}

impl Body for Runs {
    fn run(&self, call: &mut Call<'_, '_>) -> Result<Made> {
        let mut given: Vec<(u32, Shared)> = Vec::new();
        for (idx, parameter) in self.plan.parameters() {
            let at = self.parameters.iter().position(|&given| given == idx);
            let value = at.map(|at| call.value(at)).or_else(|| parameter.default.clone());
            let value = value.expect("a sub-flow is given its parameters, or refused");
            if let Err(reason) = parameter.approve(&value) {
                bail!("parameter `{}` of flow `{}` {reason}", parameter.name, self.plan.name);
            }
            given.push((idx, value));
        }
        begin(call, &self.plan, given, self.output, self.again.clone())
    }
}

/// A node that makes a flow when it is its turn, and whose value is what that flow comes to: for
/// work whose shape follows from values. What is made is a part of this run only, and reads the
/// node's inputs or what the request given with it says.
///
/// ```
/// use selvedge_flow::{Flow, Grown, Request, expand};
///
/// let mut flow = Flow::builder("directory");
/// let depth = flow.parameter::<u32>("depth");
/// let sum = flow.add("sum", expand((depth,), |depth: &u32| {
///     let mut grown = Flow::builder("levels");
///     let levels: Vec<_> =
///         (0..*depth).map(|n| grown.node(&format!("level{n}"), (), move || Ok(n))).collect();
///     let sum = |all: &[&u32]| Ok(all.iter().copied().sum::<u32>());
///     let sum = grown.aggregate("sum", levels, sum);
///     Ok(Grown::new(grown.build()?, Request::new(), sum))
/// }));
/// let result = flow.build()?.run(Request::new().with("depth", 5_u32))?;
/// assert_eq!(result.value(sum)?, &10);
/// # Ok::<(), anyhow::Error>(())
/// ```
pub fn expand<I, T, F>(inputs: I, function: F) -> NodeSpec<T>
where
    I: Inputs,
    T: Value,
    F: Function<I, Grown<T>>,
{
    let body = Expands { function, makes: PhantomData };
    NodeSpec::new(inputs.describe(), Box::new(body), Kind::SubFlow)
}

/// A flow that was made on the way: what it is asked for, and which of its nodes is the value.
#[derive(Debug)]
pub struct Grown<T> {
    flow: Flow,
    request: Request,
    output: Node<T>,
}

impl<T> Grown<T> {
    /// This flow, run with these parameters, for the value of this node.
    #[must_use]
    pub fn new(flow: Flow, request: Request, output: Node<T>) -> Grown<T> {
        Grown { flow, request, output }
    }
}

struct Expands<F, I, T> {
    function: F,
    makes: PhantomData<fn(I) -> T>,
}

impl<F: Function<I, Grown<T>>, I: 'static, T: Value> Body for Expands<F, I, T> {
    fn run(&self, call: &mut Call<'_, '_>) -> Result<Made> {
        let Grown { flow, request, output } = self.function.call(call.given)?;
        let plan = flow.shared_plan();
        if output.flow != plan.id {
            bail!("what it makes is no node of the flow `{}` that it has made", plan.name);
        }
        if plan.nodes.len() > GROWN_MAX {
            bail!("it has made a flow of {} nodes, {GROWN_MAX} are allowed", plan.nodes.len());
        }
        let given = crate::run::given(plan, &request, &vec![true; plan.nodes.len()])?;
        begin(call, plan, given, output.idx, None)
    }
}

/// Begins an inner run, which ends the node.
fn begin(
    call: &mut Call<'_, '_>,
    plan: &Arc<Plan>,
    given: Vec<(u32, Shared)>,
    output: u32,
    again: Option<Again>,
) -> Result<Made> {
    let outer = Outer {
        execution: Arc::clone(call.execution),
        node: call.node,
        read: call.given.to_vec(),
        took: Took::since(call.execution.clock(call.cx), call.cx),
        given: given.clone(),
        output,
        again,
        round: 0,
    };
    open(call.cx, plan, given, outer)?;
    Ok(Made::Later)
}

fn open(
    cx: &mut TaskContext<'_>,
    plan: &Arc<Plan>,
    given: Vec<(u32, Shared)>,
    outer: Outer,
) -> Result<()> {
    let depth = outer.execution.depth() + 1;
    if depth > DEPTH_MAX {
        bail!("flows lie in each other {depth} deep, {DEPTH_MAX} is allowed");
    }
    let name = outer.execution.step(outer.node);
    let execution = Arc::new(Execution::within(plan, given, outer));
    let start = execution.start();
    let mut scope = cx.scope(ScopeOptions::named(name), Run(execution))?;
    scope.post(start);
    Ok(())
}

/// The node that an inner run is for.
pub(crate) struct Outer {
    pub(crate) execution: Arc<Execution>,
    pub(crate) node: u32,
    /// What the node has read.
    read: Vec<Given>,
    took: Took,
    /// What the inner run was given.
    given: Vec<(u32, Shared)>,
    pub(crate) output: u32,
    again: Option<Again>,
    round: u32,
}

impl Outer {
    /// What the inner run's steps are called by, before their own names.
    pub(crate) fn prefix(&self) -> String {
        let step = self.execution.step(self.node);
        match &self.again {
            None => format!("{step}/"),
            Some(_) => format!("{step}[{}]/", self.round),
        }
    }

    /// The inner run has come to its end, and so has the node, unless there is another round.
    pub(crate) fn end(
        &self,
        inner: &Execution,
        outcome: Outcome<Shared>,
        cx: &mut TaskContext<'_>,
    ) -> Result<()> {
        let outcome = match (&self.again, outcome) {
            (Some(again), Outcome::Ok(value)) if !(again.is_done)(&value) => {
                if self.round + 1 < again.max {
                    return self.go_on(inner, again, &value, cx);
                }
                let error = anyhow!("it is not done after {} rounds", again.max);
                Outcome::Err(Failure::of_error(self.execution.step(self.node), &error))
            }
            (_, outcome) => outcome,
        };
        let took = self.took.until(cx);
        self.execution.end_from_below(self.node, outcome, &self.read, took, cx);
        Ok(())
    }

    fn go_on(
        &self,
        inner: &Execution,
        again: &Again,
        value: &Shared,
        cx: &mut TaskContext<'_>,
    ) -> Result<()> {
        let mut given = self.given.clone();
        for (idx, carried) in &mut given {
            if *idx == again.carried {
                *carried = Arc::clone(value);
            }
        }
        let outer = Outer {
            execution: Arc::clone(&self.execution),
            node: self.node,
            read: self.read.clone(),
            took: self.took,
            given: given.clone(),
            output: self.output,
            again: Some(again.clone()),
            round: self.round + 1,
        };
        open(cx, &inner.plan, given, outer)
    }
}

impl fmt::Debug for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outer").field("node", &self.node).finish_non_exhaustive()
    }
}
