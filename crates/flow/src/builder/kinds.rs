//! Owns the kinds of nodes that do more than compute: branches, gates, aggregators.

use anyhow::Result;
use selvedge_event::Text;

use super::FlowBuilder;
use crate::body::{Aggregates, Arm, Gates};
use crate::input::{Input, Node};
use crate::spec::{Kind, NodeSpec, node};
use crate::value::Value;

impl FlowBuilder {
    /// Chooses one of some ways to go on: `choose` names it, and the node of that arm has the
    /// input's value; the others are skipped. The arms' ids are `<id>:<arm>`.
    ///
    /// A name that is no arm's fails the branch, and its arms are skipped for that.
    ///
    /// ```
    /// use selvedge_flow::{Flow, Request};
    ///
    /// let mut flow = Flow::builder("desk");
    /// let text = flow.parameter::<String>("text");
    /// let is_question = |text: &String| Ok(if text.ends_with('?') { "ask" } else { "note" });
    /// let (_route, [ask, note]) = flow.branch("route", text, ["ask", "note"], is_question);
    /// let asked = flow.node("asked", (ask,), |text: &String| Ok(text.len()));
    /// let noted = flow.node("noted", (note,), |text: &String| Ok(text.len()));
    ///
    /// let result = flow.build()?.run(Request::new().with("text", "why?".to_owned()))?;
    /// assert_eq!(result.value(asked)?, &4);
    /// assert!(result.outcome(noted).is_skipped());
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    #[track_caller]
    pub fn branch<T: Value, S: AsRef<str>, const N: usize>(
        &mut self,
        id: &str,
        input: Node<T>,
        arms: [&str; N],
        choose: impl Fn(&T) -> Result<S> + Send + Sync + 'static,
    ) -> (Node<String>, [Node<T>; N]) {
        let names: Vec<Text> = arms.iter().map(|&arm| Text::from(arm)).collect();
        let chooses = move |input: &T| {
            let chosen = choose(input)?;
            let chosen = chosen.as_ref();
            match names.iter().any(|arm| arm.as_str() == chosen) {
                true => Ok(chosen.to_owned()),
                false => Err(no_such_arm(chosen, &names)),
            }
        };
        let mut spec = node((input,), chooses);
        spec.kind = Kind::Branch;
        let branch = self.define(id, spec);
        let arms = arms.map(|arm| {
            let inputs = vec![branch.describe(), input.describe()];
            let body = Box::new(Arm { name: Text::from(arm) });
            self.define(&format!("{id}:{arm}"), NodeSpec::<T>::new(inputs, body, Kind::Arm))
        });
        (branch, arms)
    }

    /// Lets a value through if `predicate` says so; otherwise the node is skipped.
    ///
    /// ```
    /// use selvedge_flow::{Flow, Request};
    ///
    /// let mut flow = Flow::builder("shop");
    /// let n = flow.parameter::<i64>("n");
    /// let positive = flow.gate("positive", n, |n| Ok(*n > 0));
    /// let times_100 = flow.node("times-100", (positive,), |n: &i64| Ok(n * 100));
    /// let flow = flow.build()?;
    ///
    /// assert_eq!(flow.run(Request::new().with("n", 5))?.value(times_100)?, &500);
    /// let closed = flow.run(Request::new().with("n", -3))?;
    /// assert!(closed.outcome(times_100).is_skipped() && closed.succeeded());
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    #[track_caller]
    pub fn gate<T: Value>(
        &mut self,
        id: &str,
        input: Node<T>,
        predicate: impl Fn(&T) -> Result<bool> + Send + Sync + 'static,
    ) -> Node<T> {
        let body = Box::new(Gates::<_, T>::new(predicate));
        self.define(id, NodeSpec::new(vec![input.describe()], body, Kind::Gate))
    }

    /// Computes one value from those of many nodes of one type, in the order given.
    ///
    /// ```
    /// use selvedge_flow::{Flow, Request};
    ///
    /// let mut flow = Flow::builder("shop");
    /// let prices: Vec<_> =
    ///     (0..3).map(|n| flow.node(&format!("price{n}"), (), move || Ok(n * 10))).collect();
    /// let total = flow.aggregate("total", prices, |prices: &[&i32]| {
    ///     Ok(prices.iter().copied().sum::<i32>())
    /// });
    /// assert_eq!(flow.build()?.run(Request::new())?.value(total)?, &30);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    #[track_caller]
    pub fn aggregate<A: Value, T: Value>(
        &mut self,
        id: &str,
        inputs: impl IntoIterator<Item = Node<A>>,
        combine: impl Fn(&[&A]) -> Result<T> + Send + Sync + 'static,
    ) -> Node<T> {
        let inputs = inputs.into_iter().map(Input::describe).collect();
        let body = Box::new(Aggregates::<_, A, T>::new(combine));
        self.define(id, NodeSpec::new(inputs, body, Kind::Aggregator))
    }

    /// Folds a list into one value, from `initial` on.
    ///
    /// ```
    /// use selvedge_flow::{Flow, Request};
    ///
    /// let mut flow = Flow::builder("shop");
    /// let list = flow.parameter::<Vec<i64>>("list");
    /// let total = flow.fold("total", list, 0, |total, n: &i64| Ok(total + n));
    /// let result = flow.build()?.run(Request::new().with("list", vec![1_i64, 2, 3]))?;
    /// assert_eq!(result.value(total)?, &6);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    #[track_caller]
    pub fn fold<A: Value, T: Value + Clone>(
        &mut self,
        id: &str,
        list: Node<Vec<A>>,
        initial: T,
        combine: impl Fn(T, &A) -> Result<T> + Send + Sync + 'static,
    ) -> Node<T> {
        let folds =
            move |items: &Vec<A>, initial: &T| items.iter().try_fold(initial.clone(), &combine);
        self.define(id, node((list, crate::input::constant(initial)), folds))
    }
}

fn no_such_arm(chosen: &str, arms: &[Text]) -> anyhow::Error {
    let hint = selvedge_topology::suggestion(chosen, arms.iter().map(Text::as_str));
    let arms: Vec<String> = arms.iter().map(|arm| format!("`{arm}`")).collect();
    anyhow::anyhow!("chose `{chosen}`, which is none of its arms {}{hint}", arms.join(", "))
}
