//! Owns the thread on which a callback or an observer is told events.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use selvedge_sync::thread::{self, JoinHandle};
use selvedge_sync::{Clock, Condvar, Mutex};

use super::{Events, StreamError, Told};

/// Is told events, one after the other, on a thread of its own. A closure is one.
///
/// ```
/// use selvedge_flow::{Feed, Listen, Listener, Told};
///
/// #[derive(Default)]
/// struct Longest(String);
///
/// impl Listener<String> for Longest {
///     fn event(&mut self, told: &Told<String>) {
///         if told.event.len() > self.0.len() {
///             self.0.clone_from(&told.event);
///         }
///     }
///
///     fn over(&mut self) {
///         assert_eq!(self.0, "three");
///     }
/// }
///
/// let feed = Feed::new();
/// let telling = feed.listen(&Listen::new()).tell(Longest::default())?;
/// ["one", "two", "three"].map(|event| feed.push(event.to_owned()));
/// drop(feed);
/// assert_eq!(telling.join().n_told, 3);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Listener<E>: Send + 'static {
    /// Takes note.
    fn event(&mut self, told: &Told<E>);

    /// Nothing from an event on is told, though the run goes on: this one is too far behind.
    fn lagged(&mut self, error: &StreamError) {
        let _ = error;
    }

    /// All was told.
    fn over(&mut self) {}
}

impl<E, F: FnMut(&Told<E>) + Send + 'static> Listener<E> for F {
    fn event(&mut self, told: &Told<E>) {
        self(told);
    }
}

/// What a listener was told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Heard {
    /// Events.
    pub n_told: u64,
    /// Events that were not kept for it.
    pub n_missed: u64,
    /// Why it was told no more.
    pub end: HeardEnd,
}

/// Why a listener is told no more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeardEnd {
    /// That was all.
    Over,
    /// It was too far behind.
    Lagged(StreamError),
    /// It panicked, which holds nothing up.
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// It has not come back in time, and is left to itself.
    Late,
}

/// A listener that is being told. Dropping it changes nothing: the listener is told to the end.
pub struct Telling {
    thread: JoinHandle<()>,
    heard: Arc<Slot>,
}

/// Where a listener leaves word.
#[derive(Default)]
struct Slot {
    heard: Mutex<Option<Heard>>,
    left: Condvar,
}

impl<E: Send + 'static> Events<E> {
    /// Has a callback or an observer told all further events, on a thread of its own. One that
    /// panics is told no more.
    ///
    /// # Errors
    ///
    /// When there is no room for a thread.
    pub fn tell(self, listener: impl Listener<E>) -> std::io::Result<Telling> {
        let heard = Arc::new(Slot::default());
        let thread = {
            let heard = Arc::clone(&heard);
            thread::spawn("selvedge-events", move || {
                let told = told(self, listener);
                *heard.heard.lock() = Some(told);
                heard.left.notify_all();
            })?
        };
        Ok(Telling { thread, heard })
    }
}

fn told<E>(mut events: Events<E>, mut listener: impl Listener<E>) -> Heard {
    let mut n_told = 0;
    let tells = catch_unwind(AssertUnwindSafe(|| {
        for told in &mut events {
            match told {
                Ok(told) => listener.event(&told),
                Err(error) => {
                    listener.lagged(&error);
                    return HeardEnd::Lagged(error);
                }
            }
            n_told += 1;
        }
        listener.over();
        HeardEnd::Over
    }));
    let end = tells
        .unwrap_or_else(|panic| HeardEnd::Panicked { message: thread::panic_message(&*panic) });
    Heard { n_told, n_missed: events.n_missed(), end }
}

impl Telling {
    /// Waits until the listener was told everything.
    #[must_use]
    pub fn join(self) -> Heard {
        // It leaves word whatever it does, and that is the last thing it does.
        let _ = self.thread.join();
        let heard = self.heard.heard.lock().take();
        heard.unwrap_or(Heard { n_told: 0, n_missed: 0, end: HeardEnd::Late })
    }

    /// The same, but not longer than this: then it is [`Late`](HeardEnd::Late), and left to itself.
    #[must_use]
    pub fn join_within(self, at_most: Duration) -> Heard {
        let clock = Clock::real();
        let mut heard = self.heard.heard.lock();
        loop {
            if heard.is_some() {
                drop(heard);
                return self.join();
            }
            let now = clock.now();
            if now >= at_most {
                return Heard { n_told: 0, n_missed: 0, end: HeardEnd::Late };
            }
            heard = self.heard.left.wait_for(heard, at_most - now);
        }
    }
}

impl fmt::Debug for Telling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telling").finish_non_exhaustive()
    }
}
