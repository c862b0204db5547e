//! The channel everybody writes first: a queue under a mutex, a condition variable to wait on.
//!
//! One lock per send and one per receive; a sender wakes the receiver only when it is waiting.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::Channel;

/// A queue, guarded by one mutex.
struct Queue<T> {
    items: VecDeque<T>,
    receiver_waits: bool,
    n_senders: usize,
}

struct Shared<T> {
    queue: Mutex<Queue<T>>,
    /// Signalled when an item arrives for a waiting receiver, and when the last sender goes.
    changed: Condvar,
}

impl<T> Shared<T> {
    #[inline]
    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().expect("no code panics while it holds the queue")
    }
}

/// The sending end of [`MutexCondvar`].
pub(crate) struct Sender<T>(Arc<Shared<T>>);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.lock().n_senders += 1;
        Sender(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.n_senders -= 1;
        if queue.n_senders == 0 {
            self.0.changed.notify_all();
        }
    }
}

/// The receiving end of [`MutexCondvar`].
pub(crate) struct Receiver<T>(Arc<Shared<T>>);

/// `Mutex<VecDeque>` and `Condvar`.
pub(crate) struct MutexCondvar;

impl Channel for MutexCondvar {
    type Sender<T: Send + 'static> = Sender<T>;
    type Receiver<T: Send + 'static> = Receiver<T>;

    fn channel<T: Send + 'static>() -> (Sender<T>, Receiver<T>) {
        let queue = Queue { items: VecDeque::new(), receiver_waits: false, n_senders: 1 };
        let shared = Arc::new(Shared { queue: Mutex::new(queue), changed: Condvar::new() });
        (Sender(Arc::clone(&shared)), Receiver(shared))
    }

    #[inline]
    fn send<T: Send + 'static>(sender: &Sender<T>, item: T) {
        let mut queue = sender.0.lock();
        queue.items.push_back(item);
        let wake = queue.receiver_waits;
        // Released before the wake-up, so that the receiver does not wake only to wait for the
        // lock.
        drop(queue);
        if wake {
            sender.0.changed.notify_one();
        }
    }

    #[inline]
    fn recv<T: Send + 'static>(receiver: &Receiver<T>) -> Option<T> {
        let mut queue = receiver.0.lock();
        loop {
            if let Some(item) = queue.items.pop_front() {
                return Some(item);
            }
            if queue.n_senders == 0 {
                return None;
            }
            queue.receiver_waits = true;
            queue =
                receiver.0.changed.wait(queue).expect("no code panics while it holds the queue");
            queue.receiver_waits = false;
        }
    }
}
