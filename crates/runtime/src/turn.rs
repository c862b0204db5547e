//! Owns the boundary of a turn: the one place where user code is called and its panics are caught.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::anyhow;
use selvedge_event::{Ending, Event, Text};
use selvedge_sync::thread::Caught;

use crate::context::Context;
use crate::origin::Origin;
use crate::outbox::{Outbox, Refusal};
use crate::owner::Owner;
use crate::processor::{Pull, Result};
use crate::spans;

/// How a turn failed. What it emitted is rolled back by then.
#[derive(Debug)]
pub(crate) struct TurnFailure {
    pub(crate) cause: anyhow::Error,
    pub(crate) panicked: bool,
    /// Whether the processor can go on.
    pub(crate) usable: bool,
}

/// What a turn wants beyond what it emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Nothing,
    /// To be pulled from.
    Pulls,
}

/// Whose turn it is, and where what it emits goes.
pub(crate) struct Seated<'a> {
    pub(crate) owner: &'a mut dyn Owner,
    pub(crate) name: &'a Text,
    pub(crate) outbox: &'a mut Outbox,
}

impl Seated<'_> {
    /// One turn on one event.
    pub(crate) fn take_turn(
        &mut self,
        event: &Event,
        origin: &Origin,
    ) -> Result<Wish, TurnFailure> {
        let _span = spans::turn(self.name, event, 1);
        self.outbox.begin_turn(origin);
        let mut cx = Context::new(self.outbox, self.name, 0);
        let called = catch_unwind(AssertUnwindSafe(|| self.owner.process(&mut cx, event)));
        let wish = if cx.wants_pull() { Wish::Pulls } else { Wish::Nothing };
        match called {
            Ok(Ok(())) if !self.outbox.has_refused() => Ok(wish),
            called => Err(self.undo(called)),
        }
    }

    /// One pull of at most `room` events.
    pub(crate) fn pull(&mut self, origin: &Origin, room: usize) -> Result<Pull, TurnFailure> {
        let _span = spans::pull(self.name);
        self.outbox.begin_turn(origin);
        let mut cx = Context::new(self.outbox, self.name, room);
        match catch_unwind(AssertUnwindSafe(|| self.owner.pull(&mut cx))) {
            Ok(Ok(answer)) if !self.outbox.has_refused() => Ok(answer),
            called => Err(self.undo(called)),
        }
    }

    /// Rolls the turn back and says why.
    #[cold]
    fn undo<T>(&mut self, called: Caught<Result<T>>) -> TurnFailure {
        let (cause, panicked) = match (called, self.outbox.take_refusal()) {
            (Ok(Err(cause)), _) => (cause, false),
            (Err(panic), _) => (anyhow!(panic_message(&*panic)), true),
            (Ok(Ok(_)), Some(refusal)) => (explain(refusal, self.outbox), false),
            (Ok(Ok(_)), None) => unreachable!("a turn that succeeded is not undone"),
        };
        self.outbox.roll_back();
        TurnFailure { cause, panicked, usable: !panicked || self.restore() }
    }

    /// Restoring drops the state that the panic left behind: that is the user's code too.
    fn restore(&mut self) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.owner.restore())).unwrap_or(false)
    }
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
