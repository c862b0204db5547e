//! Owns `Dispatch`: which worker takes an item, and how many workers there are at the moment.

use std::collections::VecDeque;

use super::BalancerError;

/// Items that wait for a worker unless told otherwise.
const WAITING_MAX: usize = 1 << 20;

/// Which worker takes an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Routing {
    /// Item i goes to worker i mod n, at once.
    #[default]
    RoundRobin,
    /// To the worker with the fewest items, the first of those. A worker has `window` items at
    /// most; the others wait until one is done, so a slow one holds up no more than these.
    LeastLoaded {
        /// Items that a worker has at a time.
        window: u32,
    },
}

/// Deals out numbered items to workers.
///
/// With bounds for their number, workers are taken into use when items have to wait, and out of it
/// again when there are more than what is left to do fills. Which those are follows from the order
/// in which items come and get done, and they are always the first ones, so names don't change.
#[derive(Debug)]
pub struct Dispatch<T> {
    routing: Routing,
    min: usize,
    /// Items of each worker that are not done, of all that there may be.
    loads: Vec<u32>,
    /// Workers in use: the first so many.
    n_active: usize,
    n_active_most: usize,
    waiting: VecDeque<(u64, T)>,
    waiting_max: usize,
}

impl<T> Dispatch<T> {
    /// Between `n` workers.
    ///
    /// # Errors
    ///
    /// No worker, or a window of nothing.
    pub fn new(requires: &str, n: usize, routing: Routing) -> Result<Dispatch<T>, BalancerError> {
        if n == 0 {
            return Err(BalancerError::NoWorkers { requires: requires.to_owned() });
        }
        if routing == (Routing::LeastLoaded { window: 0 }) {
            return Err(BalancerError::Zero { option: "window" });
        }
        Ok(Dispatch {
            routing,
            min: n,
            loads: vec![0; n],
            n_active: n,
            n_active_most: n,
            waiting: VecDeque::new(),
            waiting_max: WAITING_MAX,
        })
    }

    /// Between `min` workers at least and `n` at most, as they are needed. They are then routed to
    /// by load, with windows of 4 unless another was asked for.
    ///
    /// # Errors
    ///
    /// None, or more than there are.
    pub fn autoscaled(mut self, min: usize) -> Result<Dispatch<T>, BalancerError> {
        let max = self.loads.len();
        if min == 0 || min > max {
            return Err(BalancerError::Bounds { min, max });
        }
        if self.routing == Routing::RoundRobin {
            self.routing = Routing::LeastLoaded { window: 4 };
        }
        (self.min, self.n_active, self.n_active_most) = (min, min, min);
        Ok(self)
    }

    /// How many items may wait for a worker; one more is an error.
    #[must_use]
    pub fn waiting_max(mut self, n: usize) -> Dispatch<T> {
        self.waiting_max = n;
        self
    }

    /// Says whether one more item can be taken.
    ///
    /// # Errors
    ///
    /// Too many wait.
    pub fn check_room(&self) -> Result<(), BalancerError> {
        let is_full = self.waiting.len() >= self.waiting_max;
        if is_full && (!self.waiting.is_empty() || self.free().is_none()) {
            return Err(BalancerError::Waiting { limit: self.waiting_max });
        }
        Ok(())
    }

    /// Takes an item, and sends to workers what can be.
    ///
    /// # Errors
    ///
    /// Too many wait. The item is not taken then.
    pub fn offer(
        &mut self,
        number: u64,
        item: T,
        mut out: impl FnMut(usize, u64, T),
    ) -> Result<(), BalancerError> {
        match self.free() {
            Some(worker) if self.waiting.is_empty() => {
                self.assign(worker, number);
                out(self.placed(worker, number), number, item);
            }
            _ if self.waiting.len() >= self.waiting_max => {
                return Err(BalancerError::Waiting { limit: self.waiting_max });
            }
            _ => {
                self.waiting.push_back((number, item));
                if self.n_active < self.loads.len() {
                    self.n_active += 1;
                    self.n_active_most = self.n_active_most.max(self.n_active);
                    self.fill(&mut out);
                }
            }
        }
        Ok(())
    }

    /// A worker has done an item, whatever became of it.
    pub fn done(&mut self, worker: usize, mut out: impl FnMut(usize, u64, T)) {
        if let Some(load) = self.loads.get_mut(worker) {
            *load = load.saturating_sub(1);
        }
        self.fill(&mut out);
        // One fewer, when the others would hold all that is left in half of their windows: what
        // comes next doesn't bring it back at once.
        if let Routing::LeastLoaded { window } = self.routing
            && self.n_active > self.min
            && self.waiting.is_empty()
        {
            let left: u64 = self.loads.iter().copied().map(u64::from).sum();
            if left * 2 <= (self.n_active as u64 - 1) * u64::from(window) {
                self.n_active -= 1;
            }
        }
    }

    /// Whether it has to be told of items that are done.
    #[must_use]
    pub fn hears_done(&self) -> bool {
        self.routing != Routing::RoundRobin
    }

    /// How many workers are in use.
    #[must_use]
    pub fn n_active(&self) -> usize {
        self.n_active
    }

    /// How many were in use at most.
    #[must_use]
    pub fn n_active_most(&self) -> usize {
        self.n_active_most
    }

    /// How many items wait for a worker.
    #[must_use]
    pub fn n_waiting(&self) -> usize {
        self.waiting.len()
    }

    /// A worker that has room for an item.
    fn free(&self) -> Option<usize> {
        match self.routing {
            Routing::RoundRobin => Some(0),
            Routing::LeastLoaded { window } => {
                let active = self.loads.iter().enumerate().take(self.n_active);
                let (worker, load) = active.min_by_key(|(_, load)| **load)?;
                (*load < window).then_some(worker)
            }
        }
    }

    /// Where an item goes: by number, or where there is room.
    fn placed(&self, worker: usize, number: u64) -> usize {
        match self.routing {
            Routing::RoundRobin => (number % self.loads.len() as u64) as usize,
            Routing::LeastLoaded { .. } => worker,
        }
    }

    fn assign(&mut self, worker: usize, number: u64) {
        let worker = self.placed(worker, number);
        // In turns nobody asks, and nobody is told what is done.
        if self.hears_done() {
            self.loads[worker] += 1;
        }
    }

    fn fill(&mut self, out: &mut impl FnMut(usize, u64, T)) {
        while let Some(worker) = self.free()
            && let Some((number, item)) = self.waiting.pop_front()
        {
            self.assign(worker, number);
            out(worker, number, item);
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;

    /// `+` is an item that comes, a digit a worker that has done one.
    fn trace(mut dispatch: Dispatch<()>, script: &str) -> String {
        let (mut lines, mut number) = (String::new(), 0);
        for step in script.chars() {
            let mut sent = String::new();
            let out = |worker, number, ()| sent += &format!(" {number}>{worker}");
            match step.to_digit(10) {
                Some(worker) => dispatch.done(worker as usize, out),
                None => {
                    dispatch.offer(number, (), out).unwrap();
                    number += 1;
                }
            }
            let (n_active, n_waiting) = (dispatch.n_active(), dispatch.n_waiting());
            lines += &format!("{step}{sent} ({n_active} active, {n_waiting} waiting)\n");
        }
        lines
    }

    #[test]
    fn in_turns_or_to_whoever_has_least_to_do() {
        let dispatch = Dispatch::new("tiles", 2, Routing::RoundRobin).unwrap();
        assert_snapshot!(trace(dispatch, "+++0"), @r"
        + 0>0 (2 active, 0 waiting)
        + 1>1 (2 active, 0 waiting)
        + 2>0 (2 active, 0 waiting)
        0 (2 active, 0 waiting)
        ");
        let dispatch = Dispatch::new("tiles", 2, Routing::LeastLoaded { window: 1 }).unwrap();
        assert_snapshot!(trace(dispatch, "++++1101"), @r"
        + 0>0 (2 active, 0 waiting)
        + 1>1 (2 active, 0 waiting)
        + (2 active, 1 waiting)
        + (2 active, 2 waiting)
        1 2>1 (2 active, 1 waiting)
        1 3>1 (2 active, 0 waiting)
        0 (2 active, 0 waiting)
        1 (2 active, 0 waiting)
        ");
    }

    /// When the last item is done, if each has come at the beginning, takes so long, and every
    /// worker has a processor of its own.
    fn ends(routing: Routing, times: impl Iterator<Item = u64>) -> u64 {
        const N: usize = 4;
        let mut dispatch = Dispatch::new("tiles", N, routing).unwrap();
        let mut queues: [VecDeque<u64>; N] = Default::default();
        for (number, time) in (0..).zip(times) {
            dispatch.offer(number, time, |worker, _, time| queues[worker].push_back(time)).unwrap();
        }
        // When the first item of each will be done.
        let mut ends: [u64; N] =
            std::array::from_fn(|worker| queues[worker].front().copied().unwrap_or_default());
        let mut now = 0;
        while let Some(worker) =
            (0..N).filter(|&worker| !queues[worker].is_empty()).min_by_key(|&worker| ends[worker])
        {
            now = ends[worker];
            queues[worker].pop_front();
            dispatch.done(worker, |worker, _, time| {
                if queues[worker].is_empty() {
                    ends[worker] = now + time;
                }
                queues[worker].push_back(time);
            });
            // Its next one; what came just now has begun already.
            if ends[worker] == now
                && let Some(time) = queues[worker].front()
            {
                ends[worker] = now + time;
            }
        }
        now
    }

    #[test]
    fn uneven_items_are_done_sooner_by_whoever_has_least() {
        // One in a hundred takes a hundred times as long: at every hundredth place, or anywhere.
        let every_hundredth = |number: u64| number % 100 == 7;
        let anywhere =
            |number: u64| (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).is_multiple_of(100);
        let trace = |is_long: fn(u64) -> bool| {
            let times = || (0..10_000).map(move |number| if is_long(number) { 100 } else { 1 });
            let by = |routing| ends(routing, times());
            let in_turns = by(Routing::RoundRobin);
            let to_least = by(Routing::LeastLoaded { window: 2 });
            let ideal = times().sum::<u64>().div_ceil(4);
            format!("{in_turns} in turns, {to_least} to whoever has least, {ideal} at best")
        };
        assert_snapshot!(trace(every_hundredth), @"12400 in turns, 5015 to whoever has least, 4975 at best");
        assert_snapshot!(trace(anywhere), @"5074 in turns, 5097 to whoever has least, 5050 at best");
    }

    #[test]
    fn workers_come_and_go_as_they_are_needed() {
        let dispatch = Dispatch::new("tiles", 3, Routing::LeastLoaded { window: 2 }).unwrap();
        assert_snapshot!(trace(dispatch.autoscaled(1).unwrap(), "+++++++00112200"), @r"
        + 0>0 (1 active, 0 waiting)
        + 1>0 (1 active, 0 waiting)
        + 2>1 (2 active, 0 waiting)
        + 3>1 (2 active, 0 waiting)
        + 4>2 (3 active, 0 waiting)
        + 5>2 (3 active, 0 waiting)
        + (3 active, 1 waiting)
        0 6>0 (3 active, 0 waiting)
        0 (3 active, 0 waiting)
        1 (3 active, 0 waiting)
        1 (3 active, 0 waiting)
        2 (2 active, 0 waiting)
        2 (1 active, 0 waiting)
        0 (1 active, 0 waiting)
        0 (1 active, 0 waiting)
        ");
    }

    #[test]
    fn what_cant_be_is_refused() {
        let new = |n, routing| Dispatch::<()>::new("tiles", n, routing);
        let error = new(0, Routing::RoundRobin).unwrap_err();
        assert!(matches!(error, BalancerError::NoWorkers { .. }));
        assert_snapshot!(error, @"a balancer of `tiles` without workers can't be, use at least one");
        let error = new(1, Routing::LeastLoaded { window: 0 }).unwrap_err();
        assert!(matches!(error, BalancerError::Zero { .. }));
        let error = new(2, Routing::RoundRobin).unwrap().autoscaled(3).unwrap_err();
        assert!(matches!(error, BalancerError::Bounds { min: 3, max: 2 }));
        let least = Routing::LeastLoaded { window: 1 };
        let mut full = new(1, least).unwrap().waiting_max(0);
        full.offer(0, (), |_, _, ()| ()).unwrap();
        let error = full.offer(1, (), |_, _, ()| ()).unwrap_err();
        assert!(matches!(error, BalancerError::Waiting { limit: 0 }));
        assert_snapshot!(error, @"0 items wait for a worker already, raise waiting_max or add workers");
    }

    proptest! {
        #[test]
        fn every_item_goes_once_in_order_and_within_windows(
            n in 1_usize..5, window in 1_u32..4, min in 1_usize..5, scaled: bool,
            steps in prop::collection::vec(prop::option::weighted(0.5, 0_usize..5), 0..120),
        ) {
            let mut dispatch = Dispatch::new("x", n, Routing::LeastLoaded { window }).unwrap();
            if scaled {
                dispatch = dispatch.autoscaled(min.min(n)).unwrap();
            }
            let (mut loads, mut sent, mut n_offered) = (vec![0_u32; n], Vec::new(), 0);
            for step in steps {
                let mut batch = Vec::new();
                let out = |worker: usize, number: u64, ()| batch.push((worker, number));
                match step {
                    None => {
                        dispatch.offer(n_offered, (), out).unwrap();
                        n_offered += 1;
                    }
                    Some(worker) if worker < n && loads[worker] > 0 => {
                        loads[worker] -= 1;
                        dispatch.done(worker, out);
                    }
                    Some(_) => {}
                }
                for (worker, number) in batch {
                    loads[worker] += 1;
                    prop_assert!(loads[worker] <= window);
                    sent.push(number);
                }
                // Nobody waits while somebody in use has room.
                let has_room = loads[..dispatch.n_active()].iter().any(|load| *load < window);
                prop_assert!(dispatch.n_waiting() == 0 || !has_room);
                prop_assert!((dispatch.min..=n).contains(&dispatch.n_active()));
            }
            prop_assert_eq!(&sent, &(0..sent.len() as u64).collect::<Vec<_>>());
            prop_assert_eq!(sent.len() + dispatch.n_waiting(), n_offered as usize);
        }
    }
}
