//! Owns `Streams`: what is joined, each stream with the function that reads its key.

use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::time::Duration;

use super::Rendezvous;
use super::error::RendezvousError;
use super::shard::shard_of;
use super::slots::{Row, Side, Slots};
use crate::artifact::Artifact;
use crate::operator::Item;
use crate::requires::Requirement;
use crate::target::Target;

/// One to four streams as a tuple of pairs, a target and the function that reads the key of its
/// artifacts; or a `Vec` of such pairs, of one type and any number. So there are as many key
/// functions as streams, and all make keys of one type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be joined",
    note = "use a tuple of up to four `(&target, |artifact: &Artifact| Ok(key))`, or a `Vec` of \
            such pairs with a function of one type"
)]
pub trait Streams {
    /// How they are read.
    type Keys: Keys;

    /// The targets, in order, and how their artifacts are read.
    fn apart(self) -> (Vec<Requirement>, Self::Keys);
}

/// Reads keys, and hands artifacts to a rendezvous.
pub trait Keys: Send + 'static {
    /// The key's type.
    type Key: Hash + Eq + Debug + Send + 'static;
    /// Where artifacts wait.
    type Slots: Slots;

    /// Hands an artifact of a stream over, if it is of the shard that is meant.
    #[doc(hidden)]
    fn feed(
        &mut self,
        to: To<'_, Self::Key, Self::Slots>,
        stream: usize,
        item: Item<'_>,
        now: impl FnOnce() -> Duration,
        out: &mut impl FnMut(Row<Self::Slots>),
    ) -> Result<(), RendezvousError>;
}

/// The rendezvous that artifacts are handed to, and which keys it is for.
#[doc(hidden)]
#[derive(Debug)]
pub struct To<'j, K, S: Slots> {
    pub(super) join: &'j mut Rendezvous<K, S>,
    /// Number and count.
    pub(super) shard: (usize, usize),
}

/// The key of an artifact, if this shard is for it. Only the first shard tells of one that has
/// none: the others have seen it too.
fn key_of<K: Hash, A>(
    key: &mut impl FnMut(&A) -> anyhow::Result<K>,
    artifact: &A,
    stream: usize,
    (number, n): (usize, usize),
) -> Result<Option<K>, RendezvousError> {
    match key(artifact) {
        Ok(key) => Ok((n == 1 || shard_of(&key, n) == number).then_some(key)),
        Err(_) if number != 0 => Ok(None),
        Err(source) => Err(RendezvousError::Key { stream, source }),
    }
}

/// Streams of different types with their key functions.
#[derive(Clone, Debug)]
pub struct Keyed<Artifacts, Functions, K> {
    functions: Functions,
    types: PhantomData<fn(Artifacts) -> K>,
}

macro_rules! streams {
    ($($artifact:ident $function:ident $index:tt),+) => {
        impl<K, $($artifact, $function),+> Streams for ($((&Target<$artifact>, $function),)+)
        where
            K: Hash + Eq + Debug + Send + 'static,
            $($artifact: Artifact + Clone,
            $function: FnMut(&$artifact) -> anyhow::Result<K> + Send + 'static),+
        {
            type Keys = Keyed<($($artifact,)+), ($($function,)+), K>;

            fn apart(self) -> (Vec<Requirement>, Self::Keys) {
                let requires = vec![$(Requirement::from(self.$index.0)),+];
                let functions = ($(self.$index.1,)+);
                (requires, Keyed { functions, types: PhantomData })
            }
        }

        impl<K, $($artifact, $function),+> Keys for Keyed<($($artifact,)+), ($($function,)+), K>
        where
            K: Hash + Eq + Debug + Send + 'static,
            $($artifact: Artifact + Clone,
            $function: FnMut(&$artifact) -> anyhow::Result<K> + Send + 'static),+
        {
            type Key = K;
            type Slots = ($(Side<$artifact>,)+);

            #[inline]
            fn feed(
                &mut self,
                to: To<'_, K, Self::Slots>,
                stream: usize,
                item: Item<'_>,
                now: impl FnOnce() -> Duration,
                out: &mut impl FnMut(Row<Self::Slots>),
            ) -> Result<(), RendezvousError> {
                match stream {
                    $($index => {
                        let Some(artifact) = item.read::<$artifact>() else { return Ok(()) };
                        let function = &mut self.functions.$index;
                        match key_of(function, artifact, stream, to.shard)? {
                            Some(key) => {
                                to.join.offer::<$index>(key, artifact.clone(), now, out)
                            }
                            None => Ok(()),
                        }
                    })+
                    _ => Ok(()),
                }
            }
        }
    };
}

streams!(A F 0);
streams!(A F 0, B G 1);
streams!(A F 0, B G 1, C H 2);
streams!(A F 0, B G 1, C H 2, D I 3);

/// Streams of one type, any number of them.
#[derive(Clone, Debug)]
pub struct KeyedAlike<A, F, K> {
    functions: Vec<F>,
    types: PhantomData<fn(A) -> K>,
}

impl<A, F, K> Streams for Vec<(&Target<A>, F)>
where
    K: Hash + Eq + Debug + Send + 'static,
    A: Artifact + Clone,
    F: FnMut(&A) -> anyhow::Result<K> + Send + 'static,
{
    type Keys = KeyedAlike<A, F, K>;

    fn apart(self) -> (Vec<Requirement>, Self::Keys) {
        let requires = self.iter().map(|(target, _)| Requirement::from(*target)).collect();
        let functions = self.into_iter().map(|(_, function)| function).collect();
        (requires, KeyedAlike { functions, types: PhantomData })
    }
}

impl<A, F, K> Keys for KeyedAlike<A, F, K>
where
    K: Hash + Eq + Debug + Send + 'static,
    A: Artifact + Clone,
    F: FnMut(&A) -> anyhow::Result<K> + Send + 'static,
{
    type Key = K;
    type Slots = Vec<Side<A>>;

    fn feed(
        &mut self,
        to: To<'_, K, Self::Slots>,
        stream: usize,
        item: Item<'_>,
        now: impl FnOnce() -> Duration,
        out: &mut impl FnMut(Row<Self::Slots>),
    ) -> Result<(), RendezvousError> {
        let (Some(artifact), Some(function)) = (item.read::<A>(), self.functions.get_mut(stream))
        else {
            return Ok(());
        };
        let Some(key) = key_of(function, artifact, stream, to.shard)? else { return Ok(()) };
        to.join.offer_to(key, stream, artifact.clone(), now, |sides| &mut sides[stream], out)
    }
}
