//! Owns the questions that one look at the index answers: records by what they are found by, and
//! runs. A question looks at a bounded number of candidates, then says where to go on.

use std::collections::BTreeMap;

use selvedge_event::{Digest, Signature};
use serde::{Deserialize, Serialize};

use crate::erase::Erased;
use crate::error::HistoryError;
use crate::filter::{Cursor, Filter, Order, Page, Paged, Place};
use crate::history::History;
use crate::record::Record;
use crate::run::{Run, RunId};
use crate::term::Term;

/// Candidates fetched at a time.
const PIECE_LEN: usize = 256;
/// Candidates that one call looks at, at most.
const CANDIDATES_MAX: usize = 16_384;

/// Names a record in its history: records appended later have higher ones, and none is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(pub(crate) u64);

impl RecordId {
    /// The number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// A record that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Which one.
    pub id: RecordId,
    /// What it says.
    pub record: Record,
}

impl History {
    /// The record of this id, if it has not been removed.
    ///
    /// # Errors
    ///
    /// The store failed, or something in it is damaged.
    pub fn record(&self, id: RecordId) -> Result<Option<Record>, HistoryError> {
        Ok(self.backend.records(&[id.0])?.pop().flatten())
    }

    /// All records, or those that the filter leaves. A filter by one run or by a step is as fast as
    /// [`of_run`](Self::of_run) and [`of_step`](Self::of_step); any other reads what there is.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub fn records(&self, filter: &Filter, page: &Page) -> Result<Paged<Found>, HistoryError> {
        let mut runs = filter.runs.iter();
        match (runs.next(), runs.next(), &filter.step) {
            (Some(&run), None, _) => self.ask(Some(&Term::Run(run)), filter, page),
            (_, _, Some(step)) => self.ask(Some(&Term::Step(step)), filter, page),
            (_, _, None) => self.ask(None, filter, page),
        }
    }

    /// What a run did.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub fn of_run(
        &self,
        run: RunId,
        filter: &Filter,
        page: &Page,
    ) -> Result<Paged<Found>, HistoryError> {
        self.ask(Some(&Term::Run(run)), filter, page)
    }

    /// The executions of a step, in all runs.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub fn of_step(
        &self,
        step: &str,
        filter: &Filter,
        page: &Page,
    ) -> Result<Paged<Found>, HistoryError> {
        self.ask(Some(&Term::Step(step)), filter, page)
    }

    /// What this code did, with these constants, in all runs.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub fn of_signature(
        &self,
        signature: &Signature,
        filter: &Filter,
        page: &Page,
    ) -> Result<Paged<Found>, HistoryError> {
        self.ask(Some(&Term::Signature(signature)), filter, page)
    }

    /// Who made a value, in all runs.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub fn producers(
        &self,
        value: &Digest,
        filter: &Filter,
        page: &Page,
    ) -> Result<Paged<Found>, HistoryError> {
        self.ask(Some(&Term::Output(*value)), filter, page)
    }

    /// Who read a value, in all runs.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub fn consumers(
        &self,
        value: &Digest,
        filter: &Filter,
        page: &Page,
    ) -> Result<Paged<Found>, HistoryError> {
        self.ask(Some(&Term::Input(*value)), filter, page)
    }

    /// What is known of a run.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub fn run(&self, id: RunId) -> Result<Option<Run>, HistoryError> {
        self.backend.run(id)
    }

    /// The runs, by start.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub fn runs(&self, filter: &Filter, page: &Page) -> Result<Paged<Run>, HistoryError> {
        let mut behind = match page.after {
            Some(Cursor(Place::Run(start, id))) => Some((start, id)),
            _ => None,
        };
        let mut items = Vec::new();
        let mut n_candidates = 0;
        while items.len() < page.len() && n_candidates < CANDIDATES_MAX {
            let piece = self.backend.runs(behind, page.order, PIECE_LEN)?;
            let n = piece.len();
            n_candidates += n;
            for run in piece {
                behind = Some((run.started_at, run.id));
                if filter.passes_run(&run) {
                    items.push(run);
                }
                if items.len() == page.len() {
                    break;
                }
            }
            if n < PIECE_LEN && items.len() < page.len() {
                return Ok(Paged { items, next: None });
            }
        }
        let next = behind.map(|(start, id)| Cursor(Place::Run(start, id)));
        Ok(Paged { items, next })
    }

    /// Whether a value was erased, when and why.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub fn erased(&self, value: &Digest) -> Result<Option<Erased>, HistoryError> {
        self.backend.erased(value)
    }

    /// Looks at candidates until the page is full.
    pub(crate) fn ask(
        &self,
        term: Option<&Term<'_>>,
        filter: &Filter,
        page: &Page,
    ) -> Result<Paged<Found>, HistoryError> {
        let mut search = self.search(term, page)?;
        let mut sieve = Sieve { history: self, filter, runs: BTreeMap::new() };
        let mut items = Vec::new();
        while items.len() < page.len() && search.n_candidates < CANDIDATES_MAX {
            let Some(piece) = search.piece()? else { return Ok(Paged { items, next: None }) };
            for found in piece {
                if items.len() == page.len() {
                    break;
                }
                search.passed(found.id.0);
                if sieve.passes(&found.record)? {
                    items.push(found);
                }
            }
        }
        Ok(Paged { items, next: search.next() })
    }

    /// All that a page's order and cursor leave of what a term is of, piece by piece.
    pub(crate) fn search<'s>(
        &'s self,
        term: Option<&'s Term<'s>>,
        page: &Page,
    ) -> Result<Search<'s>, HistoryError> {
        let mut span = 0..self.backend.end()?;
        if let Some(Cursor(Place::Record(position))) = page.after {
            match page.order {
                Order::OldestFirst => span.start = (position + 1).min(span.end),
                Order::NewestFirst => span.end = position.min(span.end),
            }
        }
        Ok(Search { history: self, term, order: page.order, span, last: None, n_candidates: 0 })
    }
}

/// A look at candidates in order.
#[derive(Debug)]
pub(crate) struct Search<'s> {
    history: &'s History,
    term: Option<&'s Term<'s>>,
    order: Order,
    /// What has not been fetched.
    span: std::ops::Range<u64>,
    /// The last one that was looked at.
    last: Option<u64>,
    n_candidates: usize,
}

impl Search<'_> {
    /// The next records that the term is of; none at the end.
    pub(crate) fn piece(&mut self) -> Result<Option<Vec<Found>>, HistoryError> {
        let positions = match self.term {
            Some(term) => {
                let span = self.span.clone();
                self.history.backend.positions(term, span, self.order, PIECE_LEN)?
            }
            None => match self.order {
                Order::OldestFirst => self.span.clone().take(PIECE_LEN).collect(),
                Order::NewestFirst => self.span.clone().rev().take(PIECE_LEN).collect(),
            },
        };
        let Some(&last) = positions.last() else { return Ok(None) };
        match self.order {
            Order::OldestFirst => self.span.start = last + 1,
            Order::NewestFirst => self.span.end = last,
        }
        self.n_candidates += positions.len();
        let records = self.history.backend.records(&positions)?;
        self.last = Some(last);
        let found = positions.iter().zip(records).filter_map(|(&position, record)| {
            let record = record.filter(|record| self.term.is_none_or(|term| term.is_of(record)))?;
            Some(Found { id: RecordId(position), record })
        });
        Ok(Some(found.collect()))
    }

    /// Notes that a page ends at this record at least.
    fn passed(&mut self, position: u64) {
        self.last = Some(position);
    }

    fn next(&self) -> Option<Cursor> {
        self.last.map(|position| Cursor(Place::Record(position)))
    }
}

/// Lets records through a filter; remembers for the length of a question which runs have the tags.
#[derive(Debug)]
pub(crate) struct Sieve<'s> {
    pub(crate) history: &'s History,
    pub(crate) filter: &'s Filter,
    pub(crate) runs: BTreeMap<RunId, bool>,
}

impl Sieve<'_> {
    pub(crate) fn passes(&mut self, record: &Record) -> Result<bool, HistoryError> {
        if !self.filter.passes_record(record) {
            return Ok(false);
        }
        if self.filter.tags.is_empty() {
            return Ok(true);
        }
        if let Some(&passes) = self.runs.get(&record.run) {
            return Ok(passes);
        }
        let run = self.history.backend.run(record.run)?;
        let passes = run.is_some_and(|run| self.filter.passes_tags(&run));
        self.runs.insert(record.run, passes);
        Ok(passes)
    }
}
