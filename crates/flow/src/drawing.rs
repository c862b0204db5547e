//! Owns pictures: of a flow's structure, and of what became of it in a run. Drawn from ids and
//! edges, never guessed from values.

use selvedge_event::Outcome as Ending;
use selvedge_topology::{Class, Drawing, Shape};

use crate::flow::Flow;
use crate::result::RunResult;
use crate::spec::Kind;

impl Flow {
    /// A picture of the flow: call [`mermaid`](Drawing::mermaid), [`dot`](Drawing::dot) or
    /// [`tree`](Drawing::tree) on it.
    ///
    /// ```
    /// use selvedge_flow::Flow;
    /// let mut flow = Flow::builder("shop");
    /// let x = flow.parameter::<i64>("x");
    /// flow.node("doubled", (x,), |x: &i64| Ok(x * 2));
    /// assert_eq!(flow.build()?.drawing().tree(), "param:x [parameter]\n└─ doubled [node]\n");
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    #[must_use]
    pub fn drawing(&self) -> Drawing<'_> {
        Drawing::of(self.topology())
    }
}

impl RunResult {
    /// A picture of what became of each node.
    ///
    /// ```
    /// use selvedge_flow::{Flow, Request};
    /// let mut flow = Flow::builder("shop");
    /// let x = flow.parameter::<f64>("x");
    /// flow.node("root", (x,), |x: &f64| match *x {
    ///     x if x < 0.0 => anyhow::bail!("negative"),
    ///     x => Ok(x.sqrt()),
    /// });
    /// let flow = flow.build()?;
    /// let result = flow.run(Request::new().with("x", -1.0))?;
    /// assert!(result.drawing(&flow).mermaid().contains("negative"));
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If the flow is not the one that ran.
    #[must_use]
    pub fn drawing<'f>(&self, flow: &'f Flow) -> Drawing<'f> {
        assert!(self.is_of(flow), "this is not a run of flow `{}`", flow.name());
        let mut drawing = flow.drawing();
        for (node, at) in self.nodes().zip(flow.topology().nodes()) {
            let class = match &node.ending {
                None => Class::Waiting,
                Some(Ending::Succeeded) if node.reused.is_some() => Class::Reused,
                Some(Ending::Succeeded) => Class::Ok,
                Some(Ending::Skipped { .. }) => Class::Skipped,
                Some(_) => Class::Err,
            };
            drawing.class(at, class);
            match &node.ending {
                None => drawing.note(at, "did not run"),
                Some(Ending::Succeeded) => &mut drawing,
                Some(ending) => drawing.note(at, ending.to_string()),
            };
            if let Some(run) = node.reused {
                drawing.note(at, format!("from run {run}"));
            }
        }
        drawing
    }
}

/// How a kind of node is drawn.
pub(crate) fn shape(kind: Kind) -> Shape {
    match kind {
        Kind::Parameter | Kind::Source => Shape::Stadium,
        Kind::Branch | Kind::Gate => Shape::Diamond,
        Kind::Map => Shape::Subroutine,
        Kind::Node | Kind::Sink | Kind::Aggregator | Kind::Arm | Kind::SubFlow => Shape::default(),
    }
}
