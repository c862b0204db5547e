//! Owns `CountWindows`: so many items at a time, whether they overlap or not.

use std::collections::VecDeque;

use super::{Machine, OperatorError, Outlet, at_least_one};

/// Items of a window at most.
const SIZE_MAX: usize = 1 << 20;

/// Emits windows of `size` items; the next begins `step` items after the last one did. Phases don't
/// end windows; what is left at the end of the run is a smaller one.
#[derive(Debug)]
pub struct CountWindows<T> {
    size: usize,
    step: usize,
    held: VecDeque<T>,
    /// Items to be passed over before the next window, if steps are larger than windows.
    n_skipped: usize,
    /// Items held that no window has had.
    n_fresh: usize,
}

impl<T> CountWindows<T> {
    /// Windows of `size` items side by side.
    ///
    /// # Errors
    ///
    /// Zero, or more than 1 048 576.
    pub fn new(size: usize) -> Result<CountWindows<T>, OperatorError> {
        let operator = "CountWindows";
        at_least_one(operator, "size", size)?;
        if size > SIZE_MAX {
            let (value, limit) = (size as u64, SIZE_MAX as u64);
            return Err(OperatorError::TooLarge { operator, option: "size", value, limit });
        }
        Ok(CountWindows { size, step: size, held: VecDeque::new(), n_skipped: 0, n_fresh: 0 })
    }

    /// Windows that begin every `step` items: they overlap if that is less than their size, and
    /// leave items out if it is more.
    ///
    /// # Errors
    ///
    /// Zero.
    pub fn step(mut self, step: usize) -> Result<CountWindows<T>, OperatorError> {
        self.step = at_least_one("CountWindows", "step", step)?;
        Ok(self)
    }
}

impl<T: Clone + Send + 'static> Machine for CountWindows<T> {
    type In = T;
    type Out = Vec<T>;
    const NAME: &'static str = "CountWindows";

    fn item(&mut self, item: T, out: &mut impl Outlet<Vec<T>>) -> Result<(), OperatorError> {
        if self.n_skipped > 0 {
            self.n_skipped -= 1;
            return Ok(());
        }
        self.held.push_back(item);
        self.n_fresh += 1;
        if self.held.len() == self.size {
            self.n_fresh = 0;
            if self.step < self.size {
                out.emit(self.held.iter().cloned().collect());
                self.held.drain(..self.step);
            } else {
                out.emit(self.held.drain(..).collect());
                self.n_skipped = self.step - self.size;
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut impl Outlet<Vec<T>>) -> Result<(), OperatorError> {
        if std::mem::take(&mut self.n_fresh) > 0 {
            out.emit(self.held.drain(..).collect());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::super::harness::{fed, items_then_end, told, trace};
    use super::*;

    #[test]
    fn windows_lie_side_by_side_overlap_or_leave_out() {
        let windows = |step| {
            let mut windows = CountWindows::new(2).unwrap().step(step).unwrap();
            trace(&mut windows, &items_then_end(1..=5))
        };
        assert_snapshot!(windows(2), @r"
        1 -> 
        2 -> [1, 2]
        3 -> 
        4 -> [3, 4]
        5 -> 
        | -> 
        $ -> [5]
        ");
        assert_snapshot!(windows(1), @r"
        1 -> 
        2 -> [1, 2]
        3 -> [2, 3]
        4 -> [3, 4]
        5 -> [4, 5]
        | -> 
        $ -> 
        ");
        assert_snapshot!(windows(3), @r"
        1 -> 
        2 -> [1, 2]
        3 -> 
        4 -> 
        5 -> [4, 5]
        | -> 
        $ -> 
        ");
    }

    #[test]
    fn sizes_have_bounds() {
        let error = CountWindows::<u8>::new(1 << 21).unwrap_err();
        assert!(matches!(error, OperatorError::TooLarge { .. }));
        assert_snapshot!(told(&error), @"CountWindows: size is 2097152, use 1048576 at most");
        let error = CountWindows::<u8>::new(1).unwrap().step(0).unwrap_err();
        assert!(matches!(error, OperatorError::Zero { .. }));
    }

    proptest! {
        #[test]
        fn windows_are_slices(items: Vec<u8>, size in 1_usize..6, step in 1_usize..8) {
            let mut expected = Vec::new();
            let (mut from, mut covered) = (0, 0);
            while from + size <= items.len() {
                expected.push(items[from..from + size].to_vec());
                covered = from + size;
                from += step;
            }
            if from < items.len() && covered < items.len() {
                expected.push(items[from..].to_vec());
            }
            let mut windows = CountWindows::new(size).unwrap().step(step).unwrap();
            prop_assert_eq!(fed(&mut windows, [items]), expected);
        }
    }
}
