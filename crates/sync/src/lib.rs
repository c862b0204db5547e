//! The one door to threads, locks, atomics, the clock, randomness and signals.
