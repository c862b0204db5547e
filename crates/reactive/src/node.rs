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

use crate::mend::Mend;
use crate::operator::{At, Hooks, Item, Operator, Out, Ports};
use crate::replays::Past;
use crate::requires::Requirement;
use crate::target::{Ask, Begin, Resolve};

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
    /// What few nodes have.
    extras: Option<Box<Extras<O>>>,
}

/// What is said of a node that most do without.
pub(crate) struct Extras<O: Operator> {
    /// How the operator is put back after a call that failed.
    pub(crate) mend: Mend<O>,
    /// What it has made, for those who ask again.
    pub(crate) past: Option<Past<O::Made>>,
}

impl<O: Operator> Default for Extras<O> {
    fn default() -> Extras<O> {
        Extras { mend: Mend::default(), past: None }
    }
}

impl<O: Operator> Extras<O> {
    fn are_needed(&self) -> bool {
        self.mend.restores() || self.mend.restarts() || self.past.is_some()
    }
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
    pub(crate) fn new(
        wiring: Wiring,
        ports: Ports<O::Made>,
        operator: O,
        extras: Extras<O>,
    ) -> Node<O> {
        let extras = extras.are_needed().then(|| Box::new(extras));
        Node { wiring, ports, state: State::Dormant(Vec::new()), operator, extras }
    }

    /// Takes an artifact.
    #[inline]
    fn take(&mut self, cx: &mut Context<'_>, stream: usize, event: &Event) -> Result {
        let out = &mut Out { cx, ports: &self.ports, node: self.wiring.name };
        match self.operator.item(out, stream, Item::new(event)) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.explain((Some(stream), Item::new(event)), error)),
        }
    }

    /// Says what failed, unless that was said.
    #[cold]
    fn explain(&self, item: (Option<usize>, Item<'_>), error: anyhow::Error) -> anyhow::Error {
        if self.operator.explains_itself() {
            return error;
        }
        error.context(self.operator.about(&self.at(), item))
    }

    fn at(&self) -> At<'_> {
        let target = self.ports.titles.first().map(|title| title.as_str());
        At { node: self.wiring.name.as_str(), target }
    }

    /// A call of a node with extras: mended before if the one before has failed, noted after.
    fn process_with_extras(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        if let Some(extras) = &mut self.extras {
            extras.mend.enter(&mut self.operator);
        }
        self.process_plainly(cx, event)?;
        if let Some(extras) = self.extras.as_mut().filter(|_| !cx.was_refused()) {
            extras.mend.leave();
            if let Some(past) = &mut extras.past {
                past.note(cx);
            }
        }
        Ok(())
    }

    #[inline]
    fn process_plainly(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        if let State::Live = self.state
            && let Some(stream) = self.stream_of(event)
        {
            return self.take(cx, stream, event);
        }
        self.process_other(cx, event)
    }

    /// Somebody outside asks: for the first time, or to be told again.
    fn resolve(&mut self, cx: &mut Context<'_>) -> Result {
        if let State::Dormant(_) = self.state {
            return self.start(cx);
        }
        let n_kept = self.operator.n_kept();
        let is_live = !matches!(self.state, State::BringingBack(_));
        if let Some(past) = self.past()
            && past.ask(is_live, n_kept)
        {
            cx.start_pulling();
        }
        Ok(())
    }

    fn past(&mut self) -> Option<&mut Past<O::Made>> {
        self.extras.as_mut()?.past.as_mut()
    }

    /// Tells again what was made; says whether there is more to tell.
    fn tell_again(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        let Node { wiring, ports, operator, extras, .. } = self;
        let Some(past) = extras.as_mut().and_then(|extras| extras.past.as_mut()) else {
            return Ok(Pull::Done);
        };
        let n_kept = operator.n_kept();
        let title = past.title;
        let is_over = match past.under_way() {
            None => true,
            Some(span) if n_kept.is_some() => {
                operator.tell_kept(&mut Out { cx, ports, node: wiring.name }, title, span)?
            }
            Some(_) => past.tell(cx, ports.encode),
        };
        if is_over {
            past.end();
            if !past.is_wanted_again() {
                return Ok(Pull::Done);
            }
            past.ask(true, n_kept);
        }
        Ok(Pull::More)
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
        if event.is::<Begin>() {
            return self.start(cx);
        }
        if event.is::<Resolve>() {
            return self.resolve(cx);
        }
        if event.is::<Ask>() {
            self.start(cx)?;
            let out = &mut Out { cx, ports: &self.ports, node: self.wiring.name };
            return self.operator.asked(out);
        }
        self.call(cx, event).map_err(|error| self.explain((None, Item::new(event)), error))?;
        if event.is::<Init>() && self.wiring.starts == Starts::AtOnce {
            return self.start(cx);
        }
        Ok(())
    }

    /// Has the operator do what is to be done about an event that is no artifact.
    fn call(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
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
            return if operator.hooks().has(Hooks::INIT) { operator.init(out) } else { Ok(()) };
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
        self.take(cx, stream, held)
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
            cx.emit(Named(stream.title, Begin));
        }
        let n_held = early.len();
        self.state = if n_held == 0 { State::Live } else { State::CatchingUp(n_held) };
        Ok(())
    }
}

impl<O: Operator> Processor for Node<O> {
    #[inline]
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match self.extras {
            None => self.process_plainly(cx, event),
            Some(_) => self.process_with_extras(cx, event),
        }
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        let State::BringingBack(_) = self.state else { return self.tell_again(cx) };
        let out = &mut Out { cx, ports: &self.ports, node: self.wiring.name };
        let brought = self.operator.bring_back(out)?;
        if let Some(past) = self.past() {
            past.note(cx);
        }
        if let Pull::More = brought {
            return Ok(Pull::More);
        }
        self.go_live(cx)?;
        // Those who asked meanwhile have heard it by now, if they heard the target.
        self.tell_again(cx)
    }

    fn about(&self, event: &Event) -> Option<String> {
        let event = event.payload::<Held>().map_or(event, |Held(held)| held);
        Some(self.operator.about(&self.at(), (self.stream_of(event), Item::new(event))))
    }

    fn restart(&mut self) -> bool {
        match &mut self.extras {
            Some(extras) if extras.mend.restarts() => extras.mend.restart(&mut self.operator),
            _ => self.operator.restart(),
        }
    }

    fn close(&mut self, _: Ending) -> Result {
        self.operator.close()
    }

    fn interests(&self) -> Interests {
        let Wiring { name, starts, streams, .. } = &self.wiring;
        let artifacts = streams.iter().map(|stream| stream.interest.clone());
        let titles = self.ports.titles.iter();
        let resolves = titles.flat_map(|&title| {
            [Interest::of::<Begin>(), Interest::of::<Resolve>()].map(|it| it.named(title.clone()))
        });
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
