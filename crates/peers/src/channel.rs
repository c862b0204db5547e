//! Channels with a thread per actor: what a user writes without any framework.
//!
//! One thread and one channel per actor, blocking receives, unbounded unless the peer's name says
//! `_b1024`. W5 is left out: a hundred thousand threads are no design.

mod drivers;
mod libraries;
mod locked;

use crate::sample::Run;
use crate::workload::Workload;

pub(crate) use libraries::{Crossbeam, CrossbeamBounded, Flume, Kanal, KanalBounded, StdMpsc};
pub(crate) use locked::MutexCondvar;

/// A multi-producer channel between threads. It ends when its last sender is dropped and it is
/// empty.
pub(crate) trait Channel: Sized + 'static {
    /// The sending end.
    type Sender<T: Send + 'static>: Clone + Send + 'static;
    /// The receiving end.
    type Receiver<T: Send + 'static>: Send + 'static;

    /// The workloads that channels run.
    const WORKLOADS: &'static [(Workload, Run)] = &[
        (Workload::W1, drivers::hop::<Self>),
        (Workload::W2, drivers::fan_in::<Self>),
        (Workload::W3, drivers::fan_out::<Self>),
        (Workload::W4, drivers::chain::<Self>),
        (Workload::W6, drivers::join::<Self>),
        (Workload::W7, drivers::map::<Self>),
    ];

    /// A channel.
    fn channel<T: Send + 'static>() -> (Self::Sender<T>, Self::Receiver<T>);

    /// Sends, waiting for room where the channel is bounded. Panics when the receiver is gone.
    fn send<T: Send + 'static>(sender: &Self::Sender<T>, item: T);

    /// Waits for an item; `None` at the end.
    fn recv<T: Send + 'static>(receiver: &Self::Receiver<T>) -> Option<T>;
}
