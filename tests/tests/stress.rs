//! Random pipelines under random limits, checked against what the runtime promises: every accepted
//! delivery has exactly one turn or is given up, per-pair order, nothing of a failed turn is ever
//! seen, one turn at a time, strict bands, no more turns under a key than it allows, drops only
//! where a policy says so, no event leaks, the run and everyone in it returns.
//!
//! `SELVEDGE_STRESS_SECONDS=600 cargo test -p selvedge-tests --release stress` goes on for longer;
//! `SELVEDGE_STRESS_SEED=n` begins with the seed that a failure printed.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::bail;
use selvedge::prelude::*;
use selvedge::runtime::{Configure, Overflow, Registration, StopHandle, SubmitError};

use crate::failure::in_time;

/// What travels: who sent it, and the how manyeth it is.
struct Letter {
    from: usize,
    channel: usize,
    /// Counts what this sender sent on this channel.
    seq: u32,
    /// Counts all that this sender sent.
    stamp: u64,
    hops: u32,
    /// Set when the turn that emits it is going to fail.
    bad: bool,
    world: Arc<World>,
}

impl Drop for Letter {
    fn drop(&mut self) {
        self.world.live.fetch_sub(1, Ordering::Relaxed);
    }
}

/// To one node.
#[derive(Event)]
struct Hop {
    #[key]
    to: u64,
    letter: Letter,
}

/// To a group of nodes, or to nobody.
#[derive(Event)]
struct Cast(Letter);

#[derive(Event)]
struct Reply {
    bad: bool,
}

/// How a round is meant to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Completed,
    Stopped,
    Failed,
    Aborted,
    Dropped,
}

/// The plan of one round, and the books that are kept of it.
struct World {
    seed: u64,
    end: End,
    /// After so many turns the end is brought about.
    end_after: u64,
    /// Taken out when the round is over: the pipeline's processors know this world.
    stop: Mutex<Option<StopHandle>>,
    /// Who hears a channel: one node each, then groups, then nobody.
    channels: Vec<Vec<usize>>,
    nodes: Vec<Books>,
    /// By sender, then channel. Nodes come first, then submitters.
    sent: Vec<Vec<AtomicU32>>,
    /// One worker and batches of one: bands can be checked at every turn.
    strict_bands: bool,
    /// Turns that may be under way in the pool at the same time, and how many are.
    pool_max: usize,
    n_in_pool: AtomicUsize,
    n_turns: AtomicU64,
    live: AtomicI64,
    faults: Mutex<Vec<String>>,
}

/// What is known of one node.
struct Books {
    band: i32,
    /// What its mailbox holds, if it drops what is above.
    capacity: Option<(usize, Overflow)>,
    /// Whether its turns are among those that are limited together.
    in_pool: bool,
    busy: AtomicBool,
    /// Letters from nodes that are on their way to it.
    n_pending: AtomicI64,
    heard: Mutex<Heard>,
}

/// By sender: the next letter of each channel, and the last stamp.
struct Heard {
    next: Vec<Vec<u32>>,
    stamps: Vec<u64>,
}

/// A generator of one's own: seeds must mean the same for ever. (S. Vigna, splitmix64.)
struct Random(u64);

impl Random {
    fn of(parts: &[u64]) -> Random {
        parts.iter().fold(Random(0), |random, part| Random(Random(random.0 ^ part).next()))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).expect("it is below a usize")
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

impl World {
    fn fault(&self, what: String) {
        self.faults.lock().expect("nobody panics with it in hand").push(what);
    }
}

/// Sends letters and counts them. Each node and each submitter has one.
#[derive(Clone)]
struct Sender {
    me: usize,
    world: Arc<World>,
    next: Vec<u32>,
    stamp: u64,
}

impl Sender {
    fn new(me: usize, world: &Arc<World>) -> Sender {
        let next = vec![0; world.channels.len()];
        Sender { me, world: Arc::clone(world), next, stamp: 0 }
    }

    /// A letter on its way. What a failing turn writes is not counted.
    fn write(&mut self, channel: usize, hops: u32, bad: bool) -> Event {
        let (seq, stamp) = (self.next[channel], self.stamp);
        self.world.live.fetch_add(1, Ordering::Relaxed);
        let world = Arc::clone(&self.world);
        let letter = Letter { from: self.me, channel, seq, stamp, hops, bad, world };
        if !bad {
            self.next[channel] += 1;
            self.stamp += 1;
            self.world.sent[self.me][channel].store(self.next[channel], Ordering::Relaxed);
        }
        if channel < self.world.nodes.len() {
            return Hop { to: channel as u64, letter }.into_event();
        }
        Named(group(channel), Cast(letter)).into_event()
    }

    /// A letter that was handed back was never sent.
    fn take_back(&mut self, channel: usize) {
        self.next[channel] -= 1;
        self.stamp -= 1;
        self.world.sent[self.me][channel].store(self.next[channel], Ordering::Relaxed);
    }
}

fn group(channel: usize) -> String {
    format!("group {channel}")
}

#[derive(Clone)]
struct Node {
    sender: Sender,
    /// How often it may still be pulled.
    n_pulls: u32,
    /// In phases up to this one it emits.
    phases: u32,
}

#[processor]
impl Processor for Node {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        let world = Arc::clone(&self.sender.world);
        let me = self.sender.me;
        if world.nodes[me].busy.swap(true, Ordering::Acquire) {
            world.fault(format!("two turns of {me} at once"));
        }
        if world.nodes[me].in_pool
            && world.n_in_pool.fetch_add(1, Ordering::Relaxed) >= world.pool_max
        {
            world.fault(format!("{me} has a turn beside {} others", world.pool_max));
        }
        let n_turns = world.n_turns.fetch_add(1, Ordering::Relaxed) + 1;
        let result = match event {
            Hop { letter, .. } => self.read(cx, letter, n_turns),
            Cast(letter) => self.read(cx, letter, n_turns),
            Init => {
                if self.n_pulls > 0 {
                    cx.start_pulling();
                }
                Ok(())
            }
            Phase { number } => {
                self.check_drained();
                if *number <= self.phases {
                    self.emit(cx, &mut Random::of(&[world.seed, u64::from(*number)]), 3, false);
                }
                Ok(())
            }
            _ => Ok(()),
        };
        self.leave();
        result
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        let mut random = Random::of(&[self.sender.world.seed, u64::from(self.n_pulls)]);
        // A pull that fails, fails the run.
        let fails = self.sender.world.end == End::Failed && random.one_in(8);
        self.check_bands(1);
        self.n_pulls -= 1;
        for _ in 0..random.below(1 + cx.room()).min(20) {
            self.emit(cx, &mut random, 2, fails);
        }
        match fails {
            true if random.one_in(2) => std::panic::resume_unwind(Box::new("planted")),
            true => bail!("planted"),
            false if self.n_pulls == 0 => Ok(Pull::Done),
            false => Ok(Pull::More),
        }
    }

    fn interests(&self) -> Interests {
        let world = &self.sender.world;
        let me = self.sender.me;
        let groups = (world.nodes.len()..world.channels.len())
            .filter(|&channel| world.channels[channel].contains(&me))
            .map(|channel| Interest::of::<Cast>().named(group(channel)));
        let own = [
            Interest::of::<Hop>().keyed(me as u64),
            Interest::of::<Init>(),
            Interest::of::<Phase>(),
        ];
        Interests::listed(own.into_iter().chain(groups))
    }
}

impl Node {
    /// Checks the letter against the books, then emits, replies, fails.
    fn read(&mut self, cx: &mut Context<'_>, letter: &Letter, n_turns: u64) -> Result {
        let world = Arc::clone(&self.sender.world);
        let me = self.sender.me;
        if letter.from < world.nodes.len() {
            world.nodes[me].n_pending.fetch_sub(1, Ordering::Relaxed);
        }
        self.check_bands(0);
        self.check_order(letter);
        if n_turns == world.end_after {
            let stop = world.stop.lock().expect("nobody panics with it in hand").clone();
            match (world.end, stop) {
                (End::Stopped, Some(stop)) => stop.stop(),
                (End::Aborted, Some(stop)) => stop.abort(),
                _ => (),
            }
        }
        let parts = [world.seed, me as u64, letter.from as u64, letter.stamp];
        let mut random = Random::of(&parts);
        let traitor = world.end == End::Failed && me == 0 && n_turns >= world.end_after;
        let fails = traitor || (me > 0 || world.end != End::Failed) && random.one_in(16);
        if letter.hops > 0 {
            for _ in 0..random.below(4) {
                self.emit(cx, &mut random, letter.hops - 1, fails);
            }
        }
        if cx.is_asked() && random.one_in(3) {
            cx.reply(Reply { bad: fails });
        }
        if !fails {
            return Ok(());
        }
        if random.one_in(2) || traitor {
            bail!("planted");
        }
        if self.is_restored() {
            self.sender.next.fill(1_000_000);
        }
        self.leave();
        // Not `panic!`: thousands of them would be printed.
        std::panic::resume_unwind(Box::new("planted"))
    }

    fn emit(&mut self, cx: &mut Context<'_>, random: &mut Random, hops: u32, bad: bool) {
        let world = Arc::clone(&self.sender.world);
        let channel = match random.below(8) {
            0 => random.below(world.channels.len()),
            _ => random.below(world.nodes.len()),
        };
        let burst = if random.one_in(8) { random.below(6) } else { 1 };
        for n in 0..burst {
            if !bad {
                for &to in &world.channels[channel] {
                    world.nodes[to].n_pending.fetch_add(1, Ordering::Relaxed);
                }
            }
            cx.emit(self.sender.write(channel, if n == 0 { hops } else { 0 }, bad));
        }
    }

    /// The turn is about to end.
    fn leave(&self) {
        let books = &self.sender.world.nodes[self.sender.me];
        if books.in_pool {
            self.sender.world.n_in_pool.fetch_sub(1, Ordering::Relaxed);
        }
        books.busy.store(false, Ordering::Release);
    }

    fn is_restored(&self) -> bool {
        self.sender.me % 2 == 1
    }

    fn check_order(&self, letter: &Letter) {
        let &Letter { from, channel, seq, stamp, bad, .. } = letter;
        let (world, me) = (&self.sender.world, self.sender.me);
        let mut heard = world.nodes[me].heard.lock().expect("nobody panics with it in hand");
        let next = std::mem::replace(&mut heard.next[from][channel], seq + 1);
        let last = std::mem::replace(&mut heard.stamps[from], stamp + 1);
        let missed = if world.nodes[me].capacity.is_some() { seq < next } else { seq != next };
        if bad || missed || last > stamp {
            world.fault(format!(
                "{me} heard from {from} on {channel}: {seq} instead of {next}, stamp {stamp}, \
                 {last} or later expected, bad {bad}"
            ));
        }
    }

    /// All that was submitted is handled before the phases begin.
    fn check_drained(&self) {
        let (world, me) = (&self.sender.world, self.sender.me);
        if world.nodes[me].capacity.is_some() {
            return;
        }
        let heard = world.nodes[me].heard.lock().expect("nobody panics with it in hand");
        for from in world.nodes.len()..world.sent.len() {
            for (channel, sent) in world.sent[from].iter().enumerate() {
                let (sent, next) = (sent.load(Ordering::Relaxed), heard.next[from][channel]);
                if world.channels[channel].contains(&me) && next != sent {
                    world.fault(format!(
                        "{me} heard {next} of {sent} from {from} when phases began"
                    ));
                }
            }
        }
    }

    /// Nothing of a band before this one, or of this one before a pull, may be waiting.
    fn check_bands(&self, inclusive: i32) {
        let (world, me) = (&self.sender.world, self.sender.me);
        if !world.strict_bands {
            return;
        }
        let band = world.nodes[me].band;
        let waits = |books: &Books| {
            books.band < band + inclusive && books.n_pending.load(Ordering::Relaxed) > 0
        };
        if let Some(other) = world.nodes.iter().position(waits) {
            world.fault(format!("{me} goes before {other}, which is in a band before it"));
        }
    }
}

/// Submits, and asks, until it has had enough or the run takes nothing more.
fn submit(submitter: &Submitter, sender: &mut Sender, random: &mut Random) {
    let world = Arc::clone(&sender.world);
    for _ in 0..random.below(200) {
        let channel = random.below(world.channels.len());
        let event = sender.write(channel, 3, false);
        let result = match random.below(8) {
            0 => match submitter.ask::<Reply>(event) {
                Ok(answer) => {
                    if answer.wait().is_ok_and(|reply| reply.bad) {
                        world.fault("a reply of a failed turn was given".to_owned());
                    }
                    continue;
                }
                Err(error) => Err(error),
            },
            1 => submitter.try_submit(event),
            _ => submitter.submit(event),
        };
        match result {
            Ok(n) if n == world.channels[channel].len() => (),
            Ok(n) => world.fault(format!("{n} are said to hear channel {channel}")),
            Err(SubmitError::Full { .. }) => sender.take_back(channel),
            Err(SubmitError::Closed { .. }) => {
                sender.take_back(channel);
                return;
            }
            Err(error) => world.fault(error.to_string()),
        }
    }
}

fn world(seed: u64, random: &mut Random, strict_bands: bool, n_submitters: usize) -> World {
    // Now and then more than are sorted at a time when a batch is published.
    let n_nodes = if random.one_in(8) { 65 + random.below(100) } else { 1 + random.below(20) };
    let mut channels: Vec<Vec<usize>> = (0..n_nodes).map(|node| vec![node]).collect();
    for _ in 0..random.below(4) {
        let density = random.below(4);
        channels.push((0..n_nodes).filter(|_| random.below(n_nodes) < density).collect());
    }
    channels.push(Vec::new());
    let n_senders = n_nodes + n_submitters;
    let lossy = !strict_bands && random.one_in(3);
    let overflows = [Overflow::DropNewest, Overflow::DropOldest];
    let books = |random: &mut Random| Books {
        capacity: (lossy && random.one_in(3))
            .then(|| (random.pick(&[1, 3, 40]), random.pick(&overflows))),
        in_pool: random.one_in(3),
        band: i32::try_from(random.below(3)).expect("it is small"),
        busy: AtomicBool::new(false),
        n_pending: AtomicI64::new(0),
        heard: Mutex::new(Heard {
            next: vec![vec![0; channels.len()]; n_senders],
            stamps: vec![0; n_senders],
        }),
    };
    let ends = [End::Stopped, End::Failed, End::Aborted, End::Dropped];
    World {
        seed,
        end: if random.one_in(2) { End::Completed } else { random.pick(&ends) },
        end_after: 1 + random.below(300) as u64,
        stop: Mutex::default(),
        nodes: (0..n_nodes).map(|_| books(random)).collect(),
        sent: (0..n_senders)
            .map(|_| channels.iter().map(|_| AtomicU32::new(0)).collect())
            .collect(),
        channels,
        strict_bands,
        pool_max: 1 + random.below(3),
        n_in_pool: AtomicUsize::new(0),
        n_turns: AtomicU64::new(0),
        live: AtomicI64::new(0),
        faults: Mutex::default(),
    }
}

fn limits(random: &mut Random) -> Limits {
    Limits {
        batch_turns_max: random.pick(&[1, 3, 64, 256]),
        in_flight_max: random.pick(&[1, 8, 500, 100_000]),
        lane_max: random.pick(&[1, 16, 4_096]),
        pull_max: random.pick(&[1, 7, 1_024]),
        dead_letters_max: random.pick(&[0, 5, 10_000]),
        batch_time_max: random.pick(&[Duration::ZERO, Duration::from_micros(20), Duration::MAX]),
        ..Limits::default()
    }
}

fn node(me: usize, world: &Arc<World>, random: &mut Random) -> Registration<Node> {
    let n_pulls = if random.one_in(4) { 1 + random.below(20) } else { 0 };
    let node = Node {
        sender: Sender::new(me, world),
        n_pulls: u32::try_from(n_pulls).expect("it is small"),
        phases: if random.one_in(4) { 2 } else { 0 },
    };
    let traitor = me == 0 && world.end == End::Failed;
    let policy = if traitor { FailurePolicy::Fail } else { FailurePolicy::Skip };
    let restored = node.is_restored();
    let books = &world.nodes[me];
    let mut node = node.named(format!("node {me}")).priority(books.band).on_failure(policy);
    if let Some((events, overflow)) = books.capacity {
        node = node.capacity(events).on_overflow(overflow);
    }
    if books.in_pool {
        node = node.limited_by("pool");
    }
    if restored { node.restored_by_clone() } else { node.stateless() }
}

/// Plays one round and says how many turns it took.
fn round(seed: u64) -> u64 {
    let mut random = Random::of(&[seed]);
    let (n_workers, limits) = (1 + random.below(8), limits(&mut random));
    let n_submitters = random.below(5);
    let strict_bands = n_workers == 1 && limits.batch_turns_max == 1;
    let world = Arc::new(world(seed, &mut random, strict_bands, n_submitters));
    let nodes: Vec<_> = (0..world.nodes.len()).map(|me| node(me, &world, &mut random)).collect();
    let mut builder = Pipeline::builder().processors(nodes).limits(limits).workers(n_workers);
    if world.nodes.iter().any(|books| books.in_pool) {
        builder = builder.concurrency("pool", world.pool_max);
    }
    let pipeline = builder.build().expect("the wiring is sound");
    let stop = |stop| *world.stop.lock().expect("nobody panics with it in hand") = stop;
    stop(Some(pipeline.stop_handle()));
    let threads: Vec<_> = (0..n_submitters)
        .map(|n| {
            let submitter = pipeline.submitter();
            let mut sender = Sender::new(world.nodes.len() + n, &world);
            let mut random = Random(random.next());
            std::thread::spawn(move || submit(&submitter, &mut sender, &mut random))
        })
        .collect();
    let result = if world.end == End::Dropped {
        let running = pipeline.start().expect("there is room for threads");
        for _ in 0..2_000 {
            if world.n_turns.load(Ordering::Relaxed) >= world.end_after {
                break;
            }
            std::thread::yield_now();
        }
        drop(running);
        None
    } else if random.one_in(2) {
        Some(pipeline.start().expect("there is room for threads").finish())
    } else {
        Some(pipeline.run())
    };
    threads.into_iter().for_each(|thread| thread.join().expect("no submitter panics"));
    stop(None);
    if let Some(result) = result {
        check_report(&world, &result);
    }
    // Threads that nobody waits for may still have something in hand.
    while world.end == End::Aborted && world.live.load(Ordering::Relaxed) > 0 {
        std::thread::yield_now();
    }
    assert_eq!(world.live.load(Ordering::Relaxed), 0, "every event is dropped once");
    let faults = world.faults.lock().expect("nobody panics with it in hand");
    assert!(faults.is_empty(), "{} faults, the first: {}", faults.len(), faults[0]);
    world.n_turns.load(Ordering::Relaxed)
}

fn check_report(world: &World, result: &Result<RunReport, RunError>) {
    let report = match result {
        Ok(report) => report,
        Err(RunError::Aborted { .. }) => return assert_eq!(world.end, End::Aborted),
        Err(error) => {
            assert_eq!(world.end, End::Failed, "{error}");
            error.report().expect("a failed run has a report")
        }
    };
    assert!(report.balances(), "{report}");
    let n_turns = world.n_turns.load(Ordering::Relaxed);
    assert_eq!(report.handled + report.dead, n_turns, "one turn per delivery: {report}");
    if result.is_err() {
        return;
    }
    assert_eq!(report.abandoned, 0, "{report}");
    let lossy = world.nodes.iter().any(|books| books.capacity.is_some());
    assert!(lossy || report.dropped == 0, "{report}");
    let mut n_sent = 0;
    for (from, sent) in world.sent.iter().enumerate() {
        for (channel, sent) in sent.iter().enumerate() {
            let sent = sent.load(Ordering::Relaxed);
            n_sent += u64::from(sent) * world.channels[channel].len() as u64;
            for &to in &world.channels[channel] {
                if world.nodes[to].capacity.is_some() {
                    continue;
                }
                let heard = world.nodes[to].heard.lock().expect("nobody panics with it in hand");
                assert_eq!(heard.next[from][channel], sent, "{from} to {to} on {channel}");
            }
        }
    }
    // Init, and each phase, go to every node.
    let lifecycle = u64::from(1 + report.phases) * world.nodes.len() as u64;
    assert_eq!(report.accepted, n_sent + lifecycle, "{report}");
}

#[test]
fn random_pipelines_keep_what_the_runtime_promises() {
    let number = |name: &str, default| match std::env::var(name) {
        Ok(value) => value.parse().expect("it is a number"),
        Err(_) => default,
    };
    let time = Duration::from_secs(number("SELVEDGE_STRESS_SECONDS", 5));
    let first: u64 = number("SELVEDGE_STRESS_SEED", 1);
    let began = Instant::now();
    let (mut seed, mut n_turns) = (first, 0);
    while began.elapsed() < time {
        let result = std::panic::catch_unwind(|| in_time(move || round(seed)));
        n_turns += result.unwrap_or_else(|panic| {
            eprintln!("SELVEDGE_STRESS_SEED={seed} cargo test -p selvedge-tests stress");
            std::panic::resume_unwind(panic);
        });
        seed += 1;
    }
    println!("{} rounds, {n_turns} turns", seed - first);
    assert!(n_turns > 100 * (seed - first), "rounds in which little happens prove little");
}
