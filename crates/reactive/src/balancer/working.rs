//! Owns the node that a worker is, and what goes into it and comes out.
//!
//! A worker's turn that fails says nothing, as what it does takes no effect. So where failures are
//! given up instead of ending the run, each item is followed by the question what became of it: a
//! worker that is asked without having made the item's results says that there are none. The
//! question comes the same way as items do, so that it never overtakes one.

use std::fmt;

use selvedge_event::payload::Copies;
use selvedge_event::{Kind, Named, Payload};
use selvedge_runtime::{Context, Result};

use super::keeping::Keeping;
use crate::artifact::{Artifact, Shared};
use crate::operator::{At, Item, Operator, Out};
use crate::operators::Counter;
use crate::title::Title;
use crate::told::{Input, Telling};

/// What a worker is sent.
pub(super) enum Tagged<T> {
    /// An item and its number.
    Item { number: u64, item: Shared<T> },
    /// What has become of the item before, of this number?
    Settle { number: u64 },
}

/// All that was made of an item.
pub(super) struct Results<U> {
    pub(super) number: u64,
    pub(super) results: Few<U>,
}

/// Results of one item, which are one more often than not: then there is no list to be allocated.
pub(super) enum Few<U> {
    One(U),
    Others(Vec<U>),
}

impl<U> Few<U> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &U> {
        match self {
            Few::One(result) => std::slice::from_ref(result),
            Few::Others(results) => results,
        }
        .iter()
    }
}

impl<U> FromIterator<U> for Few<U> {
    fn from_iter<I: IntoIterator<Item = U>>(results: I) -> Few<U> {
        let mut results = results.into_iter();
        match (results.next(), results.next()) {
            (Some(only), None) => Few::One(only),
            (first, second) => {
                Few::Others(first.into_iter().chain(second).chain(results).collect())
            }
        }
    }
}

/// A worker is done with an item.
#[derive(Clone, Copy)]
pub(super) struct Done {
    pub(super) worker: u32,
}

impl Payload for Done {
    const COPIES: Option<Copies<Self>> = Some(Copies::new());

    fn kind() -> Kind {
        Kind::literal("selvedge::balancer::Done")
    }
}

/// A worker.
pub(super) struct Working<T, U, W> {
    worker: usize,
    work: W,
    /// Where results are kept that are to outlive the run.
    keeping: Option<Keeping<T, U>>,
    telling: Telling,
    /// What it says that it is done under, if anybody wants to know.
    done: Option<Title>,
    is_stateless: bool,
    /// The item whose results were made last.
    made: Option<u64>,
    failed: Counter,
}

impl<T: Artifact, U: Artifact, W> Working<T, U, W> {
    pub(super) fn new(
        (worker, work): (usize, W),
        (keeping, telling): (Option<Keeping<T, U>>, Telling),
        done: Option<Title>,
        is_stateless: bool,
        failed: Counter,
    ) -> Working<T, U, W> {
        Working { worker, work, keeping, telling, done, is_stateless, made: None, failed }
    }

    /// Has whoever wants it told what is about to be worked on.
    #[cold]
    fn tell_begun(&mut self, cx: &mut Context<'_>, item: &Shared<T>) {
        if let Ok(whole) = item.event().payload_digest() {
            let input = Input { whole, arguments: vec![whole] };
            self.telling.begins(cx, item.event().topic(), input);
        }
    }

    /// Hands over what became of an item.
    fn tell(&mut self, out: &mut Out<'_, '_, Results<U>>, number: u64, results: Few<U>) {
        self.made = Some(number);
        out.emit(Results { number, results });
        if let Some(title) = &self.done {
            let worker = u32::try_from(self.worker).expect("workers are counted in u32");
            out.cx().emit(Named(title.kept(), Done { worker }));
        }
    }
}

impl<T, U, W, I> Operator for Working<T, U, W>
where
    T: Artifact,
    U: Artifact,
    W: FnMut(&T) -> anyhow::Result<I> + Send + 'static,
    I: IntoIterator<Item = U> + 'static,
{
    type Made = Results<U>;

    fn item(&mut self, out: &mut Out<'_, '_, Results<U>>, _: usize, item: Item<'_>) -> Result {
        match item.read::<Tagged<T>>() {
            Some(Tagged::Item { number, item }) => {
                if self.telling.is_wanted() {
                    self.tell_begun(out.cx, item);
                }
                let results: Few<U> = (self.work)(item)?.into_iter().collect();
                if let Some(keeping) = &self.keeping {
                    keeping.keep(out.cx, (*number, item), results.iter())?;
                }
                if self.telling.is_wanted() {
                    // What is not kept need not be serializable, and is not known by its content.
                    let keeping = self.keeping.as_ref();
                    let made = keeping.map(|keeping| keeping.digests(results.iter()));
                    self.telling.made(out.cx, made.unwrap_or_default());
                }
                self.tell(out, *number, results);
            }
            Some(Tagged::Settle { number }) if self.made != Some(*number) => {
                self.failed.add(1);
                self.tell(out, *number, Few::Others(Vec::new()));
            }
            Some(Tagged::Settle { .. }) | None => {}
        }
        Ok(())
    }

    fn start(&mut self, _: &mut Out<'_, '_, Results<U>>) -> Result {
        self.telling.begin();
        Ok(())
    }

    fn is_atomic(&self) -> bool {
        self.is_stateless
    }

    fn about(&self, at: &At<'_>, (_, item): (Option<usize>, Item<'_>)) -> String {
        let item = match item.read::<Tagged<T>>() {
            Some(Tagged::Item { item, .. }) => item.event().payload_digest().ok(),
            Some(Tagged::Settle { .. }) | None => None,
        };
        // Its target is the balancer's own affair; the worker's name says which it makes.
        At { target: None, ..*at }.about("working", item)
    }
}

impl<T, U, W> fmt::Debug for Working<T, U, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Working").field("worker", &self.worker).finish_non_exhaustive()
    }
}
