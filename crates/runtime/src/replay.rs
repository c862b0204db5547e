//! Owns the way back of dead letters: to the processor whose turn failed, and to nobody else.
//! Decides who that is; refuses to deliver, which is up to the lanes.

use rustc_hash::FxHashMap;
use selvedge_event::{Event, Text};
use thiserror::Error;

use crate::ready::OwnerIdx;
use crate::report::DeadLetter;

/// An event for one processor, whoever else hears its like.
#[derive(Debug)]
pub(crate) struct Addressed {
    pub(crate) to: OwnerIdx,
    pub(crate) event: Event,
}

/// Why a dead letter can't go back. It is handed back.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum ReplayError {
    /// No processor has the name.
    #[error(
        "no processor is called `{}`, to which the dead letter {} would go back: register it under \
         that name, or submit the event to all who hear it",
        .letter.processor,
        .letter.topic
    )]
    UnknownProcessor {
        /// The letter.
        letter: Box<DeadLetter>,
    },
    /// The letter was read from a report that was written out.
    #[error(
        "the dead letter {} of `{}` holds no event: one that was written out and read back has \
         only the event's value",
        .letter.topic,
        .letter.processor
    )]
    NoEvent {
        /// The letter.
        letter: Box<DeadLetter>,
    },
}

/// The processors of a pipeline by name.
#[derive(Debug)]
pub(crate) struct Addresses(FxHashMap<Text, OwnerIdx>);

impl Addresses {
    /// Of processors in order of registration.
    pub(crate) fn of(names: impl IntoIterator<Item = Text>) -> Addresses {
        Addresses(names.into_iter().zip(0..).collect())
    }

    /// Where a letter goes back to.
    pub(crate) fn find(&self, mut letter: DeadLetter) -> Result<Addressed, ReplayError> {
        let Some(&to) = self.0.get(&letter.processor) else {
            return Err(ReplayError::UnknownProcessor { letter: Box::new(letter) });
        };
        match letter.event.take() {
            Some(event) => Ok(Addressed { to, event }),
            None => Err(ReplayError::NoEvent { letter: Box::new(letter) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use selvedge_event::Dynamic;

    use super::*;

    fn check(processor: &str, event: Option<Event>) -> String {
        let addresses = Addresses::of(["till", "printer"].map(Text::literal));
        let topic = Event::new(Dynamic::new("sold", 1)).topic();
        let error = "no paper".to_owned();
        let processor = Text::from(processor);
        let letter = DeadLetter { processor, topic, event, error, panicked: false, attempts: 1 };
        match addresses.find(letter) {
            Ok(Addressed { to, event }) => format!("{event} to {to}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_letter_goes_back_to_whoever_has_the_name() {
        let event = || Some(Event::new(Dynamic::new("sold", 1)));
        assert_snapshot!(check("printer", event()), @"sold to 1");
        assert_snapshot!(check("safe", event()), @"no processor is called `safe`, to which the dead letter sold would go back: register it under that name, or submit the event to all who hear it");
        assert_snapshot!(check("till", None), @"the dead letter sold of `till` holds no event: one that was written out and read back has only the event's value");
    }
}
