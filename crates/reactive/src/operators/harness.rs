//! The one place where tests feed operators: items and ends of phases in, what came out of it.

use std::fmt::Debug;
use std::time::Duration;

use super::{Machine, OperatorError, Outlet};

/// Keeps what is emitted, and a time that the test sets.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    pub(crate) items: Vec<T>,
    pub(crate) now: Duration,
    pub(crate) wake_at: Option<Duration>,
}

impl<T> Default for Kept<T> {
    fn default() -> Kept<T> {
        Kept { items: Vec::new(), now: Duration::ZERO, wake_at: None }
    }
}

impl<T> Outlet<T> for Kept<T> {
    fn emit(&mut self, item: T) {
        self.items.push(item);
    }

    fn now(&self) -> Duration {
        self.now
    }

    fn wake_after(&mut self, delay: Duration) {
        assert!(self.wake_at.is_none(), "one time at a time");
        self.wake_at = Some(self.now + delay);
    }
}

/// Runs phases of items through an operator, to the end.
pub(crate) fn fed<O: Machine>(
    operator: &mut O,
    phases: impl IntoIterator<Item = Vec<O::In>>,
) -> Vec<O::Out> {
    let mut kept = Kept::default();
    for items in phases {
        for item in items {
            operator.item(item, &mut kept).expect("it takes the item");
        }
        operator.phase(&mut kept).expect("it ends the phase");
    }
    operator.finish(&mut kept).expect("it ends");
    kept.items
}

/// What each item, `|` for the end of a phase and the end of all (`$`) lead to, a line each.
pub(crate) fn trace<O>(operator: &mut O, script: &[Step<O::In>]) -> String
where
    O: Machine,
    O::In: Clone + Debug,
    O::Out: Debug,
{
    let mut lines = String::new();
    for step in script {
        let mut kept = Kept::default();
        let (what, result) = match step {
            Step::Item(item) => (format!("{item:?}"), operator.item(item.clone(), &mut kept)),
            Step::Phase => ("|".to_owned(), operator.phase(&mut kept)),
            Step::Finish => ("$".to_owned(), operator.finish(&mut kept)),
        };
        let items: Vec<String> = kept.items.iter().map(|item| format!("{item:?}")).collect();
        lines += &match result {
            Ok(()) => format!("{what} -> {}\n", items.join(" ")),
            Err(error) => format!("{what} -> {}\n", told(&error)),
        };
    }
    lines
}

/// A step of a [`trace`].
#[derive(Clone, Debug)]
pub(crate) enum Step<T> {
    Item(T),
    Phase,
    Finish,
}

/// Items, the end of a phase, and the end.
pub(crate) fn items_then_end<T>(items: impl IntoIterator<Item = T>) -> Vec<Step<T>> {
    items.into_iter().map(Step::Item).chain([Step::Phase, Step::Finish]).collect()
}

/// An error with its sources.
pub(crate) fn told(error: &OperatorError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}
