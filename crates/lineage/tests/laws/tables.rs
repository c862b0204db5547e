//! `SQLite`: what is told of a file that is none, and what people find in the tables.

use insta::assert_snapshot;
use rusqlite::Connection;
use selvedge_lineage::{History, HistoryError, Record, Run, Timestamp};

use super::diary::inline;
use super::model::{run_id, signature, value};

#[test]
fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.sqlite");
    std::fs::write(&path, "a diary in longhand, which is no database at all").unwrap();
    let error = History::open_sqlite(&path, inline(), Timestamp::default()).unwrap_err();
    assert!(matches!(error, HistoryError::Sqlite(_)));
    assert_snapshot!(error, @"the history's database: file is not a database");
}

#[test]
fn the_tables_answer_in_sql() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.sqlite");
    let history = History::open_sqlite(&path, inline(), Timestamp::default()).unwrap();
    history.begin_run(Run::new(run_id(0), "shop", Timestamp::default())).unwrap();
    let record = Record::new(run_id(0), "bill", signature(0));
    let record = record.input("order", Some("till"), value(1)).output(value(2));
    history.append(vec![record]).unwrap();
    let locked = History::open_sqlite(&path, inline(), Timestamp::default());
    assert!(locked.is_err(), "one process at a time");
    drop(history);
    let tables = Connection::open(&path).unwrap();
    let asked = "SELECT inputs.step || ' -> ' || records.step || ' of ' || runs.pipeline
        FROM outputs JOIN records USING (position) JOIN inputs USING (position)
        JOIN runs ON runs.id = records.run WHERE outputs.digest = ?1";
    let found: String = tables.query_row(asked, [value(2).to_string()], |row| row.get(0)).unwrap();
    assert_eq!(found, "till -> bill of shop");
}
