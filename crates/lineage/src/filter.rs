//! Owns what narrows a question and how its answer is handed out: filter, order, page.

use std::collections::BTreeSet;
use std::ops::Range;

use selvedge_event::Text;

use crate::record::Record;
use crate::run::{Run, RunId, Status};
use crate::time::Timestamp;

/// Which of the records or runs that a question is about are wanted; all, unless told otherwise.
/// Whatever is told has to hold.
///
/// ```
/// use selvedge_lineage::{Filter, Status};
/// let failures = Filter::new().status(Status::Failed).status(Status::TimedOut).tag("team",
/// "search");
/// # let _ = failures;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Began within this time.
    pub started: Option<Range<Timestamp>>,
    /// Stands at one of these; empty for any.
    pub statuses: BTreeSet<Status>,
    /// Executions of this step; runs are not narrowed by it.
    pub step: Option<Text>,
    /// Of one of these runs; empty for any.
    pub runs: BTreeSet<RunId>,
    /// Of a run with these tags.
    pub tags: Vec<(Text, Text)>,
}

impl Filter {
    /// Lets everything through.
    #[must_use]
    pub fn new() -> Filter {
        Filter::default()
    }

    /// Only what began within this time, its end excluded.
    #[must_use]
    pub fn started(mut self, within: Range<Timestamp>) -> Filter {
        self.started = Some(within);
        self
    }

    /// Only what stands at this status, or at another one that was told.
    #[must_use]
    pub fn status(mut self, status: Status) -> Filter {
        self.statuses.insert(status);
        self
    }

    /// Only executions of this step.
    #[must_use]
    pub fn step(mut self, step: &str) -> Filter {
        self.step = Some(Text::from(step));
        self
    }

    /// Only what is of this run, or of another one that was told.
    #[must_use]
    pub fn run(mut self, run: RunId) -> Filter {
        self.runs.insert(run);
        self
    }

    /// Only what is of a run with this tag, and with every other one that was told.
    #[must_use]
    pub fn tag(mut self, name: &str, value: &str) -> Filter {
        self.tags.push((Text::from(name), Text::from(value)));
        self
    }

    /// Whether a record passes, its run's tags aside.
    pub(crate) fn passes_record(&self, record: &Record) -> bool {
        let is_in = |within: &Range<Timestamp>| within.contains(&record.started_at);
        self.started.as_ref().is_none_or(is_in)
            && (self.statuses.is_empty() || self.statuses.contains(&Status::of(&record.outcome)))
            && self.step.as_ref().is_none_or(|step| *step == record.step)
            && (self.runs.is_empty() || self.runs.contains(&record.run))
    }

    /// Whether a run has the tags.
    pub(crate) fn passes_tags(&self, run: &Run) -> bool {
        self.tags.iter().all(|(name, value)| run.tags.get(name) == Some(value))
    }

    /// Whether a run passes.
    pub(crate) fn passes_run(&self, run: &Run) -> bool {
        let is_in = |within: &Range<Timestamp>| within.contains(&run.started_at);
        self.started.as_ref().is_none_or(is_in)
            && (self.statuses.is_empty() || self.statuses.contains(&run.status()))
            && (self.runs.is_empty() || self.runs.contains(&run.id))
            && self.passes_tags(run)
    }
}

/// In which order an answer comes: records as they were appended, runs as they began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// From the first on.
    #[default]
    OldestFirst,
    /// From the last back.
    NewestFirst,
}

/// Which part of an answer is wanted.
///
/// ```
/// use selvedge_lineage::{Order, Page};
/// let latest = Page::first(20).newest_first();
/// assert_eq!((latest.n_max, latest.order), (20, Order::NewestFirst));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many at most; at most [`Page::N_MAX`].
    pub n_max: usize,
    /// In which order.
    pub order: Order,
    /// Behind what an earlier answer's [`next`](Paged::next) stands for; from the start if none.
    pub after: Option<Cursor>,
}

impl Page {
    /// The most that one answer holds.
    pub const N_MAX: usize = 10_000;

    /// The first so many, the oldest first.
    #[must_use]
    pub const fn first(n_max: usize) -> Page {
        Page { n_max, order: Order::OldestFirst, after: None }
    }

    /// The other way round.
    #[must_use]
    pub const fn newest_first(mut self) -> Page {
        self.order = Order::NewestFirst;
        self
    }

    /// What follows an earlier answer.
    #[must_use]
    pub const fn after(mut self, cursor: Cursor) -> Page {
        self.after = Some(cursor);
        self
    }

    /// The number that can be handed out.
    pub(crate) const fn len(&self) -> usize {
        if self.n_max > Page::N_MAX { Page::N_MAX } else { self.n_max }
    }
}

impl Default for Page {
    /// The first hundred, the oldest first.
    fn default() -> Page {
        Page::first(100)
    }
}

/// Where an answer was broken off. It stays valid whatever is appended or removed; but walks and
/// comparisons count, so that what is new or gone among what was handed out shifts the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub(crate) Place);

/// What a cursor stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A record.
    Record(u64),
    /// A run.
    Run(Timestamp, RunId),
    /// So many of what a walk finds.
    Nth(usize),
}

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paged<T> {
    /// What was found.
    pub items: Vec<T>,
    /// Where to go on; none at the end. An answer may hold fewer than asked for, even nothing, and
    /// still go on: a question looks at a bounded number of candidates at a time.
    pub next: Option<Cursor>,
}
