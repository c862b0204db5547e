//! Owns the set of timers that are running, by when they are due. Pure: time comes in from outside,
//! and what a timer is for is the caller's business.
//!
//! A cancelled timer's entry stays in the heap until it comes up or until half of the heap is such
//! entries: cancelling costs a look-up, and memory stays within twice of what is running.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use rustc_hash::FxHashMap;

/// A timer: who set it, and the how many-th of theirs it is. Whoever sets one numbers it, so that
/// it has a name before it is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TimerId {
    pub(crate) setter: u32,
    pub(crate) number: u64,
}

/// How often a timer fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Outstanding work: a run waits for it.
    Once,
    /// No outstanding work, or no run would ever end. The period is not zero.
    Every(Duration),
}

/// A timer that has fired.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fired<T> {
    pub(crate) id: TimerId,
    /// When it should have.
    pub(crate) due: Duration,
    /// How many further times it should have by now. They are not made up for.
    pub(crate) missed: u64,
    pub(crate) alarm: T,
}

/// The timers that are running, each with what it is for.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    /// The first one due on top. An entry whose timer has another place by now, or is gone, is
    /// stale; the top never is.
    heap: BinaryHeap<Reverse<(Duration, Place, TimerId)>>,
    running: FxHashMap<TimerId, Running<T>>,
    next_place: Place,
    n_one_shot: usize,
    n_own: u64,
}

/// Where a timer stands among those due at the same time: first set, first fired.
type Place = u64;

#[derive(Debug)]
struct Running<T> {
    due: Duration,
    place: Place,
    repeat: Repeat,
    alarm: T,
}

impl<T> Default for Timers<T> {
    fn default() -> Timers<T> {
        Timers {
            heap: BinaryHeap::new(),
            running: FxHashMap::default(),
            next_place: 0,
            n_one_shot: 0,
            n_own: 0,
        }
    }
}

impl<T> Timers<T> {
    /// The setter of the timers that nobody else numbers.
    const OWN: u32 = u32::MAX;

    /// Sets a timer. An id is used once.
    pub(crate) fn set(&mut self, id: TimerId, due: Duration, repeat: Repeat, alarm: T) {
        if repeat == Repeat::Once {
            self.n_one_shot += 1;
        }
        let place = self.queue(id, due);
        let former = self.running.insert(id, Running { due, place, repeat, alarm });
        assert!(former.is_none(), "{id:?} is set twice");
    }

    /// Sets a timer that fires once, for the runtime's own use: a mailbox or a turn that waits out
    /// its backoff.
    pub(crate) fn arm(&mut self, due: Duration, alarm: T) -> TimerId {
        let id = TimerId { setter: Self::OWN, number: self.n_own };
        self.n_own += 1;
        self.set(id, due, Repeat::Once, alarm);
        id
    }

    /// Takes a timer out before it fires, if it is running. What it is for may be the user's: it is
    /// to be dropped under no lock.
    #[must_use]
    pub(crate) fn cancel(&mut self, id: TimerId) -> Option<T> {
        let running = self.running.remove(&id)?;
        if running.repeat == Repeat::Once {
            self.n_one_shot -= 1;
        }
        self.sweep();
        Some(running.alarm)
    }

    /// When the first one is due.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((due, ..))| *due)
    }

    /// How many timers are running that a run waits for.
    pub(crate) fn n_one_shot(&self) -> usize {
        self.n_one_shot
    }

    /// How many timers are running.
    pub(crate) fn len(&self) -> usize {
        self.running.len()
    }

    /// Makes those due whose alarm is like this. Linear in the number of timers.
    pub(crate) fn hasten(&mut self, now: Duration, is_like: impl Fn(&T) -> bool) {
        let is_late = |timer: &Running<T>| timer.due > now && is_like(&timer.alarm);
        let mut found: Vec<(Place, TimerId)> = self
            .running
            .iter()
            .filter(|(_, timer)| is_late(timer))
            .map(|(id, timer)| (timer.place, *id))
            .collect();
        found.sort_unstable_by_key(|(place, _)| *place);
        for (_, id) in found {
            let place = self.queue(id, now);
            if let Some(timer) = self.running.get_mut(&id) {
                (timer.due, timer.place) = (now, place);
            }
        }
        self.sweep();
    }

    /// What a timer is for, if it is running.
    pub(crate) fn alarm(&self, id: TimerId) -> Option<&T> {
        self.running.get(&id).map(|timer| &timer.alarm)
    }

    /// Takes out those whose alarm is like this, which will not fire, in order of setting. Linear
    /// in the number of timers.
    #[must_use]
    pub(crate) fn extract(&mut self, is_like: impl Fn(&T) -> bool) -> Vec<T> {
        let found = self.running.extract_if(|_, timer| is_like(&timer.alarm));
        let mut found: Vec<Running<T>> = found.map(|(_, timer)| timer).collect();
        let is_one_shot = |timer: &&Running<T>| timer.repeat == Repeat::Once;
        self.n_one_shot -= found.iter().filter(is_one_shot).count();
        found.sort_unstable_by_key(|timer| timer.place);
        self.sweep();
        found.into_iter().map(|timer| timer.alarm).collect()
    }

    /// Takes out all that are running, which will not fire, in order of setting.
    #[must_use]
    pub(crate) fn abandon(&mut self) -> Vec<T> {
        self.heap.clear();
        self.n_one_shot = 0;
        let mut running: Vec<Running<T>> = self.running.drain().map(|(_, timer)| timer).collect();
        running.sort_unstable_by_key(|timer| timer.place);
        running.into_iter().map(|timer| timer.alarm).collect()
    }

    fn queue(&mut self, id: TimerId, due: Duration) -> Place {
        let place = self.next_place;
        self.next_place += 1;
        self.heap.push(Reverse((due, place, id)));
        place
    }

    /// Keeps the top of the heap, and half of it, from being stale.
    fn sweep(&mut self) {
        const SMALL: usize = 32;
        let running = &self.running;
        let is_live = |(_, place, id): &(Duration, Place, TimerId)| {
            running.get(id).is_some_and(|timer| timer.place == *place)
        };
        if self.heap.len() > SMALL.max(2 * running.len()) {
            self.heap.retain(|Reverse(entry)| is_live(entry));
        }
        while self.heap.peek().is_some_and(|Reverse(top)| !is_live(top)) {
            self.heap.pop();
        }
    }
}

impl<T: Clone> Timers<T> {
    /// The first timer that is due, if any is. One that repeats runs on, from when it was due and
    /// not from when somebody came to look: it doesn't drift.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<Fired<T>> {
        let &Reverse((due, _, id)) = self.heap.peek()?;
        if due > now {
            return None;
        }
        self.heap.pop();
        let running = self.running.get_mut(&id).expect("the top of the heap is running");
        let fired = match running.repeat {
            Repeat::Once => {
                self.n_one_shot -= 1;
                let alarm = self.running.remove(&id).expect("it was there just now").alarm;
                Fired { id, due, missed: 0, alarm }
            }
            Repeat::Every(period) => {
                let alarm = running.alarm.clone();
                let (missed, next) = next_tick(due, period, now);
                let place = self.queue(id, next);
                let running = self.running.get_mut(&id).expect("it was there just now");
                (running.due, running.place) = (next, place);
                Fired { id, due, missed, alarm }
            }
        };
        self.sweep();
        Some(fired)
    }
}

/// How many ticks after `due` have passed by `now`, and when the next one is.
fn next_tick(due: Duration, period: Duration, now: Duration) -> (u64, Duration) {
    const NANOS_PER_SECOND: u128 = 1_000_000_000;
    let (late, period_nanos) = ((now - due).as_nanos(), period.as_nanos());
    let missed = u64::try_from(late / period_nanos).unwrap_or(u64::MAX);
    let left = period_nanos - late % period_nanos;
    let left = Duration::new(
        (left / NANOS_PER_SECOND) as u64, // At most the period's.
        (left % NANOS_PER_SECOND) as u32,
    );
    (missed, now.saturating_add(left))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::{Just, Strategy, any};
    use proptest::{collection, prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn id(number: u64) -> TimerId {
        TimerId { setter: 0, number }
    }

    /// Each word does one thing: `a5` sets a timer called `a` for second 5, `a5/2` one that then
    /// repeats every 2 seconds, `-a` cancels it, `@7` lets it be second 7 and shows what fires.
    fn trace(words: &str) -> String {
        let mut timers = Timers::default();
        let mut text = String::new();
        let seconds = |digits: &str| SECOND * digits.parse().expect("digits");
        for word in words.split(' ') {
            let (name, rest) = word.split_at(1);
            let number = |name: &str| u64::from(name.as_bytes()[0]);
            match (name, rest.split_once('/')) {
                ("@", _) => {
                    text += word;
                    while let Some(fired) = timers.pop_due(seconds(rest)) {
                        text += &format!(" {}({:?}", fired.alarm, fired.due);
                        if fired.missed > 0 {
                            text += &format!(", {} missed", fired.missed);
                        }
                        text += ")";
                    }
                    let (n_one_shot, next) = (timers.n_one_shot(), timers.next_due());
                    text += &format!("; {n_one_shot} of {} once, next {next:?}\n", timers.len());
                }
                ("-", _) => {
                    if timers.cancel(id(number(rest))).is_none() {
                        text += &format!("no {rest}\n");
                    }
                }
                (_, Some((due, period))) => {
                    let repeat = Repeat::Every(seconds(period));
                    timers.set(id(number(name)), seconds(due), repeat, name.to_owned());
                }
                (_, None) => {
                    timers.set(id(number(name)), seconds(rest), Repeat::Once, name.to_owned());
                }
            }
        }
        text + &format!("left: {}", timers.abandon().join(" "))
    }

    #[test]
    fn first_due_first_fired_and_among_equals_first_set() {
        assert_snapshot!(trace("a5 b3 c5 d3 @2 @4 @9"), @r"
        @2; 4 of 4 once, next Some(3s)
        @4 b(3s) d(3s); 2 of 2 once, next Some(5s)
        @9 a(5s) c(5s); 0 of 0 once, next None
        left:
        ");
    }

    #[test]
    fn what_is_cancelled_does_not_fire() {
        assert_snapshot!(trace("a1 b2 c3 -b -b @2 -a -c @9"), @r"
        no b
        @2 a(1s); 1 of 1 once, next Some(3s)
        no a
        @9; 0 of 0 once, next None
        left:
        ");
    }

    #[test]
    fn what_repeats_neither_drifts_nor_makes_up_for_what_was_missed() {
        assert_snapshot!(trace("a2/3 b5 @1 @2 @4 @5 @14 @15 -a @99"), @r"
        @1; 1 of 2 once, next Some(2s)
        @2 a(2s); 1 of 2 once, next Some(5s)
        @4; 1 of 2 once, next Some(5s)
        @5 b(5s) a(5s); 0 of 1 once, next Some(8s)
        @14 a(8s, 2 missed); 0 of 1 once, next Some(17s)
        @15; 0 of 1 once, next Some(17s)
        @99; 0 of 0 once, next None
        left:
        ");
        assert_snapshot!(trace("a1/1 b1/1 @1 @2 -a @4"), @r"
        @1 a(1s) b(1s); 0 of 2 once, next Some(2s)
        @2 a(2s) b(2s); 0 of 2 once, next Some(3s)
        @4 b(3s, 1 missed); 0 of 1 once, next Some(5s)
        left: b
        ");
    }

    #[test]
    fn a_timer_of_the_runtime_s_own_keeps_clear_of_the_others() {
        let mut timers = Timers::default();
        timers.set(id(0), SECOND, Repeat::Once, "theirs");
        let own = [timers.arm(SECOND, "ours"), timers.arm(SECOND, "ours too")];
        assert_eq!(timers.cancel(own[0]), Some("ours"));
        let fired: Vec<_> = std::iter::from_fn(|| timers.pop_due(SECOND)).collect();
        assert_eq!(
            fired.iter().map(|fired| fired.alarm).collect::<Vec<_>>(),
            ["theirs", "ours too"]
        );
        assert_eq!((timers.n_one_shot(), timers.len(), timers.next_due()), (0, 0, None));
    }

    #[test]
    fn what_is_taken_out_does_not_fire_and_the_others_do() {
        let mut timers = Timers::default();
        for n in 0..100 {
            let repeat = if n % 3 == 0 { Repeat::Every(SECOND) } else { Repeat::Once };
            timers.set(id(n), SECOND * (100 - n as u32), repeat, n);
        }
        assert_eq!(timers.alarm(id(7)), Some(&7));
        let odd: Vec<u64> = timers.extract(|n| n % 2 == 1);
        assert_eq!(odd, (0..50).map(|n| 2 * n + 1).collect::<Vec<_>>());
        assert_eq!((timers.len(), timers.n_one_shot(), timers.alarm(id(7))), (50, 33, None));
        assert_eq!(timers.next_due(), Some(2 * SECOND));
        let fired: Vec<_> = std::iter::from_fn(|| timers.pop_due(2 * SECOND)).collect();
        assert_eq!(fired.iter().map(|fired| fired.alarm).collect::<Vec<_>>(), [98]);
    }

    #[test]
    fn cancelled_timers_leave_no_more_than_half_a_heap() {
        let mut timers = Timers::default();
        for n in 0..100_000 {
            timers.set(id(n), SECOND * 3_600, Repeat::Once, ());
            if n >= 100 {
                assert_eq!(timers.cancel(id(n)), Some(()));
            }
            assert!(timers.heap.len() <= 32.max(2 * timers.len()) + 1);
        }
        assert_eq!((timers.len(), timers.n_one_shot()), (100, 100));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Set { after: u64, period: Option<u64> },
        Cancel(u64),
        Pass(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let period = prop_oneof![2 => Just(None), 1 => (1..10_u64).prop_map(Some)];
        prop_oneof![
            4 => (0..20_u64, period).prop_map(|(after, period)| Step::Set { after, period }),
            2 => any::<u64>().prop_map(Step::Cancel),
            3 => (0..15_u64).prop_map(Step::Pass),
        ]
    }

    /// Running timers in order of (re-)setting: id, due, period.
    type Naive = Vec<(u64, u64, Option<u64>)>;

    fn pop_naive(naive: &mut Naive, now: u64) -> Option<(u64, u64, u64)> {
        let due = naive.iter().map(|&(_, due, _)| due).min().filter(|&due| due <= now)?;
        let at = naive.iter().position(|timer| timer.1 == due)?;
        let (id, due, period) = naive.remove(at);
        let mut missed = 0;
        if let Some(period) = period {
            let mut next = due + period;
            while next <= now {
                (missed, next) = (missed + 1, next + period);
            }
            naive.push((id, next, Some(period)));
        }
        Some((id, due, missed))
    }

    proptest! {
        #[test]
        fn it_agrees_with_looking_at_all_of_them(steps in collection::vec(step(), 0..80)) {
            let mut timers = Timers::default();
            let mut naive = Naive::new();
            let (mut now, mut n_set) = (0, 0);
            for step in steps {
                match step {
                    Step::Set { after, period } => {
                        let every = |period| Repeat::Every(Duration::from_secs(period));
                        let repeat = period.map_or(Repeat::Once, every);
                        timers.set(id(n_set), SECOND * (now + after) as u32, repeat, n_set);
                        naive.push((n_set, now + after, period));
                        n_set += 1;
                    }
                    Step::Cancel(pick) if n_set > 0 => {
                        let pick = pick % n_set;
                        let n_before = naive.len();
                        naive.retain(|&(id, ..)| id != pick);
                        let cancelled = timers.cancel(id(pick));
                        prop_assert_eq!(cancelled.is_some(), naive.len() < n_before);
                    }
                    Step::Cancel(_) => {}
                    Step::Pass(seconds) => {
                        now += seconds;
                        let at = SECOND * now as u32;
                        while let Some(fired) = timers.pop_due(at) {
                            let fired = (fired.alarm, fired.due.as_secs(), fired.missed);
                            prop_assert_eq!(Some(fired), pop_naive(&mut naive, now));
                        }
                        prop_assert_eq!(pop_naive(&mut naive, now), None);
                    }
                }
                let n_one_shot = naive.iter().filter(|(_, _, period)| period.is_none()).count();
                prop_assert_eq!((timers.len(), timers.n_one_shot()), (naive.len(), n_one_shot));
                let next = naive.iter().map(|&(_, due, _)| due).min();
                prop_assert_eq!(timers.next_due().map(|due| due.as_secs()), next);
                prop_assert!(timers.heap.len() <= 33.max(2 * timers.len() + 1));
            }
        }
    }
}
