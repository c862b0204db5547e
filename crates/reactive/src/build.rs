//! Owns `Build`: what builds artifacts from those that it requires, and the functions that do.

use std::fmt;
use std::marker::PhantomData;

use selvedge_event::Signature;
use selvedge_runtime::Result;

use crate::artifact::Artifact;
use crate::operator::{Hooks, Out};
use crate::requires::{Arguments, Many};
use crate::yields::Yields;

/// The arguments of a builder, borrowed from the artifacts that came.
pub type Refs<'a, A> = <A as Arguments>::Refs<'a>;

/// Builds artifacts of one target from artifacts of others, which are paired one by one.
///
/// ```
/// use selvedge_reactive::{Build, Out, Reactive, Refs, builder_of};
/// use selvedge_runtime::{Pipeline, Result};
///
/// struct Scale { by: u64 }
///
/// impl Build for Scale {
///     type Arguments = (u64,);
///     type Made = u64;
///
///     fn build(&mut self, out: &mut Out<'_, '_, u64>, (n,): Refs<'_, (u64,)>) -> Result {
///         out.emit(n * self.by);
///         Ok(())
///     }
/// }
///
/// let mut graph = Reactive::new("scaling");
/// let numbers = graph.source("numbers", [1_u64, 2, 3]);
/// let scaled = graph.add(builder_of("scaled", &numbers, Scale { by: 10 }));
/// let seen = graph.collect(&scaled);
/// graph.install(Pipeline::builder())?.build()?.run()?;
/// assert_eq!(seen.values(), [10, 20, 30]);
/// # Ok::<(), anyhow::Error>(())
/// ```
pub trait Build: Send + 'static {
    /// The types of what it is built from, in the order of the requirements.
    type Arguments: Arguments;
    /// The type of what is built.
    type Made: Artifact;

    /// Builds from one artifact of each requirement; emits zero or more.
    ///
    /// # Errors
    ///
    /// An error discards what was emitted and goes to the failure policy; the message is told with
    /// the target, the builder and the digest of the input.
    fn build(
        &mut self,
        out: &mut Out<'_, '_, Self::Made>,
        arguments: Refs<'_, Self::Arguments>,
    ) -> Result;

    /// Which of the hooks below it wants called.
    fn hooks(&self) -> Hooks {
        Hooks::NONE
    }

    /// Called before anything else in the run.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build).
    fn init(&mut self, out: &mut Out<'_, '_, Self::Made>) -> Result {
        let _ = out;
        Ok(())
    }

    /// Called when the pipeline is quiet, for the `number`-th time, from 1.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build).
    fn phase(&mut self, out: &mut Out<'_, '_, Self::Made>, number: u32) -> Result {
        let _ = (out, number);
        Ok(())
    }

    /// Called after the last phase.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build).
    fn terminate(&mut self, out: &mut Out<'_, '_, Self::Made>) -> Result {
        let _ = out;
        Ok(())
    }

    /// Which code this is, and with which constants: what is persisted is found again by it.
    /// `#[builder]` writes it.
    fn signature(&self) -> Option<Signature> {
        None
    }

    /// Whether a build that fails or panics leaves nothing behind in the builder.
    fn is_stateless(&self) -> bool {
        false
    }
}

/// A function that builds: of as many arguments, by reference, as `Arguments` has.
#[diagnostic::on_unimplemented(
    message = "this function doesn't build from `{A}`",
    note = "it takes each required artifact by reference, with its type written down, as in \
            `|n: &u64| n + 1`, and captures nothing that threads can't share"
)]
pub trait BuildFn<A: Arguments, R>: Send + 'static {
    /// Calls it.
    #[doc(hidden)]
    fn call(&self, arguments: Refs<'_, A>) -> R;
}

impl<R, F: Fn() -> R + Send + 'static> BuildFn<(), R> for F {
    fn call(&self, (): ()) -> R {
        self()
    }
}

macro_rules! functions {
    ($($($one:ident $value:ident),+;)*) => {
        $(impl<$($one: Artifact,)+ R, F> BuildFn<($($one,)+), R> for F
        where
            F: Fn($(&$one),+) -> R + Send + 'static,
        {
            #[inline]
            fn call(&self, ($($value,)+): ($(&$one,)+)) -> R {
                self($($value),+)
            }
        })*
    };
}

functions! {
    A a;
    A a, B b;
    A a, B b, C c;
    A a, B b, C c, D d;
    A a, B b, C c, D d, E e;
    A a, B b, C c, D d, E e, F0 f;
}

impl<A: Artifact, R, F: Fn(&[&A]) -> R + Send + 'static> BuildFn<Many<A>, R> for F {
    fn call(&self, arguments: Vec<&A>) -> R {
        self(&arguments)
    }
}

/// What a function takes and gives.
type Types<A, T, R, Which> = fn(A) -> (T, R, Which);

/// A function as a builder.
pub struct Function<F, A, T, R, Which> {
    function: F,
    pub(crate) signature: Option<Signature>,
    types: PhantomData<Types<A, T, R, Which>>,
}

impl<F, A, T, R, Which> Function<F, A, T, R, Which> {
    pub(crate) fn new(function: F) -> Function<F, A, T, R, Which> {
        Function { function, signature: None, types: PhantomData }
    }
}

impl<F, A, T, R, Which> Build for Function<F, A, T, R, Which>
where
    A: Arguments,
    T: Artifact,
    R: Yields<T, Which> + 'static,
    F: BuildFn<A, R>,
    Which: 'static,
{
    type Arguments = A;
    type Made = T;

    #[inline]
    fn build(&mut self, out: &mut Out<'_, '_, T>, arguments: Refs<'_, A>) -> Result {
        self.function.call(arguments).give(out)
    }

    fn signature(&self) -> Option<Signature> {
        self.signature.clone()
    }

    fn is_stateless(&self) -> bool {
        true
    }
}

impl<F, A, T, R, Which> fmt::Debug for Function<F, A, T, R, Which> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({})", std::any::type_name::<F>())
    }
}
