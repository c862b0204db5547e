//! One adapter per channel library: names for `channel`, `send` and `recv`, nothing else.

use super::Channel;

/// Items that a `_b1024` channel holds before its senders wait.
const CAPACITY: usize = 1024;

/// Implements [`Channel`] for a library whose ends have the standard library's methods.
macro_rules! channel {
    ($(#[$doc:meta])* $name:ident, $sender:ty, $receiver:ty, $channel:expr) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl Channel for $name {
            type Sender<T: Send + 'static> = $sender;
            type Receiver<T: Send + 'static> = $receiver;

            fn channel<T: Send + 'static>() -> (Self::Sender<T>, Self::Receiver<T>) {
                $channel
            }

            #[inline]
            fn send<T: Send + 'static>(sender: &Self::Sender<T>, item: T) {
                sender.send(item).ok().expect("receivers outlive what is sent to them");
            }

            #[inline]
            fn recv<T: Send + 'static>(receiver: &Self::Receiver<T>) -> Option<T> {
                receiver.recv().ok()
            }
        }
    };
}

channel!(
    /// `std::sync::mpsc::channel`.
    StdMpsc,
    std::sync::mpsc::Sender<T>,
    std::sync::mpsc::Receiver<T>,
    std::sync::mpsc::channel()
);
channel!(
    /// `crossbeam_channel::unbounded`: spins before it parks.
    Crossbeam,
    crossbeam_channel::Sender<T>,
    crossbeam_channel::Receiver<T>,
    crossbeam_channel::unbounded()
);
channel!(
    /// `crossbeam_channel::bounded`.
    CrossbeamBounded,
    crossbeam_channel::Sender<T>,
    crossbeam_channel::Receiver<T>,
    crossbeam_channel::bounded(CAPACITY)
);
channel!(
    /// `flume::unbounded`.
    Flume,
    flume::Sender<T>,
    flume::Receiver<T>,
    flume::unbounded()
);
channel!(
    /// `kanal::unbounded`: spins before it parks and hands over directly to a waiting receiver.
    Kanal,
    kanal::Sender<T>,
    kanal::Receiver<T>,
    kanal::unbounded()
);
channel!(
    /// `kanal::bounded`.
    KanalBounded,
    kanal::Sender<T>,
    kanal::Receiver<T>,
    kanal::bounded(CAPACITY)
);
