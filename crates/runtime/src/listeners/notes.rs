//! Owns what a worker notes of its turns until it hands it over. Refuses to build what nobody
//! wants.

use selvedge_event::{Event, Fact, Outcome, Text, Wants};

use super::Listeners;
use crate::turn::{self, TurnFailure};

/// Facts that one worker saw, in order.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    facts: Vec<Fact>,
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
    pub(crate) fn emitted<'a>(
        &mut self,
        wants: Wants,
        processor: &Text,
        emissions: impl Iterator<Item = (&'a Event, usize)>,
    ) {
        if wants.contains(Wants::EMISSIONS) {
            self.facts.extend(emissions.map(|(event, recipients)| {
                let (processor, topic) = (processor.clone(), event.topic());
                Fact::Emitted { processor, topic, recipients }
            }));
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// Has the listeners told what was noted.
    #[inline]
    pub(crate) fn hand_over(&mut self, listeners: &Listeners) {
        if !self.facts.is_empty() {
            listeners.hand_over(&mut self.facts);
        }
    }
}
