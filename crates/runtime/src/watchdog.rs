//! Owns what looks wrong with a run that goes on: turns over their budget, limits held while every
//! holder waits, a pause with work waiting, mailboxes that only grow. Pure: it is shown snapshots
//! and says what to tell, each thing once until it changes.

use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};
use selvedge_event::{Text, Warning};

/// The state of a run at one moment, as far as it can be seen without stopping anything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// One entry per worker that is in a turn.
    pub(crate) turns: Vec<TurnUnderWay>,
    /// Keys for which somebody waits.
    pub(crate) keys: Vec<HeldKey>,
    /// What there is while somebody waits for room.
    pub(crate) credits: Option<Credits>,
    /// One entry per mailbox.
    pub(crate) mailboxes: Vec<Depth>,
    /// What waits while the run is paused, and since when it is.
    pub(crate) paused: Option<(usize, Duration)>,
}

/// A turn that some worker takes.
#[derive(Clone, Debug)]
pub(crate) struct TurnUnderWay {
    pub(crate) worker: usize,
    pub(crate) processor: Text,
    pub(crate) since: Duration,
    pub(crate) budget: Duration,
}

/// A key whose permits are all out.
#[derive(Clone, Debug)]
pub(crate) struct HeldKey {
    pub(crate) key: Text,
    pub(crate) n_permits: usize,
    /// The turns under way that have one.
    pub(crate) holders: Vec<Holder>,
    /// Who waits first.
    pub(crate) waiter: Text,
}

/// Whose turn has a permit, and since when it has been under way.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) name: Text,
    pub(crate) since: Duration,
}

/// Deliveries under way while no more are let in.
#[derive(Clone, Debug)]
pub(crate) struct Credits {
    pub(crate) in_flight: usize,
    pub(crate) limit: usize,
    pub(crate) fullest: Text,
    /// When a turn was last seen to end.
    pub(crate) moved: Duration,
}

/// How many events wait in a mailbox.
#[derive(Clone, Debug)]
pub(crate) struct Depth {
    pub(crate) processor: Text,
    pub(crate) waiting: usize,
}

/// What a warning is about; it is told again when it is about something else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Turn { worker: usize, since: Duration },
    Key { key: Text, since: Duration },
    Credits { moved: Duration },
    Pause { since: Duration },
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
#[derive(Debug)]
pub(crate) struct Watchdog {
    growth: Growth,
    /// How long those who hold a limit must have been still before they are said to wait: a turn
    /// that takes so long is not about to end.
    held_min: Duration,
    /// What has been told and still holds.
    told: FxHashSet<Subject>,
    trends: FxHashMap<Text, Trend>,
}

/// How a mailbox has been growing.
#[derive(Clone, Copy, Debug)]
struct Trend {
    last: usize,
    n_grown: u32,
}

impl Watchdog {
    pub(crate) fn new(growth: Growth, held_min: Duration) -> Watchdog {
        let (told, trends) = (FxHashSet::default(), FxHashMap::default());
        Watchdog { growth, held_min, told, trends }
    }

    /// What to tell at this moment. Expects to be shown snapshots at even intervals: growth is
    /// counted in samples.
    pub(crate) fn look(&mut self, now: Duration, snapshot: &Snapshot) -> Vec<Warning> {
        let mut seen = Vec::new();
        seen.extend(snapshot.turns.iter().filter_map(|turn| over_budget(now, turn)));
        seen.extend(snapshot.keys.iter().filter_map(|held| self.held_by_waiters(now, held)));
        seen.extend(snapshot.credits.iter().filter_map(|credits| self.at_a_halt(now, credits)));
        if let Some((waiting @ 1.., since)) = snapshot.paused {
            let paused_for = now.saturating_sub(since);
            seen.push((Subject::Pause { since }, Warning::PausedWithWork { waiting, paused_for }));
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
                    Trend { last: to, n_grown: trend.n_grown.saturating_add(1) }
                }
                _ => Trend { last: to, n_grown: 0 },
            };
            let Growth { samples_min, waiting_min } = self.growth;
            if trend.n_grown >= samples_min && to >= waiting_min {
                let processor = processor.clone();
                let subject = Subject::Mailbox(processor.clone());
                seen.push((subject, Warning::MailboxGrowing { processor, waiting: to }));
            }
            self.trends.insert(processor.clone(), trend);
        }
    }

    /// Nobody gives a permit back while all who could are still themselves. Whether they wait for
    /// each other in a ring, or for something else, both sides are named.
    fn held_by_waiters(&self, now: Duration, held: &HeldKey) -> Option<(Subject, Warning)> {
        if held.holders.len() < held.n_permits {
            // One is on its way to somebody.
            return None;
        }
        // The last to have begun: all the others have held on for longer.
        let last = held.holders.iter().max_by_key(|holder| holder.since)?;
        let held_for = now.saturating_sub(last.since);
        let warning = Warning::KeyedLimitHeld {
            limit: held.key.clone(),
            holder: last.name.clone(),
            waiter: held.waiter.clone(),
            held_for,
        };
        let subject = Subject::Key { key: held.key.clone(), since: last.since };
        (held_for >= self.held_min).then_some((subject, warning))
    }

    /// No more is let in, and what was let in does not end.
    fn at_a_halt(&self, now: Duration, credits: &Credits) -> Option<(Subject, Warning)> {
        let Credits { in_flight, limit, moved, .. } = *credits;
        let held_for = now.saturating_sub(moved);
        let fullest = credits.fullest.clone();
        let warning = Warning::CreditsHeld { in_flight, limit, fullest, held_for };
        (held_for >= self.held_min).then_some((Subject::Credits { moved }, warning))
    }
}

fn over_budget(now: Duration, turn: &TurnUnderWay) -> Option<(Subject, Warning)> {
    let TurnUnderWay { worker, since, budget, .. } = *turn;
    let processor = turn.processor.clone();
    let elapsed = now.saturating_sub(since);
    let warning = Warning::TurnStuck { worker, processor, budget, elapsed };
    (elapsed > budget).then_some((Subject::Turn { worker, since }, warning))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::{collection, prop_assert_eq, proptest};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A snapshot is a line of words, shown a second after the last: `turn@2/3` is under way since
    /// second 2 with a budget of 3, `disk:a2,b4;c` a key of two permits of which the first is a's
    /// since second 2, and c waits for one, `full=7` credits of which none moved since second 7,
    /// `paused=4` a pause since the beginning with four waiting, `inbox=7` a depth.
    fn snapshot(line: &str) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let number = |digits: &str| digits.parse::<u32>().expect("digits");
        for word in line.split_whitespace() {
            if let Some((processor, times)) = word.split_once('@') {
                let (since, budget) = times.split_once('/').expect("a budget");
                let worker = snapshot.turns.len();
                let (processor, since) = (Text::from(processor), SECOND * number(since));
                let budget = SECOND * number(budget);
                snapshot.turns.push(TurnUnderWay { worker, processor, since, budget });
            } else if let Some((key, rest)) = word.split_once(':') {
                let (holders, waiter) = rest.split_once(';').expect("who waits");
                let holder = |text: &str| {
                    let (name, since) = text.split_at(1);
                    (since != "?")
                        .then(|| Holder { name: Text::from(name), since: SECOND * number(since) })
                };
                snapshot.keys.push(HeldKey {
                    key: Text::from(key),
                    n_permits: holders.split(',').count(),
                    holders: holders.split(',').filter_map(holder).collect(),
                    waiter: Text::from(waiter),
                });
            } else if let Some(("paused", waiting)) = word.split_once('=') {
                snapshot.paused = Some((number(waiting) as usize, Duration::ZERO));
            } else if let Some(("full", moved)) = word.split_once('=') {
                let (fullest, moved) = (Text::from("slow"), SECOND * number(moved));
                snapshot.credits = Some(Credits { in_flight: 9, limit: 8, fullest, moved });
            } else if let Some((processor, waiting)) = word.split_once('=') {
                let (processor, waiting) = (Text::from(processor), number(waiting) as usize);
                snapshot.mailboxes.push(Depth { processor, waiting });
            }
        }
        snapshot
    }

    fn trace(lines: &[&str]) -> String {
        let mut watchdog = Watchdog::new(Growth { samples_min: 3, waiting_min: 10 }, SECOND * 3);
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
        let slow = "slow@0/2 third@1/9";
        assert_snapshot!(trace(&[slow, slow, slow, slow, slow, "slow@5/2", "", "slow@5/0"]), @r#"
        3: TurnStuck { processor: "slow", worker: 0, elapsed: 3s, budget: 2s }
        7: TurnStuck { processor: "slow", worker: 0, elapsed: 2s, budget: 0ns }
        "#);
    }

    #[test]
    fn a_key_is_held_when_all_who_have_a_permit_are_still() {
        assert_snapshot!(trace(&[
            "disk:a0;c",
            "disk:a0;c",
            "disk:a0;c",
            "disk:a0;c",
            "disk:a0;d",
            "disk:a0,b4;c",
            "disk:a0,b?;c",
            "disk:a0,b4;c",
            "disk:a0,b4;c",
        ]), @r#"
        3: KeyedLimitHeld { limit: "disk", holder: "a", waiter: "c", held_for: 3s }
        7: KeyedLimitHeld { limit: "disk", holder: "b", waiter: "c", held_for: 3s }
        "#);
    }

    #[test]
    fn credits_are_held_when_nothing_moves() {
        assert_snapshot!(trace(&["full=0", "full=0", "full=1", "", "full=1", "full=1", "full=5"]), @r#"
        4: CreditsHeld { in_flight: 9, limit: 8, fullest: "slow", held_for: 3s }
        "#);
    }

    #[test]
    fn a_pause_is_told_while_work_waits() {
        assert_snapshot!(trace(&["paused=0", "paused=2", "paused=3", "", "paused=1"]), @r"
        1: PausedWithWork { waiting: 2, paused_for: 1s }
        4: PausedWithWork { waiting: 1, paused_for: 4s }
        ");
    }

    #[test]
    fn a_mailbox_that_only_grows_is_told_once_until_it_shrinks() {
        let depths = [1, 2, 3, 4, 20, 21, 21, 22, 23, 24, 25, 3, 4, 5, 6];
        let lines = depths.map(|depth| format!("inbox={depth} calm=50"));
        assert_snapshot!(trace(&lines.each_ref().map(String::as_str)), @r#"
        4: MailboxGrowing { processor: "inbox", waiting: 20 }
        9: MailboxGrowing { processor: "inbox", waiting: 24 }
        "#);
        assert_snapshot!(trace(&["inbox=10", "inbox=11", "inbox=12", "", "inbox=13", "inbox=14"]), @"");
    }

    proptest! {
        #[test]
        fn growth_agrees_with_looking_at_the_last_samples(
            depths in collection::vec(0..30_usize, 0..40),
        ) {
            let growth = Growth { samples_min: 2, waiting_min: 5 };
            let mut watchdog = Watchdog::new(growth, SECOND);
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
