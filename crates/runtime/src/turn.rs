//! Owns the boundary of a turn: the one place where user code is called and its panics are caught.
//! A turn is one delivery; the attempts at it happen inside.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::anyhow;
use selvedge_event::{Ending, Event, Text};
use selvedge_sync::Clock;
use selvedge_sync::thread::Caught;

use crate::attempts::{Fault, Verdict, Why};
use crate::context::Context;
use crate::envelope::Origin;
use crate::outbox::{Outbox, Refusal};
use crate::owner::Owner;
use crate::policy::FailurePolicy;
use crate::processor::{Pull, Result};

/// How an attempt failed. What it emitted is rolled back by then.
#[derive(Debug)]
pub(crate) struct TurnFailure {
    pub(crate) cause: anyhow::Error,
    pub(crate) panicked: bool,
    /// Whether the processor can go on.
    pub(crate) usable: bool,
}

/// How a turn failed for good.
#[derive(Debug)]
pub(crate) struct GivenUp {
    /// The last attempt's error.
    pub(crate) cause: anyhow::Error,
    pub(crate) panicked: bool,
    pub(crate) attempts: u32,
    pub(crate) then: Then,
}

/// What comes after a turn that failed for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The event is a dead letter, and the processor, or its successor, goes on.
    GoesOn,
    Fails(Why),
    /// It was to be restarted, and that panicked.
    NotRestarted(String),
}

/// What a turn wants beyond what it emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Nothing,
    /// To be pulled from.
    Pulls,
}

/// An attempt at a turn, about to be made.
pub(crate) struct Attempt<'a> {
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) name: &'a Text,
    pub(crate) origin: &'a Origin,
    /// How many events a pull should bring in at most.
    pub(crate) room: usize,
    /// From 1.
    pub(crate) number: u32,
}

/// What an attempt calls. Both are the user's code and may panic.
pub(crate) trait Attempted {
    /// What it returns.
    type Done;

    fn run(&mut self, cx: &mut Context<'_>) -> Result<Self::Done>;

    /// Called after an attempt that failed; says whether there is a state to go on with.
    fn restore(&mut self, after: Failed) -> bool;
}

/// How an attempt came to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    Error,
    Panic,
}

impl Attempt<'_> {
    /// Makes it; rolls back what it did if it fails.
    #[inline]
    pub(crate) fn make<A: Attempted>(self, mut attempted: A) -> Result<A::Done, TurnFailure> {
        let Attempt { outbox, name, origin, room, number } = self;
        let mut cx = Context::new(outbox, name, origin, room, number);
        match catch_unwind(AssertUnwindSafe(|| attempted.run(&mut cx))) {
            Ok(Ok(done)) if !outbox.has_refused() => Ok(done),
            called => Err(undo(outbox, &mut attempted, called)),
        }
    }
}

/// Rolls an attempt back and says why.
#[cold]
fn undo<A: Attempted>(
    outbox: &mut Outbox,
    attempted: &mut A,
    called: Caught<Result<A::Done>>,
) -> TurnFailure {
    let (cause, failed) = match (called, outbox.take_refusal()) {
        (Ok(Err(cause)), _) => (cause, Failed::Error),
        (Err(panic), _) => (anyhow!(panic_message(&*panic)), Failed::Panic),
        (Ok(Ok(_)), Some(refusal)) => (explain(refusal, outbox), Failed::Error),
        (Ok(Ok(_)), None) => unreachable!("an attempt that succeeded is not undone"),
    };
    outbox.roll_back();
    // Restoring drops the state that the attempt left behind: that is the user's code too.
    let restored = catch_unwind(AssertUnwindSafe(|| attempted.restore(failed)));
    TurnFailure { cause, panicked: failed == Failed::Panic, usable: restored.unwrap_or(false) }
}

/// A processor's turn on an event.
struct Turn<'a> {
    owner: &'a mut dyn Owner,
    policy: &'a FailurePolicy,
    event: &'a Event,
}

impl Attempted for Turn<'_> {
    type Done = Wish;

    #[inline]
    fn run(&mut self, cx: &mut Context<'_>) -> Result<Wish> {
        self.owner.process(cx, self.event)?;
        Ok(if cx.wants_pull() { Wish::Pulls } else { Wish::Nothing })
    }

    fn restore(&mut self, after: Failed) -> bool {
        let as_it_should_be = after == Failed::Error && !self.policy.undoes_errors();
        as_it_should_be || self.owner.restore()
    }
}

/// A pull from a processor.
struct Pulling<'a> {
    owner: &'a mut dyn Owner,
}

impl Attempted for Pulling<'_> {
    type Done = Pull;

    fn run(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        if self.owner.record().dormant { Ok(Pull::Done) } else { self.owner.pull(cx) }
    }

    /// A pull that fails fails the run, whatever can be said about the state.
    fn restore(&mut self, after: Failed) -> bool {
        after == Failed::Error
    }
}

/// Whose turn it is, and where what it emits goes.
pub(crate) struct Seated<'a> {
    pub(crate) owner: &'a mut dyn Owner,
    pub(crate) name: &'a Text,
    pub(crate) policy: &'a FailurePolicy,
    pub(crate) clock: &'a Clock,
    pub(crate) outbox: &'a mut Outbox,
}

impl Seated<'_> {
    /// One turn on one event, with all of its attempts.
    #[inline]
    pub(crate) fn take_turn(&mut self, event: &Event, origin: &Origin) -> Result<Wish, GivenUp> {
        match self.attempt(event, origin, 1) {
            Ok(wish) => Ok(wish),
            Err(failure) => self.recover(event, origin, failure),
        }
    }

    /// One attempt at a turn.
    #[inline]
    fn attempt(
        &mut self,
        event: &Event,
        origin: &Origin,
        number: u32,
    ) -> Result<Wish, TurnFailure> {
        let attempt = Attempt { outbox: self.outbox, name: self.name, origin, room: 0, number };
        let turn = Turn { owner: &mut *self.owner, policy: self.policy, event };
        let wish = attempt.make(turn)?;
        if wish == Wish::Pulls {
            self.owner.record().dormant = false;
        }
        Ok(wish)
    }

    /// Does what the policy says about an attempt that failed, and about the next, until one
    /// succeeds or there is none left.
    #[cold]
    fn recover(
        &mut self,
        event: &Event,
        origin: &Origin,
        mut failure: TurnFailure,
    ) -> Result<Wish, GivenUp> {
        let mut attempts = 1;
        let then = loop {
            match self.judge(attempts, &failure) {
                // The next attempt follows at once, whatever `after` says: that the worker does
                // something else meanwhile is up to the scheduler.
                Verdict::Again { attempt, after: _, meanwhile: _ } => {
                    attempts = attempt;
                    match self.attempt(event, origin, attempt) {
                        Ok(wish) => return Ok(wish),
                        Err(again) => failure = again,
                    }
                }
                Verdict::Dead => break Then::GoesOn,
                Verdict::Restart => break self.restart(),
                Verdict::Fail(why) => break Then::Fails(why),
            }
        };
        let TurnFailure { cause, panicked, .. } = failure;
        Err(GivenUp { cause, panicked, attempts, then })
    }

    fn judge(&mut self, attempt: u32, failure: &TurnFailure) -> Verdict {
        let worthwhile = || self.policy.is_worthwhile(&failure.cause);
        let worthwhile = catch_unwind(AssertUnwindSafe(worthwhile)).unwrap_or(false);
        let record = self.owner.record();
        let restartable = record.kept.restartable;
        let fault = Fault { worthwhile, usable: failure.usable, restartable };
        let now = self.clock.now();
        record.attempts.judge(self.policy, self.name, attempt, fault, now)
    }

    fn restart(&mut self) -> Then {
        match catch_unwind(AssertUnwindSafe(|| self.owner.restart())) {
            Ok(true) => Then::GoesOn,
            Ok(false) => unreachable!("a restart without a factory is refused at build"),
            Err(panic) => Then::NotRestarted(panic_message(&*panic)),
        }
    }

    /// One pull of at most `room` events.
    pub(crate) fn pull(&mut self, origin: &Origin, room: usize) -> Result<Pull, TurnFailure> {
        let attempt = Attempt { outbox: self.outbox, name: self.name, origin, room, number: 1 };
        attempt.make(Pulling { owner: &mut *self.owner })
    }
}

impl GivenUp {
    /// The error that the run fails with, if it does.
    pub(crate) fn into_error(self) -> anyhow::Error {
        let GivenUp { mut cause, panicked, attempts, then } = self;
        if attempts > 1 {
            cause = cause.context(format!("gave up after {attempts} attempts"));
        }
        match then {
            Then::GoesOn | Then::Fails(Why::Policy) => cause,
            Then::Fails(Why::Unusable) if panicked => cause.context(UNTRUSTED),
            Then::Fails(Why::Unusable) => cause.context(NOT_RESTORED),
            Then::Fails(Why::TooManyRestarts(limit)) => cause.context(format!(
                "needs more than {} restarts within {:?}: mend what fails, or allow more with \
                 `Restart::at_most`",
                limit.max, limit.per
            )),
            Then::NotRestarted(panic) => cause.context(format!(
                "can't be restarted, because its factory, or its destructor, panicked ({panic})"
            )),
        }
    }
}

const UNTRUSTED: &str = "panicked, and its state can't be trusted any more: register it \
    `.stateless()` or `.restored_by_clone()` to go on after a panic";
const NOT_RESTORED: &str = "panicked while its state of before the turn was put back";

/// The error and its causes. To format it is to call the user's code.
pub(crate) fn describe(cause: &anyhow::Error) -> String {
    catch_unwind(AssertUnwindSafe(|| format!("{cause:#}")))
        .unwrap_or_else(|_| "an error that panics when it is formatted".to_owned())
}

/// Closes a processor; nothing can be emitted any more.
pub(crate) fn close(owner: &mut dyn Owner, ending: Ending) -> Result {
    catch_unwind(AssertUnwindSafe(|| owner.processor().close(ending)))
        .unwrap_or_else(|panic| Err(anyhow!(panic_message(&*panic)).context("panicked")))
}

fn explain(refusal: Refusal, outbox: &Outbox) -> anyhow::Error {
    match refusal {
        Refusal::TooMany => anyhow!(
            "the turn emitted more than {} events: emit from several turns, from a source, or \
             raise `Limits::emissions_per_turn_max`",
            outbox.per_turn_max()
        ),
        Refusal::KindClash(clash) => clash.into(),
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
