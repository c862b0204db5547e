//! Owns the boundary of a turn: the one place where user code is called and its panics are caught.
//! A turn is one delivery; the attempts at it happen inside.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use anyhow::anyhow;
use selvedge_event::{Ending, Event};
use selvedge_sync::Clock;
use selvedge_sync::thread::{Caught, panic_message};

use crate::attempts::{Fault, Verdict, Why};
use crate::context::Context;
use crate::outbox::Outbox;
use crate::owner::{Owner, Record};
use crate::policy::{FailurePolicy, Meanwhile};
use crate::processor::{Pull, Result};
use crate::roster::Who;
use crate::spans;

/// How an attempt failed. What it did is undone by then.
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
    /// The event is a dead letter, and the processor goes on.
    GoesOn,
    /// The same, but for a new processor in the place of the old one.
    Restarted,
    Fails(Why),
    /// It was to be restarted, and that could not be done, for this reason.
    NotRestarted(String),
}

/// A turn is not over: it is to be attempted again.
#[derive(Debug)]
pub(crate) struct Again {
    /// The next attempt's number.
    pub(crate) attempt: u32,
    pub(crate) after: Duration,
    pub(crate) meanwhile: Meanwhile,
    pub(crate) failure: TurnFailure,
}

/// What came of an attempt at a turn. Small where nothing is wrong.
#[derive(Debug)]
pub(crate) enum TurnEnd {
    Done,
    /// Done, and it did more than emit: it replied, set timers, or wants to be pulled from.
    DoneAndMore,
    Again(Box<Again>),
    GivenUp(Box<GivenUp>),
}

impl TurnEnd {
    /// What there is to see to afterwards, if anything. Asked first on the usual way, where an
    /// end that is known to be nothing costs no call of its destructor.
    #[inline(always)]
    pub(crate) fn unusual(self) -> Option<TurnEnd> {
        match self {
            TurnEnd::Done => None,
            end => Some(end),
        }
    }
}

/// What an attempt calls. Both are the user's code and may panic.
pub(crate) trait Attempted {
    /// What it returns.
    type Done;

    fn run(&mut self, cx: &mut Context<'_>) -> Result<Self::Done>;

    /// What it was about, for the message of a panic.
    fn about(&self) -> Option<String> {
        None
    }

    /// Called after an attempt that failed; says whether there is a state to go on with.
    fn restore(&mut self, after: Failed) -> bool;
}

/// How an attempt came to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    Error,
    Panic,
}

/// Makes an attempt; undoes what it did if it fails. The one place where panics are caught.
#[inline(always)]
pub(crate) fn attempt<A: Attempted>(
    attempted: &mut A,
    outbox: &mut Outbox,
    seat: Seat<'_>,
) -> Result<A::Done, TurnFailure> {
    outbox.begin_turn();
    let mut cx = Context::new(&mut *outbox, seat);
    match catch_unwind(AssertUnwindSafe(|| attempted.run(&mut cx))) {
        Ok(Ok(done)) if !outbox.was_refused() => Ok(done),
        called => Err(undo(outbox, attempted, called)),
    }
}

/// Rolls an attempt back and says why.
#[cold]
fn undo<A: Attempted>(
    outbox: &mut Outbox,
    attempted: &mut A,
    called: Caught<Result<A::Done>>,
) -> TurnFailure {
    let refused = outbox.take_refusal().map(|refusal| refusal.explain(outbox.per_turn_max()));
    let (cause, failed) = match (called, refused) {
        (Ok(Err(cause)), _) => (cause, Failed::Error),
        (Err(panic), _) => {
            let cause = anyhow!(panic_message(&*panic));
            // The user's code too: digests are made of values by their own `Serialize`.
            let about = catch_unwind(AssertUnwindSafe(|| attempted.about())).unwrap_or_default();
            let cause = match about {
                Some(about) => cause.context(about),
                None => cause,
            };
            (cause, Failed::Panic)
        }
        (Ok(Ok(_)), Some(refused)) => (refused, Failed::Error),
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
    type Done = ();

    #[inline]
    fn run(&mut self, cx: &mut Context<'_>) -> Result {
        self.owner.process(cx, self.event)
    }

    fn about(&self) -> Option<String> {
        self.owner.about(self.event)
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
        let is_dormant = self.owner.record().is_some_and(|record| record.dormant);
        if is_dormant { Ok(Pull::Done) } else { self.owner.pull(cx) }
    }

    /// A pull that fails fails the run, whatever can be said about the state.
    fn restore(&mut self, after: Failed) -> bool {
        after == Failed::Error
    }
}

/// What a context knows of the turn it is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat<'a> {
    pub(crate) who: &'a Who<'a>,
    /// How many events a pull should bring in at most.
    pub(crate) room: usize,
    /// From 1.
    pub(crate) attempt: u32,
}

/// Whose turn it is, and where what it emits goes.
pub(crate) struct Seated<'a> {
    pub(crate) owner: &'a mut dyn Owner,
    pub(crate) who: &'a Who<'a>,
    pub(crate) clock: &'a Clock,
    pub(crate) outbox: &'a mut Outbox,
}

impl Seated<'_> {
    /// The `number`-th attempt at a turn on an event, from 1.
    ///
    /// This is [`attempt`] with its usual way kept apart: it is what a delivery costs.
    #[inline(always)]
    pub(crate) fn take_turn(self, event: &Event, number: u32) -> TurnEnd {
        let _span = spans::turn(self.who, event, number);
        let Seated { owner, who, outbox, .. } = self;
        outbox.begin_turn();
        let mut cx = Context::new(&mut *outbox, Seat { who, room: 0, attempt: number });
        match catch_unwind(AssertUnwindSafe(|| owner.process(&mut cx, event))) {
            Ok(Ok(())) if outbox.just_emitted() => TurnEnd::Done,
            called => Seated { owner, outbox, ..self }.end(event, number, called),
        }
    }

    #[cold]
    fn end(mut self, event: &Event, number: u32, called: Caught<Result>) -> TurnEnd {
        if matches!(called, Ok(Ok(()))) && !self.outbox.was_refused() {
            if self.outbox.wants_pull()
                && let Some(record) = self.owner.record()
            {
                record.dormant = false;
            }
            return TurnEnd::DoneAndMore;
        }
        let policy = self.who.on_failure();
        let mut turn = Turn { owner: &mut *self.owner, policy, event };
        let failure = undo(self.outbox, &mut turn, called);
        self.recover(number, failure)
    }

    /// Does what the policy says about an attempt that failed.
    #[cold]
    fn recover(&mut self, number: u32, failure: TurnFailure) -> TurnEnd {
        let then = match self.judge(number, &failure) {
            Verdict::Again { attempt, after, meanwhile } => {
                return TurnEnd::Again(Box::new(Again { attempt, after, meanwhile, failure }));
            }
            Verdict::Dead => Then::GoesOn,
            Verdict::Restart => self.restart(),
            Verdict::Fail(why) => Then::Fails(why),
        };
        let TurnFailure { cause, panicked, .. } = failure;
        TurnEnd::GivenUp(Box::new(GivenUp { cause, panicked, attempts: number, then }))
    }

    fn judge(&mut self, attempt: u32, failure: &TurnFailure) -> Verdict {
        let policy = self.who.on_failure();
        let worthwhile = is_worthwhile(policy, &failure.cause);
        let name = self.who.name();
        let now = self.clock.now();
        // Who has no record can neither go on with an earlier state nor be made anew, and is
        // judged without a memory.
        let mut none = Record::default();
        let record = self.owner.record().unwrap_or(&mut none);
        let restartable = record.kept.restartable;
        let fault = Fault { worthwhile, usable: failure.usable, restartable };
        record.attempts.judge(policy, name, attempt, fault, now)
    }

    fn restart(&mut self) -> Then {
        match catch_unwind(AssertUnwindSafe(|| self.owner.restart())) {
            Ok(true) => Then::Restarted,
            // Without a factory it was refused at build, unless it said that it restarts itself.
            Ok(false) => Then::NotRestarted("`Processor::restart` says that it can't".to_owned()),
            Err(panic) => Then::NotRestarted(format!(
                "its factory, or its destructor, panicked ({})",
                panic_message(&*panic)
            )),
        }
    }

    /// One pull of at most `room` events.
    pub(crate) fn pull(self, room: usize) -> Result<Pull, TurnFailure> {
        let _span = spans::pull(self.who);
        let seat = Seat { who: self.who, room, attempt: 1 };
        attempt(&mut Pulling { owner: self.owner }, self.outbox, seat)
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
            Then::GoesOn | Then::Restarted | Then::Fails(Why::Policy) => cause,
            Then::Fails(Why::Unusable) if panicked => cause.context(UNTRUSTED),
            Then::Fails(Why::Unusable) => cause.context(NOT_RESTORED),
            Then::Fails(Why::TooManyRestarts(limit)) => cause.context(format!(
                "needs more than {} restarts within {:?}: mend what fails, or allow more with \
                 `Restart::at_most`",
                limit.max, limit.per
            )),
            Then::NotRestarted(why) => cause.context(format!("can't be restarted, because {why}")),
        }
    }
}

const UNTRUSTED: &str = "panicked, and its state can't be trusted any more: register it \
    `.stateless()` or `.restored_by_clone()` to go on after a panic";
const NOT_RESTORED: &str = "panicked while its state of before the turn was put back";

/// Whether another attempt could help; if the user's opinion panics, it couldn't.
pub(crate) fn is_worthwhile(policy: &FailurePolicy, cause: &anyhow::Error) -> bool {
    catch_unwind(AssertUnwindSafe(|| policy.is_worthwhile(cause))).unwrap_or(false)
}

/// Asks the user's code something between turns; a panic is an error with its message.
pub(crate) fn asked<T>(ask: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(ask)).map_err(|panic| panicked(&*panic))
}

/// The error and its causes. To format it is to call the user's code.
pub(crate) fn describe(cause: &anyhow::Error) -> String {
    catch_unwind(AssertUnwindSafe(|| format!("{cause:#}")))
        .unwrap_or_else(|_| "an error that panics when it is formatted".to_owned())
}

/// Closes a processor; nothing can be emitted any more.
pub(crate) fn close(owner: &mut dyn Owner, ending: Ending) -> Result {
    catch_unwind(AssertUnwindSafe(|| owner.processor().close(ending)))
        .unwrap_or_else(|panic| Err(panicked(&*panic)))
}

/// A panic outside of any turn, as an error.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> anyhow::Error {
    anyhow!(panic_message(panic)).context("panicked")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use anyhow::bail;
    use insta::assert_snapshot;
    use selvedge_event::{Dynamic, Text};

    use super::*;
    use crate::origin::Origin;
    use crate::owner::{Bare, Restored};
    use crate::policy::{Restart, Retry};
    use crate::processor::Processor;
    use crate::roster::{Roster, Terms};
    use crate::routes::{RouteCache, RouteTable};
    use crate::timer_log::TimerWish;

    /// Does what the event's value says, letter by letter: `e` emits, `s` sets a timer, `t` one
    /// that repeats, `c` cancels the last, `z` asks for a period of zero, `f` fails on the first
    /// attempt, `F` on each, `p` panics on each. Counts the letters it has done.
    #[derive(Clone, Default)]
    struct Player {
        n_done: u32,
    }

    impl Processor for Player {
        fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
            let letters = event.value().and_then(|value| value.as_str()).unwrap_or_default();
            let second = Duration::from_secs(1);
            let mut timer = None;
            for letter in letters.chars() {
                self.n_done += 1;
                let alarm = Dynamic::new("alarm", self.n_done);
                match letter {
                    'e' => cx.emit(alarm),
                    's' => timer = Some(cx.emit_after(second, alarm)),
                    't' => timer = Some(cx.emit_every(second, alarm)),
                    'z' => timer = Some(cx.emit_every(Duration::ZERO, alarm)),
                    'c' => cx.cancel(timer.expect("one was set before")),
                    'f' if cx.attempt() == 1 => bail!("once"),
                    'F' => bail!("each time"),
                    'p' => panic!("planted"),
                    _ => {}
                }
            }
            Ok(())
        }
    }

    /// What is left of these turns: wishes of timers, numbers of emissions, how each ended.
    fn trace(policy: impl Into<FailurePolicy>, turns: &[&str]) -> String {
        let policy = policy.into();
        let mut owner = Restored::new(Player::default(), Player::clone, None);
        let mut restarted = Bare::new(Player::default(), false, Some(Box::new(Player::default)));
        let owner: &mut dyn Owner = match policy {
            FailurePolicy::Restart(_) => &mut restarted,
            _ => &mut owner,
        };
        let mut outbox = Outbox::new(RouteCache::new(Arc::new(RouteTable::default())), 3, 0);
        outbox.timers.allow(3);
        let clock = Clock::manual();
        let roster = Roster::of_one(
            Text::literal("player"),
            Terms { on_failure: policy, time_budget: None },
        );
        let mut text = String::new();
        for letters in turns {
            let event = Event::new(Dynamic::new("play", *letters));
            let outbox = &mut outbox;
            outbox.descend_from(&Origin::outside());
            let mut turn = |number| {
                let (owner, outbox) = (&mut *owner, &mut *outbox);
                Seated { owner, who: &Who::Member(&roster, 0), clock: &clock, outbox }
                    .take_turn(&event, number)
            };
            let mut end = turn(1);
            while let TurnEnd::Again(again) = end {
                end = turn(again.attempt);
            }
            text += &match end {
                TurnEnd::GivenUp(given_up) => {
                    let GivenUp { attempts, panicked, .. } = *given_up;
                    let then = given_up.then.clone();
                    let error = given_up.into_error();
                    format!("{letters}: {attempts} attempts, {panicked}, {then:?}, {error:#}\n")
                }
                end => format!("{letters}: {end:?}\n"),
            };
        }
        for wish in outbox.timers.drain() {
            text += &match wish {
                TimerWish::Set { repeat, event, origin, .. } => {
                    let value = event.value().cloned().unwrap_or_default();
                    format!("{value} {repeat:?} {:?}\n", origin.descent)
                }
                TimerWish::Cancel(id) => format!("cancel {}\n", id.number),
            };
        }
        text + &format!("{} emitted", outbox.len())
    }

    #[test]
    fn what_a_failed_attempt_did_to_timers_is_undone_too() {
        assert_snapshot!(trace(FailurePolicy::Skip, &["es", "estF", "sp", "tc"]), @r"
        es: DoneAndMore
        estF: 1 attempts, false, GoesOn, each time
        sp: 1 attempts, true, GoesOn, planted
        tc: DoneAndMore
        2 Once Outside
        7 Every(1s) Outside
        cancel 4
        1 emitted
        ");
        assert_snapshot!(trace(Retry::times(2), &["esf", "ts"]), @r"
        esf: DoneAndMore
        ts: DoneAndMore
        2 Once Outside
        4 Every(1s) Outside
        5 Once Outside
        1 emitted
        ");
    }

    #[test]
    fn a_turn_that_may_not_set_its_timer_fails_although_it_returned() {
        assert_snapshot!(trace(FailurePolicy::Skip, &["ez", "ssss", "eeee", "sss", "s"]), @r"
        ez: 1 attempts, false, GoesOn, the turn set a timer with a period of zero: emit the event instead
        ssss: 1 attempts, false, GoesOn, the turn set more timers than there may be: cancel those that are not needed, set fewer that repeat, or raise `Limits::timers_max`
        eeee: 1 attempts, false, GoesOn, the turn emitted more than 3 events: emit from several turns, from a source, or raise `Limits::emissions_per_turn_max`
        sss: DoneAndMore
        s: 1 attempts, false, GoesOn, the turn set more timers than there may be: cancel those that are not needed, set fewer that repeat, or raise `Limits::timers_max`
        11 Once Outside
        12 Once Outside
        13 Once Outside
        0 emitted
        ");
    }

    #[test]
    fn a_restart_is_a_new_processor_and_a_dead_letter() {
        let restart = Restart::at_most(1, Duration::from_secs(9));
        assert_snapshot!(trace(restart, &["ee", "eF", "e", "F"]), @r"
        ee: Done
        eF: 1 attempts, false, Restarted, each time
        e: Done
        F: 1 attempts, false, Fails(TooManyRestarts(Restart { max: 1, per: 9s })), needs more than 1 restarts within 9s: mend what fails, or allow more with `Restart::at_most`: each time
        3 emitted
        ");
    }
}
