//! The examples that are one file each do what they say, whoever runs them how.

#[path = "../../../crates/selvedge/examples/bfs.rs"]
mod bfs;
#[path = "../../../crates/selvedge/examples/words.rs"]
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The repository, seen from the tests' own folder.
fn files() -> Vec<std::path::PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    words::markdown(here).unwrap()
}

#[test]
fn words_are_counted_as_a_loop_counts_them_by_any_number_of_workers() {
    let files = files();
    let summary = words::summary(&files, 1).unwrap();
    assert_eq!(words::summary(&files, 4).unwrap(), summary);
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let (mut counts, mut together) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        for word in words::words(line) {
            *counts.entry(word).or_insert(0_u64) += 1;
        }
        for pair in words::pairs(line) {
            *together.entry(pair).or_insert(0_u64) += 1;
        }
    }
    for (n, word) in &summary.most_frequent {
        assert_eq!(counts.get(word), Some(n), "{word}");
    }
    for (n, pair) in &summary.most_together {
        assert_eq!(together.get(pair), Some(n), "{pair:?}");
    }
    let most = together.values().max();
    assert_eq!(summary.most_together.first().map(|(n, _)| n), most);
    assert_eq!(summary.most_frequent.len(), 10);
    let n_words: usize = summary.letters.iter().map(|(_, n)| n).sum();
    assert_eq!(n_words, counts.len());
    assert!(summary.sample.iter().all(|word| counts.contains_key(word)));
    assert_eq!(summary.sample.len(), 8);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = words::summary(&["no such file".into()], 2).unwrap_err();
    let told = format!("{error:#}");
    assert!(
        told.contains("words/paths->lines/worker-0") && told.contains("no such file"),
        "{told}"
    );
}

#[test]
fn the_search_reaches_what_a_loop_reaches() {
    let mut reached = BTreeSet::new();
    let mut pending = vec![(12, 0, 0)];
    while let Some(state) = pending.pop() {
        if reached.insert(state) {
            pending.extend(bfs::poured(&state));
        }
    }
    assert_eq!(bfs::reachable().unwrap(), reached);
}

#[test]
fn both_run_as_programs() {
    assert!(words::repository().exists());
    words::main().unwrap();
    bfs::main().unwrap();
}
