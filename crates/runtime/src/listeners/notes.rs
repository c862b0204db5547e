//! Owns what a worker notes of its turns until it hands it over: a turn that simply succeeds in a
//! few words, whatever else happens as the fact that is told of it. Builds nothing that nobody
//! wants, or that nobody has room for.

use std::sync::Arc;

use selvedge_event::{Event, Fact, Outcome, Text, Topic, Wants};

use super::Listeners;
use crate::outbox::Outbox;
use crate::ready::OwnerIdx;
use crate::turn::{self, GivenUp, TurnEnd};

/// Something that a worker saw, in short where it happens all the time: who told is a number, and
/// a fact, which has names, is made of it on the listener's thread.
#[derive(Clone, Debug)]
pub(super) enum Note {
    /// A turn that succeeded at once. If emissions are wanted, the notes of what it emitted follow.
    Turn { owner: OwnerIdx, emitted: u16, event: Subject },
    /// A turn or a pull emitted this.
    Emission { owner: OwnerIdx, recipients: u16, event: Subject },
    /// Anything.
    Whole(Box<Fact>),
}

// A worker writes one or two for a turn that takes it some nanoseconds.
const _: () = assert!(size_of::<Note>() <= 40);

impl Note {
    pub(super) fn is_wanted(&self, wants: Wants) -> bool {
        match self {
            Note::Turn { .. } => wants.meets(Wants::TURN_STARTS | Wants::TURNS),
            Note::Emission { .. } => wants.contains(Wants::EMISSIONS),
            Note::Whole(fact) => wants.includes(fact),
        }
    }
}

/// What a turn or an emission is about.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    /// A copy that shares nothing with the event.
    Event(Event),
    /// Of one that shares its payload: who is slow to listen must not keep that in memory.
    Topic(Box<Topic>),
}

impl Subject {
    #[inline]
    fn of(event: &Event) -> Subject {
        if event.is_inline() {
            Subject::Event(event.clone())
        } else {
            Subject::Topic(Box::new(event.topic()))
        }
    }

    /// Calls the payload's `kind` and `key`.
    pub(super) fn into_topic(self) -> Topic {
        match self {
            Subject::Event(event) => event.topic(),
            Subject::Topic(topic) => *topic,
        }
    }
}

/// How many facts there are of the sorts that each turn tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sorts {
    starts: u64,
    ends: u64,
    emissions: u64,
}

impl Sorts {
    /// How many notes in short they are.
    pub(super) fn n_notes(&self) -> u64 {
        self.ends + self.emissions
    }

    /// How many of them are wanted.
    pub(super) fn n_wanted(&self, wants: Wants) -> u64 {
        let of = |sort, n| if wants.contains(sort) { n } else { 0 };
        of(Wants::TURN_STARTS, self.starts)
            + of(Wants::TURNS, self.ends)
            + of(Wants::EMISSIONS, self.emissions)
    }
}

/// What one worker saw, in order.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(super) list: Vec<Note>,
    /// What is in the list in short.
    pub(super) in_short: Sorts,
    /// What came after that, and is not noted, since nobody has room for it.
    missed: Sorts,
    misses: bool,
    /// Whether there is anything to hand over.
    has_news: bool,
}

/// An attempt at a turn, for those who are told of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempted<'a> {
    pub(crate) owner: OwnerIdx,
    pub(crate) name: &'a Text,
    pub(crate) event: &'a Event,
    /// From 1.
    pub(crate) number: u32,
}

impl Notes {
    /// Asks whether anybody has room for what turns tell. Until it is asked anew, what comes is
    /// noted, or only counted.
    #[inline]
    pub(crate) fn look_for_room(&mut self, listeners: &Listeners) {
        let misses = !listeners.have_room();
        if self.misses && !misses {
            // What was missed has its place before what is noted from here on.
            self.hand_over(listeners);
        }
        self.misses = misses;
    }

    /// An attempt at a turn came to this end, and emitted what is in the outbox.
    pub(crate) fn attempted(
        &mut self,
        wants: Wants,
        attempted: Attempted<'_>,
        end: &TurnEnd,
        outbox: &Outbox,
    ) {
        self.has_news = true;
        if self.misses {
            self.missed.starts += 1;
            self.missed.ends += u64::from(!matches!(end, TurnEnd::Again(_)));
            self.missed.emissions += outbox.n_emitted() as u64;
            return;
        }
        let emitted = outbox.n_emitted();
        match (end, u16::try_from(emitted)) {
            (TurnEnd::Done | TurnEnd::DoneAndMore, Ok(emitted)) if attempted.number == 1 => {
                let Attempted { owner, event, .. } = attempted;
                self.list.push(Note::Turn { owner, emitted, event: Subject::of(event) });
                self.in_short.starts += 1;
                self.in_short.ends += 1;
                if emitted > 0 {
                    self.emitted(wants, (owner, attempted.name), outbox);
                }
            }
            _ => self.attempted_otherwise(wants, attempted, end, outbox),
        }
    }

    /// One that failed, or was not the first, or emitted a great deal.
    #[cold]
    fn attempted_otherwise(
        &mut self,
        wants: Wants,
        Attempted { owner, name, event, number }: Attempted<'_>,
        end: &TurnEnd,
        outbox: &Outbox,
    ) {
        let topic = event.topic();
        self.note(wants, Wants::TURN_STARTS, || Fact::TurnStarted {
            processor: name.clone(),
            topic: topic.clone(),
        });
        let outcome = match end {
            TurnEnd::Done | TurnEnd::DoneAndMore => {
                self.emitted(wants, (owner, name), outbox);
                Outcome::Succeeded
            }
            TurnEnd::GivenUp(given_up) => {
                let GivenUp { cause, panicked, .. } = &**given_up;
                Outcome::Failed { error: turn::describe(cause), panicked: *panicked }
            }
            TurnEnd::Again(_) => return,
        };
        self.note(wants, Wants::TURNS, || Fact::TurnFinished {
            processor: name.clone(),
            topic,
            outcome,
            emitted: outbox.n_emitted(),
            attempt: number,
        });
    }

    /// A turn that succeeded, or a pull, emitted what is in the outbox.
    pub(crate) fn emitted(
        &mut self,
        wants: Wants,
        (owner, name): (OwnerIdx, &Text),
        outbox: &Outbox,
    ) {
        if !wants.contains(Wants::EMISSIONS) {
            return;
        }
        self.has_news = true;
        if self.misses {
            self.missed.emissions += outbox.n_emitted() as u64;
            return;
        }
        for (event, recipients) in outbox.current_turn() {
            match u16::try_from(recipients) {
                Ok(recipients) => {
                    let event = Subject::of(event);
                    self.list.push(Note::Emission { owner, recipients, event });
                    self.in_short.emissions += 1;
                }
                Err(_) => self.list.push(Note::Whole(Box::new(emission(name, event, recipients)))),
            }
        }
    }

    /// What has no number emitted what is in the outbox.
    pub(crate) fn emitted_by(&mut self, wants: Wants, name: &Text, outbox: &Outbox) {
        if wants.contains(Wants::EMISSIONS) {
            let emissions = outbox.current_turn();
            let facts = emissions.map(|(event, recipients)| emission(name, event, recipients));
            self.list.extend(facts.map(|fact| Note::Whole(Box::new(fact))));
            self.has_news |= !self.list.is_empty();
        }
    }

    /// Notes something of this sort.
    pub(crate) fn note(&mut self, wants: Wants, sort: Wants, fact: impl FnOnce() -> Fact) {
        if wants.contains(sort) {
            self.list.push(Note::Whole(Box::new(fact())));
            self.has_news = true;
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_news
    }

    /// Has the listeners told what was noted, and what they miss.
    #[inline(never)]
    pub(crate) fn hand_over(&mut self, listeners: &Listeners) {
        if !self.list.is_empty() {
            listeners.hand_over(&mut self.list, std::mem::take(&mut self.in_short));
        }
        if self.missed != Sorts::default() {
            listeners.miss(std::mem::take(&mut self.missed));
        }
        self.has_news = false;
    }
}

fn emission(name: &Text, event: &Event, recipients: usize) -> Fact {
    Fact::Emitted { processor: name.clone(), topic: event.topic(), recipients }
}

/// Makes facts of notes, where they are told.
#[derive(Debug)]
pub(super) struct Expander {
    wants: Wants,
    /// By number.
    names: Arc<[Text]>,
    facts: Vec<Fact>,
}

impl Expander {
    pub(super) fn new(wants: Wants, names: Arc<[Text]>) -> Expander {
        Expander { wants, names, facts: Vec::new() }
    }

    /// The facts that are wanted of what was noted.
    pub(super) fn expand(&mut self, notes: &mut Vec<Note>) -> &[Fact] {
        self.facts.clear();
        // The end of the turn whose emissions are being told, and how many are missing.
        let mut end: Option<Fact> = None;
        let mut n_left = 0;
        for note in notes.drain(..) {
            match note {
                Note::Turn { owner, emitted, event } => {
                    let finish = self.begin(owner, emitted, event);
                    match self.wants.contains(Wants::EMISSIONS) && emitted > 0 {
                        true => (end, n_left) = (finish, emitted),
                        false => self.facts.extend(finish),
                    }
                    continue;
                }
                Note::Emission { owner, recipients, event } => {
                    let (processor, topic) = (self.name(owner), event.into_topic());
                    let recipients = recipients.into();
                    self.facts.push(Fact::Emitted { processor, topic, recipients });
                }
                Note::Whole(fact) => self.facts.push(*fact),
            }
            if n_left > 0 {
                n_left -= 1;
                if n_left == 0 {
                    self.facts.extend(end.take());
                }
            }
        }
        &self.facts
    }

    /// Tells that a turn began; what is to be told at its end.
    fn begin(&mut self, owner: OwnerIdx, emitted: u16, event: Subject) -> Option<Fact> {
        let topic = event.into_topic();
        let wants_end = self.wants.contains(Wants::TURNS);
        if self.wants.contains(Wants::TURN_STARTS) {
            let (processor, topic) = (self.name(owner), topic.clone());
            self.facts.push(Fact::TurnStarted { processor, topic });
        }
        wants_end.then(|| Fact::TurnFinished {
            processor: self.name(owner),
            topic,
            outcome: Outcome::Succeeded,
            emitted: emitted.into(),
            attempt: 1,
        })
    }

    fn name(&self, owner: OwnerIdx) -> Text {
        self.names[owner as usize].clone()
    }
}
