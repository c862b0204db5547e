//! The index is written and merged while records are appended and questions asked, and nobody
//! notices; what a process left half done, the next one clears away.

use std::sync::Arc;

use selvedge_event::Digest;
use selvedge_lineage::{Filter, History, HistoryError, Merging, Options, Page, Record, Timestamp};
use selvedge_store::{Batch, Durability, Memory, Read as _, Scan, Store, StoreError};
use selvedge_sync::thread;

use super::diary::inline;
use super::model::{run_id, signature};

fn value(n: u32) -> Digest {
    Digest::of(&n).expect("numbers have digests")
}

/// The nth of a chain.
fn link(n: u32) -> Record {
    Record::new(run_id(0), "step", signature(0)).input("x", None, value(n)).output(value(n + 1))
}

fn check(history: &History, n: u32) -> Result<(), HistoryError> {
    let (filter, page) = (Filter::new(), Page::default());
    let producers = history.producers(&value(n), &filter, &page)?;
    assert_eq!(producers.items.len(), 1, "value {n}");
    let up = history.upstream(&value(n), 3, &filter, &page)?;
    assert_eq!(up.items.len(), 3.min(n as usize), "value {n}");
    Ok(())
}

#[test]
fn questions_are_answered_while_runs_are_merged() -> Result<(), HistoryError> {
    const N: u32 = 4_000;
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let tight = || Options { frozen_entries_min: 50, frozen_max: 2, ..Options::default() };
    assert_eq!(tight().merging, Merging::Background);
    let history = History::open(Arc::clone(&store), tight(), Timestamp::default())?;
    history.append(vec![link(0)])?;
    let askers: Vec<_> = (0..2)
        .map(|n| {
            let history = history.clone();
            let ask = move || -> Result<(), HistoryError> {
                for round in 1..400 {
                    let last = history.records(&Filter::new(), &Page::first(1).newest_first())?;
                    let appended = last.items[0].id.as_u64() as u32 + 1;
                    check(&history, 1 + (round * 37 + n) % appended)?;
                }
                Ok(())
            };
            thread::spawn("asker", ask).expect("there is room for a thread")
        })
        .collect();
    for start in (1..N).step_by(7) {
        history.append((start..N.min(start + 7)).map(link).collect())?;
    }
    for asker in askers {
        asker.join().expect("no asker panics")?;
    }
    drop(history);
    let history = History::open(store, tight(), Timestamp::default())?;
    (1..=N).step_by(13).try_for_each(|n| check(&history, n))?;
    assert_eq!(all_records(&history)?, N as usize);
    Ok(())
}

fn all_records(history: &History) -> Result<usize, HistoryError> {
    Ok(history.records(&Filter::new(), &Page::first(Page::N_MAX))?.items.len())
}

/// The numbers of the runs that have chunks.
fn numbers(store: &dyn Store) -> Result<Vec<u64>, StoreError> {
    let mut numbers = Vec::new();
    for entry in store.scan(Scan::all("lineage.index")) {
        numbers.extend(entry?.key.first_chunk().copied().map(u64::from_be_bytes));
    }
    numbers.dedup();
    Ok(numbers)
}

#[test]
fn chunks_that_nobody_names_are_deleted_and_their_numbers_not_used() -> Result<(), HistoryError> {
    let store = Arc::new(Memory::new());
    let options = || Options { frozen_entries_min: 8, ..inline() };
    let history = History::open(store.clone(), options(), Timestamp::default())?;
    history.append(vec![link(0), link(1)])?;
    history.append(vec![link(2), link(3)])?;
    drop(history);
    assert_eq!(numbers(&*store)?, [0, 1]);
    for n in 0..200_u32 {
        let key = [&7_u64.to_be_bytes()[..], &n.to_be_bytes()].concat();
        store.put("lineage.index", &key, b"half a run", Durability::None)?;
    }
    let history = History::open(store.clone(), options(), Timestamp::default())?;
    history.append(vec![link(4), link(5)])?;
    assert_eq!(numbers(&*store)?, [0, 1], "before it appends it clears away");
    history.append(vec![link(6)])?;
    assert_eq!(numbers(&*store)?, [0, 1, 8]);
    check(&history, 6)
}

#[test]
fn blocks_of_one_record_become_full_ones() -> Result<(), HistoryError> {
    let store = Arc::new(Memory::new());
    let options = || Options { frozen_entries_min: 2_000, ..inline() };
    let history = History::open(store.clone(), options(), Timestamp::default())?;
    for n in 0..1_200 {
        history.append(vec![link(n)])?;
    }
    let n_blocks = store.scan(Scan::all("lineage.blocks")).count();
    assert!(n_blocks < 450, "{n_blocks} blocks: two parts of 400 became two blocks each");
    (1..=1_200).step_by(7).try_for_each(|n| check(&history, n))?;
    drop(history);
    let history = History::open(store, options(), Timestamp::default())?;
    (1..=1_200).step_by(7).try_for_each(|n| check(&history, n))?;
    assert_eq!(all_records(&history)?, 1_200);
    Ok(())
}

/// Deletes the index's values whose number within their run is one of these.
fn delete(store: &Memory, is_one: impl Fn(u32) -> bool) -> Result<usize, StoreError> {
    let mut keys = Vec::new();
    for entry in store.scan(Scan::all("lineage.index")) {
        keys.push(entry?.key);
    }
    keys.retain(|key| key.last_chunk().copied().map(u32::from_be_bytes).is_some_and(&is_one));
    for key in &keys {
        store.commit(Batch::new().delete("lineage.index", key), Durability::None)?;
    }
    Ok(keys.len())
}

const SIEVE: std::ops::Range<u32> = 0xf000_0000..u32::MAX;

#[test]
fn what_a_run_has_nothing_of_is_not_looked_for_in_its_chunks() -> Result<(), HistoryError> {
    let store = Arc::new(Memory::new());
    let options = || Options { frozen_entries_min: 300, ..inline() };
    let history = History::open(store.clone(), options(), Timestamp::default())?;
    history.append((0..100).map(link).collect())?;
    history.append(Vec::new())?;
    assert!(delete(&store, |chunk| chunk < SIEVE.start)? > 0, "there are chunks");
    let (filter, page) = (Filter::new(), Page::default());
    let n_read = (1_000..1_200_u32)
        .filter(|n| history.producers(&value(*n), &filter, &page).is_err())
        .count();
    assert!(n_read < 10, "{n_read} of 200 values that nobody made");
    let error = history.producers(&value(7), &filter, &page).expect_err("its chunk is gone");
    assert!(error.to_string().contains("chunk"), "{error}");
    Ok(())
}

#[test]
fn runs_of_before_there_were_sieves_are_read_and_get_some() -> Result<(), HistoryError> {
    let store = Arc::new(Memory::new());
    let options = || Options { frozen_entries_min: 300, ..inline() };
    let history = History::open(store.clone(), options(), Timestamp::default())?;
    for part in 0..6 {
        history.append((100 * part..100 * (part + 1)).map(link).collect())?;
    }
    drop(history);
    let n_sieves = delete(&store, |chunk| SIEVE.contains(&chunk))?;
    assert!(n_sieves >= 2, "{n_sieves} runs");
    let history = History::open(store.clone(), options(), Timestamp::default())?;
    (1..=600).step_by(7).try_for_each(|n| check(&history, n))?;
    // Who appends does the upkeep first.
    history.append((600..700).map(link).collect())?;
    history.append(Vec::new())?;
    (1..=700).step_by(7).try_for_each(|n| check(&history, n))?;
    drop(history);
    assert_eq!(delete(&store, |chunk| SIEVE.contains(&chunk))?, n_sieves + 1);
    Ok(())
}
