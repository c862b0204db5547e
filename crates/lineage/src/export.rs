//! Owns what leaves a history for other tools: `OpenLineage` events, records as JSON Lines, edges
//! as CSV. Reads page by page, so memory doesn't depend on how much there is.

mod open_lineage;

use std::io::Write;

use serde::Serialize;

use crate::error::HistoryError;
use crate::filter::{Filter, Page};
use crate::history::History;
use crate::questions::Found;

pub use open_lineage::{OpenLineage, SCHEMA_URL};

/// Records, or runs, read at a time.
const PAGE_LEN: usize = 1_000;

/// Writes records as JSON Lines, in order: a record's fields, and its id. Returns how many.
///
/// # Errors
///
/// The history could not be read, or the lines not be written.
pub fn records(
    history: &History,
    filter: &Filter,
    mut to: impl Write,
) -> Result<u64, HistoryError> {
    #[derive(Serialize)]
    struct Line<'r> {
        id: u64,
        #[serde(flatten)]
        record: &'r crate::Record,
    }
    each(history, filter, |found| {
        let line = Line { id: found.id.as_u64(), record: &found.record };
        serde_json::to_writer(&mut to, &line).map_err(std::io::Error::from)?;
        to.write_all(b"\n")
    })
}

/// Writes edges as CSV: a line for each value that a record read, with who made it and who read it.
/// Returns how many records were read.
///
/// # Errors
///
/// As [`records`].
pub fn edges(history: &History, filter: &Filter, mut to: impl Write) -> Result<u64, HistoryError> {
    to.write_all(b"run,from_step,to_step,input,digest\n").map_err(HistoryError::Export)?;
    each(history, filter, |found| {
        let record = &found.record;
        for input in &record.inputs {
            let from = cell(input.step.as_deref().unwrap_or(""));
            let (step, name) = (cell(&record.step), cell(&input.name));
            writeln!(to, "{},{from},{step},{name},{}", record.run, input.digest)?;
        }
        Ok(())
    })
}

/// A cell as RFC 4180 has it; one that a spreadsheet would take for a formula is made a text.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// Reads all records that pass, page by page.
fn each(
    history: &History,
    filter: &Filter,
    mut write: impl FnMut(&Found) -> std::io::Result<()>,
) -> Result<u64, HistoryError> {
    let mut page = Page::first(PAGE_LEN);
    let mut n = 0;
    loop {
        let paged = history.records(filter, &page)?;
        for found in &paged.items {
            write(found).map_err(HistoryError::Export)?;
        }
        n += paged.items.len() as u64;
        match paged.next {
            Some(cursor) => page = page.after(cursor),
            None => return Ok(n),
        }
    }
}
