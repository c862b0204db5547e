//! Owns where a listener's events wait that memory has no room for.

use std::io;

use selvedge_store::Scratch;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Told;

/// Where a listener's events wait that memory has no room for: a queue. A place that has the events
/// anyway, such as a history, keeps nothing and finds them by their numbers.
///
/// It is called under the lock of the [`Feed`](super::Feed): what it does should take microseconds.
pub trait Spill<E>: Send {
    /// Takes in an event behind all that it has.
    ///
    /// # Errors
    ///
    /// When it can't: the listener's stream ends before this event.
    fn push(&mut self, told: &Told<E>) -> io::Result<()>;

    /// Gives back the oldest event that it has.
    ///
    /// # Errors
    ///
    /// When it can't be had: the listener's stream ends before this event.
    fn pop(&mut self) -> io::Result<Told<E>>;
}

/// In a temporary file, as JSON.
impl<E: Serialize + DeserializeOwned> Spill<E> for Scratch {
    fn push(&mut self, told: &Told<E>) -> io::Result<()> {
        Scratch::push(self, &serde_json::to_vec(told)?)
    }

    fn pop(&mut self) -> io::Result<Told<E>> {
        let bytes = Scratch::pop(self)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}
