//! Owns the consuming end: one listener's events, in order, as they come.

use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;

use super::course::Look;
use super::feed::Shared;
use super::{StreamError, Told};

/// What happens in a run, as it happens: an iterator that waits for the next event, and ends after
/// the last. [`tell`](Self::tell) has a callback or an observer called instead.
///
/// Dropping it holds nothing up and fails nothing. A stream that ends early ends with an error.
#[must_use = "events are told to whoever reads them"]
pub struct Events<E> {
    shared: Arc<Shared<E>>,
    number: u64,
    /// Taken, so that the lock is not needed for each.
    in_hand: VecDeque<Told<E>>,
    in_hand_max: usize,
    /// The last that was taken.
    last_seq: u64,
    is_over: bool,
}

/// Events that are taken at a time, at most.
const IN_HAND_MAX: usize = 64;

/// Whether a listener waits for something to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    Waits,
    None,
}

impl<E> Events<E> {
    pub(super) fn new(shared: Arc<Shared<E>>, number: u64, queue_max: usize) -> Events<E> {
        let in_hand_max = queue_max.min(IN_HAND_MAX);
        let in_hand = VecDeque::new();
        Events { shared, number, in_hand, in_hand_max, last_seq: 0, is_over: false }
    }

    /// The next event, if there is one now. `None` may be the end: [`is_over`](Self::is_over) says
    /// so.
    ///
    /// # Errors
    ///
    /// As the iterator's.
    pub fn try_next(&mut self) -> Option<Result<Told<E>, StreamError>> {
        self.pull(Patience::None)
    }

    /// Whether nothing more comes.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// How many events were not kept for it until now. See [`OnFull::Miss`](super::OnFull::Miss).
    #[must_use]
    pub fn n_missed(&self) -> u64 {
        self.shared.state.lock().line(self.number).course.n_missed()
    }

    fn pull(&mut self, patience: Patience) -> Option<Result<Told<E>, StreamError>> {
        if self.in_hand.is_empty()
            && !self.is_over
            && let Err(error) = self.take(patience)
        {
            return Some(Err(error));
        }
        self.in_hand.pop_front().map(Ok)
    }

    /// Takes what there is in hand.
    fn take(&mut self, patience: Patience) -> Result<(), StreamError> {
        let mut state = self.shared.state.lock();
        loop {
            let line = state.line(self.number);
            match line.course.look() {
                Look::Take => break,
                Look::BringBack(n) => line.bring_back(n, self.last_seq),
                Look::Sleep if patience == Patience::None => return Ok(()),
                Look::Sleep => state = self.shared.news.wait(state),
                Look::Over => {
                    self.is_over = true;
                    return Ok(());
                }
                Look::Lagged { from_seq } => {
                    self.is_over = true;
                    return Err(StreamError::Lagged { from_seq, why: line.why.clone() });
                }
            }
        }
        let line = state.line(self.number);
        let n = line.kept.len().min(self.in_hand_max);
        self.in_hand.extend(line.kept.drain(..n));
        line.course.took(n as u64);
        let is_awaited = state.is_awaited();
        drop(state);
        if is_awaited {
            self.shared.room.notify_all();
        }
        self.last_seq = self.in_hand.back().map_or(self.last_seq, |told| told.seq);
        Ok(())
    }
}

impl<E> Iterator for Events<E> {
    type Item = Result<Told<E>, StreamError>;

    fn next(&mut self) -> Option<Result<Told<E>, StreamError>> {
        self.pull(Patience::Waits)
    }
}

impl<E> FusedIterator for Events<E> {}

impl<E> Drop for Events<E> {
    fn drop(&mut self) {
        self.shared.leave(self.number);
    }
}

impl<E> fmt::Debug for Events<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("is_over", &self.is_over).finish_non_exhaustive()
    }
}
