//! Owns `Workspace`: a directory that keeps what outlives a run, and joins the pipeline that runs
//! in it to its store and its history.

mod pruning;
mod recorder;
mod scrub;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use selvedge_event::Text;
use selvedge_lineage::{HeldValues, History, Options, Run, RunId, Timestamp};
use selvedge_runtime::{Caches, PipelineBuilder};
use selvedge_store::{ContentStore, Durable, OsDisk, StoreError};

use crate::Error;
pub use pruning::{Pruning, PruningPlan};
use recorder::LineageRecorder;

/// A directory in which pipelines keep what outlives their runs: results of cached processors, the
/// history of all runs, and values by digest.
///
/// One process has it at a time. Clones are handles of the same.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// use selvedge::lineage::{Filter, Page};
/// use selvedge::prelude::*;
/// use selvedge::{InWorkspace, Workspace};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Event, Serialize, Deserialize)]
/// struct Celsius(f64);
/// #[derive(Event, Serialize, Deserialize)]
/// struct Fahrenheit(f64);
///
/// let workspace = Workspace::open(dir.path())?;
/// for n_replayed in [0, 1] {
///     let convert = on_cached("convert", "1", |_: &mut Context, Celsius(degrees): &Celsius| {
///         Ok(vec![Fahrenheit(degrees * 1.8 + 32.0)])
///     });
///     let builder = Pipeline::builder().processor(convert);
///     let pipeline = builder.in_workspace(&workspace, workspace.new_run("weather")).build()?;
///     pipeline.submit(Celsius(20.0))?;
///     assert_eq!(pipeline.run()?.processors[0].replayed, n_replayed);
/// }
///
/// // What produced this value, from what, with which code?
/// let value = Digest::of(&Fahrenheit(68.0))?;
/// let made = workspace.history().producers(&value, &Filter::new(), &Page::default())?;
/// let record = &made.items[0].record;
/// assert_eq!(record.step.as_str(), "convert");
/// assert_eq!(record.inputs[0].digest, Digest::of(&Celsius(20.0))?);
/// assert_eq!(made.items[1].record.reused_from, Some(record.run));
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Workspace {
    dir: PathBuf,
    store: Arc<Durable>,
    caches: Caches,
    history: History,
    values: Arc<HeldValues>,
}

impl Workspace {
    /// Opens the workspace in a directory, or makes one. Runs whose process is gone are found
    /// abandoned.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if another process has it, or something in it is damaged or newer than this
    /// version; [`Error::History`] likewise.
    pub fn open(dir: impl AsRef<Path>) -> Result<Workspace, Error> {
        let dir = dir.as_ref();
        let store = Arc::new(Durable::open(&dir.join("store"))?);
        let disk = OsDisk::new(&dir.join("values")).map_err(|source| StoreError::Io {
            doing: "create",
            name: dir.join("values").display().to_string(),
            source,
        })?;
        let content = Arc::new(ContentStore::new(store.clone(), Arc::new(disk)));
        let values = Arc::new(HeldValues::durable(content, Arc::clone(&store)));
        let history =
            History::open(store.clone(), Options { host: host(), ..Options::default() }, now())?;
        let caches = Caches::new(store.clone());
        Ok(Workspace { dir: dir.to_owned(), store, caches, history, values })
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What happened in all runs.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The results of cached processors.
    #[must_use]
    pub fn caches(&self) -> &Caches {
        &self.caches
    }

    /// The values that the history holds, by digest.
    #[must_use]
    pub fn values(&self) -> &Arc<HeldValues> {
        &self.values
    }

    /// The store beneath.
    #[must_use]
    pub fn store(&self) -> &Arc<Durable> {
        &self.store
    }

    /// Where runs of flows are written down, with the values of their nodes.
    ///
    /// # Errors
    ///
    /// [`Error::Journal`], when there is no room for a thread.
    #[cfg(feature = "flow")]
    pub fn journal(&self) -> Result<selvedge_flow::Journal, Error> {
        let (history, values) = (self.history.clone(), Arc::clone(&self.values));
        Ok(selvedge_flow::Journal::new(history, self.store.clone(), values)?)
    }

    /// A run of a pipeline of this name that is about to begin, under an id of its own. Its other
    /// fields are the caller's to set: who wanted it, tags, parameters.
    #[must_use]
    pub fn new_run(&self, pipeline: impl Into<Text>) -> Run {
        let start = now();
        Run::new(RunId::drawn(start), pipeline, start)
    }
}

/// Joins a pipeline that is being built to a workspace.
pub trait InWorkspace: Sized {
    /// Keeps results and history in the workspace in this directory, in one line. The run bears the
    /// directory's name; [`in_workspace`](Self::in_workspace) says more about it.
    ///
    /// # Errors
    ///
    /// As [`Workspace::open`].
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path();
    /// use selvedge::InWorkspace;
    /// use selvedge::prelude::*;
    ///
    /// Pipeline::builder().workspace(path)?.build()?.run()?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    fn workspace(self, dir: impl AsRef<Path>) -> Result<Self, Error>;

    /// Keeps results of cached processors in this workspace, and records the run and each of their
    /// turns in its history.
    #[must_use]
    fn in_workspace(self, workspace: &Workspace, run: Run) -> Self;
}

impl InWorkspace for PipelineBuilder {
    fn workspace(self, dir: impl AsRef<Path>) -> Result<Self, Error> {
        let workspace = Workspace::open(dir)?;
        let name = workspace.dir.file_name().map(|name| name.to_string_lossy().into_owned());
        let run = workspace.new_run(name.unwrap_or_else(|| "pipeline".to_owned()));
        Ok(self.in_workspace(&workspace, run))
    }

    fn in_workspace(self, workspace: &Workspace, run: Run) -> Self {
        let origin = run.id.to_string();
        let since = Duration::from_nanos(run.started_at.as_nanos());
        let recorder = LineageRecorder::new(workspace.history.clone(), run);
        let caches = self.caches(&workspace.caches, SystemTime::UNIX_EPOCH + since);
        caches.origin(origin).recorder(recorder)
    }
}

/// What the machine is called, where the system says so in a file: a label for people.
fn host() -> Option<Text> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim()).filter(|name| !name.is_empty()).map(Text::from)
}

/// The time of day: a label for people.
fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "what a history tells people is wall time")]
    SystemTime::now().into()
}
