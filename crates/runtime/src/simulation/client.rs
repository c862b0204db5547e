//! Owns what submits events in a simulation: scripts and clients, moved on a step at a time.
//! Refuses to wait: a client that can't go on says what for.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use selvedge_event::{Ending, Event, IntoEvent, Payload};

use crate::ask::{Answer, Settled};
use crate::core::Core;
use crate::error::SubmitError;
use crate::handles::Submitter;
use crate::lanes::WhenFull;
use crate::origin::Origin;
use crate::pipeline::Pipeline;

/// What a client in a simulation may do when it is its turn: the part that another thread of the
/// program would play. See [`Sim::client`](super::Sim::client).
pub struct Client<'a> {
    core: &'a Core,
    now: Duration,
    outgoing: &'a mut VecDeque<(Event, Origin)>,
    asked: &'a mut Vec<Settled>,
}

/// What a client waits for before it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Await {
    /// Nothing but its turn, and room for what it submitted.
    Turn,
    /// So much virtual time.
    Time(Duration),
    /// All its questions, to be answered or given up.
    Answers,
    /// Nothing: it is done, and is not called again.
    Done,
}

impl Client<'_> {
    /// The virtual time since the simulation began.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Submits an event, when this step is over and there is room in the lane; what the client
    /// submits arrives in order. If the run takes nothing more by then, the client is done.
    pub fn submit(&mut self, event: impl IntoEvent) {
        self.outgoing.push_back((event.into_event(), Origin::outside()));
    }

    /// Submits a question in the same way. Wait for the answer by [`Await::Answers`] and look at it
    /// by [`Answer::now`]: [`Answer::wait`] would wait for ever.
    pub fn ask<R: Payload>(&mut self, question: impl IntoEvent) -> Answer<R> {
        let (event, origin, answer) = Origin::question(question);
        self.asked.push(answer.settled());
        self.outgoing.push_back((event, origin));
        answer
    }

    /// Ends the run early, as [`StopHandle::stop`](crate::StopHandle::stop) does.
    pub fn stop(&self) {
        self.core.stop(Ending::Stopped);
    }
}

impl fmt::Debug for Client<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("now", &self.now).finish_non_exhaustive()
    }
}

/// What a client does in a step.
pub(super) type Play = Box<dyn FnMut(&mut Client<'_>) -> Await>;

/// A client between two steps.
pub(super) struct Played {
    /// `None` when it is done.
    submitter: Option<Submitter>,
    play: Play,
    outgoing: VecDeque<(Event, Origin)>,
    asked: Vec<Settled>,
    next: Next,
}

/// When a client can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Now,
    At(Duration),
    WhenAnswered,
    Never,
}

/// What a client's step was.
#[derive(Debug)]
pub(super) enum ClientDid {
    Submitted {
        event: Event,
        recipients: usize,
    },
    FoundNoRoom,
    FoundClosed,
    Played,
    /// An event's kind is another type's here.
    WasRefused(SubmitError),
}

impl Played {
    pub(super) fn new(pipeline: &Pipeline, play: Play) -> Played {
        Played {
            submitter: Some(pipeline.submitter()),
            play,
            outgoing: VecDeque::new(),
            asked: Vec::new(),
            next: Next::Now,
        }
    }

    /// Whether it could go on now. `room` says whether there may be room in its lane.
    pub(super) fn is_able(&self, now: Duration, room: bool) -> bool {
        match self.next {
            _ if self.submitter.is_none() => false,
            _ if !self.outgoing.is_empty() => room,
            Next::Now | Next::Never => true,
            Next::At(time) => time <= now,
            Next::WhenAnswered => self.asked.iter().all(Settled::is_settled),
        }
    }

    /// The time for which it waits.
    pub(super) fn wakes_at(&self) -> Option<Duration> {
        match self.next {
            Next::At(time) if self.submitter.is_some() && self.outgoing.is_empty() => Some(time),
            Next::Now | Next::At(_) | Next::WhenAnswered | Next::Never => None,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.submitter.is_none()
    }

    /// What it waits for, in words.
    pub(super) fn waits_for(&self) -> String {
        let open = self.asked.iter().find(|asked| !asked.is_settled());
        match (self.next, open) {
            _ if !self.outgoing.is_empty() => "room in its lane".to_owned(),
            (Next::WhenAnswered, Some(open)) => format!("an answer to {}", open.topic()),
            (next, _) => format!("{next:?}"),
        }
    }

    pub(super) fn step(&mut self, core: &Core, now: Duration) -> ClientDid {
        let submitter = self.submitter.as_ref().expect("who is done is not asked to go on");
        if let Some((event, origin)) = self.outgoing.front() {
            match submitter.put(event.clone(), origin, WhenFull::Refuse) {
                Ok(recipients) => {
                    let (event, _) = self.outgoing.pop_front().expect("it was just looked at");
                    return ClientDid::Submitted { event, recipients };
                }
                Err(SubmitError::Full { .. }) => return ClientDid::FoundNoRoom,
                Err(SubmitError::Closed { .. }) => {
                    self.leave();
                    return ClientDid::FoundClosed;
                }
                Err(error) => {
                    self.leave();
                    return ClientDid::WasRefused(error);
                }
            }
        }
        if self.next == Next::Never {
            self.leave();
            return ClientDid::Played;
        }
        self.asked.retain(|asked| !asked.is_settled());
        let (outgoing, asked) = (&mut self.outgoing, &mut self.asked);
        let awaits = (self.play)(&mut Client { core, now, outgoing, asked });
        self.next = match awaits {
            Await::Turn => Next::Now,
            Await::Time(time) => Next::At(now.saturating_add(time)),
            Await::Answers => Next::WhenAnswered,
            Await::Done => Next::Never,
        };
        if self.next == Next::Never && self.outgoing.is_empty() {
            self.leave();
        }
        ClientDid::Played
    }

    /// Nothing more comes from it, and its questions are not asked any more.
    pub(super) fn leave(&mut self) {
        self.submitter = None;
        self.outgoing.clear();
    }
}

/// Plays events at their times, in order.
pub(super) fn script(mut events: Vec<(Duration, Event)>) -> Play {
    events.sort_by_key(|(at, _)| *at);
    let mut events = VecDeque::from(events);
    Box::new(move |client| {
        while let Some((at, _)) = events.front() {
            if *at > client.now() {
                return Await::Time(*at - client.now());
            }
            let (_, event) = events.pop_front().expect("it was just looked at");
            client.submit(event);
        }
        Await::Done
    })
}
