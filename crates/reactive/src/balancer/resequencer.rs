//! Owns `Resequencer`: results in the order of their items' numbers, whoever made them when.

use std::collections::BTreeMap;
use std::fmt;

use super::BalancerError;
use crate::operators::Counter;

/// Items whose results are held back unless told otherwise.
const BUFFERED_MAX: usize = 1 << 20;

/// What becomes of the order when an item's results don't come.
#[derive(Default)]
pub enum Gap {
    /// The others wait for them; 1 048 576 items at most, more are an error.
    #[default]
    Wait,
    /// When so many items' results wait, the cursor goes on to the first of those. What comes for
    /// those before it is dropped. Zero is refused.
    SkipAhead {
        /// How many may wait.
        max_buffered: usize,
    },
    /// Whenever something waits this is asked where the cursor is to be, given where it is, and the
    /// first item that waits and how many do. An earlier place than where it is, is an error.
    Custom(Box<dyn FnMut(u64, u64, usize) -> u64 + Send>),
}

/// Emits what became of item i, a `T`, before what became of item i + 1.
pub struct Resequencer<T> {
    cursor: u64,
    waiting: BTreeMap<u64, T>,
    gap: Gap,
    skipped: Counter,
    late: Counter,
}

impl<T> Resequencer<T> {
    /// Begins with the item of this number.
    ///
    /// # Errors
    ///
    /// Nothing may wait.
    pub fn new(first: u64, gap: Gap) -> Result<Resequencer<T>, BalancerError> {
        if let Gap::SkipAhead { max_buffered: 0 } = gap {
            return Err(BalancerError::Zero { option: "max_buffered" });
        }
        let (skipped, late) = (Counter::default(), Counter::default());
        Ok(Resequencer { cursor: first, waiting: BTreeMap::new(), gap, skipped, late })
    }

    /// Begins with a later item than that, if nothing has come yet.
    pub(super) fn begin_at(&mut self, first: u64) {
        if self.waiting.is_empty() {
            self.cursor = self.cursor.max(first);
        }
    }

    /// All that became of an item.
    ///
    /// # Errors
    ///
    /// Too many wait, or the gap policy wants to go back; what came waits all the same, and nothing
    /// is emitted.
    pub fn offer(
        &mut self,
        number: u64,
        made: T,
        mut out: impl FnMut(T),
    ) -> Result<(), BalancerError> {
        if number < self.cursor {
            self.late.add(1);
            return Ok(());
        }
        if number == self.cursor {
            out(made);
            self.cursor += 1;
            self.drain(&mut out);
            return Ok(());
        }
        self.waiting.insert(number, made);
        let next = match (&mut self.gap, self.waiting.first_key_value()) {
            (_, None) => return Ok(()),
            (Gap::Wait, Some(_)) if self.waiting.len() <= BUFFERED_MAX => return Ok(()),
            (Gap::Wait, Some(_)) => {
                let (limit, cursor) = (BUFFERED_MAX, self.cursor);
                return Err(BalancerError::Buffered { limit, cursor });
            }
            (Gap::SkipAhead { max_buffered }, Some((&first, _))) => {
                if self.waiting.len() < *max_buffered {
                    return Ok(());
                }
                first
            }
            (Gap::Custom(policy), Some((&first, _))) => {
                policy(self.cursor, first, self.waiting.len())
            }
        };
        if next < self.cursor {
            return Err(BalancerError::CursorBack { from: self.cursor, to: next });
        }
        self.advance(next, &mut out);
        Ok(())
    }

    /// Nothing will come any more: emits what waits, in order.
    pub fn finish(&mut self, mut out: impl FnMut(T)) {
        if let Some((&last, _)) = self.waiting.last_key_value() {
            self.advance(last + 1, &mut out);
        }
    }

    /// How many items were passed over, because their results did not come in time.
    #[must_use]
    pub fn skipped(&self) -> Counter {
        self.skipped.clone()
    }

    /// How many of those came after all.
    #[must_use]
    pub fn late(&self) -> Counter {
        self.late.clone()
    }

    /// The item whose results come next.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Moves the cursor on, and emits what it passes and what it meets.
    fn advance(&mut self, to: u64, out: &mut impl FnMut(T)) {
        let later = self.waiting.split_off(&to);
        let passed = std::mem::replace(&mut self.waiting, later);
        self.skipped.add(to - self.cursor - passed.len() as u64);
        passed.into_values().for_each(&mut *out);
        self.cursor = to;
        self.drain(out);
    }

    fn drain(&mut self, out: &mut impl FnMut(T)) {
        while let Some(first) = self.waiting.first_entry()
            && *first.key() == self.cursor
        {
            out(first.remove());
            self.cursor += 1;
        }
    }
}

impl<T> fmt::Debug for Resequencer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resequencer")
            .field("cursor", &self.cursor)
            .field("n_waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gap::Wait => f.write_str("Wait"),
            Gap::SkipAhead { max_buffered } => {
                f.debug_struct("SkipAhead").field("max_buffered", max_buffered).finish()
            }
            Gap::Custom(_) => f.write_str("Custom"),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;

    /// Each number is an item that has itself as its result, an odd one none.
    fn trace(gap: Gap, numbers: &[u64]) -> String {
        let mut order = Resequencer::new(0, gap).unwrap();
        let mut lines = String::new();
        for &number in numbers {
            let mut out = Vec::new();
            let results = if number % 2 == 0 { vec![number] } else { Vec::new() };
            lines += &match order.offer(number, results, |results| out.extend(results)) {
                Ok(()) => format!("{number} {out:?}\n"),
                Err(error) => format!("{number} {error}\n"),
            };
        }
        let mut out = Vec::new();
        order.finish(|results| out.extend(results));
        let (skipped, late) = (order.skipped().count(), order.late().count());
        lines + &format!("$ {out:?} ({skipped} skipped, {late} late)")
    }

    #[test]
    fn an_empty_result_lets_the_others_through() {
        assert_snapshot!(trace(Gap::Wait, &[2, 1, 0, 4]), @r"
        2 []
        1 []
        0 [0, 2]
        4 []
        $ [4] (1 skipped, 0 late)
        ");
    }

    #[test]
    fn the_cursor_skips_ahead_and_never_back() {
        let gap = Gap::SkipAhead { max_buffered: 2 };
        assert_snapshot!(trace(gap, &[2, 4, 0, 6, 8]), @r"
        2 []
        4 [2]
        0 []
        6 [4]
        8 [6]
        $ [8] (5 skipped, 1 late)
        ");
        let policy = |cursor: u64, _first: u64, n: usize| if n > 1 { cursor - 1 } else { cursor };
        assert_snapshot!(trace(Gap::Custom(Box::new(policy)), &[0, 4, 6]), @r"
        0 [0]
        4 []
        6 a gap policy moved the cursor from item 1 back to item 0, use a later one
        $ [4, 6] (4 skipped, 0 late)
        ");
        let gap = Gap::SkipAhead { max_buffered: 0 };
        let error = Resequencer::<u8>::new(0, gap).unwrap_err();
        assert!(matches!(error, BalancerError::Zero { .. }));
    }

    #[test]
    fn what_waits_has_a_limit() {
        let mut order = Resequencer::new(0, Gap::Wait).unwrap();
        order.waiting = (1..=BUFFERED_MAX as u64).map(|number| (number, ())).collect();
        let error = order.offer(1 << 40, (), |()| ()).unwrap_err();
        assert!(matches!(error, BalancerError::Buffered { .. }));
        assert_snapshot!(error, @"1048576 items' results wait for that of item 0, let the order skip ahead or raise max_buffered");
        assert!(matches!(
            Resequencer::new(0, Gap::Custom(Box::new(|_, _, _| 0))).and_then(|mut order| {
                order.offer(0, (), |()| ())?;
                order.offer(2, (), |()| ())
            }),
            Err(BalancerError::CursorBack { from: 1, to: 0 }),
        ));
    }

    proptest! {
        #[test]
        fn whoever_waits_gets_the_order_of_the_numbers(
            numbers in Just((0_u64..40).collect::<Vec<_>>()).prop_shuffle(), first in 0_u64..1_000,
        ) {
            let mut order = Resequencer::new(first, Gap::Wait).unwrap();
            let mut out = Vec::new();
            for number in numbers {
                let results: Vec<_> = (0..number % 3).map(|part| (number, part)).collect();
                order.offer(first + number, results, |results| out.extend(results)).unwrap();
            }
            let parts = |number: u64| (0..number % 3).map(move |part| (number, part));
            let expected: Vec<_> = (0..40).flat_map(parts).collect();
            prop_assert_eq!(out, expected);
            prop_assert_eq!(order.skipped().count(), 0);
        }

        #[test]
        fn whoever_skips_loses_what_is_late_and_nothing_else(
            numbers in Just((0_u64..40).collect::<Vec<_>>()).prop_shuffle(),
            max_buffered in 1_usize..10, n_missing in 0_usize..10,
        ) {
            let mut order = Resequencer::new(0, Gap::SkipAhead { max_buffered }).unwrap();
            let mut out = Vec::new();
            for &number in &numbers[n_missing..] {
                order.offer(number, number, |number| out.push(number)).unwrap();
                prop_assert!(order.waiting.len() < max_buffered);
            }
            order.finish(|number| out.push(number));
            prop_assert!(out.is_sorted());
            let late = order.late().count() as usize;
            prop_assert_eq!(out.len() + late, 40 - n_missing);
            prop_assert!(order.skipped().count() as usize >= late);
        }
    }
}
