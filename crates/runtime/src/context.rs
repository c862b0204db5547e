//! Owns `Context`: what a turn may do.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Digest, Event, IntoEvent, Text, Topic};

use crate::ask::Asker;
use crate::cache::{Begun, Journal, Made};
use crate::core::Core;
use crate::outbox::Outbox;
use crate::scope::{ScopeDraft, ScopeError, ScopeOptions, Tasks};
use crate::timer_log::TimerHandle;
use crate::timers::Repeat;
use crate::turn::Seat;

/// What a turn may do. Lives for one turn, on the thread that takes it.
///
/// All of it takes effect when the turn succeeds, and none of it otherwise.
#[derive(Debug)]
pub struct Context<'a> {
    outbox: &'a mut Outbox,
    seat: Seat<'a>,
    /// Not `Send`: a turn emits on its own thread.
    thread: PhantomData<*const ()>,
}

impl<'a> Context<'a> {
    #[inline]
    pub(crate) fn new(outbox: &'a mut Outbox, seat: Seat<'a>) -> Context<'a> {
        Context { outbox, seat, thread: PhantomData }
    }

    /// The same context, for as long as this one is lent.
    pub(crate) fn reborrow(&mut self) -> Context<'_> {
        Context { outbox: &mut *self.outbox, seat: self.seat, thread: PhantomData }
    }

    /// What the threads of the run share. Not for a turn that is taken alone.
    pub(crate) fn core(&self) -> &Arc<Core> {
        self.outbox.scopes.core().expect("scopes are worked on in a run")
    }

    /// Where what the turn does is noted.
    pub(crate) fn outbox(&mut self) -> &mut Outbox {
        self.outbox
    }

    /// Emits an event to all who hear it.
    ///
    /// Above [`Limits::emissions_per_turn_max`](crate::Limits::emissions_per_turn_max) the event
    /// is not kept and the turn fails.
    #[inline(always)]
    pub fn emit<E: IntoEvent>(&mut self, event: E) {
        self.outbox.emit_from(event);
    }

    /// Answers the question that this event, or one it descends from, [asked].
    /// Of several answers the first counts; without a question this does nothing.
    ///
    /// [asked]: crate::Pipeline::ask
    pub fn reply(&mut self, event: impl IntoEvent) {
        if self.outbox.is_asked() {
            self.outbox.reply(event.into_event());
        }
    }

    /// Whether somebody awaits a reply.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.outbox.is_asked()
    }

    /// Who awaits a reply to this event, for a processor that replies in a later turn: see
    /// [`reply_to`](Self::reply_to).
    #[must_use]
    pub fn asker(&self) -> Option<Asker> {
        self.outbox.question().cloned().map(Asker::new)
    }

    /// Answers a question that an earlier turn kept. Of several answers the first counts.
    pub fn reply_to(&mut self, asker: &Asker, event: impl IntoEvent) {
        self.outbox.reply_to(asker.question(), event.into_event());
    }

    /// Asks to be [pulled](crate::Processor::pull) from when this turn has succeeded. Has no effect
    /// on poison: nothing comes in any more.
    pub fn start_pulling(&mut self) {
        self.outbox.start_pulling();
    }

    /// How many more events this pull should bring in at most; zero outside of a pull.
    #[must_use]
    pub fn room(&self) -> usize {
        self.seat.room.saturating_sub(self.outbox.n_emitted())
    }

    /// The name under which the processor is registered.
    #[must_use]
    pub fn processor(&self) -> &Text {
        self.seat.who.name()
    }

    /// Which attempt at this turn this is, from 1: more than that only under
    /// [`Retry`](crate::Retry).
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.seat.attempt
    }

    /// Whether this turn has asked for more than it may, and will fail when it returns: it emitted
    /// too much, say. What it changes in its processor from here on had better be nothing.
    #[inline]
    #[must_use]
    pub fn was_refused(&self) -> bool {
        self.outbox.was_refused()
    }

    /// Names what this processor does about an event, for whoever outside is to do it once: the
    /// same over attempts, after a crash, in every run. `None` if the event has no digest.
    ///
    /// It is made of the processor's name (of a cached one, of its signature: code and constants)
    /// and the event's topic and content. So equal events have one key: those that are to count
    /// apart need a field that tells them apart.
    ///
    /// ```
    /// use selvedge_event::{Dynamic, Event, Interest, Interests};
    /// use selvedge_runtime::{Configure, Context, Processor, Result, Solo};
    ///
    /// struct Bank;
    /// impl Processor for Bank {
    ///     fn process(&mut self, cx: &mut Context, order: &Event) -> Result {
    ///         let key = cx.idempotency_key(order).map(|key| key.to_string());
    ///         cx.emit(Dynamic::new("transfer", key)); // Sent with the request.
    ///         Ok(())
    ///     }
    /// }
    /// let keys = [7, 7, 8].map(|id| {
    ///     let turn = Solo::new(Bank.named("bank")).turn(Dynamic::new("order", id));
    ///     turn.emitted[0].value().cloned()
    /// });
    /// assert!(keys[0] == keys[1] && keys[1] != keys[2]);
    /// ```
    #[must_use]
    pub fn idempotency_key(&self, event: &Event) -> Option<Digest> {
        let payload = event.payload_digest().ok()?;
        let (memo_key, processor) = match self.outbox.memo_key() {
            Some(key) => (Some(key), None),
            None => (None, Some(self.processor())),
        };
        Digest::of(&(memo_key, processor, event.topic(), payload)).ok()
    }

    /// What this turn has emitted so far, in order.
    pub fn emitted(&self) -> impl Iterator<Item = &Event> {
        self.outbox.current_turn().flat_map(|(events, _)| events)
    }

    /// Says what this turn is about to make something from, in parts by the name of their target.
    /// Unless it comes to tell what it [made](Self::tell), those who are told of recorded turns are
    /// told that this failed, or did not come back; see
    /// [`Fact::Recorded`](selvedge_event::Fact::Recorded). It outlives the turn's failure.
    pub fn begin(
        &mut self,
        journal: &Journal,
        topic: Topic,
        input: Digest,
        inputs: Vec<(Text, Digest)>,
    ) {
        let (at, attempt) = (self.now(), self.attempt());
        journal.begin(Begun { topic, input, inputs, at, attempt });
    }

    /// Has those who are told of look-ups told what this turn came to, as its processor's
    /// [`Journal`](crate::Journal) says.
    pub fn tell(&mut self, journal: &Journal, made: Made) {
        journal.tell(made);
        self.outbox.note_told();
    }

    /// How many events this turn has emitted so far.
    #[must_use]
    pub fn n_emitted(&self) -> usize {
        self.outbox.n_emitted()
    }
}

/// Scopes.
impl Context<'_> {
    /// Opens a scope: work that belongs together, as one-shot turns. It begins when this turn has
    /// succeeded, and not otherwise; the run waits for it. Its tasks' emissions descend from this
    /// turn's event, as its own do. See [`ScopeDraft`].
    ///
    /// # Errors
    ///
    /// [`ScopeError`], when the options can't work or too many scopes are open.
    pub fn scope(
        &mut self,
        options: ScopeOptions,
        tasks: impl Tasks,
    ) -> Result<ScopeDraft<'_>, ScopeError> {
        self.outbox.open_scope(options, tasks)
    }
}

/// Time.
impl Context<'_> {
    /// The time since the pipeline was made, on the clock that its timers go by: a simulated one in
    /// a simulation. Each call reads the clock.
    ///
    /// ```
    /// use std::time::Duration;
    /// use selvedge_runtime::{Context, Pipeline, on};
    /// # use selvedge_event::{Kind, Payload};
    /// # struct Ping;
    /// # impl Payload for Ping { fn kind() -> Kind { Kind::literal("doc::Ping") } }
    /// let mut last = Duration::ZERO;
    /// let pipeline = Pipeline::builder()
    ///     .processor(on("pacer", move |cx: &mut Context, _: &Ping| {
    ///         assert!(cx.now() >= last);
    ///         last = cx.now();
    ///         Ok(())
    ///     }))
    ///     .build()?;
    /// pipeline.submit(Ping)?;
    /// pipeline.run()?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    #[must_use]
    pub fn now(&self) -> Duration {
        self.outbox.clock.now()
    }

    /// Emits an event after `delay`, counted from when this turn's emissions are published. The
    /// run waits for it: it is outstanding work. It descends from this turn's event as an emission
    /// does, so a question may be answered by the turn that it leads to.
    ///
    /// The timer is set when the turn succeeds, and not otherwise. Above
    /// [`Limits::timers_max`](crate::Limits::timers_max) the turn fails. A run that is stopped
    /// early does not wait for its timers: they are cancelled.
    pub fn emit_after(&mut self, delay: Duration, event: impl IntoEvent) -> TimerHandle {
        self.outbox.set_timer(delay, Repeat::Once, event.into_event())
    }

    /// Emits an event every `period`, from one period after this turn on, until it is cancelled or
    /// the run is otherwise done: a run doesn't wait for it. Ticks that could not be told in time
    /// are left out. A period of zero fails the turn; otherwise as
    /// [`emit_after`](Self::emit_after).
    pub fn emit_every(&mut self, period: Duration, event: impl IntoEvent) -> TimerHandle {
        self.outbox.set_timer(period, Repeat::Every(period), event.into_event())
    }

    /// Cancels a timer that this turn, or an earlier one, has set. Takes effect when the turn
    /// succeeds; a timer that has fired by then, or is cancelled already, is none of its business.
    pub fn cancel(&mut self, timer: TimerHandle) {
        self.outbox.cancel_timer(timer);
    }
}
