//! The one door to threads, locks, atomics, the clock, randomness and signals.
//!
//! Every other crate takes these from here and nowhere else, so that one build flag can replace
//! them: `--cfg shuttle` swaps in primitives whose scheduler explores interleavings, `--cfg loom`
//! those of a checker that tries every interleaving and every order that memory allows, and a
//! [`Clock`] can be driven by hand. Knows nothing about what is being synchronized.

#![forbid(unsafe_code)]

mod clock;
pub mod fence;
mod lock;
pub mod random;
pub mod signal;
pub mod thread;

pub use clock::Clock;
pub use lock::{Condvar, Mutex, MutexGuard};

/// Atomic integers and their orderings.
pub mod atomic {
    #[cfg(not(any(loom, shuttle)))]
    pub use std::sync::atomic::{
        AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };

    #[cfg(shuttle)]
    pub use shuttle::sync::atomic::{
        AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };

    #[cfg(loom)]
    pub use loom::sync::atomic::{
        AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
}
