//! Finds the input files, and the lines that an error is about.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use selvedge::io::jsonl;
use selvedge::runtime::RunError;
use serde::Deserialize;

use crate::stages::{Duplicate, PACKAGES};

/// The two files, plain or compressed.
pub struct Inputs {
    pub packages: PathBuf,
    pub sizes: PathBuf,
}

impl Inputs {
    pub fn find(folder: &Path) -> anyhow::Result<Inputs> {
        if !folder.is_dir() {
            bail!(
                "there is no folder `{}`: name one that holds packages.jsonl and sizes.jsonl",
                folder.display()
            );
        }
        let find = |name: &str| {
            let candidates =
                ["", ".gz", ".zst"].map(|end| folder.join(format!("{name}.jsonl{end}")));
            let found: Vec<PathBuf> =
                candidates.into_iter().filter(|path| path.exists() && !path.is_dir()).collect();
            let folder = folder.display();
            match &found[..] {
                [path] => Ok(path.clone()),
                [] => bail!(
                    "there is no file {name}.jsonl in `{folder}`, nor one ending in .gz or .zst"
                ),
                _ => bail!("`{folder}` holds {name}.jsonl more than once: keep one of the files"),
            }
        };
        Ok(Inputs { packages: find("packages")?, sizes: find("sizes")? })
    }

    /// Adds the lines to an error about a name that appears twice.
    pub fn locate(&self, error: RunError) -> anyhow::Error {
        let RunError::Turn { cause, .. } = &error else { return error.into() };
        let Some(Duplicate { package, stream }) = cause.downcast_ref() else { return error.into() };
        let path = if *stream == PACKAGES { &self.packages } else { &self.sizes };
        let lines = lines_of(path, package);
        let [first, again, ..] = lines[..] else { return error.into() };
        let path = path.display();
        anyhow!(
            "{path}:{again}:1: package `{package}` again (expected once: it is on line {first})"
        )
    }
}

/// The lines that are about this package.
fn lines_of(path: &Path, package: &str) -> Vec<u64> {
    #[derive(Deserialize)]
    struct Line {
        package: String,
    }
    let mut records = jsonl::read::<Line>(path);
    let mut lines = Vec::new();
    while let Some(record) = records.next() {
        if record.is_ok_and(|line| line.package == package) {
            lines.push(records.line());
        }
    }
    lines
}
