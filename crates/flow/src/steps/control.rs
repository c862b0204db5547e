//! Owns what a step can say besides that it is done.

use std::fmt;
use std::time::Duration;

use selvedge_event::Text;

/// What comes after a step. Returning nothing goes on with what the pipe says.
///
/// ```
/// use selvedge_flow::steps::{Control, Pipe, State};
///
/// let mut pipe = Pipe::<u32>::builder("countdown");
/// pipe.step("count", |n: State<u32>| {
///     if *n == 0 {
///         return Control::Next;
///     }
///     n.update(|n| *n -= 1);
///     Control::jump("count")
/// }).to("lift_off");
/// pipe.step("lift_off", || ());
/// let result = pipe.build()?.run(3)?;
/// assert_eq!(*result.state(), 0);
/// assert!(result.succeeded());
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Control {
    /// What the pipe says.
    #[default]
    Next,
    /// This step instead of what the pipe says.
    Jump(Text),
    /// No further step starts; those under way come to their ends, and the run has succeeded.
    Stop,
    /// Nothing that follows from this step.
    Skip(Text),
    /// No further step starts until the run is [resumed](crate::steps::Pipe::resume); then it goes
    /// on with what comes after this one.
    Suspend(Suspension),
    /// The step again, after a while; what it changed is dropped.
    Retry(Duration),
    /// The step has failed.
    Raise(anyhow::Error),
}

/// Why a run waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    pub(crate) reason: Text,
}

impl Control {
    /// Goes on with this step instead of what the pipe says.
    pub fn jump(step: impl Into<Text>) -> Control {
        Control::Jump(step.into())
    }

    /// Skips what follows, and why.
    pub fn skip(reason: impl Into<Text>) -> Control {
        Control::Skip(reason.into())
    }

    /// Suspends the run, and why.
    pub fn suspend(reason: impl Into<Text>) -> Control {
        Control::Suspend(Suspension { reason: reason.into() })
    }

    /// Fails the step.
    pub fn raise(error: impl Into<anyhow::Error>) -> Control {
        Control::Raise(error.into())
    }
}

/// What a step may return: nothing, a [`Control`], or either in a `Result`.
pub trait IntoControl {
    #[doc(hidden)]
    fn into_control(self) -> anyhow::Result<Control>;
}

impl IntoControl for () {
    fn into_control(self) -> anyhow::Result<Control> {
        Ok(Control::Next)
    }
}

impl IntoControl for Control {
    fn into_control(self) -> anyhow::Result<Control> {
        match self {
            Control::Raise(error) => Err(error),
            control => Ok(control),
        }
    }
}

impl<T: IntoControl, E: Into<anyhow::Error>> IntoControl for Result<T, E> {
    fn into_control(self) -> anyhow::Result<Control> {
        self.map_err(Into::into)?.into_control()
    }
}

/// What a switch may return: a key of its table, or that in a `Result`.
pub trait IntoKey {
    #[doc(hidden)]
    fn into_key(self) -> anyhow::Result<Text>;
}

impl IntoKey for Text {
    fn into_key(self) -> anyhow::Result<Text> {
        Ok(self)
    }
}

impl IntoKey for String {
    fn into_key(self) -> anyhow::Result<Text> {
        Ok(Text::from(self))
    }
}

impl IntoKey for &str {
    fn into_key(self) -> anyhow::Result<Text> {
        Ok(Text::from(self))
    }
}

macro_rules! shown_keys {
    ($($key:ty)*) => {$(
        impl IntoKey for $key {
            fn into_key(self) -> anyhow::Result<Text> {
                Ok(Text::from(self.to_string()))
            }
        }
    )*};
}

shown_keys!(bool char u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl<T: IntoKey, E: Into<anyhow::Error>> IntoKey for Result<T, E> {
    fn into_key(self) -> anyhow::Result<Text> {
        self.map_err(Into::into)?.into_key()
    }
}

impl fmt::Display for Suspension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.as_str())
    }
}
