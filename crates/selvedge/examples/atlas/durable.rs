//! The atlas in a workspace: the rows of packages about which nothing changed are taken from
//! earlier runs, and every row knows the input lines it came from.
//!
//! A row is found again by two digests: one of all that its package needs, and one of all that
//! needs it. `trace.rs` makes them and tells the history; `why.rs` asks it.

mod trace;
mod why;

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use selvedge::prelude::*;
use selvedge::runtime::{Cache, Durability};
use selvedge::{InWorkspace as _, Workspace};
use serde::{Deserialize, Serialize};

use self::trace::{Ledger, Trace};
pub use self::why::why;
use crate::events::Resolved;
use crate::graph::{Graph, Results, Walker};
use crate::stages::{COUNT_DEPENDENTS, Resolve, tell};

/// How many processors walk. Not as many as there are workers: results are kept by the processor
/// that found them, which must be the same on any number of workers.
const N_WALKERS: usize = 8;

/// A package whose row is wanted.
#[derive(Event)]
pub struct Wanted {
    #[key]
    walker: usize,
    package: u32,
    /// The digest of all that its row depends on.
    depends_on: Digest,
    maps: Arc<Maps>,
}

/// Who needs whom, both ways.
struct Maps {
    needs: Arc<Graph>,
    needed_by: Arc<Graph>,
}

/// What was found about a package.
#[derive(Event, Serialize, Deserialize)]
pub struct Row {
    package: String,
    closure: u32,
    closure_kib: u64,
    dependents: u32,
}

/// Finds rows. Raise the version when a walker comes to count otherwise.
#[derive(Default, Serialize)]
struct WalkBothWays {
    /// Room to work in, which says nothing about the results.
    #[serde(skip)]
    walkers: RefCell<Option<(Walker, Walker)>>,
}

#[processor(version = "1")]
impl CachedProcessor for WalkBothWays {
    type Emits = Row;

    fn process(&self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Wanted { package, maps, .. } => {
                let mut walkers = self.walkers.borrow_mut();
                let (needs, needed_by) = walkers.get_or_insert_with(|| {
                    let walker = |graph: &Arc<Graph>| Walker::new(Arc::clone(graph));
                    (walker(&maps.needs), walker(&maps.needed_by))
                });
                let closure = needs.closure(*package);
                cx.emit(Row {
                    package: maps.needs.name(*package).to_owned(),
                    closure: closure.packages,
                    closure_kib: closure.kib,
                    dependents: needed_by.closure(*package).packages - 1,
                });
            }
        }
        Ok(())
    }
}

/// Puts the rows in order, and tells the results when they are complete.
#[derive(Default)]
struct TallyRows {
    results: Option<Results>,
}

#[processor(strict)]
impl Processor for TallyRows {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        let early = "a row came before its graph";
        match event {
            Resolved(graph) => self.results = Some(Results::new(Arc::clone(graph))),
            Row { package, closure, closure_kib, dependents } => {
                let results = self.results.as_mut().context(early)?;
                let row = results.add_row(package, *closure, *closure_kib, *dependents);
                row.with_context(|| format!("a row of `{package}`, which is no package"))?;
            }
            // All rows are there: nobody has counted anything else.
            Phase { number: COUNT_DEPENDENTS } => tell(&self.results.take().context(early)?, cx),
        }
        Ok(())
    }
}

/// Adds the stages between the join and the sinks, and keeps what they do in a workspace.
pub fn stages(builder: PipelineBuilder, dir: &Path) -> anyhow::Result<PipelineBuilder> {
    let workspace = open(dir)?;
    let run = workspace.new_run("atlas");
    let ledger = Ledger::open(&workspace, run.id)?;
    let walks = (0..N_WALKERS).map(|walker| {
        let cache = Cache::new()
            .digest_by(|event| match event.payload::<Wanted>() {
                Some(wanted) => Ok(wanted.depends_on),
                None => Ok(event.payload_digest()?),
            })
            // What a power failure takes is soon found again.
            .durability(Durability::None)
            .namespace(format!("walk {walker}"));
        WalkBothWays::default().cached_with(cache).named(format!("walk {walker}")).keyed(walker)
    });
    Ok(builder
        .processor(Resolve::for_walkers(0).named("resolve"))
        .processor(TallyRows::default().named("tally"))
        .processor(Trace::new(ledger).named("resolve into steps"))
        .processors(walks)
        .in_workspace(&workspace, run))
}

fn open(dir: &Path) -> anyhow::Result<Workspace> {
    Workspace::open(dir).with_context(|| format!("cannot open the workspace `{}`", dir.display()))
}
