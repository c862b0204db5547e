//! Owns `on_cached`: a cached processor made of a function.

use std::fmt;
use std::marker::PhantomData;

use selvedge_event::{Emits, Event, Interest, Interests, Payload, Signature, SignatureError, Text};

use super::cached::{Cached, CachedProcessor};
use crate::context::Context;
use crate::processor::Result;
use crate::registration::Registration;

/// Makes a cached processor, called `name`, of a function from payloads of one type to what is
/// emitted. Nothing can be known of a closure's code, so it has a version: raise it whenever the
/// function, or what it captures, changes.
///
/// ```
/// use selvedge_event::Event;
/// use selvedge_runtime::{Context, Pipeline, on_cached};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Event, Serialize, Deserialize)]
/// struct Word(String);
/// #[derive(Event, Serialize, Deserialize)]
/// struct Length(usize);
///
/// let length = on_cached("length", "1", |_: &mut Context, word: &Word| Ok(Length(word.0.len())));
/// let mut pipeline = Pipeline::builder().processor(length).build()?;
/// let lengths = pipeline.collect::<Length>();
/// for word in ["one", "two", "one"] {
///     pipeline.submit(Word(word.to_owned()))?;
/// }
/// let report = pipeline.run()?;
/// assert_eq!(lengths.take().len(), 3);
/// assert_eq!(report.processor("length").unwrap().replayed, 1);
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// The name it is made with is part of its signature, a name given afterwards by
/// [`named`](Registration::named) is not.
pub fn on_cached<T, E, F>(
    name: &str,
    version: &str,
    function: F,
) -> Registration<Cached<CachedFunction<T, E, F>>>
where
    T: Payload,
    E: Emits + 'static,
    F: Fn(&mut Context<'_>, &T) -> Result<E> + Send + 'static,
{
    let signature = Signature::of_version(name, version);
    CachedFunction { function, signature, types: PhantomData }.cached().named(Text::from(name))
}

/// A cached processor made of a function. See [`on_cached`].
pub struct CachedFunction<T, E, F> {
    function: F,
    signature: Signature,
    types: PhantomData<fn(&T) -> E>,
}

impl<T, E, F> CachedProcessor for CachedFunction<T, E, F>
where
    T: Payload,
    E: Emits + 'static,
    F: Fn(&mut Context<'_>, &T) -> Result<E> + Send + 'static,
{
    type Emits = E;

    fn process(&self, cx: &mut Context<'_>, event: &Event) -> Result {
        if let Some(payload) = event.payload() {
            let emitted = (self.function)(cx, payload)?;
            emitted.emit(&mut |event| cx.emit(event));
        }
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<T>()])
    }

    fn signature(&self) -> Result<Signature, SignatureError> {
        Ok(self.signature.clone())
    }
}

impl<T, E, F> fmt::Debug for CachedFunction<T, E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CachedFunction<{}>", std::any::type_name::<T>())
    }
}
