//! Owns `Machine`, which makes one stream of others, and the operators that are offered.
//! Refuses to know who feeds them: no thread, no pipeline, no clock of its own.

mod collector;
mod counter;
mod distinct;
mod error;
mod event_time;
mod fold;
mod grouper;
#[cfg(test)]
mod harness;
mod rate;
mod reservoir;
mod sampler;
mod shape;
mod stream;
mod top_k;
mod window;

use std::time::Duration;

pub use collector::{Collector, History};
pub use counter::Counter;
pub use distinct::{Beyond, Distinct};
pub use error::OperatorError;
pub use event_time::{TimeWindows, Window, Windowed};
pub use fold::{Emission, Fold};
pub use grouper::{Grouper, StreamGrouper};
pub use rate::{Excess, RateLimit};
pub use reservoir::ReservoirSampler;
pub use sampler::StreamSampler;
pub use shape::{Filter, FlatMap, Map, Merge, Tee};
pub use stream::{Streamed, stream};
pub use top_k::TopK;
pub use window::CountWindows;

pub(crate) use error::called;

/// A machine that takes the items of a stream and makes another stream of them.
///
/// It is asked about one thing at a time: an item, the end of a phase, a time it wanted to be woken
/// at, the end of the run. What it answers goes to an [`Outlet`]. All it holds is bounded by limits
/// that it is made with; each has a default, named where it is set.
///
/// ```
/// use std::time::Duration;
/// use selvedge_reactive::operators::{Grouper, Machine, Outlet};
///
/// #[derive(Default)]
/// struct Printed(Vec<String>);
/// impl<T: std::fmt::Debug> Outlet<T> for Printed {
///     fn emit(&mut self, item: T) { self.0.push(format!("{item:?}")) }
///     fn now(&self) -> Duration { Duration::ZERO }
///     fn wake_after(&mut self, _: Duration) {}
/// }
///
/// let mut out = Printed::default();
/// let mut grouper = Grouper::new(|word: &&str| Ok(word.len()));
/// for word in ["to", "be", "or", "not"] {
///     grouper.item(word, &mut out)?;
/// }
/// grouper.phase(&mut out)?;
/// assert_eq!(out.0, [r#"(2, ["to", "be", "or"])"#, r#"(3, ["not"])"#]);
/// # Ok::<(), selvedge_reactive::operators::OperatorError>(())
/// ```
pub trait Machine: Send + 'static {
    /// What it takes.
    type In;
    /// What it makes.
    type Out;

    /// What it is called in errors.
    const NAME: &'static str;

    /// Whether an item that a function panics on leaves it as it was before. Then it goes on under
    /// policies that go on.
    const IS_ATOMIC: bool = true;

    /// Whether [`phase`](Self::phase) does anything: a pipeline none of whose parts hears phases
    /// has one at most.
    const HEARS_PHASES: bool = false;

    /// Takes an item.
    ///
    /// # Errors
    ///
    /// A function of the user's failed, or a limit is reached. The operator is as it was before,
    /// without the item.
    fn item(
        &mut self,
        item: Self::In,
        out: &mut impl Outlet<Self::Out>,
    ) -> Result<(), OperatorError>;

    /// The items of a phase have all come: everything is quiet.
    ///
    /// # Errors
    ///
    /// As [`item`](Self::item).
    fn phase(&mut self, out: &mut impl Outlet<Self::Out>) -> Result<(), OperatorError> {
        let _ = out;
        Ok(())
    }

    /// A time has come that it [asked](Outlet::wake_after) for.
    fn wake(&mut self, out: &mut impl Outlet<Self::Out>) {
        let _ = out;
    }

    /// Nothing will come any more. What was held back is emitted, or is never.
    ///
    /// # Errors
    ///
    /// As [`item`](Self::item).
    fn finish(&mut self, out: &mut impl Outlet<Self::Out>) -> Result<(), OperatorError> {
        let _ = out;
        Ok(())
    }
}

/// Where a [`Machine`] puts what it makes, and whom it asks for the time.
pub trait Outlet<T> {
    /// Sends an item on.
    fn emit(&mut self, item: T);

    /// The time on the pipeline's clock. Read when it is asked for: most operators never do.
    fn now(&self) -> Duration;

    /// Has [`Machine::wake`] called in a while. An operator asks for one time at a time.
    fn wake_after(&mut self, delay: Duration);
}

/// Says that a type is there, and not what functions it holds.
macro_rules! opaque {
    ($name:ident<$($parameter:ident),*> $(where $($bound:tt)+)?) => {
        impl<$($parameter),*> std::fmt::Debug for $name<$($parameter),*> $(where $($bound)+)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use opaque;

/// Refuses an option that is zero.
pub(crate) fn at_least_one(
    operator: &'static str,
    option: &'static str,
    value: usize,
) -> Result<usize, OperatorError> {
    match value {
        0 => Err(OperatorError::Zero { operator, option }),
        _ => Ok(value),
    }
}
