//! Owns questions and answers: a submitted event whose submitter waits for a reply.
//!
//! The question travels with the event and with all that descends from it. When the last of them
//! is gone without a reply, the asker is told so: nobody waits for ever.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Event, Payload, Topic, Typed};
use selvedge_sync::{Clock, Condvar, Mutex};

use crate::error::AskError;

/// What asker and repliers share. Only envelopes and replying turns hold a `Question`; the asker
/// holds the slot, so that the question's end can be seen.
pub(crate) struct Question(Arc<Slot>);

struct Slot {
    topic: Topic,
    /// Guards the reply.
    reply: Mutex<Reply>,
    changed: Condvar,
}

enum Reply {
    Awaited,
    Given(Event),
    /// Nobody is left who could reply.
    Missing,
}

impl Question {
    /// A question about this topic, and the answer to come.
    pub(crate) fn new<R: Payload>(topic: Topic) -> (Arc<Question>, Answer<R>) {
        let slot = Slot { topic, reply: Mutex::new(Reply::Awaited), changed: Condvar::new() };
        let slot = Arc::new(slot);
        let answer = Answer { slot: Arc::clone(&slot), reply: PhantomData };
        (Arc::new(Question(slot)), answer)
    }

    /// Gives the reply, unless there is one already.
    pub(crate) fn answer(&self, event: Event) {
        self.settle(Reply::Given(event));
    }

    fn settle(&self, reply: Reply) {
        let mut current = self.0.reply.lock();
        if matches!(*current, Reply::Awaited) {
            *current = reply;
            self.0.changed.notify_all();
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.settle(Reply::Missing);
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Question({})", self.0.topic)
    }
}

/// Somebody who awaits a reply, kept by a processor that has none yet. Dropped without a reply, it
/// tells whoever waits that there will be none.
///
/// ```
/// use selvedge_event::Event;
/// use selvedge_runtime::{Asker, Context, Pipeline, Processor, Result, processor};
///
/// #[derive(Event)]
/// struct WhatIsIt;
/// #[derive(Event, Debug)]
/// struct It(u32);
///
/// /// Knows nothing before it is told.
/// #[derive(Default)]
/// struct Oracle(Vec<Asker>);
///
/// #[processor]
/// impl Processor for Oracle {
///     fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
///         match event {
///             WhatIsIt => self.0.extend(cx.asker()),
///             It(n) => self.0.drain(..).for_each(|asker| cx.reply_to(&asker, It(*n))),
///         }
///         Ok(())
///     }
/// }
///
/// let pipeline = Pipeline::builder().processor(Oracle::default()).build()?;
/// let answers = [pipeline.ask::<It>(WhatIsIt)?, pipeline.ask::<It>(WhatIsIt)?];
/// pipeline.submit(It(42))?;
/// pipeline.run()?;
/// for answer in answers {
///     assert_eq!(answer.wait()?.0, 42);
/// }
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct Asker(Arc<Question>);

impl Asker {
    pub(crate) fn new(question: Arc<Question>) -> Asker {
        Asker(question)
    }

    pub(crate) fn question(&self) -> Arc<Question> {
        Arc::clone(&self.0)
    }
}

impl fmt::Debug for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asker({})", self.0.0.topic)
    }
}

/// The reply to a question, now or later.
pub struct Answer<R> {
    slot: Arc<Slot>,
    reply: PhantomData<fn() -> R>,
}

impl<R: Payload> Answer<R> {
    /// Waits for the reply. Don't call it from a turn: a worker would stand still.
    ///
    /// # Errors
    ///
    /// [`AskError`] when nobody replied, or with something else than an `R`.
    pub fn wait(self) -> Result<Typed<R>, AskError> {
        let mut reply = self.slot.reply.lock();
        loop {
            if let Some(settled) = self.slot.read(&reply) {
                return settled;
            }
            reply = self.slot.changed.wait(reply);
        }
    }

    /// Waits for the reply, but for no longer than this: a turn that may never come back keeps its
    /// question. `None` when the time is up; ask again later.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait).
    ///
    /// ```
    /// use std::time::Duration;
    /// # use selvedge_event::Event;
    /// use selvedge_runtime::Pipeline;
    /// # #[derive(Event, Debug)]
    /// # struct Ping;
    ///
    /// let pipeline = Pipeline::builder().build()?;
    /// let answer = pipeline.ask::<Ping>(Ping)?;
    /// assert!(answer.wait_for(Duration::from_secs(60)).unwrap().is_err(), "nobody hears it");
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    #[must_use]
    pub fn wait_for(&self, time: Duration) -> Option<Result<Typed<R>, AskError>> {
        let clock = Clock::real();
        let mut reply = self.slot.reply.lock();
        loop {
            if let Some(settled) = self.slot.read(&reply) {
                return Some(settled);
            }
            let left = time.checked_sub(clock.now()).filter(|left| !left.is_zero())?;
            reply = self.slot.changed.wait_for(reply, left);
        }
    }

    /// The reply, if it has come by now.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait).
    #[must_use]
    pub fn now(&self) -> Option<Result<Typed<R>, AskError>> {
        self.slot.read(&self.slot.reply.lock())
    }
}

/// Sees whether a question is settled, whatever its reply should be.
pub(crate) struct Settled(Arc<Slot>);

impl Settled {
    /// Whether the asker would wait no longer.
    pub(crate) fn is_settled(&self) -> bool {
        !matches!(*self.0.reply.lock(), Reply::Awaited)
    }

    /// What the question is about.
    pub(crate) fn topic(&self) -> &Topic {
        &self.0.topic
    }
}

impl<R> Answer<R> {
    /// Looks at the question, without the answer's type.
    pub(crate) fn settled(&self) -> Settled {
        Settled(Arc::clone(&self.slot))
    }
}

impl Slot {
    /// The reply as an `R`, once there is one or can be none.
    fn read<R: Payload>(&self, reply: &Reply) -> Option<Result<Typed<R>, AskError>> {
        let question = || Box::new(self.topic.clone());
        match reply {
            Reply::Awaited => None,
            Reply::Missing => Some(Err(AskError::NoReply { question: question() })),
            Reply::Given(event) => {
                Some(event.clone().typed().map_err(|event| AskError::WrongReply {
                    question: question(),
                    reply: Box::new(event.topic()),
                    expected: std::any::type_name::<R>(),
                }))
            }
        }
    }
}

impl<R> fmt::Debug for Answer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer(to {})", self.slot.topic)
    }
}
