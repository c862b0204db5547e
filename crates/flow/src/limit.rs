//! Owns limits that nodes have in common: at most so many under way at a time, over all runs of all
//! flows, and who waits. `Line` decides, purely; a permit that comes back goes to who is next.
//!
//! *Invariant: while somebody waits, every permit is out.* A task takes its permits in one order,
//! that of the limits' numbers, the run's own last; so among those that wait for each other one
//! always has all that it needs, and goes on.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use rustc_hash::FxHasher;
use selvedge_event::Text;
use selvedge_runtime::{Leave, TaskContext};
use selvedge_sync::Mutex;
use selvedge_sync::atomic::{AtomicU64, Ordering};

/// How many nodes may be under way at a time that are [limited by](crate::NodeSpec::limited_by) it,
/// in all runs of all flows in which it, or a clone of it, occurs: connections to a database, calls
/// of a service. The items of a map count one by one. Who finds no place waits, and no worker with
/// it; places go to those of lower [priority](crate::NodeSpec::priority) numbers first, then to who
/// has waited longest.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use selvedge_flow::{Flow, Limit, Request, map};
///
/// let database = Limit::new("database", 2);
/// let mut flow = Flow::builder("report");
/// let names = flow.parameter_or("names", vec!["tea".to_owned(); 20]);
/// let n_open = AtomicU32::new(0);
/// let asks = move |name: &String| {
///     assert!(n_open.fetch_add(1, Ordering::SeqCst) < 2);
///     n_open.fetch_sub(1, Ordering::SeqCst);
///     Ok(name.len())
/// };
/// let lengths = flow.add("lengths", map(names, (), asks).limited_by(&database));
/// assert_eq!(flow.build()?.run(Request::new())?.value(lengths)?.len(), 20);
/// assert_eq!(database.in_use(), 0);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct Limit(Arc<Permits>);

struct Permits {
    /// In which order they are asked for.
    number: u64,
    name: Text,
    max: u32,
    /// Guards who has and who waits. A task takes leave under it, so that nobody who waits is
    /// missed: the locks of scopes and runs are taken inside, never the other way round.
    line: Mutex<Line<Waiter>>,
}

/// Tells limits apart.
static N_LIMITS: AtomicU64 = AtomicU64::new(0);

impl Limit {
    /// At most so many at a time. A node is refused that is limited to none.
    #[must_use]
    pub fn new(name: impl Into<Text>, max: u32) -> Limit {
        // Relaxed: a number that nobody else has, and nothing else.
        let number = N_LIMITS.fetch_add(1, Ordering::Relaxed);
        let line = Mutex::new(Line::default());
        Limit(Arc::new(Permits { number, name: name.into(), max, line }))
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &Text {
        &self.0.name
    }

    /// How many may be under way at a time.
    #[must_use]
    pub fn max(&self) -> u32 {
        self.0.max
    }

    /// How many are.
    #[must_use]
    pub fn in_use(&self) -> u32 {
        self.0.line.lock().in_use
    }

    /// How many wait.
    #[must_use]
    pub fn n_waiting(&self) -> usize {
        self.0.line.lock().waiting.len()
    }

    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    /// A permit, or a seat in which there will be one when the leave is over.
    fn enter(&self, priority: i32, leave: impl FnOnce() -> Leave) -> Result<Permit, Seat> {
        let mut line = self.0.line.lock();
        if line.try_enter(self.0.max) {
            drop(line);
            return Ok(Permit(Some(Arc::clone(&self.0))));
        }
        let seat = Seat::default();
        line.wait(priority, Waiter { seat: Arc::clone(&seat), leave: leave() });
        Err(seat)
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limit").field("name", &self.0.name).field("max", &self.0.max).finish()
    }
}

/// Who has a permit, and who waits for one. Pure.
struct Line<W> {
    in_use: u32,
    /// By priority, then in the order in which they came.
    waiting: BTreeMap<(i32, u64), W>,
    n_came: u64,
}

impl<W> Default for Line<W> {
    fn default() -> Line<W> {
        Line { in_use: 0, waiting: BTreeMap::new(), n_came: 0 }
    }
}

impl<W> Line<W> {
    fn try_enter(&mut self, max: u32) -> bool {
        let is_free = self.in_use < max;
        self.in_use += u32::from(is_free);
        is_free
    }

    fn wait(&mut self, priority: i32, who: W) {
        self.waiting.insert((priority, self.n_came), who);
        self.n_came += 1;
    }

    /// A permit comes back: who has it now, or nobody.
    fn pass_on(&mut self) -> Option<W> {
        let next = self.waiting.pop_first().map(|(_, who)| who);
        self.in_use -= u32::from(next.is_none());
        next
    }
}

/// Where a permit is put for who waits for it.
type Seat = Arc<Mutex<Option<Permit>>>;

struct Waiter {
    seat: Seat,
    leave: Leave,
}

/// One of a limit's; dropping it gives it back.
struct Permit(Option<Arc<Permits>>);

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(permits) = self.0.take() else { return };
        loop {
            let next = permits.line.lock().pass_on();
            let Some(Waiter { seat, leave }) = next else { return };
            *seat.lock() = Some(Permit(Some(Arc::clone(&permits))));
            if leave.back() {
                return;
            }
            // Its run was stopped, and its task with it: the permit is not that one's, but still
            // out.
            let permit = seat.lock().take();
            if let Some(mut permit) = permit {
                permit.0 = None;
            }
        }
    }
}

/// The permits that tasks of one scope have, by number.
#[derive(Default)]
pub(crate) struct Passes(Mutex<HashMap<u32, Holding, BuildHasherDefault<FxHasher>>>);

#[derive(Default)]
struct Holding {
    permits: Vec<Permit>,
    awaited: Option<Seat>,
}

impl Passes {
    /// Whether a task has a permit of each of these. Otherwise it is on leave until it has the next
    /// one, and asks again; always for the same ones.
    pub(crate) fn enter<'a>(
        &self,
        cx: &mut TaskContext<'_>,
        task: u32,
        priority: i32,
        limits: impl Iterator<Item = &'a Limit>,
    ) -> bool {
        let mut holding = self.0.lock().remove(&task).unwrap_or_default();
        let awaited = holding.awaited.take().and_then(|seat| seat.lock().take());
        holding.permits.extend(awaited);
        for limit in limits.skip(holding.permits.len()) {
            match limit.enter(priority, || cx.leave()) {
                Ok(permit) => holding.permits.push(permit),
                Err(seat) => {
                    holding.awaited = Some(seat);
                    break;
                }
            }
        }
        let has_all = holding.awaited.is_none();
        self.0.lock().insert(task, holding);
        has_all
    }

    /// Gives back what a task has.
    pub(crate) fn give_back(&self, task: u32) {
        let holding = self.0.lock().remove(&task);
        drop(holding); // Under no lock: the next one is woken by it.
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    /// `a` comes at priority 0, `B` at -1; `-` gives a permit back.
    fn trace(max: u32, steps: &str) -> String {
        let mut line = Line::default();
        let step = |step: char| match step {
            '-' => match line.pass_on() {
                Some(next) => format!("{next} goes\n"),
                None => "nobody waits\n".to_owned(),
            },
            _ if line.try_enter(max) => format!("{step} goes\n"),
            _ => {
                line.wait(if step.is_uppercase() { -1 } else { 0 }, step);
                format!("{step} waits\n")
            }
        };
        steps.chars().map(step).collect()
    }

    #[test]
    fn permits_go_to_lower_numbers_first_and_then_to_who_has_waited_longest() {
        assert_snapshot!(trace(2, "abcDe---f--g"), @r"
        a goes
        b goes
        c waits
        D waits
        e waits
        D goes
        c goes
        e goes
        f waits
        f goes
        nobody waits
        g goes
        ");
    }

    proptest! {
        #[test]
        fn there_are_never_more_than_the_limit_and_nobody_waits_beside_a_free_permit(
            max in 1..4_u32, steps in proptest::collection::vec((0..3_u32, -2..2_i32), 0..60),
        ) {
            let (mut line, mut inside, mut waiting) = (Line::default(), 0_u32, 0_u32);
            for (step, priority) in steps {
                if step > 0 {
                    if line.try_enter(max) {
                        inside += 1;
                    } else {
                        line.wait(priority, ());
                        waiting += 1;
                    }
                } else if inside > 0 {
                    match line.pass_on() {
                        Some(()) => waiting -= 1,
                        None => inside -= 1,
                    }
                }
                prop_assert!(inside <= max && (waiting == 0 || inside == max));
                prop_assert_eq!(line.in_use, inside);
            }
        }
    }
}
