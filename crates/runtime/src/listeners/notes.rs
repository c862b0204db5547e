//! Owns what a worker notes of its turns until it hands it over: a turn that simply succeeds in a
//! few words, whatever else happens as the fact that is told of it. Builds nothing that nobody
//! wants, or that nobody has room for.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use selvedge_event::{Event, Fact, Kind, Name, Outcome, Signature, Text, Topic, Wants, Way};

use super::Listeners;
use super::sheet::{Sheet, Told};
use crate::cache::{Archive, Looked};
use crate::outbox::Outbox;
use crate::ready::OwnerIdx;
use crate::recorded::Taken;
use crate::turn::{self, GivenUp, TurnEnd};

/// Something that a worker saw, in short where it happens all the time: who told is a number, and
/// a fact, which has names, is made of it on the listener's thread.
#[derive(Clone, Debug)]
pub(super) enum Note {
    /// A turn that succeeded at once. If emissions are wanted, the notes of what it emitted follow.
    Turn { owner: OwnerIdx, emitted: u16, event: Subject },
    /// A turn or a pull emitted this.
    Emission { owner: OwnerIdx, recipients: u16, event: Subject },
    /// The next of what recorded turns told, which lies beside the notes.
    Recorded,
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
            Note::Recorded => wants.contains(Wants::RECORDED),
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

/// What becomes of what turns tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// Nobody wants to be told.
    Nobody,
    Noted,
    /// Nobody has room for it: it is counted.
    Missed,
}

/// What one worker saw, in order.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    list: Sheet,
    /// Those of them that are not turns.
    n_emissions: usize,
    n_whole: usize,
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
    pub(crate) fn look_for_room(&mut self, listeners: &Listeners) -> Telling {
        let misses = !listeners.have_room();
        if self.misses && !misses {
            // What was missed has its place before what is noted from here on.
            self.hand_over(listeners);
        }
        self.misses = misses;
        if misses { Telling::Missed } else { Telling::Noted }
    }

    /// Whether what comes is noted, by the last look.
    #[inline]
    pub(crate) fn are_kept(&self) -> bool {
        !self.misses
    }

    /// Turns came to their ends, and emitted so many events, and nobody has room for that.
    pub(crate) fn miss_turns(&mut self, n_ended: u64, n_emitted: u64) {
        self.missed.starts += n_ended;
        self.missed.ends += n_ended;
        self.missed.emissions += n_emitted;
        self.has_news = true;
    }

    /// An attempt failed that is not the last, and was perhaps missed.
    pub(crate) fn missed_again(&mut self) {
        if self.misses {
            self.missed.starts += 1;
            self.has_news = true;
        }
    }

    /// An attempt at a turn came to this end, and emitted what is in the outbox.
    #[inline(always)]
    pub(crate) fn attempted(
        &mut self,
        wants: Wants,
        attempted: Attempted<'_>,
        end: &TurnEnd,
        outbox: &Outbox,
    ) {
        let Attempted { owner, name, event, number } = attempted;
        self.has_news = true;
        if matches!(end, TurnEnd::Done)
            && number == 1
            && let Ok(emitted) = u16::try_from(outbox.n_emitted())
        {
            self.list.push(Note::Turn { owner, emitted, event: Subject::of(event) });
            if emitted > 0 {
                self.emitted(wants, (owner, name), outbox);
            }
        } else {
            self.attempted_otherwise(wants, attempted, end, outbox);
        }
    }

    /// One that failed, or was not the first, or did more than emit.
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
        for (events, route) in outbox.current_turn() {
            for event in events {
                let recipients = route.n_recipients(event);
                if let Ok(recipients) = u16::try_from(recipients) {
                    let event = Subject::of(event);
                    self.list.push(Note::Emission { owner, recipients, event });
                    self.n_emissions += 1;
                } else {
                    self.whole(emission(name, event, recipients));
                }
            }
        }
    }

    /// What has no number emitted what is in the outbox.
    pub(crate) fn emitted_by(&mut self, wants: Wants, name: &Text, outbox: &Outbox) {
        if wants.contains(Wants::EMISSIONS) {
            for (events, route) in outbox.current_turn() {
                let n_hear = |event| route.n_recipients(event);
                events.iter().for_each(|event| self.whole(emission(name, event, n_hear(event))));
            }
        }
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
            && let Some((Looked { input, outputs, replayed, origin, built_from }, signature)) =
                archive.take_last().zip(archive.signature())
        {
            self.whole(Fact::LookedUp {
                processor: processor.clone(),
                topic: event.topic(),
                signature: signature.clone(),
                input,
                outputs: outputs.to_vec(),
                replayed,
                origin,
                built_from,
            });
        }
    }

    /// A recorded processor's turn succeeded.
    pub(crate) fn recorded(
        &mut self,
        wants: Wants,
        (owner, attempt): (OwnerIdx, u32),
        event: &Event,
        taken: Taken,
    ) {
        if wants.contains(Wants::RECORDED) {
            self.list.push_told(Told { owner, attempt, topic: event.topic(), taken });
            self.n_whole += 1;
            self.has_news = true;
        }
    }

    /// Notes something of this sort.
    pub(crate) fn note(&mut self, wants: Wants, sort: Wants, fact: impl FnOnce() -> Fact) {
        if wants.contains(sort) {
            self.whole(fact());
        }
    }

    fn whole(&mut self, fact: Fact) {
        self.list.push(Note::Whole(Box::new(fact)));
        self.n_whole += 1;
        self.has_news = true;
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_news
    }

    /// Has the listeners told what was noted, and what they miss.
    #[inline(never)]
    pub(crate) fn hand_over(&mut self, listeners: &Listeners) {
        if !self.list.is_empty() {
            let (n_emissions, n_whole) =
                (std::mem::take(&mut self.n_emissions), std::mem::take(&mut self.n_whole));
            let n_turns = (self.list.len() - n_emissions - n_whole) as u64;
            let emissions = n_emissions as u64;
            let in_short = Sorts { starts: n_turns, ends: n_turns, emissions };
            listeners.hand_over(&mut self.list, in_short);
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

/// The recorded processors by number: their names and signatures.
pub(super) type Recorded = FxHashMap<OwnerIdx, (Text, Option<Signature>)>;

/// Makes facts of notes, where they are told.
#[derive(Debug)]
pub(super) struct Expander {
    wants: Wants,
    /// By number.
    names: Arc<[Text]>,
    recorded: Arc<Recorded>,
    /// What events of some ways are called.
    titles: FxHashMap<Way, (Kind, Name)>,
    facts: Vec<Fact>,
}

/// Ways whose titles are kept at most.
const TITLES_MAX: usize = 1_024;

impl Expander {
    pub(super) fn new(wants: Wants, names: Arc<[Text]>, recorded: Arc<Recorded>) -> Expander {
        Expander { wants, names, recorded, titles: FxHashMap::default(), facts: Vec::new() }
    }

    /// The facts that are wanted of what was noted.
    pub(super) fn expand(&mut self, sheet: &mut Sheet) -> &[Fact] {
        self.facts.clear();
        self.facts.reserve(sheet.len());
        let (notes, mut told) = sheet.drain();
        // The end of the turn whose emissions are being told, and how many are missing.
        let mut end: Option<Fact> = None;
        let mut n_left = 0;
        for note in notes {
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
                    let (processor, topic) = (self.name(owner), self.topic(event));
                    let recipients = recipients.into();
                    self.facts.push(Fact::Emitted { processor, topic, recipients });
                }
                Note::Recorded => {
                    let told = told.next().expect("each such note has something told beside it");
                    self.facts.push(self.recorded(told));
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
        let topic = self.topic(event);
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

    fn recorded(&self, Told { owner, attempt, topic, taken }: Told) -> Fact {
        let Taken { input, outputs, began, took } = taken;
        let (processor, signature) = self.recorded[&owner].clone();
        let (outputs, outcome) = (outputs.into(), Outcome::Succeeded);
        Fact::Recorded {
            processor,
            topic,
            signature,
            input,
            outputs,
            outcome,
            attempt,
            began,
            took,
            built_from: None,
        }
    }

    /// Calls the payload's `key`, and for the first event of a way `kind` too, which may be costly.
    fn topic(&mut self, subject: Subject) -> Topic {
        let event = match subject {
            Subject::Event(event) => event,
            Subject::Topic(topic) => return *topic,
        };
        let Some(way) = event.way() else { return event.topic() };
        if let Some((kind, name)) = self.titles.get(&way) {
            return Topic { kind: kind.clone(), name: name.clone(), key: event.key() };
        }
        let topic = event.topic();
        if self.titles.len() < TITLES_MAX {
            self.titles.insert(way, (topic.kind.clone(), topic.name.clone()));
        }
        topic
    }

    fn name(&self, owner: OwnerIdx) -> Text {
        self.names[owner as usize].clone()
    }
}
