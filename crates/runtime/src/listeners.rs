//! Owns who is told what happens, while it happens: observers, which may miss things, and
//! recorders, which may not.
//!
//! Workers hand batches of facts to a desk per listener and never wait; a thread per listener
//! tells it what waits there. `backlog` decides, purely, what is kept and when admission is held
//! back; `desk` has the lock, `readers` the threads, `notes` what a worker has seen.

mod backlog;
mod desk;
mod notes;
mod observer;
mod readers;
mod recorder;
mod report;
mod sheet;

use std::sync::Arc;

use selvedge_event::{Fact, Text, Wants};
use selvedge_sync::atomic::{AtomicUsize, Ordering};

use self::backlog::Overflow;
use self::desk::{CHUNK_FACTS_MAX, Desk};
use self::notes::{Note, Sorts};
use self::sheet::Sheet;
use crate::limits::Limits;

pub(crate) use notes::{Attempted, Notes, Telling};
pub use observer::{Observer, Wanting, wanting};
pub(crate) use readers::{Readers, Told};
pub use recorder::{Recorder, RecorderPolicy};
pub use report::{ObserverReport, RecorderReport};

/// Somebody who is to be told, before the run.
pub(crate) struct Listener {
    name: Text,
    role: Role,
}

enum Role {
    Observer(Box<dyn Observer>),
    Recorder(Box<dyn Recorder>, RecorderPolicy),
}

impl Role {
    fn word(&self) -> &'static str {
        match self {
            Role::Observer(_) => "observer",
            Role::Recorder(..) => "recorder",
        }
    }
}

impl Listener {
    pub(crate) fn observer(name: Text, observer: impl Observer) -> Listener {
        Listener { name, role: Role::Observer(Box::new(observer)) }
    }

    pub(crate) fn recorder(
        name: Text,
        policy: RecorderPolicy,
        recorder: impl Recorder,
    ) -> Listener {
        Listener { name, role: Role::Recorder(Box::new(recorder), policy) }
    }

    /// A name for the next one of a role.
    pub(crate) fn next_name(listeners: &[Listener], word: &str) -> String {
        let n_before = listeners.iter().filter(|listener| listener.role.word() == word).count();
        format!("{word} {}", n_before + 1)
    }

    /// What it wants to be told.
    pub(crate) fn wants(&self) -> Wants {
        match &self.role {
            Role::Observer(observer) => observer.wants(),
            Role::Recorder(recorder, _) => recorder.wants(),
        }
    }

    /// Where facts will wait for it.
    fn desk(&self, limits: &Limits, n_holding: &Arc<AtomicUsize>) -> Desk {
        let (wants, limit, overflow) = match &self.role {
            Role::Observer(observer) => {
                (observer.wants(), limits.observer_facts_max, Overflow::Miss)
            }
            Role::Recorder(recorder, _) => {
                (recorder.wants(), limits.recorder_facts_max, Overflow::HoldBack)
            }
        };
        Desk::new(self.name.clone(), wants, limit, overflow, Arc::clone(n_holding))
    }
}

/// The listeners of a pipeline, seen by who has something to tell.
pub(crate) struct Listeners {
    desks: Vec<Arc<Desk>>,
    /// What any of them wants.
    wants: Wants,
    /// How many of them hold back admission.
    n_holding: Arc<AtomicUsize>,
}

impl Listeners {
    pub(crate) fn new(listeners: &[Listener], limits: &Limits) -> Listeners {
        let n_holding = Arc::new(AtomicUsize::new(0));
        let desk = |listener: &Listener| Arc::new(listener.desk(limits, &n_holding));
        let desks: Vec<Arc<Desk>> = listeners.iter().map(desk).collect();
        let wants = desks.iter().fold(Wants::NONE, |all, desk| all | desk.wants);
        Listeners { desks, wants, n_holding }
    }

    /// What anybody wants: nothing, if there is nobody.
    #[inline]
    pub(crate) fn wants(&self) -> Wants {
        self.wants
    }

    /// Whether anybody wants what each turn tells, also one that simply succeeds.
    #[inline]
    pub(crate) fn want_each_turn(&self) -> bool {
        self.wants.meets(Wants::EACH_TURN)
    }

    /// Whether any of those who want that has room for it. A hint.
    #[inline]
    fn have_room(&self) -> bool {
        let wants_it = |desk: &&Arc<Desk>| desk.wants.meets(Wants::EACH_TURN);
        self.desks.iter().filter(wants_it).any(|desk| desk.has_room())
    }

    /// Whether a recorder is so far behind that nothing should be admitted. When that is over, the
    /// core is asked to [reconsider](crate::core::Core::reconsider).
    #[inline]
    pub(crate) fn holds_back(&self) -> bool {
        self.n_holding.load(Ordering::Relaxed) > 0
    }

    /// Tells a single fact.
    pub(crate) fn tell(&self, fact: Fact) {
        if self.wants.includes(&fact) {
            self.hand_over(&mut Sheet::from(Note::Whole(Box::new(fact))), Sorts::default());
        }
    }

    /// The run ends at once: nothing more is told, and nobody waits long for those who are told.
    pub(crate) fn hasten(&self) {
        self.desks.iter().for_each(|desk| desk.hasten());
    }

    fn desks(&self) -> &[Arc<Desk>] {
        &self.desks
    }

    /// Offers everyone what they want of these notes, each of which somebody wants. None is left.
    fn hand_over(&self, notes: &mut Sheet, in_short: Sorts) {
        let Some((last, others)) = self.desks.split_last() else { return };
        others.iter().for_each(|desk| offer_some(desk, notes, in_short));
        if last.wants != self.wants {
            offer_some(last, notes, in_short);
            notes.clear();
            return;
        }
        // What the last one gets need not be copied: a few are moved, many change hands as they
        // are.
        let n = n_wanted(last, notes, in_short);
        last.offer(n, |chunk| match chunk.is_empty() && notes.len() > CHUNK_FACTS_MAX {
            true => std::mem::swap(chunk, notes),
            false => chunk.append(notes),
        });
        notes.clear();
    }

    /// Has everyone miss what they want of facts that were not noted.
    fn miss(&self, missed: Sorts) {
        for desk in &self.desks {
            let n = missed.n_wanted(desk.wants);
            if n > 0 {
                desk.miss(n);
            }
        }
    }
}

fn offer_some(desk: &Desk, notes: &Sheet, in_short: Sorts) {
    let n = n_wanted(desk, notes, in_short);
    if n > 0 {
        desk.offer(n, |chunk| chunk.extend_wanted(notes, desk.wants));
    }
}

/// How many facts these notes are to whom the desk is for.
fn n_wanted(desk: &Desk, notes: &Sheet, in_short: Sorts) -> usize {
    let n_in_short = in_short.n_wanted(desk.wants) as usize;
    if in_short.n_notes() == notes.len() as u64 {
        return n_in_short;
    }
    let is_wanted = |note: &&Note| match note {
        Note::Whole(fact) => desk.wants.includes(fact),
        Note::Recorded => desk.wants.contains(Wants::RECORDED),
        Note::Turn { .. } | Note::Emission { .. } => false,
    };
    n_in_short + notes.notes().iter().filter(is_wanted).count()
}
