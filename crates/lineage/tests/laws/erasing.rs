//! Retention, erasing and holds: what goes, what stays, and what is refused.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Mutex;
use std::time::Duration;

use insta::assert_snapshot;
use selvedge_event::{Digest, Outcome};
use selvedge_lineage::{
    Filter, History, HistoryError, Page, Record, Removed, Retention, Run, Scrubbed, Status,
    Timestamp, Values,
};

use super::model::{run_id, signature, value};

/// Values that are kept in a set.
#[derive(Debug, Default)]
pub(crate) struct Kept(pub(crate) Mutex<BTreeSet<Digest>>);

impl Kept {
    pub(crate) fn of(values: impl IntoIterator<Item = u8>) -> Kept {
        Kept(Mutex::new(values.into_iter().map(value).collect()))
    }

    fn numbers(&self) -> Vec<u8> {
        (0..20).filter(|n| self.0.lock().unwrap().contains(&value(*n))).collect()
    }
}

impl Values for Kept {
    fn erase(&self, digest: &Digest) -> Result<bool, Box<dyn Error + Send + Sync>> {
        if *digest == value(19) {
            return Err("the disk is on fire".into());
        }
        Ok(self.0.lock().unwrap().remove(digest))
    }
    fn release(&self, digest: &Digest) -> Result<bool, Box<dyn Error + Send + Sync>> {
        Ok(self.0.lock().unwrap().remove(digest))
    }
    fn compact(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::default().after(Duration::from_secs(seconds))
}

/// Runs 0 to 4, a second apart: each reads what the one before made, and its parameter.
fn five_runs() -> Result<History, HistoryError> {
    let history = History::in_memory();
    for n in 0..5_u8 {
        let run = Run::new(run_id(n), "shop", at(n.into())).parameter("n", value(10 + n));
        history.begin_run(run)?;
        let error = "it said: value 3 is secret".to_owned();
        let record = Record::new(run_id(n), "next", signature(0))
            .input("last", Some("next"), value(n))
            .input("n", None, value(10 + n))
            .output(value(n + 1))
            .outcome(Outcome::Failed { error, panicked: false });
        history.append(vec![record])?;
        let outcome = if n == 3 { Outcome::TimedOut } else { Outcome::Succeeded };
        history.end_run(run_id(n), outcome, at(u64::from(n) + 1))?;
    }
    Ok(history)
}

#[test]
fn a_plan_names_what_goes_and_removing_takes_what_nothing_refers_to() -> Result<(), HistoryError> {
    let history = five_runs()?;
    let values = Kept::of(0..15);
    let everything = history.plan_retention(&Retention::new(), at(100))?;
    assert_eq!((everything.remove.len(), everything.n_kept), (0, 5));
    history.hold_run(run_id(1), true)?;
    let retention = Retention::new().last(1).status(Status::TimedOut);
    let plan = history.plan_retention(&retention, at(100))?;
    assert_eq!(plan.remove, [run_id(0), run_id(2)]);
    assert_eq!(values.numbers().len(), 15, "a plan touches nothing");
    let removed = history.remove(&plan, &values)?;
    assert_eq!(removed, Removed { n_runs: 2, n_records: 2, n_values: 3 });
    // Run 1 still made 2 and read 1, run 3 read 3.
    assert_eq!(values.numbers(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 14]);
    assert!(history.run(run_id(0))?.is_none());
    let left = history.producers(&value(1), &Filter::new(), &Page::default())?;
    assert!(left.items.is_empty());
    history.compact(&values)?;
    let left = history.records(&Filter::new(), &Page::default())?;
    let ids: Vec<u64> = left.items.iter().map(|found| found.id.as_u64()).collect();
    assert_eq!(ids, [1, 3, 4], "ids are for ever");
    let young = Retention::new().younger_than(Duration::from_secs(2)).tag("keep", "yes");
    history.tag_run(run_id(3), "keep", "yes")?;
    assert!(history.plan_retention(&young, at(5))?.remove.is_empty());
    assert_eq!(history.plan_retention(&young, at(50))?.remove, [run_id(4)]);
    Ok(())
}

#[test]
fn a_scrubbed_value_is_gone_and_its_records_say_when_and_why() -> Result<(), HistoryError> {
    let history = five_runs()?;
    let values = Kept::of(0..15);
    let scrubbed = history.scrub(&value(3), "request 17", at(60), &values)?;
    assert_eq!(scrubbed, Scrubbed { n_erased: 1, n_missing: 0 });
    assert!(!values.numbers().contains(&3));
    let note = history.erased(&value(3))?.expect("a note is left");
    assert_eq!((note.at, note.reason.as_str()), (at(60), "request 17"));
    let producers = history.producers(&value(3), &Filter::new(), &Page::default())?;
    assert_eq!(producers.items.len(), 1, "the graph stays");
    Ok(())
}

#[test]
fn a_scrubbed_run_keeps_its_records_but_no_value_and_no_text() -> Result<(), HistoryError> {
    let history = five_runs()?;
    let values = Kept::of(0..15);
    history.scrub_run(run_id(2), "request 18", at(60), &values)?;
    // It made 3 and was given 12; 2 is another run's.
    assert_eq!(values.numbers(), [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14]);
    let records = history.of_run(run_id(2), &Filter::new(), &Page::default())?;
    assert_snapshot!(records.items[0].record.outcome, @"failed: erased");
    let others = history.of_run(run_id(1), &Filter::new(), &Page::default())?;
    assert_snapshot!(others.items[0].record.outcome, @"failed: it said: value 3 is secret");
    Ok(())
}

#[test]
fn a_hold_protects_a_run_and_the_values_it_has() -> Result<(), HistoryError> {
    let history = five_runs()?;
    let values = Kept::of(0..15);
    history.hold_run(run_id(2), true)?;
    for n in [2, 3, 12] {
        let held = history.scrub(&value(n), "no", at(60), &values).unwrap_err();
        assert!(matches!(held, HistoryError::Held { run } if run == run_id(2)), "{held}");
    }
    assert!(history.scrub_run(run_id(2), "no", at(60), &values).is_err());
    assert!(
        history.scrub_run(run_id(1), "no", at(60), &values).is_err(),
        "run 2 read what it made"
    );
    assert_eq!(values.numbers().len(), 15);
    history.hold_run(run_id(2), false)?;
    history.scrub_run(run_id(1), "yes", at(60), &values)?;
    let burning = history.scrub(&value(19), "yes", at(60), &values).unwrap_err();
    assert_snapshot!(burning, @"a value could not be erased: the disk is on fire");
    assert!(history.erased(&value(19))?.is_some(), "that it was wanted is known");
    Ok(())
}
