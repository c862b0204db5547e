//! Owns what is said of how a builder keeps what it has made and what it was made from: over runs,
//! for those who ask again, and so as not to build twice.

use selvedge_runtime::Cache;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Builder;
use crate::artifact::{self, Artifact};
use crate::build::Build;
use crate::building::Keys;
use crate::definition::Provided;
use crate::persist::Codec;
use crate::replays::Past;
use crate::requires::KnownArguments;
use crate::target::Target;
use crate::title::Title;

/// How a builder's results are kept.
pub(super) struct Persists<T> {
    pub(super) codec: Codec<T>,
    pub(super) cache: Cache,
}

/// That what was made is told again to those who ask, and what is remembered for that.
pub(crate) struct Replays<T> {
    /// What it is told again as.
    title: Title,
    made_max: usize,
    clone: fn(&T) -> T,
}

impl<T: Artifact> Replays<T> {
    pub(crate) fn of(target: &Target<T>, made_max: usize) -> Replays<T>
    where
        T: Clone,
    {
        Replays { title: target.replays().title().clone(), made_max, clone: T::clone }
    }

    pub(crate) fn past(self, target: &'static selvedge_event::Name) -> Past<T> {
        Past::new(target, self.title.kept(), self.made_max, self.clone)
    }
}

/// A target, and its replays if there are any.
pub(crate) fn provided<T: Artifact>(target: &Target<T>, replays: bool) -> Vec<Provided> {
    let again = replays.then(|| Provided::of(&target.replays()));
    std::iter::once(Provided::of(target)).chain(again).collect()
}

impl<B: Build> Builder<B> {
    /// How many inputs it remembers in memory, so as not to build from them again; 4 194 304. The
    /// rest is looked up in the pipeline's store, for as long as the run goes on: exact, and
    /// slower. Without a store one more fails its turn: to forget one would be to build from it
    /// twice. An input takes some 40 bytes; an integer some 20, or a few bits if it is near others.
    pub fn memo_max(mut self, inputs: usize) -> Builder<B> {
        self.memo_max = inputs;
        self
    }

    /// Keeps its results in the pipeline's store: in later runs they are brought back when somebody
    /// asks for the target, before anything is built, and with dedupe the inputs that they were
    /// built from are left out. What anybody has heard of is on the device by then: after a crash
    /// it is brought back, not built again. Without a store in the pipeline this changes nothing.
    ///
    /// Results are found again by the builder's signature (its code or its version, see
    /// [`version`](Builder::version)), the graph's name and the builder's: a builder that is
    /// changed or renamed begins anew.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use selvedge_reactive::{Reactive, builder};
    /// use selvedge_runtime::Pipeline;
    /// use selvedge_store::Memory;
    ///
    /// let store = Arc::new(Memory::new()); // Or one on a disk.
    /// for n_built in [3, 0] {
    ///     let mut graph = Reactive::new("doubling");
    ///     let numbers = graph.source("numbers", [1_u64, 2, 3]);
    ///     let built = Arc::new(std::sync::Mutex::new(0));
    ///     let count = built.clone();
    ///     let double = builder("doubles", &numbers, move |n: &u64| {
    ///         *count.lock().unwrap() += 1;
    ///         n * 2
    ///     });
    ///     let doubles = graph.add(double.version("1").persist());
    ///     let seen = graph.collect(&doubles);
    ///     graph.install(Pipeline::builder().store(store.clone()))?.build()?.run()?;
    ///     assert_eq!(seen.values(), [2, 4, 6]);
    ///     assert_eq!(*built.lock().unwrap(), n_built);
    /// }
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn persist(self) -> Builder<B>
    where
        B::Arguments: KnownArguments,
        B::Made: Serialize + DeserializeOwned,
    {
        self.persist_with(Cache::new())
    }

    /// The same, with a durability of one's choice, and what happens when a record can't be read or
    /// written; how inputs are known means nothing here.
    pub fn persist_with(mut self, cache: Cache) -> Builder<B>
    where
        B::Arguments: KnownArguments,
        B::Made: Serialize + DeserializeOwned,
    {
        self.keys = Some(Keys::of::<B::Arguments>());
        self.encode = Some(artifact::encode());
        self.persists = Some(Persists { codec: Codec::new(), cache });
        self
    }

    /// Has those who ask for the target once more told again what was made of it so far: all that
    /// is kept, if it is persisted and the pipeline has a store, and else the last `n` artifacts.
    /// They come as artifacts of [`Target::replays`], in the order in which they were made, to
    /// whoever requires that. Requests that come while one is answered are answered by one more.
    ///
    /// ```
    /// use selvedge_reactive::{Reactive, builder};
    /// use selvedge_runtime::Pipeline;
    ///
    /// let mut graph = Reactive::new("doubling");
    /// let numbers = graph.source("numbers", [1_u64, 2, 3]);
    /// let doubles = graph.add(builder("doubles", &numbers, |n: &u64| n * 2).replays(2));
    /// let seen = graph.collect(&doubles);
    /// let again = graph.collect(&doubles.replays());
    /// let running = graph.install(Pipeline::builder())?.build()?.start()?;
    /// running.control().drain()?;
    /// running.submitter().submit(doubles.resolve())?;
    /// running.finish()?;
    /// assert_eq!(seen.values(), [2, 4, 6]);
    /// assert_eq!(again.values(), [4, 6]);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn replays(mut self, n: usize) -> Builder<B>
    where
        B::Made: Clone,
    {
        self.replays = Some(Replays::of(&self.target, n));
        self
    }
}
