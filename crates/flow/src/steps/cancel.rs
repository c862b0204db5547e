//! Owns the word that something is not wanted any more.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use selvedge_event::Text;
use selvedge_sync::Mutex;
use selvedge_sync::atomic::{AtomicBool, Ordering};

/// Calls off work that looks at it. Clones share it; the first reason stays.
///
/// ```
/// use selvedge_flow::steps::{Cancel, CancelToken, Pipe, Start};
///
/// let mut pipe = Pipe::<()>::builder("long");
/// pipe.step("long", |cancel: Cancel| {
///     cancel.checkpoint()?;
///     anyhow::Ok(())
/// });
/// let token = CancelToken::new();
/// token.cancel("closing time");
/// let result = pipe.build()?.run_with(Start::with(()).cancelled_by(&token))?;
/// assert_eq!(result.ending().to_string(), "cancelled by User");
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Whoever waits for something else meanwhile, and is to look.
    waiting: Mutex<Vec<Weak<dyn Fn() + Send + Sync>>>,
    // Set with release after the reason, so that who finds it set finds that too.
    is_cancelled: AtomicBool,
    reason: OnceLock<Text>,
}

/// A [checkpoint](CancelToken::checkpoint) was reached after the work had been called off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelled {
    reason: Text,
}

impl CancelToken {
    /// One that nobody has cancelled.
    #[must_use]
    pub fn new() -> CancelToken {
        CancelToken::default()
    }

    /// Calls the work off.
    pub fn cancel(&self, reason: impl Into<Text>) {
        let _ = self.0.reason.set(reason.into());
        self.0.is_cancelled.store(true, Ordering::Release);
        let waiting = std::mem::take(&mut *self.0.waiting.lock());
        waiting.iter().filter_map(Weak::upgrade).for_each(|look| look());
    }

    /// Has this called when the work is called off, as long as somebody holds it.
    pub(crate) fn on_cancel(&self, look: &Arc<dyn Fn() + Send + Sync>) {
        let mut waiting = self.0.waiting.lock();
        waiting.retain(|look| look.strong_count() > 0);
        waiting.push(Arc::downgrade(look));
    }

    /// Whether somebody has.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled.load(Ordering::Acquire)
    }

    /// Why, if somebody has.
    #[must_use]
    pub fn reason(&self) -> Option<&Text> {
        if self.is_cancelled() { self.0.reason.get() } else { None }
    }

    /// Goes on, unless somebody has: a step that returns the error is cancelled, and so is its run.
    ///
    /// # Errors
    ///
    /// [`Cancelled`].
    pub fn checkpoint(&self) -> Result<(), Cancelled> {
        match self.reason() {
            Some(reason) => Err(Cancelled { reason: reason.clone() }),
            None => Ok(()),
        }
    }
}

impl Cancelled {
    /// Why.
    #[must_use]
    pub fn reason(&self) -> &Text {
        &self.reason
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cancelled: {}", self.reason)
    }
}

impl std::error::Error for Cancelled {}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken").field("reason", &self.reason()).finish()
    }
}
