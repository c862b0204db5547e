//! Owns `Copies`, the proof that a type is `Copy`. Refuses to be made in any other way: the raw
//! module that stores payloads inside events takes it at its word.

use std::fmt;
use std::marker::PhantomData;

/// Proof that `T` is `Copy`, held as a value where a bound can't be asked for.
///
/// [`Payload::COPIES`](super::Payload::COPIES) hands it over. [`new`](Self::new) is the only way to
/// get one, and it asks the compiler:
///
/// ```
/// use selvedge_event::payload::Copies;
/// assert_eq!(size_of_val(&Copies::<u64>::new()), 0);
/// ```
/// ```compile_fail,E0277
/// use selvedge_event::payload::Copies;
/// Copies::<String>::new(); // The trait bound `String: Copy` is not satisfied.
/// ```
// Invariant in `T`: a proof for one type must not turn into one for its subtype or supertype,
// whose `Copy` may be another matter.
pub struct Copies<T>(PhantomData<fn(T) -> T>);

impl<T: Copy> Copies<T> {
    /// The proof, if the compiler has it.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a proof is asked for by name")]
    pub const fn new() -> Copies<T> {
        // Follows from `Copy`, and is what the users of the proof live on: say it once more here.
        const { assert!(!std::mem::needs_drop::<T>(), "what is Copy has nothing to drop") };
        Copies(PhantomData)
    }
}

// By hand: a proof is copied freely, without a word about `T`.
impl<T> Clone for Copies<T> {
    fn clone(&self) -> Copies<T> {
        *self
    }
}

impl<T> Copy for Copies<T> {}

impl<T> fmt::Debug for Copies<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Copies<{}>", std::any::type_name::<T>())
    }
}
