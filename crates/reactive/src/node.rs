//! Owns the processor that an operator is in the pipeline: dormant until its target is asked for,
//! what came before that kept, then one artifact per turn. Refuses to look into artifacts.
//!
//! *Order.* What came early is sent again to the node by itself when it starts, each artifact in an
//! event of its own, so that each has a turn of its own to succeed or fail in. What comes while
//! some of those are under way is sent behind them: a stream keeps its order.

use std::any::TypeId;

use anyhow::bail;
use selvedge_event::Way;
use selvedge_event::payload::Copies;
use selvedge_event::{
    Ending, Event, Init, Interest, Interests, Kind, Name, Named, Payload, Phase, Poison,
};
use selvedge_runtime::{Context, Processor, Pull, Result};

use crate::operator::{Hooks, Item, Operator, Out, Ports};
use crate::requires::Requirement;
use crate::target::{Ask, Resolve};

/// An artifact that a node has kept until it started. Called like the node.
struct Held(Event);

impl Payload for Held {
    fn kind() -> Kind {
        Kind::literal("selvedge::Held")
    }

    fn heap_bytes(&self) -> usize {
        self.0.bytes()
    }
}

/// A time that a node wanted to be woken at has come. Called like the node.
#[derive(Clone, Copy)]
pub(crate) struct Wake;

impl Payload for Wake {
    const COPIES: Option<Copies<Self>> = Some(Copies::new());

    fn kind() -> Kind {
        Kind::literal("selvedge::Wake")
    }
}

/// When a node starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Starts {
    /// When somebody asks for a target of its.
    WhenAsked,
    /// With the run.
    AtOnce,
}

/// What a node hears, and of whom it asks it.
#[derive(Debug)]
pub(crate) struct Wiring {
    /// What the node is called.
    pub(crate) name: &'static Name,
    pub(crate) starts: Starts,
    /// The requirements, each once.
    pub(crate) streams: Box<[Stream]>,
    /// Artifacts that are kept before it starts.
    pub(crate) early_max: usize,
}

/// One requirement of a node.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) title: &'static Name,
    way: Way,
    payload: TypeId,
    interest: Interest,
}

impl Stream {
    pub(crate) fn of(requirement: &Requirement) -> Stream {
        let title = requirement.title.kept();
        Stream {
            title,
            way: (requirement.form.way)(title),
            payload: (requirement.form.payload)(),
            interest: (requirement.form.interest)(title),
        }
    }
}

/// The requirements, each once, in the order in which they are named first.
pub(crate) fn streams(requires: &[Requirement]) -> Box<[Stream]> {
    let mut streams: Vec<Stream> = Vec::new();
    for requirement in requires {
        if !streams.iter().any(|stream| stream.title.as_str() == requirement.title.as_str()) {
            streams.push(Stream::of(requirement));
        }
    }
    streams.into()
}

/// An operator as a processor.
pub(crate) struct Node<O: Operator> {
    wiring: Wiring,
    ports: Ports<O::Made>,
    state: State,
    operator: O,
}

/// Which of several requirements an event is an artifact of.
fn stream_among(streams: &[Stream], event: &Event) -> Option<usize> {
    let way = event.way();
    if let Some(found) = streams.iter().position(|stream| Some(stream.way) == way) {
        return Some(found);
    }
    // Under a name that was made at run time.
    let payload = event.payload_type();
    streams
        .iter()
        .position(|stream| Some(stream.payload) == payload && event.name() == *stream.title)
}

/// How far a node is.
enum State {
    /// Nobody has asked; these came early.
    Dormant(Vec<Event>),
    /// It brings back what it made in earlier runs; these came early.
    BringingBack(Vec<Event>),
    /// It takes what comes.
    Live,
    /// It takes what came before, so many artifacts, and puts what comes behind.
    CatchingUp(usize),
}

impl<O: Operator> Node<O> {
    pub(crate) fn new(wiring: Wiring, ports: Ports<O::Made>, operator: O) -> Node<O> {
        Node { wiring, ports, state: State::Dormant(Vec::new()), operator }
    }

    /// Which requirement an event is an artifact of.
    #[inline(always)]
    fn stream_of(&self, event: &Event) -> Option<usize> {
        match &*self.wiring.streams {
            // Nothing else that is heard has this type.
            [only] => (event.payload_type() == Some(only.payload)).then_some(0),
            streams => stream_among(streams, event),
        }
    }

    /// What is no artifact, or comes at a time when none is taken.
    #[inline(never)]
    fn process_other(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        if self.stream_of(event).is_some() {
            return self.keep(cx, event);
        }
        if let Some(Held(held)) = event.payload() {
            return self.take_held(cx, held);
        }
        if event.is::<Resolve>() {
            return self.start(cx);
        }
        if event.is::<Ask>() {
            self.start(cx)?;
            let out = &mut Out { cx, ports: &self.ports, node: self.wiring.name };
            return self.operator.asked(out);
        }
        let Node { wiring, ports, operator, .. } = self;
        let out = &mut Out { cx, ports, node: wiring.name };
        if let Some(&Phase { number }) = event.payload() {
            return operator.phase(out, number);
        }
        if event.is::<Wake>() {
            return operator.wake(out);
        }
        if event.is::<Poison>() {
            return operator.finish(out);
        }
        if event.is::<Init>() {
            if operator.hooks().has(Hooks::INIT) {
                operator.init(out)?;
            }
            if self.wiring.starts == Starts::AtOnce {
                return self.start(cx);
            }
            return Ok(());
        }
        operator.event(out, event)
    }

    /// Puts an artifact aside, or behind those that were.
    fn keep(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        let Wiring { name, early_max, .. } = self.wiring;
        match &mut self.state {
            State::Dormant(early) | State::BringingBack(early) if early.len() < early_max => {
                early.push(event.clone());
            }
            State::Dormant(_) | State::BringingBack(_) => bail!(
                "{early_max} artifacts came for `{name}`, which has not begun yet: ask for it \
                 sooner, don't build what it requires before, or raise `early_max`"
            ),
            State::CatchingUp(n_held) => {
                *n_held += 1;
                cx.emit(Named(name, Held(event.clone())));
            }
            State::Live => unreachable!("what comes then is taken"),
        }
        Ok(())
    }

    fn take_held(&mut self, cx: &mut Context<'_>, held: &Event) -> Result {
        // A further attempt is one at the same artifact.
        if cx.attempt() == 1
            && let State::CatchingUp(n_held) = &mut self.state
        {
            *n_held -= 1;
            if *n_held == 0 {
                self.state = State::Live;
            }
        }
        let Some(stream) = self.stream_of(held) else { return Ok(()) };
        let out = &mut Out { cx, ports: &self.ports, node: self.wiring.name };
        self.operator.item(out, stream, Item::new(held))
    }

    /// Begins, unless it has begun.
    fn start(&mut self, cx: &mut Context<'_>) -> Result {
        if let State::Dormant(early) = &mut self.state {
            if !self.operator.has_past() {
                return self.go_live(cx);
            }
            cx.start_pulling();
            self.state = State::BringingBack(std::mem::take(early));
        }
        Ok(())
    }

    /// Takes what has come and what comes, and asks for more.
    fn go_live(&mut self, cx: &mut Context<'_>) -> Result {
        let Wiring { name, ref streams, .. } = self.wiring;
        let (State::Dormant(early) | State::BringingBack(early)) = &self.state else {
            return Ok(());
        };
        self.operator.start(&mut Out { cx, ports: &self.ports, node: self.wiring.name })?;
        for event in early {
            cx.emit(Named(name, Held(event.clone())));
        }
        let provides = |title| self.ports.titles.contains(&title);
        for stream in streams.iter().filter(|stream| !provides(stream.title)) {
            cx.emit(Named(stream.title, Resolve));
        }
        let n_held = early.len();
        self.state = if n_held == 0 { State::Live } else { State::CatchingUp(n_held) };
        Ok(())
    }
}

impl<O: Operator> Processor for Node<O> {
    #[inline]
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        if let State::Live = self.state
            && let Some(stream) = self.stream_of(event)
        {
            let out = &mut Out { cx, ports: &self.ports, node: self.wiring.name };
            return self.operator.item(out, stream, Item::new(event));
        }
        self.process_other(cx, event)
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        let out = &mut Out { cx, ports: &self.ports, node: self.wiring.name };
        if let Pull::More = self.operator.bring_back(out)? {
            return Ok(Pull::More);
        }
        self.go_live(cx)?;
        Ok(Pull::Done)
    }

    fn close(&mut self, _: Ending) -> Result {
        self.operator.close()
    }

    fn interests(&self) -> Interests {
        let Wiring { name, starts, streams, .. } = &self.wiring;
        let artifacts = streams.iter().map(|stream| stream.interest.clone());
        let resolves =
            self.ports.titles.iter().map(|&title| Interest::of::<Resolve>().named(title.clone()));
        let mut listed: Vec<_> = artifacts.chain(resolves).collect();
        if self.operator.answers() {
            let titles = self.ports.titles.iter();
            listed.extend(titles.map(|&title| Interest::of::<Ask>().named(title.clone())));
        }
        listed.push(Interest::of::<Held>().named((*name).clone()));
        listed.push(Interest::of::<Wake>().named((*name).clone()));
        let hooks = self.operator.hooks();
        if hooks.has(Hooks::INIT) || *starts == Starts::AtOnce {
            listed.push(Interest::of::<Init>());
        }
        if hooks.has(Hooks::PHASE) {
            listed.push(Interest::of::<Phase>());
        }
        if hooks.has(Hooks::FINISH) {
            listed.push(Interest::of::<Poison>());
        }
        listed.extend(self.operator.hears());
        Interests::listed(listed)
    }
}
