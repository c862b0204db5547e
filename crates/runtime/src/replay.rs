//! Owns the way back of dead letters: to the processor whose turn failed, and to nobody else.
//! Decides who that is; refuses to deliver, which is up to the lanes: an addressed event takes a
//! route of its processor's own.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use selvedge_event::{Event, Text};
use selvedge_sync::Mutex;
use thiserror::Error;

use crate::error::SubmitError;
use crate::ready::OwnerIdx;
use crate::report::DeadLetter;
use crate::roster::Roster;

/// An event for one processor, whoever else hears its like.
#[derive(Debug)]
pub(crate) struct Addressed {
    pub(crate) to: OwnerIdx,
    pub(crate) event: Event,
}

/// Why a dead letter can't go back to where it came from. It is handed back.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReplayError {
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
    /// No room, or not any more.
    #[error(
        "the dead letter {} of `{}` does not go back: {refusal}",
        .letter.topic,
        .letter.processor
    )]
    NotAccepted {
        /// The letter, but for its event: the refusal has it.
        letter: Box<DeadLetter>,
        /// Why the event was not accepted.
        refusal: SubmitError,
    },
}

impl ReplayError {
    /// The letter, to be kept or replayed again.
    #[must_use]
    pub fn into_letter(self) -> DeadLetter {
        match self {
            ReplayError::UnknownProcessor { letter } | ReplayError::NoEvent { letter } => *letter,
            ReplayError::NotAccepted { letter, refusal } => {
                DeadLetter { event: Some(refusal.into_event()), ..*letter }
            }
        }
    }
}

/// Has a letter's event put where its processor finds it.
pub(crate) fn replay(
    addresses: &Mutex<Addresses>,
    letter: DeadLetter,
    put: impl FnOnce(OwnerIdx, Event) -> Result<usize, SubmitError>,
) -> Result<(), ReplayError> {
    let to = addresses.lock().find(&letter.processor);
    let (addressed, letter) = address(to, letter)?;
    let Addressed { to, event } = addressed;
    match put(to, event) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(ReplayError::NotAccepted { letter: Box::new(letter), refusal }),
    }
}

/// Takes the event out of a letter that goes to this processor.
fn address(
    to: Option<OwnerIdx>,
    mut letter: DeadLetter,
) -> Result<(Addressed, DeadLetter), ReplayError> {
    let Some(to) = to else {
        return Err(ReplayError::UnknownProcessor { letter: Box::new(letter) });
    };
    match letter.event.take() {
        Some(event) => Ok((Addressed { to, event }, letter)),
        None => Err(ReplayError::NoEvent { letter: Box::new(letter) }),
    }
}

/// The processors of a pipeline by name. Most pipelines never look.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    roster: Arc<Roster>,
    /// Made for the first who looks.
    places: Option<FxHashMap<Text, OwnerIdx>>,
}

impl Addresses {
    pub(crate) fn of(roster: Arc<Roster>) -> Addresses {
        Addresses { roster, places: None }
    }

    /// Who has this name.
    pub(crate) fn find(&mut self, name: &Text) -> Option<OwnerIdx> {
        let roster = &self.roster;
        let places =
            self.places.get_or_insert_with(|| roster.names().iter().cloned().zip(0..).collect());
        places.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use selvedge_event::Dynamic;

    use super::*;
    use crate::roster::Terms;

    fn check(processor: &str, event: Option<Event>) -> String {
        let mut roster = Roster::default();
        for name in ["till", "printer"] {
            roster.add(Some(Text::literal(name)), "Sink", Terms::default());
        }
        let mut addresses = Addresses::of(Arc::new(roster));
        let topic = Event::new(Dynamic::new("sold", 1)).topic();
        let error = "no paper".to_owned();
        let processor = Text::from(processor);
        let letter = DeadLetter { processor, topic, event, error, panicked: false, attempts: 1 };
        match address(addresses.find(&letter.processor), letter) {
            Ok((Addressed { to, event }, _)) => format!("{event} to {to}"),
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
