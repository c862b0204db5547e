//! Owns what a worker notes of its turns until it hands it over. Refuses to build what nobody
//! wants.

use std::sync::Arc;

use selvedge_event::{Event, Fact, Outcome, Text, Wants};

use super::Listeners;
use super::desk::Batch;
use crate::turn::{self, TurnFailure};

/// Facts that one worker saw, in order.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    facts: Vec<Fact>,
    /// An empty batch to put them into.
    spare: Option<Batch>,
}

impl Notes {
    /// A turn begins.
    pub(crate) fn turn_started(&mut self, wants: Wants, processor: &Text, event: &Event) {
        if wants.contains(Wants::TURN_STARTS) {
            let (processor, topic) = (processor.clone(), event.topic());
            self.facts.push(Fact::TurnStarted { processor, topic });
        }
    }

    /// A turn came to its end.
    pub(crate) fn turn_finished(
        &mut self,
        wants: Wants,
        processor: &Text,
        event: &Event,
        result: Result<(), &TurnFailure>,
        (emitted, attempt): (usize, u32),
    ) {
        if !wants.contains(Wants::TURNS) {
            return;
        }
        let outcome = match result {
            Ok(()) => Outcome::Succeeded,
            Err(failure) => Outcome::Failed {
                error: turn::describe(&failure.cause),
                panicked: failure.panicked,
            },
        };
        let (processor, topic) = (processor.clone(), event.topic());
        self.facts.push(Fact::TurnFinished { processor, topic, outcome, emitted, attempt });
    }

    /// A turn that succeeded, or a pull, emitted this, each event to so many recipients.
    pub(crate) fn emitted(
        &mut self,
        wants: Wants,
        processor: &Text,
        emissions: impl FnOnce() -> Vec<(Event, usize)>,
    ) {
        if wants.contains(Wants::EMISSIONS) {
            let note = |(event, recipients): (Event, usize)| {
                let (processor, topic) = (processor.clone(), event.topic());
                Fact::Emitted { processor, topic, recipients }
            };
            self.facts.extend(emissions().into_iter().map(note));
        }
    }

    /// Has the listeners told what was noted.
    pub(crate) fn hand_over(&mut self, listeners: &Listeners) {
        if self.facts.is_empty() {
            return;
        }
        let mut batch = self.spare.take().unwrap_or_default();
        let facts = Arc::get_mut(&mut batch).expect("a spare batch is nobody else's");
        std::mem::swap(facts, &mut self.facts);
        self.spare = listeners.offer(batch);
    }
}
