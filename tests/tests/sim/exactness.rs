//! Whatever the interleaving: one turn per delivery, order per pair, turns that failed are never
//! heard of, and the outputs are those of a single worker.

use std::time::Duration;

use selvedge::prelude::*;
use selvedge::runtime::simulation::{Await, Sim, SimRun, Strategy};
use selvedge_testkit::explore;

use super::{Log, SEEDS};

/// From one node to another, the how manyeth of those.
#[derive(Event)]
struct Hop {
    from: usize,
    #[key]
    to: u64,
    seq: u32,
    hops: u32,
}

/// What a node heard: from, to, seq, hops.
type Heard = (usize, u64, u32, u32);

const NODES: usize = 5;
const OUTSIDE: usize = NODES;

/// Sends each letter on to two others; what it sends follows from what it hears, but for the
/// order.
#[derive(Clone)]
struct Node {
    me: usize,
    next: [u32; NODES],
    log: Log<Heard>,
}

impl Processor for Node {
    fn interests(&self) -> Interests {
        Interests::listed([Interest::of::<Hop>().keyed(self.me as u64)])
    }

    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        let hop = event.payload::<Hop>().expect("it hears nothing else");
        if hop.hops > 0 {
            for step in [1, 2, 2] {
                let to = (self.me + step) % NODES;
                let seq = self.next[to];
                self.next[to] += 1;
                cx.emit(Hop { from: self.me, to: to as u64, seq, hops: hop.hops - 1 });
            }
        }
        self.log.add((hop.from, hop.to, hop.seq, hop.hops));
        Ok(())
    }
}

/// Plays nodes that send letters round and hands back what they heard, in order.
fn play(sim: Sim, log: &Log<Heard>, bands: bool) -> (SimRun, Vec<Heard>) {
    let node = |me: usize| {
        let node = Node { me, next: [0; NODES], log: log.clone() };
        let band = if bands { i32::from(me >= 3) } else { 0 };
        let policy = FailurePolicy::Skip;
        node.named(format!("node {me}")).priority(band).restored_by_clone().on_failure(policy)
    };
    let limits = Limits { batch_turns_max: 6, lane_max: 3, in_flight_max: 20, ..Limits::default() };
    let builder = Pipeline::builder().processors((0..NODES).map(node)).limits(limits);
    let mut sent = 0;
    let sim = sim.client(move |client| {
        let hop = Hop { from: OUTSIDE, to: sent % NODES as u64, seq: sent as u32, hops: 3 };
        client.submit(hop);
        sent += 1;
        if sent == 12 { Await::Done } else { Await::Turn }
    });
    let pipeline = sim.build(builder).expect("the wiring is sound");
    let run = sim.run(pipeline);
    (run, log.take())
}

/// Everything that one node sent another is heard once and in order.
fn check_pairs(heard: &[Heard]) {
    let mut next = [[0; NODES]; NODES + 1];
    let mut last_outside = [None; NODES];
    for &(from, to, seq, _) in heard {
        let to = to as usize;
        if from == OUTSIDE {
            assert!(last_outside[to] < Some(seq), "{to} hears {seq} late");
            last_outside[to] = Some(seq);
        } else {
            assert_eq!(seq, next[from][to], "from {from} to {to}: {heard:?}");
            next[from][to] += 1;
        }
    }
}

#[test]
fn letters_arrive_once_in_order_and_the_same_ones_under_every_interleaving() {
    // How many letters of how many hops each node hears doesn't depend on the order.
    let counted = |heard: &[Heard]| {
        let mut counted: Vec<_> =
            heard.iter().map(|&(from, to, _, hops)| (from, to, hops)).collect();
        counted.sort_unstable();
        counted
    };
    let (run, expected) =
        play(Sim::new(0).workers(1).strategy(Strategy::Random), &Log::new(), false);
    let n_expected = run.result.expect("nothing fails").handled;
    assert_eq!(n_expected, 12 * (1 + 3 + 9 + 27));
    let expected = counted(&expected);
    explore(SEEDS, |sim| {
        let bands = sim.seed() % 2 == 0;
        // Turns that take time rarely end at the same moment: steps interleave the less for it.
        let jitter = if sim.seed() % 3 == 0 { Duration::from_millis(3) } else { Duration::ZERO };
        let (run, heard) = play(sim.jitter(jitter), &Log::new(), bands);
        let report = run.result.as_ref().expect("nothing fails");
        assert!(report.balances() && report.handled == n_expected, "{report}");
        check_pairs(&heard);
        assert_eq!(counted(&heard), expected);
        run
    });
}

#[test]
fn a_turn_that_fails_or_panics_is_never_heard_of() {
    explore(SEEDS, |sim| {
        let seed = sim.seed();
        let sim = sim
            .fail_any_turn(1 + seed % 40)
            .panic_any_turn(2 + seed % 37)
            .panic_turn("node 2", 3)
            .fail_turn("node 4", 2);
        let log = Log::new();
        let (run, heard) = play(sim, &log, false);
        let report = run.result.as_ref().expect("failures are skipped");
        assert!(report.balances(), "{report}");
        assert!(run.faults >= 2 && report.dead == run.faults, "{}: {report}", run.faults);
        // A panic comes after the turn has written to the log.
        let n_panics = report.dead_letters.iter().filter(|letter| letter.panicked).count() as u64;
        assert_eq!(heard.len() as u64, report.handled + n_panics, "one turn per delivery");
        // A node that panicked numbers on from before: what it emitted then would come twice.
        let mut last = std::collections::BTreeMap::new();
        for &(from, to, seq, _) in &heard {
            let last = last.insert((from, to), seq);
            assert!(last < Some(seq), "{to} hears {seq} of {from} again: {heard:?}");
        }
        let emitted: u64 = report.processors.iter().map(|processor| processor.emitted).sum();
        assert_eq!(report.accepted, emitted + 12);
        run
    });
}
