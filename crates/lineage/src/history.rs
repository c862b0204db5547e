//! Owns `History`: opening one, and writing records and runs. What it answers is in `questions`,
//! `walk`, `difference` and `rerun`; what it forgets in `retention` and `scrub`.

use std::sync::Arc;

use selvedge_event::{Outcome, Text};
use selvedge_store::{Memory, Store};
use selvedge_sync::Mutex;

use crate::backend::Backend;
use crate::error::HistoryError;
use crate::options::Options;
use crate::record::Record;
use crate::run::{Run, RunEnd, RunId, Status};
use crate::segments::Segments;
use crate::time::Timestamp;

/// What happened, in all runs: written as it happens, and asked in one call each.
///
/// Clones are handles of one history, which any thread may use. One process has it at a time; its
/// store sees to that.
///
/// ```
/// use selvedge_event::{Digest, Outcome, Signature};
/// use selvedge_lineage::{Filter, History, Page, Record, Run, RunId, Timestamp};
///
/// let history = History::in_memory();
/// let monday = RunId::named("monday");
/// let (order, bill) = (Digest::of(&"two teas")?, Digest::of(&7)?);
///
/// history.begin_run(Run::new(monday, "shop", Timestamp::from_nanos(1)).tag("team", "till"))?;
/// let signature = Signature::of_version("shop::Bill", "1");
/// let record = Record::new(monday, "bill", signature).input("order", None, order).output(bill);
/// history.append(vec![record])?;
/// history.end_run(monday, Outcome::Succeeded, Timestamp::from_nanos(9))?;
///
/// let producers = history.producers(&bill, &Filter::new(), &Page::default())?;
/// assert_eq!(producers.items[0].record.step.as_str(), "bill");
/// assert_eq!(producers.items[0].record.inputs[0].digest, order);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct History {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) options: Arc<Options>,
    /// Held while a run is read, changed and written.
    runs: Arc<Mutex<()>>,
}

impl History {
    /// Opens the history in a store, or begins one there. Runs whose process is gone, which are all
    /// that have not ended, are abandoned as of `now`.
    ///
    /// Takes as long as reading a list of the index's parts and the last records, some 100,000 at
    /// most, however many there are.
    ///
    /// # Errors
    ///
    /// The store failed; something in it is damaged, or newer than this version; no thread could be
    /// started.
    pub fn open(
        store: Arc<dyn Store>,
        options: Options,
        now: Timestamp,
    ) -> Result<History, HistoryError> {
        let segments = Segments::open(store, options.clone())?;
        History::over(Arc::new(segments), options, now)
    }

    /// A history that lives as long as its process, without a thread.
    ///
    /// # Panics
    ///
    /// Never: a store in memory opens.
    #[must_use]
    pub fn in_memory() -> History {
        let options = Options { merging: crate::Merging::Inline, ..Options::default() };
        let opened = History::open(Arc::new(Memory::new()), options, Timestamp::default());
        opened.expect("an empty store in memory can't fail to open")
    }

    /// Opens the history in a file of `SQLite`, or begins one there; otherwise as
    /// [`open`](Self::open). The schema is in `docs/lineage.md`.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    #[cfg(feature = "sqlite")]
    pub fn open_sqlite(
        path: impl AsRef<std::path::Path>,
        options: Options,
        now: Timestamp,
    ) -> Result<History, HistoryError> {
        let tables = crate::sqlite::Sqlite::open(path.as_ref())?;
        History::over(Arc::new(tables), options, now)
    }

    fn over(
        backend: Arc<dyn Backend>,
        options: Options,
        now: Timestamp,
    ) -> Result<History, HistoryError> {
        let history =
            History { backend, options: Arc::new(options), runs: Arc::new(Mutex::new(())) };
        for mut run in history.backend.running()? {
            run.end = Some(RunEnd { outcome: Outcome::Abandoned, at: now });
            history.backend.put_run(&run)?;
        }
        Ok(history)
    }

    /// Appends records, all or none. When it returns they are as durable as was chosen, and every
    /// question finds them.
    ///
    /// Many at a time cost far less than one by one: see [`Writer`](crate::Writer), which gathers
    /// what many threads record.
    ///
    /// # Errors
    ///
    /// A record is too large, and none is written; or the store failed.
    pub fn append(&self, mut records: Vec<Record>) -> Result<(), HistoryError> {
        self.append_all(&mut records)
    }

    /// Appends records where they are; afterwards they are as they were written.
    pub(crate) fn append_all(&self, records: &mut [Record]) -> Result<(), HistoryError> {
        for record in &mut *records {
            self.options.redact.record(record);
            self.cut(&mut record.outcome);
            self.check_size(record)?;
        }
        self.backend.append(records).map(drop)
    }

    /// Writes that a run began. It is durable when this returns.
    ///
    /// # Errors
    ///
    /// A run of this id is known; or the store failed.
    pub fn begin_run(&self, mut run: Run) -> Result<(), HistoryError> {
        run.host = run.host.or_else(|| self.options.host.clone());
        let _runs = self.runs.lock();
        if self.backend.run(run.id)?.is_some() {
            return Err(HistoryError::RunExists { run: run.id });
        }
        self.write_run(run)
    }

    /// Writes that a run ended.
    ///
    /// # Errors
    ///
    /// It is not known, or has ended; the outcome is none of a run (runs are not skipped); or the
    /// store failed.
    pub fn end_run(&self, run: RunId, outcome: Outcome, at: Timestamp) -> Result<(), HistoryError> {
        let status = Status::of(&outcome);
        if status == Status::Skipped {
            return Err(HistoryError::WrongStatus { run, status, what: "be the end of a run" });
        }
        self.change_run(run, "end", &[Status::Running], |run| {
            run.end = Some(RunEnd { outcome, at });
        })
    }

    /// Writes that a run goes on: one that was suspended, or abandoned by a process that died.
    ///
    /// # Errors
    ///
    /// It is not known, or ended in another way; or the store failed.
    pub fn resume_run(&self, run: RunId) -> Result<(), HistoryError> {
        let resumable = [Status::Suspended, Status::Abandoned];
        self.change_run(run, "be resumed", &resumable, |run| run.end = None)
    }

    /// Adds a tag to a run, or replaces it.
    ///
    /// # Errors
    ///
    /// It is not known; or the store failed.
    pub fn tag_run(&self, run: RunId, name: &str, value: &str) -> Result<(), HistoryError> {
        let (name, value) = (Text::from(name), Text::from(value));
        self.change_run(run, "be tagged", &[], |run| drop(run.tags.insert(name, value)))
    }

    /// Puts a run under a legal hold, or lifts it. What is held is neither removed nor erased, nor
    /// are the values that it made or read.
    ///
    /// # Errors
    ///
    /// It is not known; or the store failed.
    pub fn hold_run(&self, run: RunId, held: bool) -> Result<(), HistoryError> {
        self.change_run(run, "be held", &[], |run| run.held = held)
    }

    /// Makes everything durable that was written before.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub fn flush(&self) -> Result<(), HistoryError> {
        self.backend.flush()
    }

    /// Changes a run that stands at one of these; at any if none is named.
    pub(crate) fn change_run(
        &self,
        id: RunId,
        what: &'static str,
        from: &[Status],
        change: impl FnOnce(&mut Run),
    ) -> Result<(), HistoryError> {
        let _runs = self.runs.lock();
        let mut run = self.backend.run(id)?.ok_or(HistoryError::UnknownRun { run: id })?;
        let status = run.status();
        if !from.is_empty() && !from.contains(&status) {
            return Err(HistoryError::WrongStatus { run: id, status, what });
        }
        change(&mut run);
        self.write_run(run)
    }

    fn write_run(&self, mut run: Run) -> Result<(), HistoryError> {
        self.options.redact.run(&mut run);
        if let Some(end) = &mut run.end {
            self.cut(&mut end.outcome);
        }
        self.backend.put_run(&run)
    }

    /// Cuts what an error says to its limit.
    fn cut(&self, outcome: &mut Outcome) {
        let (Outcome::Failed { error: text, .. } | Outcome::Skipped { reason: text }) = outcome
        else {
            return;
        };
        let n_bytes = text.len();
        if n_bytes > self.options.error_bytes_max {
            text.truncate(text.floor_char_boundary(self.options.error_bytes_max));
            text.push_str(&format!("… ({n_bytes} bytes)"));
        }
    }

    fn check_size(&self, record: &Record) -> Result<(), HistoryError> {
        let text = |text: &Text| text.len();
        let of_input =
            |input: &crate::Input| 40 + input.name.len() + input.step.as_ref().map_or(0, text);
        let n_bytes = size_of::<Record>()
            + record.step.len()
            + record.inputs.iter().map(of_input).sum::<usize>()
            + record.outputs.len() * 32;
        let n_bytes_max = self.options.record_bytes_max;
        if n_bytes > n_bytes_max {
            let step = record.step.chars().take(100).collect();
            return Err(HistoryError::RecordTooLarge { step, n_bytes, n_bytes_max });
        }
        Ok(())
    }
}
