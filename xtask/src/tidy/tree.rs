//! The files under inspection. Reads what a repository holds and leaves out what a build or a
//! fuzzer writes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// A set of text files, sorted by path.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub(super) files: Vec<File>,
}

/// One text file; the path is relative to the root and uses `/`.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
}

/// Folders that hold what a tool wrote, by how their path ends: a module may well be called
/// `artifacts`.
const GENERATED: [&str; 7] = [
    "/.git",
    "/target",
    "/fuzz/target",
    "/fuzz/corpus",
    "/fuzz/artifacts",
    "/mutants.out",
    "/mutants.out.old",
];

/// What people write by hand. Data files aren't ours to judge.
const WRITTEN: [&str; 9] = ["rs", "md", "toml", "sh", "yml", "yaml", "snap", "stderr", "py"];

impl Tree {
    /// Reads every written file below `root`.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.descend(root, "")?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    /// The text of one file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    fn descend(&mut self, dir: &Path, prefix: &str) -> Result<()> {
        let failed = || format!("failed to read {}", dir.display());
        for entry in fs::read_dir(dir).with_context(failed)? {
            let entry = entry.with_context(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().with_context(failed)?;
            if kind.is_dir() && !is_generated(&path) {
                self.descend(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() && is_written(&path) {
                let text = fs::read_to_string(entry.path())
                    .with_context(|| format!("failed to read {path} as UTF-8"))?;
                self.files.push(File { path, text });
            }
        }
        Ok(())
    }
}

/// The build's own folder lies at the root; the others lie where the tool ran.
fn is_generated(path: &str) -> bool {
    let path = format!("/{path}");
    let ends = |end: &str| if end == "/target" { path == end } else { path.ends_with(end) };
    GENERATED.iter().any(|end| ends(end))
}

fn is_written(path: &str) -> bool {
    match Path::new(path).extension() {
        Some(extension) => WRITTEN.iter().any(|written| extension == *written),
        None => path.starts_with(".ci/"),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_generated, is_written};

    fn check(paths: &[&str], keep: fn(&str) -> bool) -> String {
        paths.iter().copied().filter(|path| keep(path)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_a_tool_wrote_is_left_out() {
        let folders = [".git", "target", "crates/a/src/target", "crates/a/src/artifacts"];
        insta::assert_snapshot!(check(&folders, is_generated), @".git target");
        let fuzz = ["crates/a/fuzz/target", "crates/a/fuzz/corpus", "crates/a/fuzz/fuzz_targets"];
        insta::assert_snapshot!(check(&fuzz, is_generated), @"crates/a/fuzz/target crates/a/fuzz/corpus");
    }

    #[test]
    fn what_people_write_is_read() {
        let files = ["a/b.rs", "README.md", ".ci/run", "LICENSE-MIT", "data/x.jsonl", "Cargo.lock"];
        insta::assert_snapshot!(check(&files, is_written), @"a/b.rs README.md .ci/run");
    }
}
