//! Owns `Mutex` and `Condvar`: the standard ones without poisoning.
//!
//! User code never runs under our locks (the runtime catches its panics at the turn boundary), so
//! a panic with a lock held is a bug of ours; passing the guard on lets the first panic be the one
//! that is reported, instead of a heap of poison errors after it.

mod imp {
    #[cfg(loom)]
    pub(super) use loom::sync::{Condvar, Mutex, MutexGuard};
    #[cfg(shuttle)]
    pub(super) use shuttle::sync::{Condvar, Mutex, MutexGuard};
    #[cfg(not(any(loom, shuttle)))]
    pub(super) use std::sync::{Condvar, Mutex, MutexGuard};
}

use std::fmt;
use std::sync::PoisonError;
use std::time::Duration;

/// Exclusive access to a `T`.
///
/// ```
/// let count = selvedge_sync::Mutex::new(1);
/// *count.lock() += 1;
/// assert_eq!(count.into_inner(), 2);
/// ```
#[derive(Default)]
pub struct Mutex<T>(imp::Mutex<T>);

/// Holds the lock of a [`Mutex`] until dropped.
pub type MutexGuard<'a, T> = imp::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    /// Guards a value.
    #[cfg(not(loom))]
    pub const fn new(value: T) -> Mutex<T> {
        Mutex(imp::Mutex::new(value))
    }

    /// Guards a value; only while a model is being checked.
    #[cfg(loom)]
    pub fn new(value: T) -> Mutex<T> {
        Mutex(imp::Mutex::new(value))
    }

    /// Waits for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value, when nobody else can have the lock.
    pub fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex(..)")
    }
}

/// Lets threads wait for a change to what a [`Mutex`] guards.
#[derive(Debug, Default)]
pub struct Condvar(imp::Condvar);

impl Condvar {
    /// Nobody waits.
    #[cfg(not(loom))]
    #[must_use]
    pub const fn new() -> Condvar {
        Condvar(imp::Condvar::new())
    }

    /// Nobody waits; only while a model is being checked.
    #[cfg(loom)]
    #[must_use]
    pub fn new() -> Condvar {
        Condvar(imp::Condvar::new())
    }

    /// Releases the lock, waits to be notified, takes the lock again. May wake for no reason.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`wait`](Self::wait), but for so long at most. Whoever calls it looks at the clock itself
    /// afterwards: the time may not be over. (Under a model checker, for which time stands still,
    /// it never is.)
    pub fn wait_for<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        at_most: Duration,
    ) -> MutexGuard<'a, T> {
        self.0.wait_timeout(guard, at_most).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until `blocked` is false.
    pub fn wait_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut blocked: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while blocked(&mut guard) {
            guard = self.wait(guard);
        }
        guard
    }

    /// Wakes one waiter, if there is one.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all waiters.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
