//! Owns `on`: a processor made of a function.

use std::fmt;
use std::marker::PhantomData;

use selvedge_event::{Event, Interest, Interests, Payload};

use crate::context::Context;
use crate::processor::{Processor, Result};
use crate::registration::{Configure, Registration};

/// Makes a processor, called `name`, of a function that takes turns on payloads of one type.
///
/// ```
/// use selvedge_runtime::{Context, Pipeline, on};
/// # use selvedge_event::{Kind, Payload};
/// # struct Ping(u32);
/// # impl Payload for Ping { fn kind() -> Kind { Kind::literal("doc::Ping") } }
/// let mut sum = 0;
/// let pipeline = Pipeline::builder()
///     .processor(on("sum", move |_cx: &mut Context, ping: &Ping| {
///         sum += ping.0;
///         Ok(())
///     }))
///     .build()?;
/// assert_eq!(pipeline.submit(Ping(2))?, 1);
/// pipeline.run()?;
/// # Ok::<(), anyhow::Error>(())
/// ```
pub fn on<T, F>(name: &str, function: F) -> Registration<Handler<T, F>>
where
    T: Payload,
    F: FnMut(&mut Context<'_>, &T) -> Result + Send + 'static,
{
    Handler { function, payload: PhantomData }.named(name)
}

/// A processor made of a function. See [`on`].
pub struct Handler<T, F> {
    function: F,
    payload: PhantomData<fn(&T)>,
}

impl<T, F> Processor for Handler<T, F>
where
    T: Payload,
    F: FnMut(&mut Context<'_>, &T) -> Result + Send + 'static,
{
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event.payload() {
            Some(payload) => (self.function)(cx, payload),
            None => Ok(()),
        }
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<T>()])
    }
}

impl<T, F: Clone> Clone for Handler<T, F> {
    fn clone(&self) -> Handler<T, F> {
        Handler { function: self.function.clone(), payload: PhantomData }
    }
}

impl<T, F> fmt::Debug for Handler<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handler<{}>", std::any::type_name::<T>())
    }
}
