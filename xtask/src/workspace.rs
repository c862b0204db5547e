//! The workspace as cargo sees it: its crates, what they depend on, where their targets start.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// What the checks need to know of the workspace. Made by hand in tests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Workspace {
    /// Every member, by name.
    pub(crate) members: Vec<Member>,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
}

/// One member crate. Paths are relative to the root and use `/`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Member {
    /// The package's name.
    pub(crate) name: String,
    /// The directory of its manifest.
    pub(crate) dir: String,
    /// Whether a plain `cargo test` covers it.
    pub(crate) default: bool,
    /// What it needs of the workspace.
    pub(crate) edges: Vec<Edge>,
    /// The first file of each of its targets.
    pub(crate) roots: Vec<String>,
}

/// A dependency on another member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// The package depended upon.
    pub(crate) to: String,
    /// Whether users get it too, or only our tests.
    pub(crate) kind: EdgeKind,
}

/// Who needs a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EdgeKind {
    /// The crate itself or its build script.
    Build,
    /// Its tests, benches and examples.
    Dev,
}

/// The directory that holds the workspace's manifest.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask lies in a folder of the workspace").to_owned()
}

/// Asks `cargo metadata`.
pub(crate) fn load() -> Result<Workspace> {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()
        .context("failed to read the workspace with `cargo metadata --no-deps`")?;
    let mut members: Vec<Member> =
        metadata.workspace_packages().iter().map(|package| member(&metadata, package)).collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Workspace { members, target: metadata.target_directory.clone().into_std_path_buf() })
}

fn member(metadata: &Metadata, package: &Package) -> Member {
    let relative = |path: &cargo_metadata::camino::Utf8Path| {
        let path = path.strip_prefix(&metadata.workspace_root).unwrap_or(path);
        path.as_str().replace('\\', "/")
    };
    let dir = package.manifest_path.parent().map(relative).unwrap_or_default();
    // A dependency with a path is one of ours: nothing else in the workspace lies on disk.
    let edges = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
    Member {
        name: package.name.to_string(),
        dir,
        default: metadata.workspace_default_members.contains(&package.id),
        edges: edges
            .map(|dependency| Edge {
                to: dependency.name.clone(),
                kind: match dependency.kind {
                    DependencyKind::Development => EdgeKind::Dev,
                    _ => EdgeKind::Build,
                },
            })
            .collect(),
        roots: package.targets.iter().map(|target| relative(&target.src_path)).collect(),
    }
}
