//! Owns what a simulation puts around every processor: its turns are written down, take virtual
//! time, and fail where a plan says so. The runtime beneath knows nothing of it.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use selvedge_event::{Event, Text};
use selvedge_sync::random::Rng;
use selvedge_sync::{Clock, Mutex};

use super::trace::Trace;
use crate::context::Context;
use crate::owner::{Owner, Record};
use crate::processor::{Processor, Pull, Result};
use crate::turn;

/// What goes wrong with an attempt at a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It fails before the processor is called.
    Error,
    /// It panics when the processor is through.
    Panic,
    /// It takes that much longer.
    Stall(Duration),
}

/// What is written down, by whoever goes on.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) trace: Trace,
    pub(super) who: Who,
    /// By the number of the attempt, of all processors'.
    faults: Vec<(u64, Fault)>,
    n_attempts: u64,
    pub(super) n_faults: u64,
}

/// Who goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Who {
    #[default]
    Lead,
    Worker(usize),
    Client(usize),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Lead => f.write_str("run"),
            Who::Worker(number) => write!(f, "worker {number}"),
            Who::Client(number) => write!(f, "client {number}"),
        }
    }
}

impl Journal {
    /// Nothing is written down yet, and this is to go wrong.
    pub(super) fn planned(faults: Vec<(u64, Fault)>) -> Journal {
        Journal { faults, ..Journal::default() }
    }

    pub(super) fn tell(&mut self, at: Duration, what: fmt::Arguments<'_>) {
        self.trace.tell(at, self.who, what);
    }

    /// An attempt begins, the `n`-th of its processor.
    fn begin(&mut self, n: u64, faults: &[(u64, Fault)]) -> Option<Fault> {
        self.n_attempts += 1;
        let own = faults.iter().find(|(at, _)| *at == n);
        let fault = own.or_else(|| self.faults.iter().find(|(at, _)| *at == self.n_attempts));
        self.n_faults += u64::from(fault.is_some());
        fault.map(|(_, fault)| *fault)
    }
}

/// How long turns take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) fixed: Duration,
    /// A part of this on top of it.
    pub(super) jitter: Duration,
}

/// A processor's owner, watched.
pub(super) struct Watched {
    pub(super) owner: Box<dyn Owner>,
    pub(super) name: Text,
    pub(super) cost: Cost,
    /// By the number of the attempt, of this processor's.
    pub(super) faults: Vec<(u64, Fault)>,
    pub(super) rng: Rng,
    pub(super) clock: Clock,
    pub(super) journal: Arc<Mutex<Journal>>,
    /// Attempts begun.
    pub(super) n_attempts: u64,
    /// The last attempt never reached the processor.
    pub(super) untouched: bool,
}

impl Watched {
    fn take_time(&mut self, extra: Duration) {
        let Cost { fixed, jitter } = self.cost;
        let drawn = if jitter.is_zero() { jitter } else { self.rng.up_to(jitter) };
        let cost = fixed.saturating_add(drawn).saturating_add(extra);
        if !cost.is_zero() {
            self.clock.advance(cost);
        }
    }

    fn tell(&self, what: fmt::Arguments<'_>) {
        self.journal.lock().tell(self.clock.now(), what);
    }
}

/// Tells of an attempt when it is over, also when it panics.
struct Telling {
    journal: Arc<Mutex<Journal>>,
    clock: Clock,
    /// What it is called: names are the user's, and are written under no lock of ours.
    what: String,
    end: String,
}

impl Drop for Telling {
    fn drop(&mut self) {
        let at = self.clock.now();
        self.journal.lock().tell(at, format_args!("{}{}", self.what, self.end));
    }
}

impl Owner for Watched {
    fn processor(&mut self) -> &mut dyn Processor {
        self.owner.processor()
    }

    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        self.n_attempts += 1;
        let fault = self.journal.lock().begin(self.n_attempts, &self.faults);
        let mut what = format!("`{}` on {event}", self.name);
        if cx.attempt() > 1 {
            what += &format!(", attempt {}", cx.attempt());
        }
        let end = " panics".to_owned();
        let (journal, clock) = (Arc::clone(&self.journal), self.clock.clone());
        let mut telling = Telling { journal, clock, what, end };
        self.take_time(if let Some(Fault::Stall(stall)) = fault { stall } else { Duration::ZERO });
        self.untouched = fault == Some(Fault::Error);
        if self.untouched {
            telling.end = " is made to fail".to_owned();
            return Err(anyhow!("the simulation made this turn fail"));
        }
        let result = self.owner.process(cx, event);
        telling.end = match &result {
            _ if fault == Some(Fault::Panic) => {
                telling.end = " is made to panic".to_owned();
                // Not `panic!`: whoever plans it doesn't want it printed.
                resume_unwind(Box::new("the simulation made this turn panic"));
            }
            Ok(()) => format!(": {} emitted", cx.n_emitted()),
            Err(error) => format!(" fails: {}", turn::describe(error)),
        };
        result
    }

    fn about(&self, event: &Event) -> Option<String> {
        self.owner.about(event)
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        self.take_time(Duration::ZERO);
        let result = self.owner.pull(cx);
        let end = match &result {
            Ok(Pull::More) => "more to come",
            Ok(Pull::Done) => "done",
            Err(_) => "failed",
        };
        self.tell(format_args!("pulls {} from `{}`, {end}", cx.n_emitted(), self.name));
        result
    }

    fn restore(&mut self) -> bool {
        // What was not touched is as it was.
        std::mem::take(&mut self.untouched) || self.owner.restore()
    }

    fn restart(&mut self) -> bool {
        self.owner.restart()
    }

    fn record(&mut self) -> Option<&mut Record> {
        self.owner.record()
    }
}
