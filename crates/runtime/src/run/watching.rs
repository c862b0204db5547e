//! Owns the thread that watches a run: it looks at the workers' boards and the mailboxes once in a
//! while, tells what looks wrong, and writes off who does not come back. The run pays for it with
//! what workers put on their boards.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::{Fact, Text, Warning};
use selvedge_sync::thread::{self, JoinHandle};
use selvedge_sync::{Condvar, Mutex};

use super::crew::Crew;
use crate::board::Board;
use crate::core::{Core, Member, Sight, WrittenOff};
use crate::watchdog::{self, Growth, Snapshot, TurnUnderWay, Watchdog};

/// Warnings that a report keeps.
const KEPT_MAX: usize = 32;

/// The watchdog's thread, which ends with this.
pub(super) struct Watching {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

/// Ends the wait between two looks.
#[derive(Default)]
struct Bell {
    state: Mutex<State>,
    rings: Condvar,
    /// Who looks when told to, where time stands still.
    watch: Mutex<Option<Watch>>,
}

#[derive(Default)]
struct State {
    over: bool,
    /// What a report should say.
    kept: Vec<String>,
}

impl Watching {
    /// Nobody watches: time is played, or a model checker's.
    pub(super) fn nobody() -> Watching {
        Watching { bell: Arc::default(), thread: None }
    }

    /// Starts the thread. `caller` is seen, but can't be replaced.
    pub(super) fn start(
        core: &Arc<Core>,
        crew: &Arc<Crew>,
        caller: Option<Arc<Board>>,
    ) -> io::Result<Watching> {
        let bell: Arc<Bell> = Arc::default();
        let watch = Watch {
            core: Arc::clone(core),
            crew: Arc::clone(crew),
            caller,
            watchdog: Watchdog::new(
                Growth::default(),
                core.limits.watchdog_interval.saturating_mul(3),
            ),
            seen: Vec::new(),
            idle_since: (0, Duration::ZERO),
        };
        if cfg!(shuttle) {
            *bell.watch.lock() = Some(watch);
            return Ok(Watching { bell, thread: None });
        }
        let theirs = Arc::clone(&bell);
        let thread = thread::spawn("selvedge-watchdog", move || theirs.look_until_over(watch))?;
        Ok(Watching { bell, thread: Some(thread) })
    }

    /// Ends the watch, and says what a report should.
    pub(super) fn end(&mut self) -> Vec<String> {
        self.bell.state.lock().over = true;
        self.bell.rings.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of it is told by the system, and takes nothing along.
            let _ = thread.join();
        }
        drop(self.bell.watch.lock().take());
        std::mem::take(&mut self.bell.state.lock().kept)
    }

    /// Looks now, as the thread would. For model checkers, for which time stands still.
    #[cfg(shuttle)]
    pub(super) fn by_hand(&self) -> impl Fn() + Send + 'static {
        let bell = Arc::clone(&self.bell);
        move || {
            if let Some(watch) = &mut *bell.watch.lock() {
                bell.look_once(watch);
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.end();
    }
}

impl Bell {
    fn look_until_over(&self, mut watch: Watch) {
        let interval = watch.core.limits.watchdog_interval;
        loop {
            let due = watch.core.clock.now().saturating_add(interval);
            let mut state = self.state.lock();
            loop {
                let now = watch.core.clock.now();
                if state.over {
                    return;
                }
                if now >= due {
                    break;
                }
                state = self.rings.wait_for(state, due.saturating_sub(now));
            }
            drop(state);
            self.look_once(&mut watch);
        }
    }

    fn look_once(&self, watch: &mut Watch) {
        for warning in watch.look() {
            let mut state = self.state.lock();
            if matters_at_the_end(&warning) && state.kept.len() < KEPT_MAX {
                state.kept.push(warning.to_string());
            }
            drop(state);
            watch.core.listeners.tell(Fact::Warned { warning });
        }
    }
}

fn matters_at_the_end(warning: &Warning) -> bool {
    !matches!(warning, Warning::PausedWithWork { .. } | Warning::MailboxGrowing { .. })
}

/// A turn, who takes it, and since when it has been seen.
struct Seen {
    seat: usize,
    board: Arc<Board>,
    sight: Sight,
    since: Duration,
}

struct Watch {
    core: Arc<Core>,
    crew: Arc<Crew>,
    caller: Option<Arc<Board>>,
    watchdog: Watchdog,
    seen: Vec<Seen>,
    /// How many turns had been taken when their number last changed, and when that was.
    idle_since: (u64, Duration),
}

impl Watch {
    fn look(&mut self) -> Vec<Warning> {
        let now = self.core.clock.now();
        self.look_at_turns(now);
        self.write_off_lost(now);
        self.core.sweep_lost();
        let snapshot = self.snapshot(now);
        self.watchdog.look(now, &snapshot)
    }

    fn look_at_turns(&mut self, now: Duration) {
        let before = std::mem::take(&mut self.seen);
        let caller = self.caller.iter().map(|board| (0, Arc::clone(board)));
        for (seat, board) in self.crew.boards().into_iter().chain(caller) {
            let Some(sight) = self.core.sight(&board) else { continue };
            let is_same = |seen: &&Seen| Arc::ptr_eq(&seen.board, &board) && seen.sight == sight;
            let since = before.iter().find(is_same).map_or(now, |seen| seen.since);
            self.seen.push(Seen { seat, board, sight, since });
        }
    }

    fn write_off_lost(&mut self, now: Duration) {
        let Watch { core, crew, caller, seen, .. } = self;
        let leak_after = core.limits.leak_after;
        seen.retain(|Seen { seat, board, sight, since }| {
            let stuck_for = now.saturating_sub(*since);
            let is_caller = caller.as_ref().is_some_and(|caller| Arc::ptr_eq(caller, board));
            if stuck_for < leak_after || is_caller {
                return true;
            }
            let lost = core.write_off(board, *sight, (*seat, stuck_for));
            let Some(WrittenOff { processor, replace }) = lost else { return true };
            crew.dismiss(board);
            let build = core.lost_build(sight.owner, stuck_for);
            core.listeners.tell(Fact::WorkerWrittenOff { worker: *seat, processor, stuck_for });
            build.into_iter().for_each(|fact| core.listeners.tell(fact));
            if replace && let Err(source) = crew.replace(*seat) {
                core.fail_unreplaced(source);
            }
            false
        });
    }

    fn snapshot(&mut self, now: Duration) -> Snapshot {
        let core = &self.core;
        let turns = self.seen.iter().map(|seen| {
            let member = core.member(seen.sight.owner);
            let budget = member.time_budget().unwrap_or(core.limits.leak_after / 2);
            TurnUnderWay {
                worker: seen.seat,
                processor: member.name().clone(),
                since: seen.since,
                budget,
            }
        });
        // An empty mailbox does not grow, and a hundred thousand of them are not worth naming.
        let depth = |member: Member<'_>| {
            let waiting @ 1.. = usize::try_from(member.n_waiting()).unwrap_or(usize::MAX) else {
                return None;
            };
            Some(watchdog::Depth { processor: member.name().clone(), waiting })
        };
        let mailboxes: Vec<_> = core.members().filter_map(depth).collect();
        let n_turns = core.members().map(|member| member.counts().turns).sum();
        if self.idle_since.0 != n_turns {
            self.idle_since = (n_turns, now);
        }
        let moved = self.idle_since.1;
        let fullest = mailboxes.iter().max_by_key(|depth| depth.waiting);
        let credits = fullest.zip(core.credits_held()).map(|(fullest, (in_flight, limit))| {
            watchdog::Credits { in_flight, limit, fullest: fullest.processor.clone(), moved }
        });
        Snapshot {
            turns: turns.collect(),
            keys: self.held_keys(),
            credits,
            paused: core.paused_with_work(),
            mailboxes,
        }
    }

    /// Keys for which somebody waits, with the turns under way that hold them.
    fn held_keys(&self) -> Vec<watchdog::HeldKey> {
        let core = &self.core;
        let mut held = Vec::new();
        for (gate, number) in core.gates().iter().zip(0..) {
            let Some((n_permits, waiter)) = gate.first_waiter() else { continue };
            let has_it = |seen: &&Seen| {
                let special = core.member(seen.sight.owner).special();
                special.and_then(|special| special.gate) == Some(number)
            };
            let holders = self.seen.iter().filter(has_it).map(|seen| watchdog::Holder {
                name: core.member(seen.sight.owner).name().clone(),
                since: seen.since,
            });
            held.push(watchdog::HeldKey {
                key: gate.key.clone(),
                n_permits,
                holders: holders.collect(),
                waiter: core.name_of(waiter).unwrap_or(Text::literal("a task")),
            });
        }
        held
    }
}
