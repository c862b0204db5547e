//! Word counts and co-occurrence over the text of this repository's own documentation:
//! `cargo run --release --features reactive --example words`.
//!
//! Files are read by balanced workers, whose lines come in the order of the files whoever is slow;
//! from there on everything is stream operators. What is printed is the same in every run, however
//! many workers there are.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use selvedge::prelude::*;
use selvedge::reactive::balancer::{Options, balance};
use selvedge::reactive::operators::{FlatMap, Fold, Grouper, Map, ReservoirSampler, TopK, stream};
use selvedge::reactive::{Reactive, Target};

/// What is found out about a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// The words that occur most often, most frequent first.
    pub(crate) most_frequent: Vec<(u64, String)>,
    /// Pairs of words that stand in one line most often.
    pub(crate) most_together: Vec<(u64, (String, String))>,
    /// For each first letter how many different words begin with it, in order of appearance.
    pub(crate) letters: Vec<(char, usize)>,
    /// Words drawn evenly from all that occur.
    pub(crate) sample: Vec<String>,
}

/// Words that say little by themselves.
const SMALL: [&str; 24] = [
    "the", "a", "an", "of", "and", "is", "it", "to", "in", "that", "are", "be", "by", "for", "as",
    "what", "its", "no", "not", "or", "with", "which", "at", "on",
];

pub(crate) fn main() -> Result {
    let summary = summary(&markdown(&repository())?, 4)?;
    for (n, word) in &summary.most_frequent {
        println!("{n:>5} {word}");
    }
    for (n, (one, other)) in &summary.most_together {
        println!("{n:>5} {one} + {other}");
    }
    println!("letters: {:?}", summary.letters);
    println!("a sample: {}", summary.sample.join(", "));
    Ok(())
}

/// Where this repository is.
pub(crate) fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().find(|dir| dir.join("docs/book").is_dir());
    root.unwrap_or(here).to_path_buf()
}

/// The Markdown files of its documentation, sorted.
pub(crate) fn markdown(repository: &Path) -> Result<Vec<PathBuf>> {
    let mut files = vec![repository.join("README.md")];
    for dir in ["docs", "docs/book"] {
        let dir = repository.join(dir);
        let entries = std::fs::read_dir(&dir).with_context(|| format!("no {}", dir.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The words of a line, in lower case.
pub(crate) fn words(line: &str) -> Vec<String> {
    let words = line.split(|c: char| !c.is_alphabetic()).filter(|word| word.chars().count() > 1);
    words.map(str::to_lowercase).collect()
}

/// Pairs of different words that say something, each once per line and in order.
pub(crate) fn pairs(line: &str) -> Vec<(String, String)> {
    let mut words = words(line);
    words.retain(|word| !SMALL.contains(&word.as_str()));
    words.sort();
    words.dedup();
    let mut pairs = Vec::new();
    for (i, one) in words.iter().enumerate() {
        pairs.extend(words[i + 1..].iter().map(|other| (one.clone(), other.clone())));
    }
    pairs
}

/// Reads the files with so many workers.
pub(crate) fn summary(files: &[PathBuf], n_workers: usize) -> Result<Summary> {
    let mut graph = Reactive::new("words");
    let files: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let paths = graph.source("paths", files);
    let lines = balance(&mut graph, "lines", &paths, Options::new(n_workers), |_worker| {
        |path: &String| {
            let text = std::fs::read_to_string(path).with_context(|| format!("no {path}"))?;
            Ok(text.lines().map(str::to_owned).collect::<Vec<_>>())
        }
    })?;
    let lines = lines.target;

    let all = graph.add(stream("words", [&lines], FlatMap::new(|line: String| Ok(words(&line)))));
    let counts = graph.add(stream("counts", [&all], counter::<String>()));
    let telling = TopK::new(10, |(word, n): &(String, u64)| {
        // Of two that are as frequent the one that comes first in the alphabet.
        let counts = if SMALL.contains(&word.as_str()) { 0 } else { *n };
        Ok((counts, std::cmp::Reverse(word.clone())))
    })?;
    let most_frequent = graph.add(stream("most frequent", [&counts], telling));

    let together = graph.add(stream("pairs", [&lines], FlatMap::new(|l: String| Ok(pairs(&l)))));
    let together = graph.add(stream("pair counts", [&together], counter::<(String, String)>()));
    let closest = TopK::new(10, |(pair, n): &((String, String), u64)| {
        Ok((*n, std::cmp::Reverse(pair.clone())))
    })?;
    let most_together = graph.add(stream("most together", [&together], closest));

    let vocabulary = Map::new(|(word, _): (String, u64)| Ok(word));
    let vocabulary: Target<String> = graph.add(stream("vocabulary", [&counts], vocabulary));
    let by_letter =
        Grouper::new(|word: &String| word.chars().next().context("a word is not empty"));
    let letters = graph.add(stream("letters", [&vocabulary], by_letter));
    let sample = graph.add(stream("sample", [&vocabulary], ReservoirSampler::new(8)?));

    let (most_frequent, most_together) =
        (graph.collect(&most_frequent), graph.collect(&most_together));
    let (letters, sample) = (graph.collect(&letters), graph.collect(&sample));
    graph.install(Pipeline::builder())?.build()?.run()?;
    Ok(Summary {
        most_frequent: most_frequent.values().into_iter().map(|(_, (word, n))| (n, word)).collect(),
        most_together: most_together.values().into_iter().map(|(_, (pair, n))| (n, pair)).collect(),
        letters: letters
            .values()
            .into_iter()
            .map(|(letter, words)| (letter, words.len()))
            .collect(),
        sample: sample.values(),
    })
}

/// Counts items; each phase says what has become of those that came in it.
fn counter<T>() -> impl selvedge::reactive::operators::Machine<In = T, Out = (T, u64)>
where
    T: Clone + std::hash::Hash + Eq + Send + Sync + 'static,
{
    let count = Fold::new(|item: &T| Ok(item.clone()), 0, |n: &mut u64, _| *n += 1);
    count.keys_max(1 << 20).expect("a limit above zero")
}
