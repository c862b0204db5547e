//! The pipeline that soaks: a source, inline and heap events, a fan-out by name, a keyed join whose
//! state is bounded, turns that fail and panic, two bands and an observer.

use std::collections::{HashMap, VecDeque};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::bail;
use selvedge::event::{Fact, Outcome, Wants};
use selvedge::prelude::*;
use selvedge::runtime::{BuildError, wanting};

use crate::gauges::Gauges;

const TICK: Name = Name::literal("soak.tick");

const N_SHARDS: u32 = 2;
const N_HEARERS: u64 = 4;
/// Few, so that as many events wait as may before the warm-up ends.
const N_KEYS: u64 = 256;

/// Right events come so much later than the left ones that they belong to.
const LAG: u64 = 500;

/// Unmatched events kept per key and side; the oldest make room.
const WAITING_MAX: usize = 8;

/// Of so many notes one fails its turn.
const FAILING: u64 = 1_009;
/// Of so many notes one makes its turn panic.
const PANICKING: u64 = 10_007;

/// What planned panics say.
const PLANNED: &str = "planned";

#[derive(Event, Clone, Copy)]
struct Left {
    #[key]
    shard: u32,
    key: u32,
    number: u32,
}

#[derive(Event, Clone, Copy)]
struct Right {
    #[key]
    shard: u32,
    key: u32,
    number: u32,
}

#[derive(Event, Clone, Copy)]
struct Pair {
    left: u32,
    right: u32,
}

#[derive(Event, Clone, Copy)]
struct Tick(u64);

#[derive(Event, Clone, Copy)]
struct Plain(u64);

#[derive(Event, Clone, Copy)]
struct Step(u64);

#[derive(Event)]
struct Note {
    number: u64,
    text: String,
}

#[derive(Event)]
struct Summary {
    text: String,
}

#[derive(Event, Clone, Copy)]
struct Accepted {
    length: u64,
}

/// What was sent and what arrived. Relaxed throughout: read when the run is over.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    sides: AtomicU64,
    ticks: AtomicU64,
    plains: AtomicU64,
    notes: AtomicU64,
    to_fail: AtomicU64,
    note_bytes: AtomicU64,
    matched: AtomicU64,
    evicted: AtomicU64,
    waiting: AtomicU64,
    pairs: AtomicU64,
    heard: AtomicU64,
    out_of_order: AtomicU64,
    steps: AtomicU64,
    summaries: AtomicU64,
    summary_bytes: AtomicU64,
    accepted: AtomicU64,
    facts: AtomicU64,
    failures_seen: AtomicU64,
}

fn add(total: &AtomicU64, n: u64) {
    total.fetch_add(n, Ordering::Relaxed);
}

impl Totals {
    /// Facts that the observer was told.
    pub(crate) fn facts_observed(&self) -> u64 {
        self.facts.load(Ordering::Relaxed)
    }

    /// What does not add up, a line each.
    pub(crate) fn amiss(&self, report: &RunReport) -> Vec<String> {
        let of = |total: &AtomicU64| total.load(Ordering::Relaxed);
        let notes = of(&self.notes);
        let to_fail = of(&self.to_fail);
        let at_joins = 2 * of(&self.matched) + of(&self.evicted) + of(&self.waiting);
        let equal = [
            ("turns that failed, of those planned", report.dead, to_fail),
            ("deliveries that ended in a turn", report.handled + report.dead, report.accepted),
            ("events that the joins account for", at_joins, of(&self.sides)),
            ("pairs that arrived", of(&self.pairs), of(&self.matched)),
            ("ticks heard", of(&self.heard), N_HEARERS * of(&self.ticks)),
            ("ticks out of order", of(&self.out_of_order), 0),
            ("steps that arrived", of(&self.steps), of(&self.plains)),
            ("notes accepted", of(&self.accepted), notes - to_fail),
            ("summaries that arrived", of(&self.summaries), notes),
            ("bytes in summaries", of(&self.summary_bytes), of(&self.note_bytes)),
        ];
        let unequal = equal.iter().filter(|(_, found, expected)| found != expected);
        let mut amiss: Vec<String> = unequal
            .map(|(what, found, expected)| format!("{what}: {found}, expected {expected}"))
            .collect();
        if !report.balances() {
            amiss.push(format!("the deliveries don't balance: {report}"));
        }
        // An observer may miss facts under pressure, but not be told of what did not happen.
        if of(&self.failures_seen) > report.dead || self.facts_observed() == 0 {
            let seen = of(&self.failures_seen);
            amiss.push(format!("the observer was told of {seen} failures of {}", report.dead));
        }
        amiss
    }
}

/// Scatters its argument (the 64-bit finaliser of MurmurHash3).
fn mix(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

fn fails(note: u64) -> bool {
    note % FAILING == 1
}

fn panics(note: u64) -> bool {
    note % PANICKING == 2
}

/// Brings in all events, sixteen in a round, and reads the gauges on the way.
struct Source {
    n_events: u64,
    next: u64,
    next_reading: u64,
    gauges: Gauges,
    totals: Arc<Totals>,
}

impl Source {
    /// Of a round: eight for the join, two notes, two ticks, four plain ones.
    fn emit(&self, cx: &mut Context<'_>, i: u64) {
        let (round, place) = (i / 16, i % 16);
        match place {
            0..4 => {
                let number = round * 4 + place;
                let key = (mix(number) % N_KEYS) as u32;
                cx.emit(Left { shard: key % N_SHARDS, key, number: number as u32 });
            }
            4..8 => {
                // Some come with keys that no left one has, and leave their partners behind:
                // that is what the bound is for.
                let number = (round * 4 + place - 4).saturating_sub(LAG);
                let stray = u64::from(mix(i).is_multiple_of(4)) * N_KEYS;
                let key = (mix(number) % N_KEYS + stray) as u32;
                cx.emit(Right { shard: key % N_SHARDS, key, number: number as u32 });
            }
            8..10 => {
                let number = round * 2 + place - 8;
                let text = format!("note {number} {}", "x".repeat((mix(number) % 90) as usize));
                add(&self.totals.note_bytes, text.len() as u64);
                add(&self.totals.notes, 1);
                add(&self.totals.to_fail, u64::from(fails(number) || panics(number)));
                cx.emit(Note { number, text });
            }
            10..12 => cx.emit(Named(TICK, Tick(i))),
            _ => cx.emit(Plain(i)),
        }
        match place {
            0..8 => add(&self.totals.sides, 1),
            10..12 => add(&self.totals.ticks, 1),
            12.. => add(&self.totals.plains, 1),
            _ => {}
        }
    }
}

impl Processor for Source {
    fn process(&mut self, cx: &mut Context<'_>, _: &Event) -> Result {
        cx.start_pulling();
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Init>()])
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        let end = self.n_events.min(self.next + cx.room() as u64);
        (self.next..end).for_each(|i| self.emit(cx, i));
        self.next = end;
        if end >= self.next_reading {
            self.gauges.read(end);
            self.next_reading = end + self.gauges.interval();
        }
        Ok(if end == self.n_events { Pull::Done } else { Pull::More })
    }
}

/// Joins the sides of its shard's keys, and forgets the oldest when too many wait.
struct Joiner {
    waiting: HashMap<u32, [VecDeque<u32>; 2]>,
    matched: u64,
    evicted: u64,
    totals: Arc<Totals>,
}

impl Joiner {
    fn feed(&mut self, cx: &mut Context<'_>, side: usize, key: u32, number: u32) {
        let sides = self.waiting.entry(key).or_default();
        if let Some(other) = sides[1 - side].pop_front() {
            self.matched += 1;
            let (left, right) = if side == 0 { (number, other) } else { (other, number) };
            return cx.emit(Pair { left, right });
        }
        if sides[side].len() == WAITING_MAX {
            sides[side].pop_front();
            self.evicted += 1;
        }
        sides[side].push_back(number);
    }
}

#[processor(strict)]
impl Processor for Joiner {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Left { key, number, .. } => self.feed(cx, 0, *key, *number),
            Right { key, number, .. } => self.feed(cx, 1, *key, *number),
        }
        Ok(())
    }

    fn close(&mut self, _: Ending) -> Result {
        let waiting = self.waiting.values().flatten().map(VecDeque::len).sum::<usize>();
        add(&self.totals.waiting, waiting as u64);
        add(&self.totals.matched, self.matched);
        add(&self.totals.evicted, self.evicted);
        Ok(())
    }
}

/// Hears ticks by their name, and looks whether they come in order.
struct Hearer {
    last: u64,
    heard: u64,
    out_of_order: u64,
    totals: Arc<Totals>,
}

impl Processor for Hearer {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        if let Some(&Tick(number)) = event.payload() {
            self.heard += 1;
            self.out_of_order += u64::from(number <= self.last);
            self.last = number;
        }
        Ok(())
    }

    fn interests(&self) -> Interests {
        Interests::listed([Interest::any().named(TICK)])
    }

    fn close(&mut self, _: Ending) -> Result {
        add(&self.totals.heard, self.heard);
        add(&self.totals.out_of_order, self.out_of_order);
        Ok(())
    }
}

/// Accepts most notes, fails on some and panics on a few.
struct Picky;

#[processor(strict)]
impl Processor for Picky {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Note { number, text } => {
                // Discarded with the turn when it fails.
                cx.emit(Accepted { length: text.len() as u64 });
                if fails(*number) {
                    bail!("note {number} is not wanted");
                }
                assert!(!panics(*number), "{PLANNED}");
            }
        }
        Ok(())
    }
}

/// Takes what comes out at the ends, in the later band.
struct Sums {
    pairs: u64,
    steps: u64,
    summaries: u64,
    summary_bytes: u64,
    accepted: u64,
    totals: Arc<Totals>,
}

#[processor(strict)]
impl Processor for Sums {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Pair { left, right } => self.pairs += u64::from(left.max(right) < &u32::MAX),
            Step(number) => self.steps += u64::from(*number < u64::MAX),
            Accepted { length } => self.accepted += u64::from(*length > 0),
            Summary { text } => {
                self.summaries += 1;
                self.summary_bytes += text.len() as u64;
            }
        }
        Ok(())
    }

    fn close(&mut self, _: Ending) -> Result {
        add(&self.totals.pairs, self.pairs);
        add(&self.totals.steps, self.steps);
        add(&self.totals.accepted, self.accepted);
        add(&self.totals.summaries, self.summaries);
        add(&self.totals.summary_bytes, self.summary_bytes);
        Ok(())
    }
}

/// Counts what it is told.
fn observe(totals: &Totals, facts: &[Fact]) {
    add(&totals.facts, facts.len() as u64);
    let failed =
        |fact: &&Fact| matches!(fact, Fact::TurnFinished { outcome: Outcome::Failed { .. }, .. });
    add(&totals.failures_seen, facts.iter().filter(failed).count() as u64);
}

/// The pipeline, and what it will have sent and received.
pub(crate) fn build(n_events: u64, gauges: Gauges) -> Result<(Pipeline, Arc<Totals>), BuildError> {
    let totals = Arc::new(Totals::default());
    let own = || Arc::clone(&totals);
    let source =
        Source { n_events, next: 0, next_reading: gauges.interval(), gauges, totals: own() };
    let joiner = |shard: u32| {
        let joiner = Joiner { waiting: HashMap::new(), matched: 0, evicted: 0, totals: own() };
        joiner.keyed(shard)
    };
    let hearer = |_| Hearer { last: 0, heard: 0, out_of_order: 0, totals: own() };
    let sums =
        Sums { pairs: 0, steps: 0, summaries: 0, summary_bytes: 0, accepted: 0, totals: own() };
    let observed = own();
    let pipeline = Pipeline::builder()
        .processor(source)
        .processors((0..N_SHARDS).map(joiner))
        .processors((0..N_HEARERS).map(hearer))
        .processor(Picky.stateless().on_failure(FailurePolicy::Skip))
        .processor(on("step", |cx: &mut Context<'_>, plain: &Plain| {
            cx.emit(Step(plain.0));
            Ok(())
        }))
        .processor(on("summarize", |cx: &mut Context<'_>, note: &Note| {
            cx.emit(Summary { text: note.text.clone() });
            Ok(())
        }))
        .processor(sums.priority(1))
        .observer(wanting(Wants::ALL, move |facts: &[Fact]| observe(&observed, facts)))
        // Few, so that they are all there before the warm-up ends.
        .limits(Limits { dead_letters_max: 100, ..Limits::default() })
        .strict()
        .workers(2)
        .build()?;
    Ok((pipeline, totals))
}

/// Planned panics are many, and nothing is learnt from reading them.
pub(crate) fn silence_planned_panics() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let planned = info.payload().downcast_ref::<&str>().is_some_and(|text| *text == PLANNED)
            || info.payload().downcast_ref::<String>().is_some_and(|text| text == PLANNED);
        if !planned {
            tell(info);
        }
    }));
}
