//! Owns the turn of a cached processor: look it up, replay it, or take it and keep what it emitted.

use std::fmt;
use std::sync::Arc;

use anyhow::bail;
use selvedge_event::codec::Codecs;
use selvedge_event::{Emits, Ending, Event, Interests, Signature, SignatureError};

use super::archive::{Archive, Known};
use super::options::Cache;
use super::records::{Record, Under};
use crate::context::Context;
use crate::processor::{Processor, Result};
use crate::registration::Registration;

/// A processor whose turns depend on their event and on its own constants alone, so that what it
/// emitted once can be replayed instead of computed again.
///
/// Its results are kept under its [`signature`](Self::signature) and the digest of the event: in
/// memory, and in the pipeline's [store](crate::PipelineBuilder::store) if it has one.
/// `#[processor]` writes the interests and the signature, which is the hash of the code, blind to
/// whitespace and comments, or the version declared with `version = "…"`, and the digest of the
/// processor's fields. Functions that it calls are not in it: raise the version when they change.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use selvedge_event::Event;
/// use selvedge_runtime::{CachedProcessor, Context, Pipeline, Result, processor};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Event, Serialize, Deserialize)]
/// struct Number(u64);
/// #[derive(Event, Serialize, Deserialize)]
/// struct Factors(Vec<u64>);
///
/// static N_CALLS: AtomicU32 = AtomicU32::new(0);
/// struct Factorize;
///
/// #[processor]
/// impl CachedProcessor for Factorize {
///     type Emits = Factors;
///
///     fn process(&self, cx: &mut Context, event: &Event) -> Result {
///         match event {
///             Number(n) => {
///                 N_CALLS.fetch_add(1, Ordering::Relaxed);
///                 cx.emit(Factors((1..=*n).filter(|d| n % d == 0).collect()));
///             }
///         }
///         Ok(())
///     }
/// }
///
/// let mut pipeline = Pipeline::builder().processor(Factorize.cached()).build()?;
/// let factors = pipeline.collect::<Factors>();
/// for n in [6, 28, 6, 6] {
///     pipeline.submit(Number(n))?;
/// }
/// let report = pipeline.run()?;
/// assert_eq!(factors.take()[3].0, [1, 2, 3, 6]);
/// assert_eq!(N_CALLS.load(Ordering::Relaxed), 2);
/// assert_eq!(report.processor("Factorize").unwrap().replayed, 2);
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// Only emissions are recorded. A turn that replies, sets a timer or opens a scope fails, because
/// a replay would leave that out; what it does outside of the pipeline is done once per time that
/// it runs, see [`Context::idempotency_key`].
pub trait CachedProcessor: Send + 'static {
    /// The types that it emits: one, or a tuple of them. Emitting another fails the turn.
    type Emits: Emits;

    /// Takes one turn on one event.
    ///
    /// # Errors
    ///
    /// As for [`Processor::process`]; nothing is recorded then.
    fn process(&self, cx: &mut Context<'_>, event: &Event) -> Result;

    /// What is routed here; see [`Processor::interests`].
    fn interests(&self) -> Interests {
        Interests::everything()
    }

    /// Which code this is, and with which constants. Results are found again by it.
    ///
    /// # Errors
    ///
    /// There is none: the pipeline is not built.
    fn signature(&self) -> Result<Signature, SignatureError> {
        Err(SignatureError::None)
    }

    /// Where it stands among the others; see [`Processor::default_priority`].
    fn default_priority(&self) -> i32 {
        0
    }

    /// Registers it, cached.
    fn cached(self) -> Registration<Cached<Self>>
    where
        Self: Sized,
    {
        self.cached_with(Cache::new())
    }

    /// Registers it, cached this way.
    fn cached_with(self, cache: Cache) -> Registration<Cached<Self>>
    where
        Self: Sized,
    {
        let codecs = Codecs::of::<Self::Emits>();
        let archive = Arc::new(Archive::new(self.signature(), codecs, cache));
        let cached = Cached { processor: self, archive: Arc::clone(&archive) };
        Registration::cached::<Self>(cached, archive)
    }
}

/// A processor with the archive of its results. Made by [`CachedProcessor::cached`].
pub struct Cached<P> {
    processor: P,
    archive: Arc<Archive>,
}

impl<P: CachedProcessor> Cached<P> {
    /// The turn itself, and what it emitted into the archive.
    fn compute(&self, cx: &mut Context<'_>, event: &Event) -> Result {
        let Known { input, key } = self.archive.known(event)?;
        if let Some(emissions) = self.archive.find(&key)? {
            for event in &emissions.events {
                cx.emit(event.clone());
            }
            cx.outbox().note_replay();
            self.archive.note(input, &emissions, true);
            return Ok(());
        }
        cx.outbox().compute(Some(key));
        let result = self.processor.process(cx, event);
        let outbox = cx.outbox();
        outbox.compute(None);
        result?;
        if outbox.was_refused() {
            return Ok(()); // It fails for that, and nothing is to be kept.
        }
        if !outbox.just_emitted() {
            bail!(
                "a cached turn may only emit: what else it did, a reply, a timer or a scope, would \
                 be missing when it is replayed"
            );
        }
        let events = outbox.current_turn().flat_map(|(events, _)| events.to_vec()).collect();
        let (emissions, bytes) = self.archive.keep(key, events)?;
        let key = Under::Memo(key);
        outbox.record(Record { archive: Arc::clone(&self.archive), key, bytes });
        self.archive.note(input, &emissions, false);
        Ok(())
    }
}

impl<P: CachedProcessor> Processor for Cached<P> {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        self.compute(cx, event)
    }

    fn interests(&self) -> Interests {
        self.processor.interests()
    }

    fn signature(&self) -> Option<Signature> {
        self.archive.signature().cloned()
    }

    fn default_priority(&self) -> i32 {
        self.processor.default_priority()
    }

    fn close(&mut self, _: Ending) -> Result {
        Ok(self.archive.flush()?)
    }
}

impl<P> fmt::Debug for Cached<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cached<{}>", std::any::type_name::<P>())
    }
}
