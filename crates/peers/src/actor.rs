//! Actor frameworks, and tasks with a channel each, behind one interface.
//!
//! An actor is the framework's own, with one message type and a synchronous handler, which is one
//! boxed closure for every framework. Sending is the framework's non-blocking tell on an unbounded
//! mailbox, and targets come from an index: nobody is looked up by name. Frameworks differ in
//! nothing else that this crate controls.

mod actix;
mod directory;
mod drivers;
mod kameo;
mod ractor;
mod tokio_host;
mod tokio_tasks;
mod xtra;

use std::sync::Arc;

use crate::sample::Run;
use crate::workload::Workload;
use crate::workload::fan_out::Event;
use crate::workload::join::{Keyed, Pair, Side};
use crate::workload::map::Done;

pub(crate) use actix::Actix;
pub(crate) use kameo::Kameo;
pub(crate) use ractor::Ractor;
pub(crate) use tokio_tasks::TokioTasks;
pub(crate) use xtra::Xtra;

/// The one message type.
#[derive(Debug)]
pub(crate) enum Message {
    /// A number: a countdown, a value, where a slice begins, or a task's input.
    Number(u64),
    /// A published event (W3).
    Event(Arc<Event>),
    /// An event of the left stream (W6).
    Left(Keyed),
    /// An event of the right stream (W6).
    Right(Keyed),
    /// A pair that met (W6).
    Pair(Pair),
    /// A finished task (W7).
    Done(Done),
}

impl Message {
    /// The message that carries an event of `side`.
    fn keyed(side: Side, event: Keyed) -> Self {
        match side {
            Side::Left => Message::Left(event),
            Side::Right => Message::Right(event),
        }
    }
}

/// What an actor does with a message. It may send on through the system.
pub(crate) type Handler = Box<dyn FnMut(&dyn System, Message) + Send>;

/// Running actors, addressed by their index.
pub(crate) trait System: Send + Sync {
    /// Sends without waiting.
    fn send(&self, to: usize, message: Message);
}

/// A started system and how to end it.
pub(crate) struct Running {
    /// The actors.
    pub(crate) system: Arc<dyn System>,
    /// Stops every actor and joins the threads that ran them. Messages still queued are dropped.
    pub(crate) stop: Box<dyn FnOnce()>,
}

/// A framework that can run actors.
pub(crate) trait Framework: Sized + 'static {
    /// The workloads that actors run.
    const WORKLOADS: &'static [(Workload, Run)] = &[
        (Workload::W1, drivers::hop::<Self>),
        (Workload::W2, drivers::fan_in_from_outside::<Self>),
        (Workload::W2i, drivers::fan_in_from_inside::<Self>),
        (Workload::W3, drivers::fan_out::<Self>),
        (Workload::W4, drivers::chain::<Self>),
        (Workload::W5, drivers::crowd::<Self>),
        (Workload::W6, drivers::join::<Self>),
        (Workload::W7, drivers::map::<Self>),
    ];

    /// Starts one actor per handler; their indices are the handlers'.
    fn start(handlers: Vec<Handler>) -> Running;
}
