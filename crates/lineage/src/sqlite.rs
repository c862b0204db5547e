//! Owns the history's tables in `SQLite`, for people who want to ask in SQL. The schema is in
//! `docs/lineage.md`.
//!
//! One connection, in WAL mode and with `synchronous = FULL`: what was appended survives the power.
//! Columns that people ask by stand beside the record itself, which is JSON.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use selvedge_event::{Code, Digest, Signature};
use selvedge_sync::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::{Backend, RunPlace};
use crate::erase::Erased;
use crate::error::HistoryError;
use crate::filter::Order;
use crate::record::Record;
use crate::run::{Run, RunId, Status};
use crate::term::Term;

/// The version of the schema, kept in `user_version`.
const VERSION: u8 = 1;

const SCHEMA: &str = "
CREATE TABLE runs (
    id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, status TEXT NOT NULL, started_at INTEGER NOT NULL,
    actor TEXT, trigger_ TEXT, host TEXT, parent TEXT, held INTEGER NOT NULL, json TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX runs_by_start ON runs (started_at, id);
CREATE INDEX runs_by_status ON runs (status);
CREATE TABLE records (
    position INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, step TEXT NOT NULL,
    signature TEXT NOT NULL, status TEXT NOT NULL, started_at INTEGER NOT NULL,
    own_duration INTEGER NOT NULL, json TEXT NOT NULL
);
CREATE INDEX records_by_run ON records (run, position);
CREATE INDEX records_by_step ON records (step, position);
CREATE INDEX records_by_signature ON records (signature, position);
CREATE TABLE outputs (
    digest TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (digest, position)
) WITHOUT ROWID;
CREATE INDEX outputs_by_position ON outputs (position);
CREATE TABLE inputs (
    digest TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, step TEXT,
    PRIMARY KEY (digest, position, name)
) WITHOUT ROWID;
CREATE INDEX inputs_by_position ON inputs (position);
CREATE TABLE erased (digest TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 1;
";

/// The history in a file of `SQLite`.
pub(crate) struct Sqlite(Mutex<Connection>);

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").finish_non_exhaustive()
    }
}

impl Sqlite {
    /// Opens the tables in a file, or makes them. The file is locked as long as it is open, so that
    /// one process has it at a time.
    pub(crate) fn open(path: &Path) -> Result<Sqlite, HistoryError> {
        let mut connection = Connection::open(path)?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // Removed rows are overwritten, not only unlinked.
        connection.pragma_update(None, "secure_delete", "ON")?;
        let transaction = connection.transaction()?;
        let found: u8 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match found {
            0 => transaction.execute_batch(SCHEMA)?,
            VERSION => {}
            found => return Err(HistoryError::NewerFormat { found, known: VERSION }),
        }
        transaction.commit()?;
        Ok(Sqlite(Mutex::new(connection)))
    }

    /// Does writes of which all happen or none.
    fn write<T>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, HistoryError>,
    ) -> Result<T, HistoryError> {
        let mut connection = self.0.lock();
        let transaction = connection.transaction()?;
        let written = write(&transaction)?;
        transaction.commit()?;
        Ok(written)
    }
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("texts and numbers are JSON")
}

fn from_json<T: DeserializeOwned>(what: &str, json: &str) -> Result<T, HistoryError> {
    serde_json::from_str(json)
        .map_err(|_| HistoryError::Damaged { what: what.to_owned(), expected: "its JSON" })
}

/// The column that a signature is found by: one text per signature.
fn key_of(signature: &Signature) -> String {
    let code = match signature.code() {
        Code::Hash(digest) => digest.to_string(),
        Code::Version { subject, version } => format!("{subject}@{version}"),
    };
    match signature.constants() {
        Some(constants) => format!("{code} {constants}"),
        None => code,
    }
}

fn first_column(row: &Row<'_>) -> rusqlite::Result<u64> {
    row.get(0)
}

impl Backend for Sqlite {
    fn append(&self, records: &[Record]) -> Result<Range<u64>, HistoryError> {
        let start = self.end()?;
        self.write(|transaction| {
            for (position, record) in (start..).zip(records) {
                insert(transaction, position, record)?;
            }
            Ok(start..start + records.len() as u64)
        })
    }

    fn end(&self) -> Result<u64, HistoryError> {
        // The sequence remembers positions that were removed.
        let connection = self.0.lock();
        let mut last = connection
            .prepare_cached("SELECT seq + 1 FROM sqlite_sequence WHERE name = 'records'")?;
        Ok(last.query_row([], first_column).optional()?.unwrap_or(0))
    }

    fn positions(
        &self,
        term: &Term<'_>,
        span: Range<u64>,
        order: Order,
        n_max: usize,
    ) -> Result<Vec<u64>, HistoryError> {
        let (table, column, value) = match term {
            Term::Run(run) => ("records", "run", run.to_string()),
            Term::Step(step) => ("records", "step", (*step).to_owned()),
            Term::Signature(signature) => ("records", "signature", key_of(signature)),
            Term::Output(digest) => ("outputs", "digest", digest.to_string()),
            Term::Input(digest) => ("inputs", "digest", digest.to_string()),
        };
        let direction = match order {
            Order::OldestFirst => "ASC",
            Order::NewestFirst => "DESC",
        };
        let connection = self.0.lock();
        let mut select = connection.prepare_cached(&format!(
            "SELECT DISTINCT position FROM {table} WHERE {column} = ?1 AND position >= ?2 \
             AND position < ?3 ORDER BY position {direction} LIMIT ?4"
        ))?;
        let found = select.query_map(params![value, span.start, span.end, n_max], first_column)?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    fn records(&self, positions: &[u64]) -> Result<Vec<Option<Record>>, HistoryError> {
        let connection = self.0.lock();
        let mut select =
            connection.prepare_cached("SELECT json FROM records WHERE position = ?1")?;
        let mut records = Vec::with_capacity(positions.len());
        for position in positions {
            let json = select.query_row([position], |row| row.get::<_, String>(0)).optional()?;
            let what = format!("the record at {position}");
            records.push(json.map(|json| from_json(&what, &json)).transpose()?);
        }
        Ok(records)
    }

    fn remove_records(&self, positions: &[u64]) -> Result<(), HistoryError> {
        self.write(|transaction| {
            for table in ["records", "inputs", "outputs"] {
                let delete = format!("DELETE FROM {table} WHERE position = ?1");
                let mut delete = transaction.prepare_cached(&delete)?;
                for position in positions {
                    delete.execute([position])?;
                }
            }
            Ok(())
        })
    }

    fn remove_texts(&self, positions: &[u64]) -> Result<(), HistoryError> {
        let records = self.records(positions)?;
        self.write(|transaction| {
            let update = "UPDATE records SET json = ?2 WHERE position = ?1";
            let mut update = transaction.prepare_cached(update)?;
            for (position, record) in positions.iter().zip(records) {
                if let Some(mut record) = record {
                    crate::scrub::remove_text(&mut record.outcome);
                    update.execute(params![position, json(&record)])?;
                }
            }
            Ok(())
        })
    }

    fn put_run(&self, run: &Run) -> Result<(), HistoryError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO runs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    run.id.to_string(),
                    run.pipeline.as_str(),
                    run.status().as_str(),
                    run.started_at.as_nanos(),
                    run.actor.as_deref(),
                    run.trigger.as_deref(),
                    run.host.as_deref(),
                    run.parent.map(|run| run.to_string()),
                    run.held,
                    json(run),
                ],
            )?;
            Ok(())
        })
    }

    fn run(&self, id: RunId) -> Result<Option<Run>, HistoryError> {
        let connection = self.0.lock();
        let mut select = connection.prepare_cached("SELECT json FROM runs WHERE id = ?1")?;
        let json = select.query_row([id.to_string()], |row| row.get::<_, String>(0)).optional()?;
        json.map(|json| from_json(&format!("run {id}"), &json)).transpose()
    }

    fn runs(
        &self,
        behind: Option<RunPlace>,
        order: Order,
        n_max: usize,
    ) -> Result<Vec<Run>, HistoryError> {
        let (sign, direction) = match order {
            Order::OldestFirst => (">", "ASC"),
            Order::NewestFirst => ("<", "DESC"),
        };
        let (start, id) = behind.map(|(start, id)| (start.as_nanos(), id.to_string())).unzip();
        let connection = self.0.lock();
        let mut select = connection.prepare_cached(&format!(
            "SELECT json FROM runs WHERE ?1 IS NULL OR (started_at, id) {sign} (?1, ?2) \
             ORDER BY started_at {direction}, id {direction} LIMIT ?3"
        ))?;
        let mut rows = select.query(params![start, id, n_max])?;
        read_runs(&mut rows)
    }

    fn running(&self) -> Result<Vec<Run>, HistoryError> {
        let connection = self.0.lock();
        let mut select = connection.prepare_cached("SELECT json FROM runs WHERE status = ?1")?;
        let mut rows = select.query([Status::Running.as_str()])?;
        read_runs(&mut rows)
    }

    fn remove_run(&self, run: &Run) -> Result<(), HistoryError> {
        self.write(|transaction| {
            transaction.execute("DELETE FROM runs WHERE id = ?1", [run.id.to_string()])?;
            Ok(())
        })
    }

    fn put_erased(&self, erased: &Erased) -> Result<(), HistoryError> {
        self.write(|transaction| {
            let values = params![erased.digest.to_string(), json(erased)];
            transaction.execute("INSERT OR REPLACE INTO erased VALUES (?1, ?2)", values)?;
            Ok(())
        })
    }

    fn erased(&self, digest: &Digest) -> Result<Option<Erased>, HistoryError> {
        let connection = self.0.lock();
        let mut select = connection.prepare_cached("SELECT json FROM erased WHERE digest = ?1")?;
        let json = select.query_row([digest.to_string()], |row| row.get::<_, String>(0));
        let json = json.optional()?;
        json.map(|json| from_json(&format!("the note on erased {digest}"), &json)).transpose()
    }

    /// Every transaction is durable already.
    fn flush(&self) -> Result<(), HistoryError> {
        Ok(())
    }

    fn compact(&self) -> Result<(), HistoryError> {
        let connection = self.0.lock();
        connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")?;
        Ok(())
    }
}

fn read_runs(rows: &mut rusqlite::Rows<'_>) -> Result<Vec<Run>, HistoryError> {
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        runs.push(from_json("a run", &row.get::<_, String>(0)?)?);
    }
    Ok(runs)
}

fn insert(
    transaction: &Transaction<'_>,
    position: u64,
    record: &Record,
) -> Result<(), HistoryError> {
    let mut insert = transaction
        .prepare_cached("INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    insert.execute(params![
        position,
        record.run.to_string(),
        record.step.as_str(),
        key_of(&record.signature),
        Status::of(&record.outcome).as_str(),
        record.started_at.as_nanos(),
        u64::try_from(record.own_duration.as_nanos()).unwrap_or(i64::MAX as u64),
        json(record),
    ])?;
    let mut insert = transaction.prepare_cached("INSERT OR IGNORE INTO outputs VALUES (?1, ?2)")?;
    for output in &record.outputs {
        insert.execute(params![output.to_string(), position])?;
    }
    let mut insert =
        transaction.prepare_cached("INSERT OR IGNORE INTO inputs VALUES (?1, ?2, ?3, ?4)")?;
    for input in &record.inputs {
        let step = input.step.as_deref();
        insert.execute(params![input.digest.to_string(), position, input.name.as_str(), step])?;
    }
    Ok(())
}
