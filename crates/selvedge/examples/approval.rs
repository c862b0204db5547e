//! Orders that somebody has to approve: a run waits for that on the disk, and another process goes
//! on with it.
//!
//! ```text
//! cargo run --example approval --features flow,sled -- order 12 450.00   # small ones go through
//! cargo run --example approval --features flow,sled -- order 13 2400.00  # this one waits
//! cargo run --example approval --features flow,sled -- list
//! cargo run --example approval --features flow,sled -- approve RUN Ann   # or `reject RUN Ann`
//! ```
//!
//! What waits lies in the folder `approval` beside the temporary files, or where `APPROVAL_DIR`
//! says.

use std::path::PathBuf;
use std::sync::Arc;

use selvedge::flow::steps::{Checkpoints, Control, Pipe, PipeResult, Resumed, State};
use selvedge::prelude::*;
use selvedge::store::Durable;
use serde::{Deserialize, Serialize};

/// Above this somebody has to approve.
const LIMIT: f64 = 1_000.0;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Order {
    number: u32,
    amount: f64,
    history: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Decision {
    by: String,
    is_approved: bool,
}

fn note(order: &State<Order>, what: impl Into<String>) {
    let what = what.into();
    order.update(move |order| order.history.push(what));
}

fn orders(checkpoints: &Checkpoints) -> Result<Pipe<Order>> {
    let mut pipe = Pipe::<Order>::builder("orders");
    pipe.step("check", |order: State<Order>| -> Result {
        anyhow::ensure!(order.amount > 0.0, "an order of {}", order.amount);
        note(&order, "checked");
        Ok(())
    })
    .to("size");
    pipe.switch("size", |order: State<Order>| order.amount > LIMIT)
        .on(true, "ask")
        .on(false, "ship");
    pipe.step("ask", |order: State<Order>| {
        Control::suspend(format!("order {} of {:.2}", order.number, order.amount))
    })
    .to("decide");
    pipe.step("decide", |order: State<Order>, decision: Resumed<Decision>| -> Result<Control> {
        let Some(Decision { by, is_approved }) = decision.0 else {
            anyhow::bail!("nobody has decided");
        };
        let verb = if is_approved { "approved" } else { "rejected" };
        note(&order, format!("{verb} by {by}"));
        Ok(if is_approved { Control::Next } else { Control::skip("rejected") })
    })
    .to("ship");
    pipe.step("ship", |order: State<Order>| note(&order, "shipped"));
    Ok(pipe.build()?.kept_in(checkpoints))
}

fn told(result: &PipeResult<Order>) {
    println!("{}: {}, {}", result.run(), result.ending(), result.state().history.join(", "));
    if let Some(reason) = &result.finished().reason {
        println!("waits for a decision on {reason}");
    }
}

fn main() -> Result {
    let dir = std::env::var_os("APPROVAL_DIR").map(PathBuf::from);
    let dir = dir.unwrap_or_else(|| std::env::temp_dir().join("approval"));
    std::fs::create_dir_all(&dir)?;
    let checkpoints = Checkpoints::new(Arc::new(Durable::open(&dir)?));
    let pipe = orders(&checkpoints)?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["order", number, amount] => {
            let (number, amount) = (number.parse()?, amount.parse()?);
            told(&pipe.run(Order { number, amount, history: Vec::new() })?);
        }
        ["list"] => {
            for waiting in checkpoints.list(100, None)? {
                println!("{} {}", waiting.run, waiting.reason.as_deref().unwrap_or("was cut off"));
            }
        }
        [verb @ ("approve" | "reject"), run, by] => {
            let decision = Decision { by: by.to_owned(), is_approved: verb == "approve" };
            told(&pipe.resume_run(run.parse()?, (), &decision)?);
        }
        _ => anyhow::bail!("say `order NUMBER AMOUNT`, `list`, or `approve|reject RUN NAME`"),
    }
    Ok(())
}
