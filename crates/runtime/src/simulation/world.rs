//! Owns a simulated run's workers, clients and clock, and moves them on a step at a time until the
//! run is quiet.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use selvedge_event::Text;
use selvedge_sync::random::Rng;
use selvedge_sync::{Clock, Mutex};

use super::client::{ClientDid, Played};
use super::strategy::Picker;
use super::watched::{Journal, Who};
use crate::core::{Core, Member};
use crate::error::SubmitError;
use crate::run::Run;
use crate::worker::{Did, Stepped, Worker};

/// Whoever can go on in a simulated run: workers first, then clients.
pub(super) struct World {
    pub(super) core: Arc<Core>,
    pub(super) clock: Clock,
    pub(super) journal: Arc<Mutex<Journal>>,
    pub(super) picker: Picker,
    pub(super) rng: Rng,
    pub(super) workers: Vec<Worker>,
    /// Until when each worker is busy with the turn it took last.
    pub(super) busy_until: Vec<Duration>,
    pub(super) clients: Vec<Played>,
    /// By client: steps of workers when it last found no room.
    pub(super) found_full_at: Vec<u64>,
    pub(super) n_worker_steps: u64,
    pub(super) n_steps: u64,
    pub(super) steps_max: u64,
    pub(super) failure: Option<Failed>,
    /// Phases told of.
    pub(super) n_phases: u32,
    pub(super) stopping_told: bool,
}

/// Why a simulated run could not go on.
#[derive(Debug)]
pub(super) enum Failed {
    Stuck(Vec<String>),
    TooManySteps(Vec<(Text, u64)>),
    Refused(SubmitError),
}

impl World {
    /// Moves everybody on until the run is quiet, or halted and all workers have left.
    pub(super) fn settle_down(&mut self, run: &mut Run) {
        run.hand_over();
        run.tell_listeners();
        self.tell_of(run);
        let core = Arc::clone(&self.core);
        let mut workers = std::mem::take(&mut self.workers);
        let mut stepped: Vec<Stepped<'_>> = workers.iter_mut().map(Worker::stepped).collect();
        let mut able = Vec::new();
        let is_over = |stepped: &[Stepped<'_>]| match core.is_halted() {
            true => stepped.iter().all(Stepped::is_gone),
            false => core.is_quiet(&core.lock()),
        };
        while !is_over(&stepped) {
            self.list_able(&stepped, &mut able);
            if able.is_empty() {
                if !self.advance(&stepped) {
                    self.give_up(Failed::Stuck(self.who_waits()));
                }
                continue;
            }
            if self.n_steps >= self.steps_max && !core.is_halted() {
                self.give_up(Failed::TooManySteps(self.busiest()));
                continue;
            }
            self.n_steps += 1;
            let actor = self.picker.pick(&able, &mut self.rng);
            match stepped.get_mut(actor) {
                Some(worker) => self.step(actor, worker),
                None => self.step_client(actor - stepped.len()),
            }
            run.tell_listeners();
        }
        drop(stepped);
        self.workers = workers;
        // Where turns cease, the last ones are waited for.
        let last = self.busy_until.iter().copied().max().unwrap_or_default();
        self.clock.put_to(last.max(self.clock.now()));
        self.journal.lock().who = Who::Lead;
    }

    fn list_able(&self, stepped: &[Stepped<'_>], able: &mut Vec<usize>) {
        able.clear();
        let now = self.clock.now();
        let has_work = self.core.has_work();
        // Whoever leaves is not held up by what it was busy with.
        let halted = self.core.is_halted();
        for (number, worker) in stepped.iter().enumerate() {
            let is_free = halted || self.busy_until[number] <= now;
            if is_free && !worker.is_gone() && (!worker.is_at_rest() || has_work) {
                able.push(number);
            }
        }
        if halted {
            return;
        }
        for (number, client) in self.clients.iter().enumerate() {
            let may_have_room = self.found_full_at[number] != self.n_worker_steps;
            if client.is_able(now, may_have_room) {
                able.push(stepped.len() + number);
            }
        }
    }

    /// Lets time pass until somebody can go on; `false` when nobody will.
    fn advance(&mut self, stepped: &[Stepped<'_>]) -> bool {
        let now = self.clock.now();
        let busy = self.busy_until.iter().zip(stepped).filter(|(_, worker)| !worker.is_gone());
        let clients = self.clients.iter().filter_map(Played::wakes_at);
        let times = busy.map(|(until, _)| *until).chain(self.core.next_due()).chain(clients);
        match times.filter(|time| *time > now).min() {
            Some(time) => {
                self.clock.put_to(time);
                true
            }
            None => false,
        }
    }

    fn step(&mut self, number: usize, worker: &mut Stepped<'_>) {
        let now = self.clock.now();
        self.journal.lock().who = Who::Worker(number);
        let did = worker.step(&mut self.rng);
        self.n_worker_steps += 1;
        let busy_until = &mut self.busy_until[number];
        *busy_until = self.clock.now().max(*busy_until);
        // What took this worker's time took nobody else's.
        self.clock.put_to(now);
        let (what, subject) = match did {
            Did::Rested => (0, 0),
            Did::Left => (1, 0),
            Did::Claimed(owner) => (2, owner),
            Did::Turned(owner) => (3, owner),
            Did::TookSingle(owner) => (4, owner),
            Did::Pulled(owner) => (5, owner),
            Did::FoundStale => (6, 0),
            Did::TookFromLane(lane) => (7, lane),
            Did::SawToAlarms => (8, 0),
            Did::Published => (9, 0),
            Did::GaveBack => (10, 0),
            Did::RanErrand => (11, 0),
        };
        let mut journal = self.journal.lock();
        journal.trace.note((number as u64) << 48 | what << 32 | u64::from(subject));
        if did == Did::SawToAlarms {
            journal.tell(now, format_args!("sees to the timers that are due"));
        }
    }

    fn step_client(&mut self, number: usize) {
        let now = self.clock.now();
        self.journal.lock().who = Who::Client(number);
        let did = self.clients[number].step(&self.core, now);
        let line = match did {
            ClientDid::Submitted { event, recipients } => {
                format!("submits {event} to {recipients}")
            }
            ClientDid::FoundNoRoom => {
                self.found_full_at[number] = self.n_worker_steps;
                "finds no room".to_owned()
            }
            ClientDid::FoundClosed => "finds the run closed".to_owned(),
            ClientDid::Played if self.clients[number].is_done() => "is done".to_owned(),
            ClientDid::Played => "goes on".to_owned(),
            ClientDid::WasRefused(error) => {
                let line = format!("is refused: {error}");
                self.give_up(Failed::Refused(error));
                line
            }
        };
        self.journal.lock().tell(now, format_args!("{line}"));
    }

    /// Tells of what the run's lead has done.
    fn tell_of(&mut self, run: &Run) {
        let now = self.clock.now();
        let stopping = self.core.lock().stopping;
        let mut journal = self.journal.lock();
        journal.who = Who::Lead;
        if self.n_phases != run.n_phases() {
            self.n_phases = run.n_phases();
            journal.tell(now, format_args!("phase {}", self.n_phases));
        }
        if let Some(ending) = stopping
            && !std::mem::replace(&mut self.stopping_told, true)
        {
            journal.tell(now, format_args!("ends: {ending:?}"));
        }
    }

    /// Nothing goes on: the run is aborted, so that its workers leave.
    fn give_up(&mut self, failed: Failed) {
        self.failure.get_or_insert(failed);
        self.core.abort();
    }

    /// Who waits for what when nobody can go on.
    fn who_waits(&self) -> Vec<String> {
        let open = self.clients.iter().enumerate().filter(|(_, client)| !client.is_done());
        let mut waiting: Vec<String> = open
            .clone()
            .map(|(number, client)| format!("client {number} waits for {}", client.waits_for()))
            .collect();
        for member in self.core.members() {
            let n_waiting = member.n_waiting();
            let mut line = format!("`{}` has {n_waiting} events waiting", member.name());
            if n_waiting > 0 {
                let _ = write!(line, " (its mailbox is {:?})", member.slot.mailbox.status());
                waiting.push(line);
            }
        }
        let n_foreign = self.core.n_submitters_open().saturating_sub(open.count());
        if n_foreign > 0 {
            waiting.push(format!(
                "handles are open that are not the simulation's ({n_foreign} submitters or \
                 scopes): drop them, or let a client submit or post"
            ));
        }
        if self.core.listeners.holds_back() {
            waiting.push("a recorder holds back what comes in".to_owned());
        }
        waiting
    }

    /// The processors that took most turns, with how many.
    fn busiest(&self) -> Vec<(Text, u64)> {
        const NAMED_MAX: usize = 3;
        let turns = |member: Member<'_>| (member.name().clone(), member.counts().turns);
        let mut all: Vec<_> = self.core.members().map(turns).collect();
        all.sort_by_key(|(_, turns)| std::cmp::Reverse(*turns));
        all.truncate(NAMED_MAX);
        all
    }
}
