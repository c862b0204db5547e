//! Owns `TimeWindows`: items by the time that they say they are of, which may come out of order.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::{Counter, Machine, OperatorError, Outlet, called, opaque};

/// Windows open at a time unless told otherwise.
const WINDOWS_MAX: usize = 4_096;
/// Items in them unless told otherwise, an item in two windows twice.
const ITEMS_MAX: usize = 1 << 20;
/// Windows that one item may be in: a size of so many slides.
const OVERLAP_MAX: u64 = 1_024;

/// A window of time and the items in it, in order of arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window<T> {
    /// Where it begins, included.
    pub start: u64,
    /// Where it ends, not included.
    pub end: u64,
    /// What was in it.
    pub items: Vec<T>,
}

/// What [`TimeWindows`] emits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Windowed<T> {
    /// A window that is complete, as far as lateness was allowed for.
    Window(Window<T>),
    /// An item that came when all its windows were closed, if those are diverted.
    Late(T),
}

/// Gathers items into windows by the time that a function reads from them, in whatever unit.
///
/// A window is emitted when an item comes whose time is `lateness` or more past its end, earliest
/// windows first; the rest at the end of the run. Items for windows that are closed are counted,
/// and diverted if asked for. At most 4 096 windows and 1 048 576 items wait unless told otherwise:
/// an item that would be one more is an error. A single time far in the future closes all windows
/// before it: filter what can't be.
pub struct TimeWindows<T, F> {
    time: F,
    size: u64,
    slide: u64,
    lateness: u64,
    diverts: bool,
    windows_max: usize,
    items_max: usize,
    /// By their start.
    open: BTreeMap<u64, Vec<T>>,
    n_items: usize,
    latest: Option<u64>,
    late: Counter,
    item: PhantomData<fn(T)>,
}

impl<T, F: FnMut(&T) -> anyhow::Result<u64>> TimeWindows<T, F> {
    /// Windows of `size` side by side, the first of which begins at time zero.
    ///
    /// # Errors
    ///
    /// Zero.
    pub fn new(size: u64, time: F) -> Result<TimeWindows<T, F>, OperatorError> {
        if size == 0 {
            return Err(OperatorError::Zero { operator: "TimeWindows", option: "size" });
        }
        Ok(TimeWindows {
            time,
            size,
            slide: size,
            lateness: 0,
            diverts: false,
            windows_max: WINDOWS_MAX,
            items_max: ITEMS_MAX,
            open: BTreeMap::new(),
            n_items: 0,
            latest: None,
            late: Counter::default(),
            item: PhantomData,
        })
    }

    /// Windows that begin every `slide`, and overlap.
    ///
    /// # Errors
    ///
    /// Zero, more than the size, or so little that an item would be in more than 1 024 windows.
    pub fn slide(mut self, slide: u64) -> Result<TimeWindows<T, F>, OperatorError> {
        let operator = "TimeWindows";
        if slide == 0 {
            return Err(OperatorError::Zero { operator, option: "slide" });
        }
        let too_large =
            |option, value, limit| OperatorError::TooLarge { operator, option, value, limit };
        if slide > self.size {
            return Err(too_large("slide", slide, self.size));
        }
        if self.size.div_ceil(slide) > OVERLAP_MAX {
            return Err(too_large("size / slide", self.size.div_ceil(slide), OVERLAP_MAX));
        }
        self.slide = slide;
        Ok(self)
    }

    /// How far behind the latest time an item may be without being late.
    #[must_use]
    pub fn lateness(mut self, lateness: u64) -> TimeWindows<T, F> {
        self.lateness = lateness;
        self
    }

    /// Emits late items as [`Windowed::Late`] instead of only counting them.
    #[must_use]
    pub fn divert_late(mut self) -> TimeWindows<T, F> {
        self.diverts = true;
        self
    }

    /// How many windows may be open, and how many items in all of them.
    ///
    /// # Errors
    ///
    /// Zero of either.
    pub fn bounds(
        mut self,
        windows_max: usize,
        items_max: usize,
    ) -> Result<TimeWindows<T, F>, OperatorError> {
        self.windows_max = super::at_least_one("TimeWindows", "windows_max", windows_max)?;
        self.items_max = super::at_least_one("TimeWindows", "items_max", items_max)?;
        Ok(self)
    }

    /// How many items were late.
    #[must_use]
    pub fn late(&self) -> Counter {
        self.late.clone()
    }

    /// The starts of the windows that a time is in, and that are still open by `watermark`.
    fn starts(&self, time: u64, watermark: u64) -> impl Iterator<Item = u64> + use<T, F> {
        let (size, slide) = (self.size, self.slide);
        let last = time / slide * slide;
        let n = size.div_ceil(slide);
        (0..n)
            .rev()
            .filter_map(move |back| last.checked_sub(back * slide))
            .filter(move |start| time - start < size)
            .filter(move |start| start.saturating_add(size) > watermark)
    }

    /// Refuses an item that would be one too many. Windows that it closes don't count.
    fn check_room(&self, starts: &[u64], watermark: u64) -> Result<(), OperatorError> {
        let full = |what, limit, option| {
            Err(OperatorError::Full { operator: "TimeWindows", what, limit, option })
        };
        let closing = self.open.iter().take_while(|(start, _)| self.is_closed(**start, watermark));
        let (n_windows, n_items) =
            closing.fold((0, 0), |(n, items), (_, window)| (n + 1, items + window.len()));
        let n_new = starts.iter().filter(|start| !self.open.contains_key(start)).count();
        if self.open.len() - n_windows + n_new > self.windows_max {
            return full("open windows", self.windows_max, "windows_max");
        }
        if self.n_items - n_items + starts.len() > self.items_max {
            return full("items in windows", self.items_max, "items_max");
        }
        Ok(())
    }

    fn is_closed(&self, start: u64, watermark: u64) -> bool {
        start.saturating_add(self.size) <= watermark
    }

    fn close(&mut self, start: u64, items: Vec<T>) -> Windowed<T> {
        self.n_items -= items.len();
        Windowed::Window(Window { start, end: start.saturating_add(self.size), items })
    }
}

impl<T, F> Machine for TimeWindows<T, F>
where
    T: Clone + Send + 'static,
    F: FnMut(&T) -> anyhow::Result<u64> + Send + 'static,
{
    type In = T;
    type Out = Windowed<T>;
    const NAME: &'static str = "TimeWindows";

    fn item(&mut self, item: T, out: &mut impl Outlet<Windowed<T>>) -> Result<(), OperatorError> {
        let time = called(Self::NAME, "time", (self.time)(&item))?;
        let latest = self.latest.unwrap_or(time).max(time);
        let watermark = latest.saturating_sub(self.lateness);
        let starts: Vec<u64> = self.starts(time, watermark).collect();
        self.check_room(&starts, watermark)?;
        self.latest = Some(latest);
        while let Some((&start, _)) = self.open.first_key_value()
            && self.is_closed(start, watermark)
        {
            let (start, items) = self.open.pop_first().expect("one was just seen");
            out.emit(self.close(start, items));
        }
        if starts.is_empty() {
            self.late.add(1);
            if self.diverts {
                out.emit(Windowed::Late(item));
            }
            return Ok(());
        }
        self.n_items += starts.len();
        for start in starts {
            self.open.entry(start).or_default().push(item.clone());
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut impl Outlet<Windowed<T>>) -> Result<(), OperatorError> {
        for (start, items) in std::mem::take(&mut self.open) {
            out.emit(self.close(start, items));
        }
        Ok(())
    }
}

opaque!(TimeWindows<T, F>);

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::super::harness::{fed, items_then_end, trace};
    use super::*;

    fn windows(size: u64) -> TimeWindows<u64, impl FnMut(&u64) -> anyhow::Result<u64> + Send> {
        TimeWindows::new(size, |time: &u64| Ok(*time)).unwrap()
    }

    #[test]
    fn a_window_waits_for_those_who_are_late() {
        let script = items_then_end([1, 11, 3, 14, 2, 25]);
        let mut patient = windows(10).lateness(4).divert_late();
        let late = patient.late();
        assert_snapshot!(trace(&mut patient, &script), @r"
        1 -> 
        11 -> 
        3 -> 
        14 -> Window(Window { start: 0, end: 10, items: [1, 3] })
        2 -> Late(2)
        25 -> Window(Window { start: 10, end: 20, items: [11, 14] })
        | -> 
        $ -> Window(Window { start: 20, end: 30, items: [25] })
        ");
        assert_eq!(late.count(), 1);
        assert_snapshot!(trace(&mut windows(10), &items_then_end([12, 9])), @r"
        12 -> 
        9 -> 
        | -> 
        $ -> Window(Window { start: 10, end: 20, items: [12] })
        ");
    }

    #[test]
    fn limits_and_options_that_cant_be() {
        let mut bounded = windows(10).lateness(100).bounds(2, 3).unwrap();
        assert_snapshot!(trace(&mut bounded, &items_then_end([1, 11, 21, 2, 3])), @r"
        1 -> 
        11 -> 
        21 -> TimeWindows: it holds 2 open windows already, use a larger windows_max if memory allows
        2 -> 
        3 -> TimeWindows: it holds 3 items in windows already, use a larger items_max if memory allows
        | -> 
        $ -> Window(Window { start: 0, end: 10, items: [1, 2] }) Window(Window { start: 10, end: 20, items: [11] })
        ");
        assert!(matches!(windows(5).slide(0), Err(OperatorError::Zero { .. })));
        assert!(matches!(windows(5).slide(6), Err(OperatorError::TooLarge { .. })));
        assert!(matches!(windows(5_000).slide(1), Err(OperatorError::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn every_item_is_in_its_windows_or_late(
            items in prop::collection::vec(0_u64..60, 0..60),
            size in 1_u64..12, part in 1_u64..12, lateness in 0_u64..20,
        ) {
            let slide = part.min(size);
            let mut all: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
            let (mut n_late, mut latest) = (0, 0);
            for &time in &items {
                latest = latest.max(time);
                let starts: Vec<u64> = (0..=time)
                    .filter(|start| start % slide == 0 && time < start + size)
                    .filter(|start| start + size + lateness > latest)
                    .collect();
                // Times that no window covers can't be: slides are not larger than sizes.
                n_late += u64::from(starts.is_empty());
                starts.into_iter().for_each(|start| all.entry(start).or_default().push(time));
            }
            let window = |(start, items)| Window { start, end: start + size, items };
            let expected: Vec<_> =
                all.into_iter().map(|entry| Windowed::Window(window(entry))).collect();
            let mut windows = windows(size).slide(slide).unwrap().lateness(lateness);
            let late = windows.late();
            prop_assert_eq!(fed(&mut windows, [items]), expected);
            prop_assert_eq!(late.count(), n_late);
            prop_assert_eq!(windows.n_items, 0);
        }
    }
}
