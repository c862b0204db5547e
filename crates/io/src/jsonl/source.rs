//! Owns `Source`: the processor that brings the lines of a file in as events.
//!
//! What a pull brings in does not depend on how much room it had: an error met after some events
//! is told by the next pull, so that the events before it are not discarded with it.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;

use selvedge_event::{
    Dynamic, Ending, Event, Init, Interest, Interests, Kind, Name, Named, Payload,
};
use selvedge_runtime::{Context, Processor, Pull, Result};
use serde::de::DeserializeOwned;

use crate::jsonl::decode::{self, Fault};
use crate::jsonl::error::ReadError;
use crate::jsonl::input::{Input, Record};
use crate::jsonl::limits::Limits;
use crate::jsonl::line::Line;
use crate::jsonl::load::{Counts, Exhausted, Load, Sampler};
use crate::jsonl::reject::{Reject, RejectFile};

/// Brings the lines of a file in as events.
///
/// It is silent until it hears a [`Load`] addressed to it, or from the start when built
/// [`at_start`](Self::at_start). Then each line becomes one event under the source's name, in
/// order, and after the last one comes [`Exhausted`] under the name `<name>$`. The file is pulled
/// in as the pipeline has room, so that files of any size run in bounded memory.
///
/// A `Load` that arrives during another waits until that has come to its end; when a load fails,
/// those that waited behind it are given up with it.
///
/// ```
/// use selvedge_event::{Kind, Payload};
/// use selvedge_io::jsonl::{Reject, Source};
///
/// #[derive(serde::Deserialize)]
/// struct Order { id: u64 }
/// impl Payload for Order {
///     fn kind() -> Kind { Kind::literal("shop::Order") }
/// }
///
/// let typed = Source::<Order>::new("order", "orders.jsonl.gz").on_reject(Reject::Skip);
/// let at_once = Source::<Order>::new("order", "orders.jsonl").at_start();
/// let untyped = Source::dynamic("order", "orders.jsonl").kind("shop::Order");
/// ```
pub struct Source<T> {
    labels: Labels,
    sentinel: Name,
    path: PathBuf,
    limits: Limits,
    policy: Reject,
    start: Option<Load>,
    decode: Decode,
    load: Option<Loading>,
    waiting: VecDeque<Load>,
    /// Met after some events of the same pull, and told by the next one.
    met: Option<ReadError>,
    rejects: Option<RejectFile>,
    counts: Counts,
    payload: PhantomData<fn() -> T>,
}

type Decode = fn(&Labels, &Line<'_>) -> Result<Event, Fault>;

/// What the events are called.
#[derive(Debug)]
struct Labels {
    name: Name,
    /// Of dynamic events.
    kind: Kind,
}

/// A load under way.
struct Loading {
    input: Input,
    sampler: Sampler,
    limit: u64,
}

/// What came of looking at one line.
enum Step {
    Event(Event),
    /// The line was left out.
    Nothing,
    End,
}

impl<T: Payload + DeserializeOwned> Source<T> {
    /// A source of events called `name` with payloads of type `T`, one for each line of the file.
    ///
    /// Nothing is opened before the first [`Load`].
    pub fn new(name: impl Into<Name>, path: impl Into<PathBuf>) -> Source<T> {
        let decode: Decode = |labels, line| {
            decode::typed::<T>(line).map(|payload| Event::new(Named(labels.name.clone(), payload)))
        };
        Source::with(name.into(), path.into(), decode)
    }
}

impl Source<Dynamic> {
    /// A source of [`Dynamic`] events called `name`, and of that kind unless [`kind`](Self::kind)
    /// says otherwise. An object in which a key appears twice is a malformed line.
    pub fn dynamic(name: impl Into<Name>, path: impl Into<PathBuf>) -> Source<Dynamic> {
        let decode: Decode = |labels, line| {
            let value = decode::dynamic(line)?;
            Ok(Event::new(Dynamic::new(labels.kind.clone(), value).named(labels.name.clone())))
        };
        Source::with(name.into(), path.into(), decode)
    }

    /// Gives the events this kind.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<Kind>) -> Source<Dynamic> {
        self.labels.kind = kind.into();
        self
    }
}

impl<T> Source<T> {
    fn with(name: Name, path: PathBuf, decode: Decode) -> Source<T> {
        Source {
            sentinel: Name::from(format!("{name}$")),
            labels: Labels { kind: Kind::from(name.as_str()), name },
            path,
            limits: Limits::default(),
            policy: Reject::default(),
            start: None,
            decode,
            load: None,
            waiting: VecDeque::new(),
            met: None,
            rejects: None,
            counts: Counts::default(),
            payload: PhantomData,
        }
    }

    /// Loads the whole file when the run begins, without being asked.
    #[must_use]
    pub fn at_start(mut self) -> Source<T> {
        self.start = Some(Load::all(self.labels.name.clone()));
        self
    }

    /// Says what happens to lines that can't be read. Default: [`Reject::Fail`].
    #[must_use]
    pub fn on_reject(mut self, policy: Reject) -> Source<T> {
        self.policy = policy;
        self
    }

    /// Reads under other limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Source<T> {
        self.limits = limits;
        self
    }

    /// What became of the lines of the load under way, or else of the last one.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Begins the load, or lets it wait behind the one under way.
    fn ask(&mut self, load: &Load) -> Result<(), ReadError> {
        let sampler = Sampler::new(load)?;
        if self.load.is_none() {
            return self.begin(load, sampler);
        }
        let waiting = self.waiting.len();
        if waiting >= self.limits.loads_waiting_max {
            return Err(ReadError::TooManyLoads { name: load.name.clone(), waiting });
        }
        self.waiting.push_back(load.clone());
        Ok(())
    }

    fn begin(&mut self, load: &Load, sampler: Sampler) -> Result<(), ReadError> {
        self.counts = Counts::default();
        let input = Input::open(&self.path, self.limits.line_bytes_max)?;
        if let (Reject::Divert(path), None) = (&self.policy, &self.rejects) {
            self.rejects = Some(RejectFile::create(path, &self.path, &self.limits)?);
        }
        let limit = load.limit.unwrap_or(u64::MAX);
        self.load = Some(Loading { input, sampler, limit });
        Ok(())
    }

    /// Brings in at most `room` events, of lines of about `pull_bytes_max` bytes.
    fn bring_in(&mut self, room: usize, emit: &mut dyn FnMut(Event)) -> Result<Pull, ReadError> {
        let pulled = self.met.take().map_or_else(|| self.read(room, emit), Err);
        let flushed = self.rejects.as_mut().map_or(Ok(()), RejectFile::flush);
        let result = pulled.and_then(|pull| flushed.map(|()| pull));
        if result.is_err() {
            self.load = None;
            self.waiting.clear();
        }
        result
    }

    fn read(&mut self, room: usize, emit: &mut dyn FnMut(Event)) -> Result<Pull, ReadError> {
        if self.load.is_none() && !self.begin_next()? {
            return Ok(Pull::Done);
        }
        let Some(mut load) = self.load.take() else { return Ok(Pull::Done) };
        let end = load.input.position().saturating_add(self.limits.pull_bytes_max);
        let mut emitted = 0;
        while emitted < room && load.input.position() < end {
            match self.step(&mut load) {
                Ok(Step::Event(event)) => {
                    emit(event);
                    emitted += 1;
                }
                Ok(Step::Nothing) => {}
                Ok(Step::End) => {
                    emit(self.exhausted());
                    return Ok(if self.waiting.is_empty() { Pull::Done } else { Pull::More });
                }
                Err(error) if emitted > 0 => {
                    self.met = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        self.load = Some(load);
        Ok(Pull::More)
    }

    /// Begins the load that has waited longest; whether there was one.
    fn begin_next(&mut self) -> Result<bool, ReadError> {
        let Some(load) = self.waiting.pop_front() else { return Ok(false) };
        let sampler = Sampler::new(&load)?;
        self.begin(&load, sampler).map(|()| true)
    }

    /// Looks at one line.
    fn step(&mut self, load: &mut Loading) -> Result<Step, ReadError> {
        if self.counts.emitted >= load.limit {
            return Ok(Step::End);
        }
        if load.input.skip(self.limits.pull_bytes_max)? {
            return Ok(Step::Nothing);
        }
        let Some(record) = load.input.next_record()? else {
            self.counts.lines = load.input.n_lines();
            return Ok(Step::End);
        };
        self.counts.lines = record.line.number;
        if !load.sampler.takes_next() {
            return Ok(Step::Nothing);
        }
        match (self.decode)(&self.labels, &record.line) {
            Ok(event) => {
                self.counts.emitted += 1;
                Ok(Step::Event(event))
            }
            Err(fault) => self.reject(&record, fault).map(|()| Step::Nothing),
        }
    }

    fn reject(&mut self, record: &Record<'_>, fault: Fault) -> Result<(), ReadError> {
        self.counts.rejected += 1;
        match (&self.policy, &mut self.rejects) {
            (Reject::Skip, _) => Ok(()),
            (Reject::Divert(_), Some(rejects)) => rejects.keep(record, &fault),
            (Reject::Fail | Reject::Divert(_), _) => Err(record.malformed(fault)),
        }
    }

    fn exhausted(&self) -> Event {
        let Counts { lines, emitted, rejected } = self.counts;
        let source = self.labels.name.clone();
        Event::new(Named(self.sentinel.clone(), Exhausted { source, lines, emitted, rejected }))
    }
}

impl<T: 'static> Processor for Source<T> {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        if let Some(load) = event.payload::<Load>() {
            self.ask(load)?;
            cx.start_pulling();
        } else if let (true, Some(load)) = (event.is::<Init>(), self.start.take()) {
            self.ask(&load)?;
            cx.start_pulling();
        }
        Ok(())
    }

    fn interests(&self) -> Interests {
        let mine = Interest::of::<Load>().keyed(self.labels.name.as_str());
        let begins = self.start.as_ref().map(|_| Interest::of::<Init>());
        Interests::listed([mine].into_iter().chain(begins))
    }

    fn default_priority(&self) -> i32 {
        100
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        let room = cx.room();
        Ok(self.bring_in(room, &mut |event| cx.emit(event))?)
    }

    fn close(&mut self, _ending: Ending) -> Result {
        Ok(self.rejects.take().map_or(Ok(()), RejectFile::close)?)
    }
}

impl<T> fmt::Debug for Source<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.labels.name)
            .field("path", &self.path)
            .field("is_loading", &self.load.is_some())
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
