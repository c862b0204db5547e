//! Owns where runs stand between their legs, durably: one record per run, claimed by whoever goes
//! on with it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use selvedge_event::Text;
use selvedge_lineage::{RunId, Timestamp};
use selvedge_store::{Batch, Durability, Scan, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::error::CheckpointError;
use super::position::{FORMAT, Left, Parts, Position, Written};
use super::state::Shares;
use crate::flow::now;
use crate::value::Value;

/// Where runs stand.
const POSITIONS: &str = "pipe.positions";
/// What there is to know about them without reading that.
const WAITING: &str = "pipe.waiting";

/// Where suspended runs are kept, so that another process can go on with them.
///
/// ```
/// use std::sync::Arc;
/// use selvedge_flow::steps::{Checkpoints, Control, Pipe, Resumed, State};
/// use selvedge_store::Memory;
///
/// let mut pipe = Pipe::<String>::builder("approval");
/// pipe.step("ask", || Control::suspend("needs a signature")).to("sign");
/// pipe.step("sign", |name: Resumed<String>, paper: State<String>| {
///     let name = name.0.unwrap_or_default();
///     paper.update(move |paper| paper.push_str(&name));
/// });
/// let store = Arc::new(Memory::new()); // In earnest, one with a folder.
/// let pipe = pipe.build()?.kept_in(&Checkpoints::new(store.clone()));
/// let run = pipe.run("signed: ".to_owned())?.run();
///
/// // Later, and elsewhere.
/// let pipe = pipe.kept_in(&Checkpoints::new(store.clone()));
/// let waiting = Checkpoints::new(store).list(10, None)?;
/// assert_eq!(waiting[0].reason.as_deref(), Some("needs a signature"));
/// let result = pipe.resume_run(run, (), &"Ann")?;
/// assert_eq!(*result.state(), "signed: Ann");
/// assert!(pipe.resume_run(run, (), &"Bob").is_err()); // It has ended.
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct Checkpoints {
    store: Arc<dyn Store>,
    how: Keep,
}

/// Tells what this process has claimed from what another had when it died: a store is one process's
/// at a time.
fn session() -> RunId {
    static SESSION: OnceLock<RunId> = OnceLock::new();
    *SESSION.get_or_init(|| RunId::drawn(now()))
}

/// When a run's position is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Keep {
    /// When it is suspended.
    #[default]
    Suspended,
    /// After each step, too, before that is told: a run whose process dies goes on from there.
    EveryStep,
}

/// A run that waits, or was cut off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Waiting {
    /// The run.
    pub run: RunId,
    /// Of which pipe.
    pub pipe: Text,
    /// Why it waits; nothing of one that was cut off.
    pub reason: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// Who goes on with it, if somebody does.
    claimed: Option<RunId>,
}

impl Checkpoints {
    /// Those in a store: namespaces `pipe.positions` and `pipe.waiting`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Checkpoints {
        Checkpoints { store, how: Keep::default() }
    }

    /// Writes positions after each step, too.
    #[must_use]
    pub fn every_step(mut self) -> Checkpoints {
        self.how = Keep::EveryStep;
        self
    }

    /// Runs that wait or were cut off, in the order in which they began: at most so many, after
    /// this one.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`], when the store can't be read.
    pub fn list(&self, max: usize, after: Option<RunId>) -> Result<Vec<Waiting>, CheckpointError> {
        let scan = match after {
            // The next key after this one.
            Some(run) => {
                let mut from = run.as_bytes().to_vec();
                from.push(0);
                Scan::range(WAITING, from.as_slice()..)
            }
            None => Scan::all(WAITING),
        };
        let mut waiting = Vec::new();
        for entry in self.store.scan(scan) {
            let found = waiting_of(&entry?.value)?;
            if found.claimed != Some(session()) {
                waiting.push(found);
            }
            if waiting.len() == max {
                break;
            }
        }
        Ok(waiting)
    }

    /// Gives up a run that waits: it can't be resumed any more. Says whether there was one.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`], when somebody goes on with it, or the store fails.
    pub fn cancel(&self, run: RunId) -> Result<bool, CheckpointError> {
        let Some((bytes, waiting)) = self.waiting(run)? else { return Ok(false) };
        if waiting.claimed == Some(session()) {
            return Err(CheckpointError::Claimed { run });
        }
        let batch = Batch::new()
            .require(WAITING, run.as_bytes(), Some(&bytes))
            .delete(WAITING, run.as_bytes())
            .delete(POSITIONS, run.as_bytes());
        self.commit(run, batch).map(|()| true)
    }

    /// Gives up runs that have waited since before this time. Says how many.
    ///
    /// # Errors
    ///
    /// As [`cancel`](Self::cancel).
    pub fn expire(&self, before: Timestamp) -> Result<usize, CheckpointError> {
        /// Runs that are looked at together.
        const PAGE: usize = 1_024;
        let (mut n, mut after) = (0, None);
        loop {
            let page = self.list(PAGE, after)?;
            let Some(last) = page.last() else { return Ok(n) };
            after = Some(last.run);
            for waiting in page.iter().filter(|waiting| waiting.since < before) {
                n += usize::from(self.cancel(waiting.run)?);
            }
        }
    }

    fn waiting(&self, run: RunId) -> Result<Option<(Vec<u8>, Waiting)>, CheckpointError> {
        let Some(bytes) = self.store.get(WAITING, run.as_bytes())? else { return Ok(None) };
        let waiting = waiting_of(&bytes)?;
        Ok(Some((bytes, waiting)))
    }

    fn commit(&self, run: RunId, batch: Batch) -> Result<(), CheckpointError> {
        match self.store.commit(batch, Durability::Group) {
            Err(StoreError::Conflict { .. }) => Err(CheckpointError::Claimed { run }),
            done => Ok(done?),
        }
    }
}

/// What a pipe asks of where its runs are kept, whatever its state is.
pub(crate) trait Keeps<S>: Send + Sync {
    /// When positions are written.
    fn when(&self) -> Keep;

    /// Writes where a run stands. Somebody goes on with it, unless it is suspended.
    fn save(&self, position: &Position<S>, is_suspended: bool) -> Result<(), CheckpointError>;

    /// The run has ended.
    fn forget(&self, run: RunId) -> Result<(), CheckpointError>;

    /// Takes a run that waits, so that nobody else does, and says where it stands.
    fn claim(
        &self,
        run: RunId,
        approve: &dyn Fn(&Left<'_>) -> Result<(), CheckpointError>,
        parts: &dyn Parts,
    ) -> Result<Position<S>, CheckpointError>;
}

impl<S: Shares + Value> Keeps<S> for Checkpoints {
    fn when(&self) -> Keep {
        self.how
    }

    fn save(&self, position: &Position<S>, is_suspended: bool) -> Result<(), CheckpointError> {
        let run = position.run;
        let unwritten = |source| CheckpointError::Unwritten { run, source };
        let written = Written::of(position).map_err(unwritten)?;
        let waiting = Waiting {
            run,
            pipe: position.pipe.clone(),
            reason: position.reason.clone(),
            since: now(),
            claimed: (!is_suspended).then(session),
        };
        let written = serde_json::to_vec(&written).map_err(unwritten)?;
        let waiting = serde_json::to_vec(&waiting).map_err(unwritten)?;
        let batch = Batch::new().put(POSITIONS, run.as_bytes(), written).put(
            WAITING,
            run.as_bytes(),
            waiting,
        );
        self.commit(run, batch)
    }

    fn forget(&self, run: RunId) -> Result<(), CheckpointError> {
        let batch = Batch::new().delete(POSITIONS, run.as_bytes()).delete(WAITING, run.as_bytes());
        self.commit(run, batch)
    }

    fn claim(
        &self,
        run: RunId,
        approve: &dyn Fn(&Left<'_>) -> Result<(), CheckpointError>,
        parts: &dyn Parts,
    ) -> Result<Position<S>, CheckpointError> {
        let Some((bytes, mut waiting)) = self.waiting(run)? else {
            return Err(CheckpointError::Unknown { run });
        };
        if waiting.claimed == Some(session()) {
            return Err(CheckpointError::Claimed { run });
        }
        let found = self.store.get(POSITIONS, run.as_bytes())?;
        let found = found.ok_or(CheckpointError::Unknown { run })?;
        let unread = |source| CheckpointError::Unread { run, source };
        let written: Written = serde_json::from_slice(&found).map_err(unread)?;
        if written.format != FORMAT {
            return Err(CheckpointError::Format { run, found: written.format, known: FORMAT });
        }
        approve(&Left {
            run,
            pipe: &written.pipe,
            definition: &written.definition,
            steps: &written.steps,
            machine: &written.machine,
        })?;
        let position = written.read(parts).map_err(unread)?;
        waiting.claimed = Some(session());
        let claimed = serde_json::to_vec(&waiting)
            .map_err(|source| CheckpointError::Unwritten { run, source })?;
        let batch = Batch::new().require(WAITING, run.as_bytes(), Some(&bytes)).put(
            WAITING,
            run.as_bytes(),
            claimed,
        );
        self.commit(run, batch)?;
        Ok(position)
    }
}

fn waiting_of(bytes: &[u8]) -> Result<Waiting, CheckpointError> {
    serde_json::from_slice(bytes).map_err(|source| CheckpointError::List { source })
}

impl fmt::Debug for Checkpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoints").field("how", &self.how).finish_non_exhaustive()
    }
}
