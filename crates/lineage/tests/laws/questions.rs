//! Random histories, written, closed, opened, thinned out and compacted; then every question.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use selvedge_event::Digest;
use selvedge_lineage::{
    Change, Filter, History, Merging, Options, Page, Paged, Retention, Status, Timestamp, Values,
};
use selvedge_store::{Durability, Memory, Store};

use super::model::{Ids, Model, Wanted, run, run_id, signature, step, value, wanted};

/// What is done to a history before it is asked.
#[derive(Clone, Debug)]
enum Deed {
    Append(Vec<Wanted>),
    Reopen,
    Remove(u8),
    Compact,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        8 => prop::collection::vec(wanted(), 0..9).prop_map(Deed::Append),
        1 => Just(Deed::Reopen),
        1 => (0..4_u8).prop_map(Deed::Remove),
        1 => Just(Deed::Compact),
    ]
}

/// Keeps no values.
#[derive(Debug)]
struct Nothing;

type Refused = Box<dyn std::error::Error + Send + Sync>;

impl Values for Nothing {
    fn erase(&self, _digest: &Digest) -> Result<bool, Refused> {
        Ok(false)
    }
    fn release(&self, _digest: &Digest) -> Result<bool, Refused> {
        Ok(false)
    }
    fn compact(&self) -> Result<(), Refused> {
        Ok(())
    }
}

/// So small that a few records make runs, and a few runs merges.
fn tight() -> Options {
    Options {
        durability: Durability::None,
        merging: Merging::Inline,
        frozen_entries_min: 12,
        ..Options::default()
    }
}

/// All pages of an answer.
fn all<T>(mut ask: impl FnMut(&Page) -> Paged<T>, mut page: Page) -> Vec<T> {
    let mut items = Vec::new();
    for _ in 0..10_000 {
        let paged = ask(&page);
        assert!(paged.items.len() <= page.n_max);
        items.extend(paged.items);
        match paged.next {
            Some(cursor) => page = page.after(cursor),
            None => return items,
        }
    }
    panic!("an answer goes on for ever");
}

fn filters() -> Vec<Filter> {
    vec![
        Filter::new(),
        Filter::new().status(Status::Failed),
        Filter::new().step(&step(1)).run(run_id(0)).run(run_id(1)),
        Filter::new().tag("parity", "odd"),
        Filter::new().started(Timestamp::from_nanos(2)..Timestamp::from_nanos(6)),
    ]
}

/// Does the deeds to the history and to the model.
fn live(deeds: &[Deed], mut reopen: impl FnMut(Option<History>) -> History) -> (History, Model) {
    let mut model = Model::default();
    let mut history = reopen(None);
    for n in 0..4 {
        history.begin_run(run(n)).unwrap();
        let end = selvedge_event::Outcome::Succeeded;
        history.end_run(run_id(n), end, Timestamp::from_nanos(9)).unwrap();
        model.runs.insert(run_id(n), history.run(run_id(n)).unwrap().unwrap());
    }
    for deed in deeds {
        match deed {
            Deed::Append(wanted) => {
                let records: Vec<_> = wanted.iter().map(Wanted::record).collect();
                history.append(records.clone()).unwrap();
                model.records.extend(records.into_iter().map(Some));
            }
            Deed::Reopen => history = reopen(Some(history)),
            Deed::Remove(n) => {
                let id = run_id(*n);
                let others = model.runs.keys().filter(|run| **run != id);
                for other in others {
                    history.tag_run(*other, &format!("without {n}"), "yes").unwrap();
                }
                let keep = Retention::new().tag(&format!("without {n}"), "yes");
                let plan = history.plan_retention(&keep, Timestamp::default()).unwrap();
                assert_eq!(plan.n_kept, model.runs.keys().filter(|run| **run != id).count());
                history.remove(&plan, &Nothing).unwrap();
                for run in &plan.remove {
                    model.runs.remove(run);
                    for record in &mut model.records {
                        record.take_if(|record| record.run == *run);
                    }
                }
                for run in model.runs.values_mut() {
                    run.tags.insert(format!("without {n}").as_str().into(), "yes".into());
                }
            }
            Deed::Compact => history.compact(&Nothing).unwrap(),
        }
    }
    (history, model)
}

fn check(history: &History, model: &Model) {
    for filter in &filters() {
        let both = |expected: Ids, ask: &dyn Fn(&Page) -> Paged<selvedge_lineage::Found>| {
            let found = all(ask, Page::first(3));
            let ids: Ids = found.iter().map(|found| found.id.as_u64()).collect();
            assert_eq!(ids, expected, "oldest first");
            for found in found {
                assert_eq!(model.records[found.id.as_u64() as usize].as_ref(), Some(&found.record));
            }
            let backwards = all(ask, Page::first(2).newest_first());
            let ids: Ids = backwards.iter().rev().map(|found| found.id.as_u64()).collect();
            assert_eq!(ids, expected, "newest first");
        };
        both(model.those(filter, |_| true), &|page| history.records(filter, page).unwrap());
        for n in 0..4 {
            both(model.those(filter, |r| r.run == run_id(n)), &|page| {
                history.of_run(run_id(n), filter, page).unwrap()
            });
            both(model.those(filter, |r| r.step.as_str() == step(n)), &|page| {
                history.of_step(&step(n), filter, page).unwrap()
            });
        }
        for n in 0..2 {
            both(model.those(filter, |r| r.signature == signature(n)), &|page| {
                history.of_signature(&signature(n), filter, page).unwrap()
            });
        }
        for n in 0..7 {
            both(model.those(filter, |r| r.makes(&value(n))), &|page| {
                history.producers(&value(n), filter, page).unwrap()
            });
            both(model.those(filter, |r| r.reads(&value(n))), &|page| {
                history.consumers(&value(n), filter, page).unwrap()
            });
            check_walks(history, model, n, filter);
        }
    }
    check_changes(history, model);
    let runs = all(|page| history.runs(&Filter::new(), page).unwrap(), Page::first(1));
    let mut expected: Vec<_> = model.runs.values().cloned().collect();
    expected.sort_by_key(|run| (run.started_at, run.id));
    assert_eq!(runs, expected);
    let backwards =
        all(|page| history.runs(&Filter::new(), page).unwrap(), Page::first(1).newest_first());
    assert!(backwards.iter().rev().eq(&expected));
}

fn check_walks(history: &History, model: &Model, n: u8, filter: &Filter) {
    for depth_max in [0, 1, 2, 9] {
        let up = |page: &Page| history.upstream(&value(n), depth_max, filter, page).unwrap();
        let down = |page: &Page| history.downstream(&value(n), depth_max, filter, page).unwrap();
        for (is_up, found) in [(true, all(up, Page::first(3))), (false, all(down, Page::first(3)))]
        {
            assert!(found.is_sorted_by_key(|walked| walked.depth));
            let ids: BTreeSet<_> = found.iter().map(|w| (w.depth, w.id.as_u64())).collect();
            assert_eq!(ids.len(), found.len(), "once each");
            assert_eq!(ids, model.walk(is_up, value(n), depth_max, filter));
        }
    }
}

fn check_changes(history: &History, model: &Model) {
    let inputs = (0..7).map(|n| Change::Input(value(n)));
    let changes: Vec<_> = inputs.chain((0..2).map(|n| Change::Code(signature(n)))).collect();
    for change in &changes {
        for within in [None, Some(run_id(0)), Some(run_id(1))] {
            let ask = |page: &Page| history.would_run_again(change, within, page).unwrap();
            let found = all(ask, Page::first(2));
            let ids: BTreeSet<_> = found.iter().map(|again| again.id.as_u64()).collect();
            assert_eq!(ids.len(), found.len(), "once each");
            assert_eq!(ids, model.would_run_again(change, within));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_store_answers_as_a_list_does(deeds in prop::collection::vec(deed(), 0..24)) {
        let store: Arc<dyn Store> = Arc::new(Memory::new());
        let (history, model) = live(&deeds, |open| {
            drop(open);
            History::open(Arc::clone(&store), tight(), Timestamp::default()).unwrap()
        });
        check(&history, &model);
    }
}

#[cfg(feature = "sqlite")]
proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_answers_as_a_list_does(deeds in prop::collection::vec(deed(), 0..24)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.sqlite");
        let (history, model) = live(&deeds, |open| {
            drop(open);
            History::open_sqlite(&path, tight(), Timestamp::default()).unwrap()
        });
        check(&history, &model);
    }
}
