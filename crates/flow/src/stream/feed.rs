//! Owns the producing end: numbers events under one lock, and gives them to each listener as its
//! `course` says.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use selvedge_store::Scratch;
use selvedge_sync::atomic::{AtomicBool, Ordering};
use selvedge_sync::{Condvar, Mutex};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::course::{Course, Fate, Room};
use super::{Events, Listen, Spill, Told};

/// Where a run puts what happens in it. Clones put into the same; when the last one is dropped, its
/// listeners come to the end of their streams.
///
/// As long as nobody listens, an event is neither made nor numbered, which costs a look at one
/// word. Events are cloned and written to a spill under a lock: they should be plain data.
///
/// ```
/// use selvedge_flow::{Feed, Listen};
///
/// let feed = Feed::new();
/// feed.push_with(|| "nobody hears this".to_owned());
/// let events = feed.listen(&Listen::new().queue_max(1));
/// for n in 1..=3 {
///     feed.push(format!("event {n}")); // The second and the third spill.
/// }
/// drop(feed);
/// let told: Result<Vec<_>, _> = events.map(|told| told.map(|told| told.event)).collect();
/// assert_eq!(told?, ["event 1", "event 2", "event 3"]);
/// # Ok::<(), selvedge_flow::StreamError>(())
/// ```
pub struct Feed<E>(Arc<Open<E>>);

/// Closes the streams when it goes.
struct Open<E>(Arc<Shared<E>>);

/// What both ends have.
pub(super) struct Shared<E> {
    /// Whether it is worth making an event. Written under the lock; Relaxed, as a hint: who listens
    /// while something happens may miss that.
    is_heard: AtomicBool,
    pub(super) state: Mutex<State<E>>,
    /// Listeners wait here for something to be told.
    pub(super) news: Condvar,
    /// Tokens wait here for room.
    pub(super) room: Condvar,
}

pub(super) struct State<E> {
    /// The number of the last event.
    seq: u64,
    lines: Vec<Line<E>>,
    n_lines: u64,
    /// Tokens that wait.
    n_waiting: usize,
    is_closed: bool,
}

/// What waits for one listener.
pub(super) struct Line<E> {
    number: u64,
    pub(super) course: Course,
    pub(super) kept: VecDeque<Told<E>>,
    spill: Option<Box<dyn Spill<E>>>,
    /// Why the spill has failed.
    pub(super) why: String,
}

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenEnd {
    /// It is told, under this number.
    Told {
        /// Its number.
        seq: u64,
    },
    /// There is nobody to be told.
    Unheard,
    /// It was called off while it waited for room.
    CalledOff,
}

impl<E> Clone for Feed<E> {
    fn clone(&self) -> Feed<E> {
        Feed(Arc::clone(&self.0))
    }
}

impl<E> Default for Feed<E> {
    fn default() -> Feed<E> {
        Feed::new()
    }
}

impl<E> Feed<E> {
    /// A feed that nobody listens to.
    #[must_use]
    pub fn new() -> Feed<E> {
        Feed::after(0)
    }

    /// The same for what goes on: the next event has the number after this one.
    #[must_use]
    pub fn after(seq: u64) -> Feed<E> {
        let state = State { seq, lines: Vec::new(), n_lines: 0, n_waiting: 0, is_closed: false };
        Feed(Arc::new(Open(Arc::new(Shared {
            is_heard: AtomicBool::new(false),
            state: Mutex::new(state),
            news: Condvar::new(),
            room: Condvar::new(),
        }))))
    }

    fn shared(&self) -> &Arc<Shared<E>> {
        &self.0.0
    }

    /// The number of the last event that was told.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.shared().state.lock().seq
    }

    /// Whether somebody listens.
    #[inline]
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.shared().is_heard.load(Ordering::Relaxed)
    }

    /// A new listener, who is told what comes from now on; what its memory has no room for waits in
    /// a temporary file. After [`close`](Self::close) there is nothing to be told.
    pub fn listen(&self, listen: &Listen) -> Events<E>
    where
        E: Serialize + DeserializeOwned + 'static,
    {
        self.listen_beside(listen, Box::new(Scratch::new()))
    }

    /// The same, with another place for what memory has no room for.
    pub fn listen_beside(&self, listen: &Listen, spill: Box<dyn Spill<E>>) -> Events<E> {
        let mut state = self.shared().state.lock();
        let number = state.n_lines;
        state.n_lines += 1;
        let mut course = Course::new(listen.queue_max, listen.on_full);
        if state.is_closed {
            course.close();
        }
        let (kept, why) = (VecDeque::new(), String::new());
        state.lines.push(Line { number, course, kept, spill: Some(spill), why });
        self.shared().is_heard.store(!state.is_closed, Ordering::Relaxed);
        drop(state);
        Events::new(Arc::clone(self.shared()), number, listen.queue_max)
    }

    /// Nothing more comes: listeners come to the end of their streams when they have been told what
    /// waits for them.
    pub fn close(&self) {
        self.shared().close();
    }

    /// Has all tokens that wait look whether they are called off.
    pub fn nudge(&self) {
        // Whoever has looked and does not wait yet has the lock until it does.
        drop(self.shared().state.lock());
        self.shared().room.notify_all();
    }
}

impl<E: Clone> Feed<E> {
    /// Tells an event, if somebody listens.
    #[inline]
    pub fn push_with(&self, make: impl FnOnce() -> E) {
        if self.is_heard() {
            self.push(make());
        }
    }

    /// Tells an event. Waits for nobody. Its number, if somebody listens.
    #[cold]
    pub fn push(&self, event: E) -> Option<u64> {
        let mut state = self.shared().state.lock();
        if state.is_closed || state.lines.is_empty() {
            return None;
        }
        state.seq += 1;
        let told = Told { seq: state.seq, event };
        let wakes = state.tell_all(told, Course::event);
        let seq = state.seq;
        drop(state);
        if wakes {
            self.shared().news.notify_all();
        }
        Some(seq)
    }

    /// Tells a token: waits until each listener has room for it or may miss it, nobody listens any
    /// more, or `is_called_off`. That is asked under a lock, and again after each
    /// [`nudge`](Self::nudge), which whoever calls off owes.
    ///
    /// ```
    /// use selvedge_flow::{Feed, Listen, TokenEnd};
    /// let feed = Feed::new();
    /// assert_eq!(feed.push_token('a', || false), TokenEnd::Unheard);
    /// let mut events = feed.listen(&Listen::new().queue_max(1));
    /// assert_eq!(feed.push_token('b', || false), TokenEnd::Told { seq: 1 });
    /// assert_eq!(feed.push_token('c', || true), TokenEnd::CalledOff); // There is no room.
    /// assert_eq!(events.next().unwrap()?.event, 'b');
    /// assert_eq!(feed.push_token('d', || true), TokenEnd::Told { seq: 2 });
    /// # Ok::<(), selvedge_flow::StreamError>(())
    /// ```
    pub fn push_token(&self, token: E, is_called_off: impl Fn() -> bool) -> TokenEnd {
        if !self.is_heard() {
            return TokenEnd::Unheard;
        }
        let mut state = self.shared().state.lock();
        loop {
            if state.is_closed || state.lines.is_empty() {
                return TokenEnd::Unheard;
            }
            if !state.lines.iter().any(|line| line.course.room() == Room::Wait) {
                break;
            }
            if is_called_off() {
                return TokenEnd::CalledOff;
            }
            state.n_waiting += 1;
            state = self.shared().room.wait(state);
            state.n_waiting -= 1;
        }
        let seq = state.seq + 1;
        state.seq = seq;
        let wakes = state.tell_all(Told { seq, event: token }, |course, _| {
            let room = course.room();
            course.token(room);
            if room == Room::Keep { Fate::Keep } else { Fate::Drop }
        });
        drop(state);
        if wakes {
            self.shared().news.notify_all();
        }
        TokenEnd::Told { seq }
    }
}

impl<E: Clone> State<E> {
    /// Gives an event to each listener as its course says; whether one of them is to be woken.
    fn tell_all(&mut self, told: Told<E>, fate: impl Fn(&mut Course, u64) -> Fate) -> bool {
        let mut wakes = false;
        let mut told = Some(told);
        let n = self.lines.len();
        for (line, at) in self.lines.iter_mut().zip(1..) {
            // The last one needs no clone.
            let told = if at == n { told.take() } else { told.clone() };
            let Some(told) = told else { continue };
            let fate = fate(&mut line.course, told.seq);
            line.take_in(told, fate);
            wakes |= line.course.wakes();
        }
        wakes
    }
}

impl<E> State<E> {
    pub(super) fn line(&mut self, number: u64) -> &mut Line<E> {
        let mut lines = self.lines.iter_mut();
        lines.find(|line| line.number == number).expect("a line is there as long as its listener")
    }

    /// Whether a token waits for room.
    pub(super) fn is_awaited(&self) -> bool {
        self.n_waiting > 0
    }
}

impl<E> Line<E> {
    fn take_in(&mut self, told: Told<E>, fate: Fate) {
        match fate {
            Fate::Keep => self.kept.push_back(told),
            Fate::Spill => {
                let spilled = self.spill.as_mut().map(|spill| spill.push(&told));
                if let Some(Err(error)) = spilled {
                    self.why = format!(", since there is no room beside memory ({error})");
                    self.course.not_spilled(told.seq);
                }
            }
            Fate::Drop => {}
        }
    }

    /// Brings so many events back from the spill.
    pub(super) fn bring_back(&mut self, n: u64, last_seq: u64) {
        for _ in 0..n {
            let Some(spill) = &mut self.spill else { return };
            match spill.pop() {
                Ok(told) => {
                    self.kept.push_back(told);
                    self.course.brought_back(1);
                }
                Err(error) => {
                    self.why = format!(", since what was spilled can't be read ({error})");
                    let before = self.kept.back().map_or(last_seq, |told| told.seq);
                    self.course.not_brought_back(before + 1);
                    return;
                }
            }
        }
    }
}

impl<E> Shared<E> {
    fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        self.is_heard.store(false, Ordering::Relaxed);
        state.lines.iter_mut().for_each(|line| line.course.close());
        drop(state);
        self.news.notify_all();
        self.room.notify_all();
    }

    /// A listener goes; what waited for it goes with it, but not under the lock.
    pub(super) fn leave(&self, number: u64) {
        let mut state = self.state.lock();
        let at = state.lines.iter().position(|line| line.number == number);
        let gone = at.map(|at| state.lines.swap_remove(at));
        if state.lines.is_empty() {
            self.is_heard.store(false, Ordering::Relaxed);
        }
        drop(state);
        drop(gone);
        self.room.notify_all();
    }
}

impl<E> Drop for Open<E> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<E> fmt::Debug for Feed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("is_heard", &self.is_heard()).finish_non_exhaustive()
    }
}
