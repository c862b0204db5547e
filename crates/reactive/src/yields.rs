//! Owns what a builder's function may return: an artifact, or anything that holds some.

use selvedge_runtime::Result;

use crate::artifact::Artifact;
use crate::operator::Out;

/// What artifacts of the type `T` come out of: a `T` itself, an `Option` or `Vec` of them, an
/// iterator over them, or a `Result` of any of these.
///
/// Whether an `Option` holds an artifact or is one, nothing in the function says. So wherever it
/// returns more than the artifact itself, the target's type has to be written down:
/// `let odd: Target<u64> = graph.builder("odd", …)`, or `Target::<u64>::new("odd")`.
///
/// `Which` tells these ways apart; it is always inferred.
#[diagnostic::on_unimplemented(
    message = "no artifacts of the type `{T}` come out of a `{Self}`",
    note = "return a `{T}`, an `Option`, a `Vec` or an iterator of them, or a `Result` of any of \
            these"
)]
pub trait Yields<T: Artifact, Which> {
    /// Emits what there is.
    #[doc(hidden)]
    fn give(self, out: &mut Out<'_, '_, T>) -> Result;
}

/// The ways in which artifacts come out of what a function returns.
#[doc(hidden)]
pub mod way {
    #[derive(Debug)]
    pub struct Itself;
    #[derive(Debug)]
    pub struct Maybe;
    #[derive(Debug)]
    pub struct Many;
    #[derive(Debug)]
    pub struct Each;
    #[derive(Debug)]
    pub struct Tried<Which>(Which);
}

impl<T: Artifact> Yields<T, way::Itself> for T {
    #[inline]
    fn give(self, out: &mut Out<'_, '_, T>) -> Result {
        out.emit(self);
        Ok(())
    }
}

impl<T: Artifact> Yields<T, way::Maybe> for Option<T> {
    #[inline]
    fn give(self, out: &mut Out<'_, '_, T>) -> Result {
        if let Some(artifact) = self {
            out.emit(artifact);
        }
        Ok(())
    }
}

impl<T: Artifact> Yields<T, way::Many> for Vec<T> {
    fn give(self, out: &mut Out<'_, '_, T>) -> Result {
        self.into_iter().for_each(|artifact| out.emit(artifact));
        Ok(())
    }
}

impl<T: Artifact, I: Iterator<Item = T>> Yields<T, way::Each> for I {
    fn give(self, out: &mut Out<'_, '_, T>) -> Result {
        for artifact in self {
            // One that never ends must: the turn fails for it.
            if out.cx().was_refused() {
                break;
            }
            out.emit(artifact);
        }
        Ok(())
    }
}

impl<T, Y, E, Which> Yields<T, way::Tried<Which>> for Result<Y, E>
where
    T: Artifact,
    Y: Yields<T, Which>,
    E: Into<anyhow::Error>,
{
    #[inline]
    fn give(self, out: &mut Out<'_, '_, T>) -> Result {
        self.map_err(Into::into)?.give(out)
    }
}
