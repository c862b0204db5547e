//! Owns `Sink`: the processor that writes events to a file, one line each.

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;

use selvedge_event::{Dynamic, Ending, Event, Init, Interest, Interests, Name, Payload, Poison};
use selvedge_runtime::{Context, Processor, Result};
use serde::Serialize;

use crate::jsonl::error::WriteError;
use crate::jsonl::flush::Flush;
use crate::jsonl::limits::Limits;
use crate::jsonl::writer::{Writer, Written};

/// Writes one line for each event it hears.
///
/// Unless [`append`](Self::append) or [`truncate`](Self::truncate) is chosen the file is replaced
/// at the end of a run that [completed](Ending::Completed), whole and on disk; after any other
/// ending, or a run that failed, it is as it was before. That the file can be written is checked
/// when the run begins, and that the disk has room for what it was told when it hears [`Poison`]:
/// a run with several sinks fails before the first of them has replaced its file.
///
/// ```
/// use selvedge_event::{Kind, Payload};
/// use selvedge_io::jsonl::{Flush, Sink};
///
/// #[derive(serde::Serialize)]
/// struct Order { id: u64 }
/// impl Payload for Order {
///     fn kind() -> Kind { Kind::literal("shop::Order") }
/// }
///
/// let sink = Sink::<Order>::new("orders.jsonl.zst");
/// let log = Sink::dynamic("log.jsonl", "entry").append().flush(Flush::Every(100));
/// ```
pub struct Sink<T> {
    path: PathBuf,
    mode: Mode,
    flush: Option<Flush>,
    limits: Limits,
    interest: Interest,
    write: Write,
    state: State,
    payload: PhantomData<fn() -> T>,
}

/// Writes what the sink is for, and ignores the rest.
type Write = fn(&Event, &mut Writer) -> Result<(), WriteError>;

#[derive(Clone, Copy, Debug)]
enum Mode {
    Atomic,
    Append,
    Truncate,
}

enum State {
    Unopened,
    Open(Box<Writer>),
    Closed(Written),
}

impl<T: Payload + Serialize> Sink<T> {
    /// A sink for payloads of type `T`, or of types that extend it, under any name.
    pub fn new(path: impl Into<PathBuf>) -> Sink<T> {
        let write: Write =
            |event, writer| event.payload::<T>().map_or(Ok(()), |payload| writer.write(payload));
        Sink::with(path.into(), Interest::of::<T>(), write)
    }

    /// Narrows it to events of this name. (`named` names the processor.)
    #[must_use]
    pub fn hears_only(mut self, name: impl Into<Name>) -> Sink<T> {
        self.interest = self.interest.named(name);
        self
    }
}

impl Sink<Dynamic> {
    /// A sink for dynamic events of this name. Others under the name are ignored.
    pub fn dynamic(path: impl Into<PathBuf>, event_name: impl Into<Name>) -> Sink<Dynamic> {
        let write: Write =
            |event, writer| event.value().map_or(Ok(()), |value| writer.write(value));
        Sink::with(path.into(), Interest::any().named(event_name), write)
    }
}

impl<T> Sink<T> {
    fn with(path: PathBuf, interest: Interest, write: Write) -> Sink<T> {
        Sink {
            path,
            mode: Mode::Atomic,
            flush: None,
            limits: Limits::default(),
            interest,
            write,
            state: State::Unopened,
            payload: PhantomData,
        }
    }

    /// Adds to the file in place, as [`Writer::append`] does: lines stay however the run ends.
    #[must_use]
    pub fn append(mut self) -> Sink<T> {
        self.mode = Mode::Append;
        self
    }

    /// Empties the file and writes in place, as [`Writer::truncate`] does: what was there is gone
    /// when the run begins, and lines stay however it ends.
    #[must_use]
    pub fn truncate(mut self) -> Sink<T> {
        self.mode = Mode::Truncate;
        self
    }

    /// Flushes at another pace. Default: at the end, or each line in place.
    #[must_use]
    pub fn flush(mut self, flush: Flush) -> Sink<T> {
        self.flush = Some(flush);
        self
    }

    /// Writes under other limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Sink<T> {
        self.limits = limits;
        self
    }

    /// What has been written so far.
    #[must_use]
    pub fn written(&self) -> Written {
        match &self.state {
            State::Unopened => Written::default(),
            State::Open(writer) => writer.written(),
            State::Closed(written) => *written,
        }
    }

    /// The writer, opened if it was not.
    fn writer(&mut self) -> Result<&mut Writer, WriteError> {
        if matches!(self.state, State::Unopened) {
            let writer = match self.mode {
                Mode::Atomic => Writer::atomic(&self.path),
                Mode::Append => Writer::append(&self.path),
                Mode::Truncate => Writer::truncate(&self.path),
            }?;
            let writer = writer.with_limits(self.limits);
            self.state = State::Open(Box::new(match self.flush {
                Some(flush) => writer.with_flush(flush),
                None => writer,
            }));
        }
        match &mut self.state {
            State::Open(writer) => Ok(writer),
            State::Unopened | State::Closed(_) => {
                Err(WriteError::Closed { path: self.path.clone() })
            }
        }
    }

    fn take(&mut self, event: &Event) -> Result<(), WriteError> {
        let write = self.write;
        write(event, self.writer()?)
    }

    /// Writes out what it was told, if that is to stay. What others emit on poison may still come;
    /// it waits for the close.
    fn settle(&mut self, ending: Ending) -> Result<(), WriteError> {
        match (self.mode, ending) {
            (Mode::Atomic, Ending::Completed) | (Mode::Append | Mode::Truncate, _) => {
                self.writer()?.flush()
            }
            (Mode::Atomic, _) => Ok(()),
        }
    }

    fn end(&mut self, ending: Ending) -> Result<(), WriteError> {
        let written = self.written();
        let State::Open(writer) = std::mem::replace(&mut self.state, State::Closed(written)) else {
            return Ok(());
        };
        match (self.mode, ending) {
            (Mode::Atomic, Ending::Completed) | (Mode::Append | Mode::Truncate, _) => {
                writer.finish().map(drop)
            }
            // Dropping it removes the temporary file.
            (Mode::Atomic, _) => Ok(()),
        }
    }
}

impl<T: 'static> Processor for Sink<T> {
    fn process(&mut self, _cx: &mut Context<'_>, event: &Event) -> Result {
        if event.is::<Init>() {
            self.writer()?;
        } else if let Some(Poison { ending }) = event.payload() {
            self.settle(*ending)?;
        } else {
            self.take(event)?;
        }
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Init>(), Interest::of::<Poison>(), self.interest.clone()])
    }

    fn default_priority(&self) -> i32 {
        -100
    }

    fn close(&mut self, ending: Ending) -> Result {
        Ok(self.end(ending)?)
    }
}

impl<T> fmt::Debug for Sink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink")
            .field("path", &self.path)
            .field("mode", &self.mode)
            .field("hears", &format_args!("{}", self.interest))
            .field("written", &self.written())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
