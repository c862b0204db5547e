//! Owns `Collected`: answers taken out of a run.

use std::fmt;
use std::sync::Arc;

use anyhow::bail;
use selvedge_event::{Event, Interest, Interests, Payload, Typed};
use selvedge_sync::Mutex;

use crate::context::Context;
use crate::processor::{Processor, Result};

/// The events of one type that a run produced, in the order of their delivery.
pub struct Collected<T> {
    /// Guards what was heard so far.
    heard: Arc<Mutex<Heard<T>>>,
}

struct Heard<T> {
    events: Vec<Typed<T>>,
    /// What they weigh.
    bytes: usize,
}

impl<T> Default for Heard<T> {
    fn default() -> Heard<T> {
        Heard { events: Vec::new(), bytes: 0 }
    }
}

impl<T: Payload> Collected<T> {
    /// Takes what has been heard so far.
    #[must_use]
    pub fn take(&self) -> Vec<Typed<T>> {
        std::mem::take(&mut *self.heard.lock()).events
    }

    /// How many wait to be taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heard.lock().events.len()
    }

    /// Whether none waits to be taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Clone for Collected<T> {
    fn clone(&self) -> Collected<T> {
        Collected { heard: Arc::clone(&self.heard) }
    }
}

impl<T> fmt::Debug for Collected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collected<{}>", std::any::type_name::<T>())
    }
}

/// Hears events and keeps them for whoever asked.
pub(crate) struct Collector<T> {
    collected: Collected<T>,
    events_max: usize,
    bytes_max: usize,
}

impl<T: Payload> Collector<T> {
    pub(crate) fn new(events_max: usize, bytes_max: usize) -> (Collector<T>, Collected<T>) {
        let collected = Collected { heard: Arc::default() };
        (Collector { collected: collected.clone(), events_max, bytes_max }, collected)
    }
}

impl<T: Payload> Processor for Collector<T> {
    fn process(&mut self, _cx: &mut Context<'_>, event: &Event) -> Result {
        let Ok(typed) = event.clone().typed() else { return Ok(()) };
        let bytes = event.bytes();
        let mut heard = self.collected.heard.lock();
        if heard.events.len() >= self.events_max {
            bail!(
                "{} events are collected already: take them during the run, write them to a \
                 sink, or raise `Limits::collected_max`",
                self.events_max
            );
        }
        if heard.bytes.saturating_add(bytes) > self.bytes_max {
            bail!(
                "what is collected would weigh more than {} bytes: take it during the run, write \
                 it to a sink, or raise `Limits::collected_bytes_max`",
                self.bytes_max
            );
        }
        heard.bytes += bytes;
        heard.events.push(typed);
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<T>()])
    }
}
