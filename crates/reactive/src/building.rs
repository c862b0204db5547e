//! Owns what a builder does with the artifacts that come: pair them, leave out what was built from
//! before, build, remember. Pure but for what is built; when it begins is its node's matter.
//!
//! *What fails.* A turn that fails leaves its artifact where it was, as nobody knows yet whether it
//! will be attempted again. The next turn does: its first attempt means that the failed one was
//! given up, and with it the artifacts it was paired with; a later attempt, that it is the same.

use anyhow::{Context as _, bail};
use selvedge_event::{Digest, Event, Name};
use selvedge_runtime::{Pull, Result};

use crate::artifact::{self, Artifact};
use crate::build::Build;
use crate::memory::Memory;
use crate::mend::Mend;
use crate::operator::{At, Hooks, Item, Operator, Out};
use crate::pairing::Pairing;
use crate::persist::{Brought, Shelf};
use crate::replays::Span;
use crate::requires::{Arguments, KnownArguments, Paired, Plan};
use crate::seen::InputKey;
use crate::target::Resolve;
use crate::told::{Input, Telling};

/// How inputs are told apart.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    digests: fn(&Plan, Paired<'_>) -> Result<Vec<Digest>>,
    word: fn(&Plan, Paired<'_>) -> Option<u64>,
}

impl Keys {
    pub(crate) fn of<A: KnownArguments>() -> Keys {
        Keys { digests: A::digests, word: A::word }
    }

    /// The digest of one input: its only argument's, or that of all of its arguments'.
    pub(crate) fn digest(&self, plan: &Plan, paired: Paired<'_>) -> Result<Digest> {
        whole(&(self.digests)(plan, paired)?)
    }

    #[inline]
    fn input(&self, plan: &Plan, paired: Paired<'_>) -> Result<InputKey> {
        match (self.word)(plan, paired) {
            Some(word) => Ok(InputKey::Word(word)),
            None => Ok(InputKey::Digest(self.digest(plan, paired)?)),
        }
    }
}

/// The digest of all arguments: of the only one its own.
pub(crate) fn whole(arguments: &[Digest]) -> Result<Digest> {
    match arguments {
        [only] => Ok(*only),
        several => Ok(Digest::of(several)?),
    }
}

/// What a builder keeps of its builds beyond its own memory.
pub(crate) struct Kept<T> {
    pub(crate) shelf: Option<Shelf<T>>,
    pub(crate) telling: Telling,
    pub(crate) check: Option<Check<T>>,
}

/// What builds, and what puts it back after a build that failed.
pub(crate) struct Mended<B> {
    pub(crate) build: B,
    pub(crate) mend: Option<Box<Mend<B>>>,
}

impl<B: Build> Mended<B> {
    /// Calls it. What a call before has left behind that failed is put back first.
    #[inline]
    fn call(
        &mut self,
        out: &mut Out<'_, '_, B::Made>,
        call: impl FnOnce(&mut B, &mut Out<'_, '_, B::Made>) -> Result,
    ) -> Result {
        let Mended { build, mend: None } = self else { return self.call_mended(out, call) };
        call(build, out)
    }

    fn call_mended(
        &mut self,
        out: &mut Out<'_, '_, B::Made>,
        call: impl FnOnce(&mut B, &mut Out<'_, '_, B::Made>) -> Result,
    ) -> Result {
        let Mended { build, mend } = self;
        mend.iter_mut().for_each(|mend| mend.enter(build));
        call(build, out)?;
        if !out.cx.was_refused() {
            mend.iter_mut().for_each(|mend| mend.leave());
        }
        Ok(())
    }
}

/// Whether an artifact is what it is said to be.
pub(crate) type Check<T> = Box<dyn Fn(&T) -> Result + Send>;

/// How much a builder takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Artifacts that wait to be paired.
    pub(crate) waiting_max: usize,
    /// Builds, if that is what ends a cycle.
    pub(crate) builds_max: Option<u64>,
}

/// A builder at work.
pub(crate) struct Building<B: Build> {
    build: Mended<B>,
    /// What is built, for messages.
    target: &'static Name,
    plan: Plan,
    /// Of several requirements.
    pairing: Option<Pairing>,
    /// How inputs are told apart, where their types allow.
    keys: Option<Keys>,
    /// With dedupe.
    memory: Option<Memory>,
    /// Of one that is persisted.
    shelf: Option<Shelf<B::Made>>,
    telling: Telling,
    /// Of one that says what it makes beyond its type.
    check: Option<Check<B::Made>>,
    /// The stream whose artifact an attempt was made with that has not succeeded.
    attempted: Option<usize>,
    limits: Limits,
    n_builds: u64,
}

impl<B: Build> Building<B> {
    pub(crate) fn new(
        build: Mended<B>,
        target: &'static Name,
        plan: Plan,
        limits: Limits,
        keys: Option<Keys>,
        memory: Option<Memory>,
        kept: Kept<B::Made>,
    ) -> Building<B> {
        let Kept { shelf, telling, check } = kept;
        let n_streams = plan.n_streams();
        let pairing = (n_streams > 1).then(|| Pairing::new(n_streams));
        let (attempted, n_builds) = (None, 0);
        Building {
            build,
            target,
            plan,
            pairing,
            keys,
            memory,
            shelf,
            telling,
            check,
            attempted,
            limits,
            n_builds,
        }
    }

    /// Finds out what became of an attempt that has not succeeded.
    #[cold]
    fn settle(&mut self, attempt: u32) {
        if let (Some(stream), Some(pairing)) = (self.attempted.take(), &mut self.pairing) {
            if attempt == 1 {
                pairing.consume();
            } else {
                pairing.take_back(stream);
            }
        }
    }

    /// Builds from one artifact of each stream, of which this one came last.
    #[inline]
    fn build_from(
        &mut self,
        out: &mut Out<'_, '_, B::Made>,
        paired: Paired<'_>,
        last: Option<&Event>,
    ) -> Result {
        if self.limits.builds_max.is_some_and(|max| self.n_builds >= max) {
            return Ok(());
        }
        let key = match self.keys {
            Some(keys) if self.memory.is_some() || self.shelf.is_some() => {
                Some(self.key(keys, paired)?)
            }
            _ => None,
        };
        if let (Some(key), Some(memory)) = (&key, &mut self.memory) {
            if memory.has(key)? {
                return self.tell_left_out(out, paired);
            }
            if !memory.make_room()? {
                bail!(self.too_many(out));
            }
        }
        if self.telling.is_wanted() {
            self.tell_begun(out, paired, last)?;
        }
        if let Err(error) = self.call(out, paired) {
            return Err(self.explain(out, paired, error));
        }
        if out.cx.was_refused() {
            return Ok(());
        }
        if let (Some(InputKey::Digest(input)), Some(shelf)) = (key, &mut self.shelf) {
            shelf.keep(out.cx, self.target, input)?;
            shelf.note_kept();
        }
        self.n_builds += 1;
        if self.telling.is_wanted() {
            self.telling.built::<B::Made>(out.cx, self.target);
        }
        if let (Some(key), Some(memory)) = (key, &mut self.memory) {
            memory.add(key);
        }
        Ok(())
    }

    /// Has whoever wants it told what is about to be built from.
    #[cold]
    fn tell_begun(
        &mut self,
        out: &mut Out<'_, '_, B::Made>,
        paired: Paired<'_>,
        last: Option<&Event>,
    ) -> Result {
        if let Some(input) = self.known(paired)? {
            let topic = match last {
                Some(event) => event.topic(),
                None => Resolve::target(self.target.clone()).topic(),
            };
            self.telling.begins(out.cx, topic, input);
        }
        Ok(())
    }

    /// Has whoever wants it told that an input is left out.
    #[inline]
    fn tell_left_out(&mut self, out: &mut Out<'_, '_, B::Made>, paired: Paired<'_>) -> Result {
        if self.telling.is_wanted()
            && let Some(input) = self.known(paired)?
        {
            self.telling.left_out(out.cx, &input);
        }
        Ok(())
    }

    /// The digests of an input; `None` if its types have none.
    #[cold]
    fn known(&self, paired: Paired<'_>) -> Result<Option<Input>> {
        let arguments = match self.keys {
            Some(keys) => (keys.digests)(&self.plan, paired)?,
            None => match self.plan.payload_digests(paired) {
                Some(arguments) => arguments,
                None => return Ok(None),
            },
        };
        Ok(Some(Input { whole: whole(&arguments)?, arguments }))
    }

    /// What an input is known by. What is persisted is known by its content in every run.
    #[inline]
    fn key(&self, keys: Keys, paired: Paired<'_>) -> Result<InputKey> {
        match self.shelf {
            Some(_) => Ok(InputKey::Digest(keys.digest(&self.plan, paired)?)),
            None => keys.input(&self.plan, paired),
        }
    }

    #[inline]
    fn call(&mut self, out: &mut Out<'_, '_, B::Made>, paired: Paired<'_>) -> Result {
        let arguments = B::Arguments::read(&self.plan, paired).context(
            "an artifact is not of the type that is required: the graph was checked, so it was \
             sent by somebody outside of it",
        )?;
        self.build.call(out, |build, out| build.build(out, arguments))?;
        match &self.check {
            None => Ok(()),
            Some(check) => check_made(out, self.target, check),
        }
    }

    #[cold]
    fn explain(
        &self,
        out: &Out<'_, '_, B::Made>,
        paired: Paired<'_>,
        error: anyhow::Error,
    ) -> anyhow::Error {
        let at = At { node: out.cx.processor(), target: Some(self.target.as_str()) };
        error.context(self.about_input(&at, Some(paired)))
    }

    /// What was being built, for a message.
    fn about_input(&self, at: &At<'_>, paired: Option<Paired<'_>>) -> String {
        let At { node, target } = at;
        let target = target.unwrap_or_default();
        let input = paired.and_then(|paired| self.known(paired).ok()?);
        let input = input.map_or_else(String::new, |input| format!(" from input {}", input.whole));
        format!("building `{target}` in builder `{node}`{input} failed")
    }

    #[cold]
    fn too_many(&self, out: &Out<'_, '_, B::Made>) -> String {
        let max = self.memory.as_ref().map_or(0, Memory::inputs_max);
        format!(
            "builder `{}` of `{}` has built from {max} inputs, and remembers no more: raise \
             `memo_max`, give the pipeline a store for the rest, or build from every input with \
             `every_time`",
            out.cx.processor(),
            self.target
        )
    }

    /// Takes an artifact of several streams in, and builds if it completes a pair.
    fn pair(&mut self, out: &mut Out<'_, '_, B::Made>, stream: usize, item: Item<'_>) -> Result {
        let Some(mut pairing) = self.pairing.take() else { return Ok(()) };
        if pairing.n_waiting() >= self.limits.waiting_max {
            let (max, builder) = (self.limits.waiting_max, out.cx.processor().clone());
            self.pairing = Some(pairing);
            bail!(
                "{max} artifacts wait in builder `{builder}` of `{}` for others to be paired with: \
                 its requirements don't keep step; group them by a key instead, or raise \
                 `waiting_max`",
                self.target
            );
        }
        let is_complete = pairing.push(stream, item.event().clone());
        if !is_complete {
            self.pairing = Some(pairing);
            return Ok(());
        }
        // Whatever becomes of it, the pairing is there afterwards: a panic must not lose it.
        let pair = pairing.first().to_vec();
        self.pairing = Some(pairing);
        self.attempted = Some(stream);
        self.build_from(out, Paired::Each(&pair), Some(item.event()))?;
        if !out.cx.was_refused()
            && let Some(pairing) = &mut self.pairing
        {
            self.attempted = None;
            pairing.consume();
        }
        Ok(())
    }
}

/// Checks what the turn that is being taken has emitted of a target.
#[cold]
fn check_made<T: Artifact>(
    out: &Out<'_, '_, T>,
    target: &'static Name,
    check: &Check<T>,
) -> Result {
    let way = Some(artifact::way::<T>(target));
    let made = out.cx.emitted().filter(|event| event.way() == way);
    for artifact in made.filter_map(artifact::read::<T>) {
        check(artifact).context("what was made is not what it should be")?;
    }
    Ok(())
}

impl<B: Build> Operator for Building<B> {
    type Made = B::Made;

    #[inline]
    fn item(&mut self, out: &mut Out<'_, '_, B::Made>, stream: usize, item: Item<'_>) -> Result {
        if self.attempted.is_some() {
            self.settle(out.cx.attempt());
        }
        match self.pairing {
            None => self.build_from(out, Paired::One(item.event()), Some(item.event())),
            Some(_) => self.pair(out, stream, item),
        }
    }

    fn start(&mut self, out: &mut Out<'_, '_, B::Made>) -> Result {
        self.telling.begin();
        if self.plan.n_streams() > 0 {
            return Ok(());
        }
        self.build_from(out, Paired::Each(&[]), None)
    }

    fn has_past(&self) -> bool {
        self.shelf.as_ref().is_some_and(|shelf| shelf.journal.is_durable())
    }

    fn bring_back(&mut self, out: &mut Out<'_, '_, B::Made>) -> Result<Pull> {
        let Some(shelf) = &mut self.shelf else { return Ok(Pull::Done) };
        self.telling.begin();
        while out.cx.room() > 0 {
            let Some(Brought { input, made, outputs, origin }) = shelf.bring_back()? else {
                return Ok(Pull::Done);
            };
            made.into_iter().for_each(|artifact| out.emit(artifact));
            shelf.journal.count_replay();
            self.telling.note_past(input, outputs, origin);
            self.n_builds += 1;
            if let Some(memory) = &mut self.memory {
                let key = InputKey::Digest(input);
                if !memory.has(&key)? && memory.make_room()? {
                    memory.add(key);
                }
            }
        }
        Ok(Pull::More)
    }

    fn close(&mut self) -> Result {
        self.memory.as_mut().map_or(Ok(()), Memory::close)?;
        self.shelf.as_ref().map_or(Ok(()), |shelf| shelf.journal.flush())
    }

    fn hooks(&self) -> Hooks {
        self.build.build.hooks()
    }

    fn init(&mut self, out: &mut Out<'_, '_, B::Made>) -> Result {
        self.build.call(out, B::init)
    }

    fn phase(&mut self, out: &mut Out<'_, '_, B::Made>, number: u32) -> Result {
        self.build.call(out, |build, out| build.phase(out, number))
    }

    fn finish(&mut self, out: &mut Out<'_, '_, B::Made>) -> Result {
        self.build.call(out, B::terminate)
    }

    fn is_atomic(&self) -> bool {
        let Mended { build, mend } = &self.build;
        build.is_stateless() || mend.as_ref().is_some_and(|mend| mend.restores())
    }

    fn about(&self, at: &At<'_>, (stream, item): (Option<usize>, Item<'_>)) -> String {
        let pair = self.pairing.as_ref().map(Pairing::pair);
        match (pair, stream) {
            (None, Some(_)) => self.about_input(at, Some(Paired::One(item.event()))),
            (Some(pair), Some(_)) if pair.len() == self.plan.n_streams() => {
                self.about_input(at, Some(Paired::Each(pair)))
            }
            (None, None) if self.plan.n_streams() == 0 => {
                self.about_input(at, Some(Paired::Each(&[])))
            }
            _ => self.about_input(at, None),
        }
    }

    fn explains_itself(&self) -> bool {
        true
    }

    fn restarts(&self) -> bool {
        self.build.mend.as_ref().is_some_and(|mend| mend.restarts())
    }

    fn restart(&mut self) -> bool {
        let Mended { build, mend } = &mut self.build;
        mend.as_mut().is_some_and(|mend| mend.restart(build))
    }

    fn n_kept(&self) -> Option<u64> {
        self.shelf.as_ref().filter(|shelf| shelf.journal.is_durable()).map(Shelf::n_kept)
    }

    fn tell_kept(
        &mut self,
        out: &mut Out<'_, '_, B::Made>,
        title: &'static Name,
        span: &mut Span,
    ) -> Result<bool> {
        let Some(shelf) = &self.shelf else { return Ok(true) };
        while out.cx.room() > 0 {
            let Some(made) = shelf.read_next(span)? else { return Ok(true) };
            for artifact in made {
                artifact::emit(out.cx, title, artifact, out.ports.encode);
            }
        }
        Ok(false)
    }
}
