//! Owns walks along values: everything upstream or downstream of one, across runs, breadth first.
//! Each record and each value is visited once, so a cycle ends a walk as anything else does.

use std::collections::{BTreeMap, BTreeSet};

use selvedge_event::Digest;
use serde::Serialize;

use crate::error::HistoryError;
use crate::filter::{Cursor, Filter, Page, Paged, Place};
use crate::history::History;
use crate::questions::{Found, RecordId, Sieve};
use crate::record::Record;
use crate::term::Term;

/// A record that a walk came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Walked {
    /// How many executions away it is from the value, from 1.
    pub depth: usize,
    /// Which record.
    pub id: RecordId,
    /// What it says.
    pub record: Record,
}

/// Which way a walk goes.
#[derive(Clone, Copy, Debug)]
enum Way {
    Up,
    Down,
}

impl Way {
    /// What finds the records next to a value.
    fn term(self, value: Digest) -> Term<'static> {
        match self {
            Way::Up => Term::Output(value),
            Way::Down => Term::Input(value),
        }
    }

    /// The values behind a record.
    fn beyond(self, record: &Record) -> Vec<Digest> {
        match self {
            Way::Up => record.inputs.iter().map(|input| input.digest).collect(),
            Way::Down => record.outputs.clone(),
        }
    }
}

impl History {
    /// Everything that a value came from: who made it, in any run, who made what they read, and so
    /// on, at most so many executions away. What the filter doesn't let through is not gone through
    /// either. The nearest come first, whatever the page's order.
    ///
    /// Takes a look at the index and a block of records for each record on the way.
    ///
    /// # Errors
    ///
    /// It would visit more records than [`Options::compared_max`](crate::Options::compared_max); or
    /// the store failed.
    pub fn upstream(
        &self,
        value: &Digest,
        depth_max: usize,
        filter: &Filter,
        page: &Page,
    ) -> Result<Paged<Walked>, HistoryError> {
        self.walk(Way::Up, *value, depth_max, filter, page)
    }

    /// Everything that was made of a value: who read it, in any run, who read what they made, and
    /// so on; otherwise as [`upstream`](Self::upstream).
    ///
    /// # Errors
    ///
    /// As [`upstream`](Self::upstream).
    pub fn downstream(
        &self,
        value: &Digest,
        depth_max: usize,
        filter: &Filter,
        page: &Page,
    ) -> Result<Paged<Walked>, HistoryError> {
        self.walk(Way::Down, *value, depth_max, filter, page)
    }

    fn walk(
        &self,
        way: Way,
        value: Digest,
        depth_max: usize,
        filter: &Filter,
        page: &Page,
    ) -> Result<Paged<Walked>, HistoryError> {
        let n_before = nth(page);
        let n_wanted = n_before + page.len();
        let mut sieve = Sieve { history: self, filter, runs: BTreeMap::new() };
        let mut values = BTreeSet::from([value]);
        let mut records = BTreeSet::new();
        let mut walked = Vec::new();
        let mut frontier = vec![value];
        for depth in 1..=depth_max {
            let mut beyond = Vec::new();
            for value in std::mem::take(&mut frontier) {
                let term = way.term(value);
                let mut search = self.search(Some(&term), &Page::default())?;
                while let Some(piece) = search.piece()? {
                    for Found { id, record } in piece {
                        if records.contains(&id) || !sieve.passes(&record)? {
                            continue;
                        }
                        records.insert(id);
                        beyond
                            .extend(way.beyond(&record).into_iter().filter(|v| values.insert(*v)));
                        walked.push(Walked { depth, id, record });
                    }
                    if walked.len() > n_wanted {
                        return Ok(cut(walked, page));
                    }
                    if values.len().max(walked.len()) > self.options.compared_max {
                        let n_max = self.options.compared_max;
                        return Err(HistoryError::TooMany { what: "a walk along values", n_max });
                    }
                }
            }
            frontier = beyond;
            if frontier.is_empty() {
                break;
            }
        }
        Ok(cut(walked, page))
    }
}

/// How many of what a walk finds were handed out before.
pub(crate) const fn nth(page: &Page) -> usize {
    match page.after {
        Some(Cursor(Place::Nth(n))) => n,
        Some(Cursor(Place::Record(_) | Place::Run(..))) | None => 0,
    }
}

/// The part of what was found that a page wants.
pub(crate) fn cut<T>(found: Vec<T>, page: &Page) -> Paged<T> {
    let n_before = nth(page);
    let has_more = found.len() > n_before + page.len();
    let items = found.into_iter().skip(n_before).take(page.len()).collect();
    Paged { items, next: has_more.then_some(Cursor(Place::Nth(n_before + page.len()))) }
}
