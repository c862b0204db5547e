//! Owns the threads that tell listeners what waits at their desks, from the run's begin to its end.
//! Where one thread plays all others, it does that too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use anyhow::Context as _;
use selvedge_event::{Fact, Text, Wants};
use selvedge_sync::thread::{self, JoinHandle};

use super::backlog::Overflow;
use super::desk::{Account, Chunk, Desk, Fate, Next, Patience};
use super::notes::{Expander, Recorded};
use super::{Listener, Observer, ObserverReport, Recorder, RecorderPolicy, RecorderReport, Role};
use crate::core::Core;
use crate::error::RunError;
use crate::failure::Failure;
use crate::processor::Result;
use crate::turn;

/// The threads of a run's listeners, or the listeners themselves.
pub(crate) struct Readers {
    threads: Vec<(Arc<Desk>, JoinHandle<()>)>,
    called: Vec<Called>,
}

/// A listener that is told what there is whenever the caller has time for it.
struct Called {
    desk: Arc<Desk>,
    expander: Expander,
    /// `None` once it has left.
    role: Option<Role>,
}

/// How the listeners took the run.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) observers: Vec<ObserverReport>,
    pub(crate) recorders: Vec<RecorderReport>,
    pub(crate) warnings: Vec<String>,
    /// A recorder was not waited for: somebody wants the run to end at once.
    pub(crate) cut_short: bool,
}

impl Readers {
    /// Starts a thread for each listener.
    pub(crate) fn start(core: &Arc<Core>, listeners: Vec<Listener>) -> Result<Readers, RunError> {
        let threads = Vec::with_capacity(listeners.len());
        let (names, recorded) = (names(core), recorded(core));
        let mut readers = Readers { threads, called: Vec::new() };
        for (listener, desk) in listeners.into_iter().zip(core.listeners.desks()) {
            let Listener { name, role } = listener;
            let thread_name = format!("selvedge-{}-{}", role.word(), readers.threads.len());
            let (theirs, core_) = (Arc::clone(desk), Arc::clone(core));
            let mut expander = Expander::new(desk.wants, Arc::clone(&names), Arc::clone(&recorded));
            let spawned = match role {
                // Who is left to itself must not keep the processors.
                Role::Observer(observer) => thread::spawn(&thread_name, move || {
                    observe(&theirs, observer, &mut expander, Patience::Waits);
                }),
                Role::Recorder(recorder, policy) => thread::spawn(&thread_name, move || {
                    record(&theirs, recorder, policy, (&core_, &mut expander), Patience::Waits);
                }),
            };
            match spawned {
                Ok(thread) => readers.threads.push((Arc::clone(desk), thread)),
                Err(source) => {
                    core.abort();
                    readers.finish(core);
                    return Err(RunError::SpawnListener { listener: name, source });
                }
            }
        }
        Ok(readers)
    }

    /// Starts no threads: listeners are told when the caller [says so](Self::tell).
    pub(crate) fn without_threads(core: &Core, listeners: Vec<Listener>) -> Readers {
        let (names, recorded) = (names(core), recorded(core));
        let called = |(desk, listener): (&Arc<Desk>, Listener)| Called {
            desk: Arc::clone(desk),
            expander: Expander::new(desk.wants, Arc::clone(&names), Arc::clone(&recorded)),
            role: Some(listener.role),
        };
        let called = core.listeners.desks().iter().zip(listeners).map(called).collect();
        Readers { threads: Vec::new(), called }
    }

    /// Tells what waits to the listeners that have no thread.
    pub(crate) fn tell(&mut self, core: &Core) {
        for Called { desk, expander, role } in &mut self.called {
            match role.take() {
                Some(Role::Observer(observer)) => {
                    let observer = observe(desk, observer, expander, Patience::None);
                    *role = observer.map(Role::Observer);
                }
                Some(Role::Recorder(recorder, policy)) => {
                    let seat = (core, expander);
                    let recorder = record(desk, recorder, policy, seat, Patience::None);
                    *role = recorder.map(|recorder| Role::Recorder(recorder, policy));
                }
                None => (),
            }
        }
    }

    /// Waits for the listeners to be told all that waits for them, and to leave.
    pub(crate) fn finish(&mut self, core: &Core) -> Told {
        let deadline = core.clock.now().saturating_add(core.limits.observer_drain_max);
        let mut told = Told::default();
        self.threads.iter().for_each(|(desk, _)| desk.close());
        self.called.iter().for_each(|called| called.desk.close());
        self.tell(core);
        for Called { desk, role, .. } in self.called.drain(..) {
            told.note(&desk, role.is_none(), core);
        }
        for (desk, thread) in self.threads.drain(..) {
            let has_left = desk.await_left(&core.clock, deadline);
            if has_left {
                // It caught every panic but those of our own, which it has printed.
                let _ = thread.join();
            }
            told.note(&desk, has_left, core);
        }
        told
    }
}

impl Told {
    fn note(&mut self, desk: &Desk, has_left: bool, core: &Core) {
        let name = desk.name.clone();
        let Account { told, missed, fate } = desk.account();
        match desk.overflow {
            Overflow::Miss => {
                if !has_left {
                    let waited = core.limits.observer_drain_max;
                    self.warnings.push(format!(
                        "`{name}` was still busy {waited:?} after the run's end and was left to \
                         itself: make it faster, let it want fewer facts, or raise \
                         `Limits::observer_drain_max`"
                    ));
                }
                let panicked = matches!(fate, Fate::Panicked);
                self.observers.push(ObserverReport { name, told, missed, panicked });
            }
            Overflow::HoldBack => {
                self.cut_short |= !has_left;
                let error = match fate {
                    Fate::Failed(error) => Some(error),
                    Fate::Well | Fate::Panicked => None,
                };
                if let Some(error) = &error {
                    let warning = format!(
                        "`{name}` failed, and what happened since is not recorded: {error}"
                    );
                    self.warnings.push(warning);
                }
                self.recorders.push(RecorderReport { name, recorded: told, error });
            }
        }
    }
}

/// The processors' names by their numbers, if anybody has to be told them.
fn names(core: &Core) -> Arc<[Text]> {
    if core.listeners.want_each_turn() {
        core.members().map(|member| member.name().clone()).collect()
    } else {
        Arc::default()
    }
}

/// The recorded processors, if anybody is to be told what their turns did.
fn recorded(core: &Core) -> Arc<Recorded> {
    if !core.listeners.wants().contains(Wants::RECORDED) {
        return Arc::default();
    }
    let recorded = core.members().filter_map(|member| {
        let slip = member.slip()?;
        Some((member.owner, (member.name().clone(), slip.signature.clone())))
    });
    Arc::new(recorded.collect())
}

/// Tells an observer what waits at its desk until all is told or it panics, or, without patience,
/// until there is nothing for now: then it is handed back.
fn observe(
    desk: &Desk,
    observer: Box<dyn Observer>,
    expander: &mut Expander,
    patience: Patience,
) -> Option<Box<dyn Observer>> {
    let told = tell_all(desk, &*observer, expander, patience);
    if let Ok(Extent::ForNow) = told {
        return Some(observer);
    }
    // Its destructor is its own code too.
    let dropped = guarded(|| drop(observer));
    match (told, dropped) {
        (Ok(_), Ok(())) => desk.leave(0, Fate::Well, || ()),
        (Err(Untold { n_facts }), _) => desk.leave(n_facts, Fate::Panicked, || ()),
        (Ok(_), Err(_)) => desk.leave(0, Fate::Panicked, || ()),
    }
    None
}

/// How much of what there is to tell has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// More may come.
    ForNow,
    /// Nothing comes any more.
    All,
}

/// Facts that were taken from a desk for nothing.
struct Untold {
    n_facts: usize,
}

impl Untold {
    fn of(chunks: &[Chunk]) -> Untold {
        Untold { n_facts: chunks.iter().map(|chunk| chunk.n_facts).sum() }
    }
}

fn tell_all(
    desk: &Desk,
    observer: &dyn Observer,
    expander: &mut Expander,
    patience: Patience,
) -> Result<Extent, Untold> {
    let tell = |facts: &[Fact]| guarded(|| observer.observe(facts)).is_ok();
    let tell_missed = |facts| facts == 0 || tell(&[Fact::Missed { facts }]);
    let mut lot = Vec::new();
    loop {
        match desk.next(&mut lot, patience, || ()) {
            Next::Nothing => return Ok(Extent::ForNow),
            Next::Leave { missed } if tell_missed(missed) => return Ok(Extent::All),
            Next::Leave { .. } => return Err(Untold { n_facts: 0 }),
            Next::Tell => (),
        }
        for at in 0..lot.len() {
            if !tell_missed(lot[at].missed_before) {
                return Err(Untold::of(&lot[at..]));
            }
            // To name events is to call the user's code too.
            let notes = &mut lot[at].notes;
            if guarded(|| observer.observe(expander.expand(notes))).is_err() {
                return Err(Untold::of(&lot[at + 1..]));
            }
        }
    }
}

/// Has a recorder record what waits at its desk until all is recorded or it fails, or, without
/// patience, until there is nothing for now: then it is handed back.
fn record(
    desk: &Desk,
    recorder: Box<dyn Recorder>,
    policy: RecorderPolicy,
    (core, expander): (&Core, &mut Expander),
    patience: Patience,
) -> Option<Box<dyn Recorder>> {
    let mut untold = Untold { n_facts: 0 };
    let mut going_on = None;
    let recorded = caught(|| {
        let mut recorder = recorder;
        match record_all(desk, &mut *recorder, (core, expander), &mut untold, patience)? {
            Extent::ForNow => going_on = Some(recorder),
            // Its destructor may have something to finish too, and is its own code.
            Extent::All => drop(recorder),
        }
        Ok(())
    });
    if going_on.is_some() {
        return going_on;
    }
    let fate = recorded.map_or_else(|cause| fail(desk, policy, cause, core), |()| Fate::Well);
    desk.leave(untold.n_facts, fate, || core.reconsider());
    None
}

fn record_all(
    desk: &Desk,
    recorder: &mut dyn Recorder,
    (core, expander): (&Core, &mut Expander),
    untold: &mut Untold,
    patience: Patience,
) -> Result<Extent> {
    let mut lot = Vec::new();
    loop {
        match desk.next(&mut lot, patience, || core.reconsider()) {
            Next::Tell => (),
            Next::Leave { .. } => break,
            Next::Nothing => return Ok(Extent::ForNow),
        }
        for at in 0..lot.len() {
            *untold = Untold::of(&lot[at..]);
            recorder.record(expander.expand(&mut lot[at].notes))?;
        }
        *untold = Untold { n_facts: 0 };
    }
    recorder.close().context("cannot close")?;
    Ok(Extent::All)
}

/// Does what the policy says, and says what is to be reported.
fn fail(desk: &Desk, policy: RecorderPolicy, cause: anyhow::Error, core: &Core) -> Fate {
    let fate = Fate::Failed(turn::describe(&cause));
    // The error is the user's, and it is dropped here, or an earlier failure is.
    let _ = guarded(|| match policy {
        RecorderPolicy::Fail => core.fail(Failure::Recorder { name: desk.name.clone(), cause }),
        RecorderPolicy::Warn => drop(cause),
    });
    fate
}

/// Calls the user's code; a panic is an error that says so.
fn caught(call: impl FnOnce() -> Result<()>) -> Result<()> {
    guarded(call).unwrap_or_else(Err)
}

/// Calls the user's code; a panic is an error. Whoever waits for the reader must not wait in vain,
/// so what was thrown is not dropped: that might panic in turn.
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let error = turn::panicked(&*panic);
        std::mem::forget(panic);
        error
    })
}
