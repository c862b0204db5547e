//! Owns `Solo`: one processor taking turns alone, without a pipeline, for tests.

use std::fmt;
use std::sync::Arc;

use anyhow::anyhow;
use selvedge_event::{Event, IntoEvent, Payload, Text, Typed};
use selvedge_sync::Clock;

use crate::ask::Question;
use crate::limits::Limits;
use crate::origin::{Descent, Origin};
use crate::outbox::Outbox;
use crate::owner::Owner;
use crate::processor::{Pull, Result};
use crate::registration::{IntoRegistration, Registered};
use crate::roster::{Roster, Who};
use crate::routes::{RouteCache, RouteTable};
use crate::turn::{Seated, TurnEnd};

/// One processor taking turns alone: its turns have the boundary that they have in a pipeline, and
/// what they emit can be looked at.
///
/// ```
/// use selvedge_runtime::{Context, Solo, on};
/// # use selvedge_event::{Kind, Payload};
/// # #[derive(Debug, PartialEq)]
/// # struct Ping(u32);
/// # impl Payload for Ping { fn kind() -> Kind { Kind::literal("doc::Ping") } }
/// let mut solo = Solo::new(on("echo", |cx: &mut Context, ping: &Ping| {
///     cx.emit(Ping(ping.0 + 1));
///     Ok(())
/// }));
/// let turn = solo.turn(Ping(1));
/// assert!(turn.result.is_ok());
/// assert_eq!(turn.payloads::<Ping>()[0].0, 2);
/// ```
pub struct Solo {
    owner: Box<dyn Owner>,
    roster: Roster,
    clock: Clock,
    outbox: Outbox,
}

/// What came of a turn taken alone.
#[derive(Debug)]
#[non_exhaustive]
pub struct SoloTurn<T = ()> {
    /// What the turn returned; a panic is an error that says so.
    pub result: Result<T>,
    /// What it emitted: nothing, if it failed.
    pub emitted: Vec<Event>,
}

impl<T> SoloTurn<T> {
    /// The emitted events that hold a `P`, in order.
    #[must_use]
    pub fn payloads<P: Payload>(&self) -> Vec<Typed<P>> {
        self.emitted.iter().filter_map(|event| event.clone().typed().ok()).collect()
    }
}

impl Solo {
    /// Takes a processor, or a configured one.
    pub fn new(processor: impl IntoRegistration) -> Solo {
        let registered = Registered::from(processor.into_registration());
        let name = registered.name.unwrap_or(Text::literal(registered.type_name));
        let roster = Roster::of_one(name, registered.terms);
        let routes = RouteCache::new(Arc::new(RouteTable::default()));
        let limits = Limits::default();
        let mut outbox = Outbox::new(routes, limits.emissions_per_turn_max, 0);
        outbox.timers.allow(limits.timers_max);
        let clock = Clock::real();
        outbox.clock = clock.clone();
        Solo { owner: registered.owner, roster, clock, outbox }
    }

    /// One turn on one event, whether or not the processor is interested in it.
    pub fn turn(&mut self, event: impl IntoEvent) -> SoloTurn {
        let event = event.into_event();
        self.attempt(&event, &Origin::inside())
    }

    /// One turn on a question; returns the reply too, if there is one.
    pub fn ask<R: Payload>(&mut self, question: impl IntoEvent) -> (SoloTurn, Option<Typed<R>>) {
        let event = question.into_event();
        let (question, answer) = Question::new::<R>(event.topic());
        let origin = Origin { descent: Descent::Outside, question: Some(question) };
        let turn = self.attempt(&event, &origin);
        self.outbox.give_replies();
        drop(origin);
        (turn, answer.now().and_then(Result::ok))
    }

    /// One pull of at most `room` events.
    pub fn pull(&mut self, room: usize) -> SoloTurn<Pull> {
        self.outbox.descend_from(&Origin::inside());
        let result = self.seated(|seated| seated.pull(room));
        self.look(result.map_err(|failed| (failed.panicked, failed.cause)))
    }

    /// A turn with all its attempts, none of which waits.
    fn attempt(&mut self, event: &Event, origin: &Origin) -> SoloTurn {
        self.outbox.descend_from(origin);
        let mut end = self.seated(|seated| seated.take_turn(event, 1));
        while let TurnEnd::Again(again) = end {
            end = self.seated(|seated| seated.take_turn(event, again.attempt));
        }
        self.outbox.log.forget_question();
        let result = match end {
            TurnEnd::GivenUp(given_up) => Err((given_up.panicked, given_up.cause)),
            TurnEnd::Done | TurnEnd::DoneAndMore | TurnEnd::Again(_) => Ok(()),
        };
        self.outbox.timers.drain().for_each(drop);
        self.outbox.records().write();
        self.look(result)
    }

    fn seated<R>(&mut self, act: impl FnOnce(Seated<'_>) -> R) -> R {
        let who = &Who::Member(&self.roster, 0);
        let (owner, clock, outbox) = (&mut *self.owner, &self.clock, &mut self.outbox);
        act(Seated { owner, who, clock, outbox })
    }

    /// What there is to see after a turn; of a failed one, whether it panicked and why.
    fn look<T>(&mut self, result: Result<T, (bool, anyhow::Error)>) -> SoloTurn<T> {
        let emitted = self.outbox.current_turn().flat_map(|(events, _)| events.to_vec()).collect();
        self.outbox.forget_emissions();
        // A scope needs workers.
        drop(self.outbox.scopes.take());
        let result = result.map_err(|(panicked, cause)| match panicked {
            true => anyhow!("panicked: {cause:#}"),
            false => cause,
        });
        SoloTurn { result, emitted }
    }
}

impl fmt::Debug for Solo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Solo").field("processor", self.roster.name(0)).finish_non_exhaustive()
    }
}
