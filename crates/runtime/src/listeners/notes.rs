//! Owns what a worker notes of its turns until it hands it over. Refuses to build what nobody
//! wants.

use selvedge_event::{Event, Fact, Outcome, Text, Wants};

use super::Listeners;
use crate::cache::{Archive, Looked};

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
        outcome: impl FnOnce() -> Outcome,
        (emitted, attempt): (usize, u32),
    ) {
        if !wants.contains(Wants::TURNS) {
            return;
        }
        let outcome = outcome();
        let (processor, topic) = (processor.clone(), event.topic());
        self.facts.push(Fact::TurnFinished { processor, topic, outcome, emitted, attempt });
    }

    /// A cached processor's turn came to something.
    pub(crate) fn looked_up(
        &mut self,
        wants: Wants,
        processor: &Text,
        event: &Event,
        archive: &Archive,
    ) {
        if wants.contains(Wants::LOOK_UPS)
            && let Some((Looked { input, outputs, replayed }, signature)) =
                archive.take_last().zip(archive.signature())
        {
            let (processor, signature) = (processor.clone(), signature.clone());
            let (topic, outputs) = (event.topic(), outputs.to_vec());
            self.facts.push(Fact::LookedUp {
                processor,
                topic,
                signature,
                input,
                outputs,
                replayed,
            });
        }
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

    /// Notes something of this sort.
    pub(crate) fn note(&mut self, wants: Wants, sort: Wants, fact: impl FnOnce() -> Fact) {
        if wants.contains(sort) {
            self.facts.push(fact());
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
