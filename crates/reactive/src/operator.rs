//! Owns `Operator`: what takes artifacts of one or more targets, one at a time and not paired, and
//! makes artifacts of one or more. Builders are operators that pair, and so is everything else
//! that a graph has in it. Refuses to know when it begins: that is its node's.

use std::fmt;
use std::time::Duration;

use selvedge_event::{Digest, DigestError, Event, Interest, Name, Named};
use selvedge_runtime::{Context, Pull, Result};
use serde::Serialize;

use crate::artifact::{self, Artifact, Encode, Shared};
use crate::node::Wake;
use crate::replays::Span;

/// What takes artifacts as they come and makes others.
///
/// It is a processor of its own in the pipeline: one call at a time, each a turn that takes effect
/// as a whole or not at all. What it has changed in itself before it fails is not undone.
///
/// ```
/// use selvedge_reactive::{Hooks, Item, Operator, Out, Reactive, operator};
/// use selvedge_runtime::{Pipeline, Result};
///
/// /// Emits how many artifacts came in each phase.
/// struct Count(u64);
///
/// impl Operator for Count {
///     type Made = u64;
///
///     fn item(&mut self, _: &mut Out<'_, '_, u64>, _stream: usize, _: Item<'_>) -> Result {
///         self.0 += 1;
///         Ok(())
///     }
///     fn hooks(&self) -> Hooks {
///         Hooks::PHASE
///     }
///     fn phase(&mut self, out: &mut Out<'_, '_, u64>, _number: u32) -> Result {
///         if self.0 > 0 {
///             out.emit(std::mem::take(&mut self.0));
///         }
///         Ok(())
///     }
/// }
///
/// let mut graph = Reactive::new("counting");
/// let words = graph.source("words", ["warp", "weft"]);
/// let count = graph.add(operator("count", [&words], Count(0)));
/// let counts = graph.collect(&count);
/// graph.install(Pipeline::builder())?.build()?.run()?;
/// assert_eq!(*counts.take()[0], 2);
/// # Ok::<(), anyhow::Error>(())
/// ```
pub trait Operator: Send + 'static {
    /// The type of the artifacts that it makes, whatever their target.
    type Made: Artifact;

    /// Takes an artifact of its `stream`-th requirement, counted from 0 in the order in which they
    /// were named, each once.
    ///
    /// # Errors
    ///
    /// An error discards what the turn emitted and goes to the failure policy.
    fn item(&mut self, out: &mut Out<'_, '_, Self::Made>, stream: usize, item: Item<'_>) -> Result;

    /// Which of the hooks below it wants called. Asked once, before the run.
    fn hooks(&self) -> Hooks {
        Hooks::NONE
    }

    /// Called before anything else in the run, asked for or not.
    ///
    /// # Errors
    ///
    /// As for [`item`](Self::item).
    fn init(&mut self, out: &mut Out<'_, '_, Self::Made>) -> Result {
        let _ = out;
        Ok(())
    }

    /// Called when it is first asked for, before the first artifact.
    ///
    /// # Errors
    ///
    /// As for [`item`](Self::item).
    fn start(&mut self, out: &mut Out<'_, '_, Self::Made>) -> Result {
        let _ = out;
        Ok(())
    }

    /// Whether there may be something to bring back from earlier runs before it starts.
    #[doc(hidden)]
    fn has_past(&self) -> bool {
        false
    }

    /// Brings some of it back; says whether there is more.
    #[doc(hidden)]
    fn bring_back(&mut self, out: &mut Out<'_, '_, Self::Made>) -> Result<Pull> {
        let _ = out;
        Ok(Pull::Done)
    }

    /// Whether it answers those who [ask](crate::Target::ask) for its targets.
    #[doc(hidden)]
    fn answers(&self) -> bool {
        false
    }

    /// Somebody asks.
    #[doc(hidden)]
    fn asked(&mut self, out: &mut Out<'_, '_, Self::Made>) -> Result {
        let _ = out;
        Ok(())
    }

    /// The run has come to its end.
    #[doc(hidden)]
    fn close(&mut self) -> Result {
        Ok(())
    }

    /// What a call was about that failed, for its message: an event, and which requirement's
    /// artifact it is, if it is one.
    #[doc(hidden)]
    fn about(&self, at: &At<'_>, (stream, item): (Option<usize>, Item<'_>)) -> String {
        at.about("making", stream.and_then(|_| item.event().payload_digest().ok()))
    }

    /// Whether its errors say by themselves what they are about.
    #[doc(hidden)]
    fn explains_itself(&self) -> bool {
        false
    }

    /// Whether it can begin anew in its own place.
    #[doc(hidden)]
    fn restarts(&self) -> bool {
        false
    }

    /// Begins anew, if it can.
    #[doc(hidden)]
    fn restart(&mut self) -> bool {
        false
    }

    /// How many builds it keeps elsewhere than in memory, if it does.
    #[doc(hidden)]
    fn n_kept(&self) -> Option<u64> {
        None
    }

    /// Tells of those under this title, as many as there is room for; says whether that was all.
    #[doc(hidden)]
    fn tell_kept(
        &mut self,
        out: &mut Out<'_, '_, Self::Made>,
        title: &'static Name,
        span: &mut Span,
    ) -> Result<bool> {
        let _ = (out, title, span);
        Ok(true)
    }

    /// Called when the pipeline is quiet, for the `number`-th time, from 1.
    ///
    /// # Errors
    ///
    /// As for [`item`](Self::item).
    fn phase(&mut self, out: &mut Out<'_, '_, Self::Made>, number: u32) -> Result {
        let _ = (out, number);
        Ok(())
    }

    /// Called when a time has come that [`Out::wake_after`] asked for.
    ///
    /// # Errors
    ///
    /// As for [`item`](Self::item).
    fn wake(&mut self, out: &mut Out<'_, '_, Self::Made>) -> Result {
        let _ = out;
        Ok(())
    }

    /// Called after the last phase; what it emits is still heard.
    ///
    /// # Errors
    ///
    /// As for [`item`](Self::item).
    fn finish(&mut self, out: &mut Out<'_, '_, Self::Made>) -> Result {
        let _ = out;
        Ok(())
    }

    /// Which events beside artifacts it wants to hear, whether it has begun or not: timers that it
    /// sets, words between the nodes of one construction. Asked once, before the run.
    fn hears(&self) -> Vec<Interest> {
        Vec::new()
    }

    /// Takes such an event.
    ///
    /// # Errors
    ///
    /// As for [`item`](Self::item).
    fn event(&mut self, out: &mut Out<'_, '_, Self::Made>, event: &Event) -> Result {
        let _ = (out, event);
        Ok(())
    }

    /// Whether a call that fails or panics leaves the operator as it was before: then it goes on
    /// under policies that go on.
    fn is_atomic(&self) -> bool {
        false
    }
}

/// Which hooks an operator or a builder wants called.
///
/// ```
/// use selvedge_reactive::Hooks;
/// let hooks = Hooks::PHASE.and(Hooks::FINISH);
/// assert!(hooks.has(Hooks::FINISH) && !hooks.has(Hooks::INIT));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hooks(u8);

impl Hooks {
    /// None of them.
    pub const NONE: Hooks = Hooks(0);
    /// Before anything else.
    pub const INIT: Hooks = Hooks(1);
    /// In every phase.
    pub const PHASE: Hooks = Hooks(2);
    /// After the last one.
    pub const FINISH: Hooks = Hooks(4);

    /// These and others.
    #[must_use]
    pub const fn and(self, others: Hooks) -> Hooks {
        Hooks(self.0 | others.0)
    }

    /// Whether all of those are among these.
    #[must_use]
    pub const fn has(self, those: Hooks) -> bool {
        self.0 & those.0 == those.0
    }
}

/// An artifact that came.
#[derive(Clone, Copy)]
pub struct Item<'e> {
    event: &'e Event,
}

impl<'e> Item<'e> {
    #[inline]
    pub(crate) fn new(event: &'e Event) -> Item<'e> {
        Item { event }
    }

    /// The artifact, if it is a `T`. What a graph has checked is of the type that it required.
    #[inline]
    #[must_use]
    pub fn read<T: Artifact>(self) -> Option<&'e T> {
        artifact::read(self.event)
    }

    /// A handle of the artifact, to be kept.
    #[must_use]
    pub fn share<T: Artifact>(self) -> Option<Shared<T>> {
        Shared::of(self.event)
    }

    /// Its content hash, computed once for all who want it where the type allows.
    ///
    /// # Errors
    ///
    /// [`DigestError`], for what has no digest.
    pub fn digest<T: Artifact + Serialize>(self) -> Result<Digest, DigestError> {
        artifact::digest::<T>(self.event)
    }

    /// The event that brought it.
    #[must_use]
    pub fn event(self) -> &'e Event {
        self.event
    }
}

impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Item({})", self.event)
    }
}

/// Where something failed.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// What the node is called.
    pub(crate) node: &'a str,
    /// What it makes first, if it makes anything.
    pub(crate) target: Option<&'a str>,
}

impl At<'_> {
    /// What was done to an input when it failed.
    pub(crate) fn about(&self, doing: &str, input: Option<Digest>) -> String {
        let At { node, target } = self;
        let input = input.map_or_else(String::new, |digest| format!(" from input {digest}"));
        match target {
            Some(target) => format!("{doing} `{target}` in `{node}`{input} failed"),
            None => format!("`{node}`{input} failed"),
        }
    }
}

/// Where the artifacts go that a node makes.
pub(crate) struct Ports<T> {
    pub(crate) titles: Box<[&'static Name]>,
    pub(crate) encode: Option<Encode<T>>,
}

/// What an operator or a builder may do in its turn: emit artifacts of what it provides.
pub struct Out<'a, 'c, T> {
    pub(crate) cx: &'a mut Context<'c>,
    pub(crate) ports: &'a Ports<T>,
    /// What the node is called.
    pub(crate) node: &'static Name,
}

impl<T: Artifact> Out<'_, '_, T> {
    /// Emits an artifact of the target that it provides, of the first if there are several.
    #[inline(always)]
    pub fn emit(&mut self, artifact: T) {
        self.emit_at(0, artifact);
    }

    /// Emits an artifact of its `target`-th target, counted from 0 as they were named. Nothing
    /// happens if there are not so many.
    #[inline(always)]
    pub fn emit_at(&mut self, target: usize, artifact: T) {
        if let Some(&title) = self.ports.titles.get(target) {
            artifact::emit(self.cx, title, artifact, self.ports.encode);
        }
    }
}

impl<'c, T> Out<'_, 'c, T> {
    /// How many targets it provides.
    #[must_use]
    pub fn n_targets(&self) -> usize {
        self.ports.titles.len()
    }

    /// Has the operator [woken](Operator::wake) after a time, which the run waits for. Takes effect
    /// when the turn succeeds.
    pub fn wake_after(&mut self, delay: Duration) {
        self.cx.emit_after(delay, Named(self.node, Wake));
    }

    /// The time on the pipeline's clock.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.cx.now()
    }

    /// The turn's context, for what has nothing to do with artifacts: other events, timers,
    /// attempts.
    pub fn cx(&mut self) -> &mut Context<'c> {
        self.cx
    }
}

impl<T> fmt::Debug for Out<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Out").field("targets", &self.ports.titles).finish_non_exhaustive()
    }
}
