//! Owns the past of a target: what was made of it so far, for those who ask for it again. Refuses
//! to tell those who require the target itself, as they have heard all of it.

use std::collections::VecDeque;

use selvedge_event::{Event, Name, Way};
use selvedge_runtime::Context;

use crate::artifact::{self, Artifact, Encode};

/// What a node remembers of what it has made, and how far it is in telling it again.
pub(crate) struct Past<T> {
    /// What it is told again under.
    pub(crate) title: &'static Name,
    way: Way,
    clone: fn(&T) -> T,
    /// The last ones, oldest first.
    made: VecDeque<Event>,
    made_max: usize,
    /// The number of the next one that is made.
    next: u64,
    under_way: Option<Span>,
    /// Whether somebody asked again meanwhile: however many did, they are told once.
    is_wanted_again: bool,
}

/// What is yet to be told again: these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub(crate) next: u64,
    pub(crate) end: u64,
}

impl<T: Artifact> Past<T> {
    pub(crate) fn new(
        target: &'static Name,
        title: &'static Name,
        made_max: usize,
        clone: fn(&T) -> T,
    ) -> Past<T> {
        Past {
            title,
            way: artifact::way::<T>(target),
            clone,
            made: VecDeque::new(),
            made_max,
            next: 0,
            under_way: None,
            is_wanted_again: false,
        }
    }

    /// The turn that is being taken has emitted what it emits.
    pub(crate) fn note(&mut self, cx: &Context<'_>) {
        for event in cx.emitted().filter(|event| event.way() == Some(self.way)) {
            if self.made.len() >= self.made_max {
                self.made.pop_front();
            }
            if self.made_max > 0 {
                self.made.push_back(event.clone());
            }
            self.next += 1;
        }
    }

    /// Somebody asks for it again. Says whether telling begins, rather than going on.
    pub(crate) fn ask(&mut self, can_begin: bool, kept_elsewhere: Option<u64>) -> bool {
        if !can_begin || self.under_way.is_some() {
            self.is_wanted_again = true;
            return false;
        }
        self.is_wanted_again = false;
        let end = kept_elsewhere.unwrap_or(self.next);
        self.under_way = Some(Span { next: 0, end });
        true
    }

    /// What is yet to be told again.
    pub(crate) fn under_way(&mut self) -> Option<&mut Span> {
        self.under_way.as_mut()
    }

    /// Whether somebody waits for it to be told again.
    pub(crate) fn is_wanted_again(&self) -> bool {
        self.is_wanted_again
    }

    /// All of it was told again.
    pub(crate) fn end(&mut self) {
        self.under_way = None;
    }

    /// Tells as much as there is room for; says whether that was all.
    pub(crate) fn tell(&mut self, cx: &mut Context<'_>, encode: Option<Encode<T>>) -> bool {
        let Some(span) = &mut self.under_way else { return true };
        let oldest = self.next - self.made.len() as u64;
        while cx.room() > 0 {
            span.next = span.next.max(oldest);
            if span.next >= span.end {
                return true;
            }
            let place = usize::try_from(span.next - oldest).expect("it was kept in memory");
            if let Some(made) = self.made.get(place).and_then(artifact::read::<T>) {
                artifact::emit(cx, self.title, (self.clone)(made), encode);
            }
            span.next += 1;
        }
        false
    }
}
