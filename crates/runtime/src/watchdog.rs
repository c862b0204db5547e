//! Owns what looks wrong with a run that goes on: turns over their budget, limits held while every
//! holder waits, a pause with work waiting, mailboxes that only grow. Pure: it is shown snapshots
//! and says what to tell, each thing once until it changes.

use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};
use selvedge_event::Text;

/// The state of a run at one moment, as far as it can be seen without stopping anything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// One entry per worker that is in a turn.
    pub(crate) turns: Vec<TurnUnderWay>,
    /// Credits and keyed limits that somebody holds.
    pub(crate) limits: Vec<HeldLimit>,
    /// One entry per mailbox.
    pub(crate) mailboxes: Vec<Depth>,
    /// What waits while the run is paused; `None` while it is not.
    pub(crate) waiting_while_paused: Option<usize>,
}

/// A turn that some worker takes.
#[derive(Clone, Debug)]
pub(crate) struct TurnUnderWay {
    pub(crate) worker: usize,
    pub(crate) processor: Text,
    pub(crate) since: Duration,
    pub(crate) budget: Option<Duration>,
}

/// A limit that is used up, or partly so.
#[derive(Clone, Debug)]
pub(crate) struct HeldLimit {
    pub(crate) limit: Text,
    pub(crate) holders: Vec<Holder>,
    /// How many wait for a part of it.
    pub(crate) n_waiting: usize,
}

/// Who holds a part of a limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Holder {
    pub(crate) name: Text,
    /// The limit that it waits for itself, if it does.
    pub(crate) waits_for: Option<Text>,
}

/// How many events wait in a mailbox.
#[derive(Clone, Debug)]
pub(crate) struct Depth {
    pub(crate) processor: Text,
    pub(crate) waiting: usize,
}

/// Something that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Warning {
    /// A turn under way has taken longer than it should.
    OverBudget { worker: usize, processor: Text, budget: Duration, elapsed: Duration },
    /// Others wait for a limit, and everyone who holds it waits too.
    HeldByWaiters { limit: Text, holders: Vec<Holder>, n_waiting: usize },
    /// Nothing will move until somebody resumes.
    PausedWithWork { waiting: usize },
    /// Each of the last samples was above the one before.
    OnlyGrows { processor: Text, from: usize, to: usize, samples: u32 },
}

/// What a warning is about; it is told again when it is about something else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Turn { worker: usize, since: Duration },
    Limit { limit: Text, holders: Vec<Holder> },
    Pause,
    Mailbox(Text),
}

/// When growth is worth telling of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    /// So many samples in a row, each above the one before.
    pub(crate) samples_min: u32,
    /// And so many events waiting by then: a burst is none of this.
    pub(crate) waiting_min: usize,
}

impl Default for Growth {
    fn default() -> Growth {
        Growth { samples_min: 10, waiting_min: 10_000 }
    }
}

/// Looks at snapshots.
#[derive(Debug, Default)]
pub(crate) struct Watchdog {
    growth: Growth,
    /// What has been told and still holds.
    told: FxHashSet<Subject>,
    trends: FxHashMap<Text, Trend>,
}

/// How a mailbox has been growing.
#[derive(Clone, Copy, Debug)]
struct Trend {
    /// Its depth before it began to grow.
    from: usize,
    last: usize,
    n_grown: u32,
}

impl Watchdog {
    pub(crate) fn new(growth: Growth) -> Watchdog {
        Watchdog { growth, ..Watchdog::default() }
    }

    /// What to tell at this moment. Expects to be shown snapshots at even intervals: growth is
    /// counted in samples.
    pub(crate) fn look(&mut self, now: Duration, snapshot: &Snapshot) -> Vec<Warning> {
        let mut seen = Vec::new();
        seen.extend(snapshot.turns.iter().filter_map(|turn| over_budget(now, turn)));
        seen.extend(snapshot.limits.iter().filter_map(held_by_waiters));
        if let Some(waiting @ 1..) = snapshot.waiting_while_paused {
            seen.push((Subject::Pause, Warning::PausedWithWork { waiting }));
        }
        self.follow(&snapshot.mailboxes, &mut seen);

        let still: FxHashSet<Subject> = seen.iter().map(|(subject, _)| subject.clone()).collect();
        let told = std::mem::replace(&mut self.told, still);
        seen.retain(|(subject, _)| !told.contains(subject));
        seen.into_iter().map(|(_, warning)| warning).collect()
    }

    /// Brings the trends up to date; a mailbox that is not shown any more is forgotten.
    fn follow(&mut self, mailboxes: &[Depth], seen: &mut Vec<(Subject, Warning)>) {
        let mut former = std::mem::take(&mut self.trends);
        for Depth { processor, waiting } in mailboxes {
            let to = *waiting;
            let trend = match former.remove(processor) {
                Some(trend) if to > trend.last => {
                    Trend { last: to, n_grown: trend.n_grown.saturating_add(1), ..trend }
                }
                _ => Trend { from: to, last: to, n_grown: 0 },
            };
            let Growth { samples_min, waiting_min } = self.growth;
            if trend.n_grown >= samples_min && to >= waiting_min {
                let (processor, samples) = (processor.clone(), trend.n_grown);
                let subject = Subject::Mailbox(processor.clone());
                let from = trend.from;
                seen.push((subject, Warning::OnlyGrows { processor, from, to, samples }));
            }
            self.trends.insert(processor.clone(), trend);
        }
    }
}

fn over_budget(now: Duration, turn: &TurnUnderWay) -> Option<(Subject, Warning)> {
    let TurnUnderWay { worker, since, .. } = *turn;
    let (processor, budget) = (turn.processor.clone(), turn.budget?);
    let elapsed = now.saturating_sub(since);
    let warning = Warning::OverBudget { worker, processor, budget, elapsed };
    (elapsed > budget).then_some((Subject::Turn { worker, since }, warning))
}

/// Nobody gives anything back while all who could are waiting themselves. Whether they wait for
/// each other in a ring, or for something else that is stuck, both limits are named.
fn held_by_waiters(held: &HeldLimit) -> Option<(Subject, Warning)> {
    let stuck = held.n_waiting > 0
        && !held.holders.is_empty()
        && held.holders.iter().all(|holder| holder.waits_for.is_some());
    if !stuck {
        return None;
    }
    let (limit, holders) = (held.limit.clone(), held.holders.clone());
    let subject = Subject::Limit { limit: limit.clone(), holders: holders.clone() };
    Some((subject, Warning::HeldByWaiters { limit, holders, n_waiting: held.n_waiting }))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::{collection, prop_assert_eq, proptest};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A snapshot is a line of words, shown a second after the last: `turn@2/3` is under way since
    /// second 2 with a budget of 3, `disk:a>cpu,b;1` a limit held by two of whom the first waits
    /// for another, and one waits for it, `paused=4` a pause with four waiting, `inbox=7` a depth.
    fn snapshot(line: &str) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let number = |digits: &str| digits.parse::<u32>().expect("digits");
        for word in line.split_whitespace() {
            if let Some((processor, times)) = word.split_once('@') {
                let (since, budget) = times.split_once('/').unwrap_or((times, ""));
                let budget = (!budget.is_empty()).then(|| SECOND * number(budget));
                let worker = snapshot.turns.len();
                let (processor, since) = (Text::from(processor), SECOND * number(since));
                snapshot.turns.push(TurnUnderWay { worker, processor, since, budget });
            } else if let Some((limit, rest)) = word.split_once(':') {
                let (holders, n_waiting) = rest.split_once(';').expect("who waits");
                let holder = |text: &str| match text.split_once('>') {
                    Some((name, limit)) => {
                        Holder { name: Text::from(name), waits_for: Some(Text::from(limit)) }
                    }
                    None => Holder { name: Text::from(text), waits_for: None },
                };
                snapshot.limits.push(HeldLimit {
                    limit: Text::from(limit),
                    holders: holders.split(',').filter(|h| !h.is_empty()).map(holder).collect(),
                    n_waiting: number(n_waiting) as usize,
                });
            } else if let Some(("paused", waiting)) = word.split_once('=') {
                snapshot.waiting_while_paused = Some(number(waiting) as usize);
            } else if let Some((processor, waiting)) = word.split_once('=') {
                let (processor, waiting) = (Text::from(processor), number(waiting) as usize);
                snapshot.mailboxes.push(Depth { processor, waiting });
            }
        }
        snapshot
    }

    fn trace(lines: &[&str]) -> String {
        let mut watchdog = Watchdog::new(Growth { samples_min: 3, waiting_min: 10 });
        let mut text = String::new();
        for (line, now) in lines.iter().zip(0..) {
            for warning in watchdog.look(SECOND * now, &snapshot(line)) {
                text += &format!("{now}: {warning:?}\n");
            }
        }
        text
    }

    #[test]
    fn a_turn_over_its_budget_is_told_once() {
        let slow = "slow@0/2 other@0 third@1/9";
        assert_snapshot!(trace(&[slow, slow, slow, slow, slow, "slow@5/2", "", "slow@5/0"]), @r#"
        3: OverBudget { worker: 0, processor: "slow", budget: 2s, elapsed: 3s }
        7: OverBudget { worker: 0, processor: "slow", budget: 0ns, elapsed: 2s }
        "#);
    }

    #[test]
    fn a_limit_is_stuck_when_all_who_hold_it_wait() {
        assert_snapshot!(trace(&[
            "disk:a;1",
            "disk:a>cpu,b;1",
            "disk:a>cpu;0",
            "disk:;1",
            "disk:a>cpu;1 cpu:b>disk;1",
            "disk:a>cpu;2 cpu:b>disk;1",
            "disk:a>cpu;2 cpu:c>disk;1",
            "disk:a;2",
            "disk:a>cpu;2",
        ]), @r#"
        4: HeldByWaiters { limit: "disk", holders: [Holder { name: "a", waits_for: Some("cpu") }], n_waiting: 1 }
        4: HeldByWaiters { limit: "cpu", holders: [Holder { name: "b", waits_for: Some("disk") }], n_waiting: 1 }
        6: HeldByWaiters { limit: "cpu", holders: [Holder { name: "c", waits_for: Some("disk") }], n_waiting: 1 }
        8: HeldByWaiters { limit: "disk", holders: [Holder { name: "a", waits_for: Some("cpu") }], n_waiting: 2 }
        "#);
    }

    #[test]
    fn a_pause_is_told_while_work_waits() {
        assert_snapshot!(trace(&["paused=0", "paused=2", "paused=3", "", "paused=1"]), @r"
        1: PausedWithWork { waiting: 2 }
        4: PausedWithWork { waiting: 1 }
        ");
    }

    #[test]
    fn a_mailbox_that_only_grows_is_told_once_until_it_shrinks() {
        let depths = [1, 2, 3, 4, 20, 21, 21, 22, 23, 24, 25, 3, 4, 5, 6];
        let lines = depths.map(|depth| format!("inbox={depth} calm=50"));
        assert_snapshot!(trace(&lines.each_ref().map(String::as_str)), @r#"
        4: OnlyGrows { processor: "inbox", from: 1, to: 20, samples: 4 }
        9: OnlyGrows { processor: "inbox", from: 21, to: 24, samples: 3 }
        "#);
        assert_snapshot!(trace(&["inbox=10", "inbox=11", "inbox=12", "", "inbox=13", "inbox=14"]), @"");
    }

    proptest! {
        #[test]
        fn growth_agrees_with_looking_at_the_last_samples(
            depths in collection::vec(0..30_usize, 0..40),
        ) {
            let growth = Growth { samples_min: 2, waiting_min: 5 };
            let mut watchdog = Watchdog::new(growth);
            let grows = |at: usize| {
                at >= 2 && depths[at] >= 5 && depths[at - 2..=at].is_sorted_by(|a, b| a < b)
            };
            for (at, depth) in depths.iter().enumerate() {
                let shown = snapshot(&format!("inbox={depth}"));
                let told = !watchdog.look(SECOND * at as u32, &shown).is_empty();
                prop_assert_eq!(told, grows(at) && !(at > 0 && grows(at - 1)));
            }
        }
    }
}
