//! The atlas in a workspace: what is reused, what is run again, and where a row came from.
#![cfg(feature = "workspace")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use selvedge::lineage::{Filter, Page};
use selvedge::prelude::Signature;
use serde_json::{Value, json};

use crate::program::{Fixture, Ran, program, sample};

/// The sample, with a workspace beside it.
struct Lab {
    fixture: Fixture,
    packages: Vec<Value>,
    sizes: Vec<Value>,
}

impl Lab {
    fn new() -> Lab {
        let read = |name: &str| -> Vec<Value> {
            let text = fs::read_to_string(sample().join(name)).expect("the sample is there");
            text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
        };
        let (packages, sizes) = (read("packages.jsonl"), read("sizes.jsonl"));
        Lab { fixture: Fixture::new(), packages, sizes }
    }

    fn workspace(&self) -> PathBuf {
        self.fixture.out().join("workspace")
    }

    /// Runs on what the lines are now; says how many steps were run and how many reused.
    fn run(&self, workers: &str) -> (u64, u64) {
        let text =
            |lines: &[Value]| -> String { lines.iter().map(|line| format!("{line}\n")).collect() };
        self.fixture.put("packages.jsonl", text(&self.packages));
        self.fixture.put("sizes.jsonl", text(&self.sizes));
        let mut command = self.fixture.command(&["--json", "--compare", "--workers", workers]);
        command.arg("--workspace").arg(self.workspace());
        // Compared with the plain way, which knows no workspace.
        let report = self.fixture.end(&mut command).json();
        let count = |key: &str| report[key].as_u64().expect("it is a count");
        (count("steps_run"), count("steps_reused"))
    }

    fn why(&self, args: &[&str]) -> Ran {
        why(&self.fixture, &self.workspace(), args)
    }
}

fn why(fixture: &Fixture, workspace: &Path, args: &[&str]) -> Ran {
    let mut command = std::process::Command::new(program());
    fixture.end(command.arg("--workspace").arg(workspace).args(args))
}

fn line<'l>(lines: &'l mut [Value], package: &str) -> &'l mut Value {
    let found = lines.iter_mut().find(|line| line["package"] == package);
    found.expect("the sample has this package")
}

/// Who needs whom directly, by the rules: a package of the name, or the first that provides it.
fn edges(packages: &[Value]) -> BTreeMap<String, BTreeSet<String>> {
    let texts = |value: &Value| -> Vec<String> {
        let items = value.as_array().expect("it is a list").iter();
        items.map(|item| item.as_str().expect("it is text").to_owned()).collect()
    };
    let mut providers = BTreeMap::<String, String>::new();
    let mut by_name: Vec<(String, &Value)> = packages
        .iter()
        .map(|package| (package["package"].as_str().expect("it is text").to_owned(), package))
        .collect();
    by_name.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, package) in &by_name {
        for provided in texts(&package["provides"]) {
            providers.entry(provided).or_insert_with(|| name.clone());
        }
    }
    for (name, _) in &by_name {
        providers.insert(name.clone(), name.clone());
    }
    let needs = |package: &Value| -> BTreeSet<String> {
        let groups = package["depends"].as_array().expect("it is a list").iter();
        groups
            .filter_map(|group| texts(group).iter().find_map(|n| providers.get(n).cloned()))
            .collect()
    };
    by_name.iter().map(|(name, package)| (name.clone(), needs(package))).collect()
}

/// All that can be reached from a package, itself included.
fn reach(edges: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::from([from.to_owned()]);
    let mut pending = vec![from.to_owned()];
    while let Some(package) = pending.pop() {
        for needed in &edges[&package] {
            if reached.insert(needed.clone()) {
                pending.push(needed.clone());
            }
        }
    }
    reached
}

/// All that reach a package, itself included.
fn reaching(edges: &BTreeMap<String, BTreeSet<String>>, to: &str) -> BTreeSet<String> {
    edges.keys().filter(|from| reach(edges, from).contains(to)).cloned().collect()
}

#[test]
fn a_second_run_reuses_everything_on_any_number_of_workers() {
    let mut lab = Lab::new();
    assert_eq!(lab.run("2"), (892, 0));
    assert_eq!(lab.run("1"), (0, 892));
    lab.packages.reverse();
    lab.sizes.reverse();
    assert_eq!(lab.run("3"), (0, 892));

    let mut command = lab.fixture.command(&[]);
    let ran = lab.fixture.end(command.arg("--workspace").arg(lab.workspace()));
    ran.assert_success();
    assert!(ran.stdout.contains("\n892 steps reused, 0 steps run\n"), "{}", ran.stdout);
}

#[test]
fn a_changed_size_runs_again_what_needs_the_package() {
    let mut lab = Lab::new();
    assert_eq!(lab.run("2"), (892, 0));
    for package in ["adduser", "libcurl4", "blender"] {
        let n_reaching = reaching(&edges(&lab.packages), package).len() as u64;
        let size = line(&mut lab.sizes, package);
        let earlier = size["installed_size_kib"].clone();
        size["installed_size_kib"] = json!(7);
        assert_eq!(lab.run("2"), (n_reaching, 892 - n_reaching), "{package}");
        line(&mut lab.sizes, package)["installed_size_kib"] = earlier;
        assert_eq!(lab.run("2"), (0, 892), "what was, is known: {package}");
    }
}

#[test]
fn a_changed_dependency_runs_again_who_has_it_and_who_is_needed_by_it() {
    let mut lab = Lab::new();
    assert_eq!(lab.run("2"), (892, 0));
    let before = edges(&lab.packages);
    assert!(!reaching(&before, "adduser").contains("blender"), "the test wants a new edge");
    assert!(!reaching(&before, "blender").contains("adduser"), "the test wants no cycle");
    let depends = line(&mut lab.packages, "blender")["depends"].as_array_mut();
    depends.expect("it is a list").push(json!(["adduser"]));
    // A row tells what a package needs, and how many need it.
    let mut expected = reaching(&before, "blender");
    expected.extend(reach(&before, "adduser"));
    let n = expected.len() as u64;
    assert_eq!(lab.run("2"), (n, 892 - n));
}

#[test]
fn what_no_row_can_tell_runs_nothing_again() {
    let mut lab = Lab::new();
    assert_eq!(lab.run("2"), (892, 0));
    line(&mut lab.packages, "adduser")["section"] = json!("elsewhere");
    line(&mut lab.packages, "adduser")["provides"] = json!(["nobody-needs-this"]);
    assert_eq!(lab.run("2"), (0, 892));
}

/// How often the history was told how a digest came about.
fn n_told(lab: &Lab) -> usize {
    let workspace = selvedge::Workspace::open(lab.workspace()).expect("the run has ended");
    let code = Signature::of_version("atlas::Trace", "1");
    let told = workspace.history().of_signature(&code, &Filter::new(), &Page::first(10_000));
    told.expect("the history can be read").items.len()
}

#[test]
fn the_history_is_told_only_what_is_new() {
    let mut lab = Lab::new();
    lab.run("2");
    let n = n_told(&lab);
    // Two directions and a row for each package, but fewer where packages need each other.
    assert!((892 * 2..892 * 3 + 50).contains(&n), "{n}");
    lab.run("2");
    assert_eq!(n_told(&lab), n);
    // Nobody needs it: its set and its row are new, and nothing else.
    assert_eq!(reaching(&edges(&lab.packages), "blender").len(), 1);
    line(&mut lab.sizes, "blender")["installed_size_kib"] = json!(1);
    lab.run("2");
    assert_eq!(n_told(&lab), n + 2);
}

#[test]
fn why_names_the_lines_and_the_code() {
    let mut lab = Lab::new();
    lab.run("2");
    let why = lab.why(&["--why", "libgcc-s1", "--json"]).json();
    let expected: Vec<String> = ["libgcc-s1", "gcc-12-base", "libc6"]
        .iter()
        .flat_map(|package| [format!("packages: {package}"), format!("sizes: {package}")])
        .collect();
    let mut lines: Vec<&str> =
        why["needs"]["lines"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    lines.sort_unstable();
    let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(lines, expected);
    assert_eq!(why["needs"]["complete"], true);
    assert_eq!(why["reused_from"], Value::Null);
    assert_eq!(why["code"][1]["signature"], "atlas::Trace version 1");
    let first = why["row"].clone();

    // Every package that needs it, directly or not, and no other.
    let needing: BTreeSet<String> = reaching(&edges(&lab.packages), "libgcc-s1");
    let told = why["needed_by"]["lines"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let told: BTreeSet<String> =
        told.filter_map(|line| line.strip_prefix("packages: ")).map(str::to_owned).collect();
    assert_eq!(told, needing);

    // After a change it is the latest row that is asked about, and after changing back the first.
    let earlier = line(&mut lab.sizes, "libc6")["installed_size_kib"].take();
    line(&mut lab.sizes, "libc6")["installed_size_kib"] = json!(1);
    lab.run("2");
    let changed = lab.why(&["--why", "libgcc-s1", "--json"]).json();
    assert_ne!(changed["row"], first);
    line(&mut lab.sizes, "libc6")["installed_size_kib"] = earlier;
    lab.run("2");
    let back = lab.why(&["--why", "libgcc-s1", "--json"]).json();
    assert_eq!((&back["row"], &back["reused_from"]), (&first, &why["run"]));
}

#[test]
fn why_is_readable() {
    let lab = Lab::new();
    lab.run("2");
    let ran = lab.why(&["--why", "gcc-12-base"]);
    ran.assert_success();
    let (head, rest) = ran.stdout.split_once("\n\n").expect("it has parts");
    assert!(head.starts_with("the row of gcc-12-base, in run 0"), "{head}");
    let told: Vec<&str> = rest.lines().filter(|line| !line.contains("walk")).take(9).collect();
    assert_snapshot!(told.join("\n"), @r"
    code
      row gcc-12-base: atlas::Trace version 1

    lines about what it needs
      packages: gcc-12-base
      sizes: gcc-12-base

    lines about what needs it
      packages: gcc-12-base
    ");
    assert!(rest.ends_with(" more\n"), "{rest}");
}

#[test]
fn wrong_uses_of_a_workspace_say_what_to_do() {
    let lab = Lab::new();
    assert_snapshot!(lab.why(&["--why", "libc6"]).refusal(), @"1: error: there is no workspace in `DIR/out/workspace`: run the atlas with `--workspace DIR/out/workspace` and without `--why` first");
    fs::create_dir_all(lab.workspace()).expect("there is room for a folder");
    assert_snapshot!(lab.why(&["--why", "libc6"]).refusal(), @"1: error: there is no workspace in `DIR/out/workspace`: run the atlas with `--workspace DIR/out/workspace` and without `--why` first");
    lab.run("1");
    assert_snapshot!(lab.why(&["--why", "libc7"]).refusal(), @"1: error: no run in `DIR/out/workspace` found a row of `libc7`; did you mean `libc6`?");
    let other = selvedge::Workspace::open(lab.workspace()).expect("the run has ended");
    let refusal = lab.why(&["--why", "libc6"]).refusal();
    let refusal = refusal.replace(&std::process::id().to_string(), "PID");
    assert_snapshot!(refusal, @"1: error: cannot open the workspace `DIR/out/workspace`: DIR/out/workspace/store is in use by process PID, which has to close it first");
    drop(other);
    let alone = lab.fixture.run(&["--why", "libc6"]);
    assert_eq!(alone.status, Some(2));
    assert!(alone.stderr.contains("--workspace <DIR>"), "{}", alone.stderr);
    let file = lab.fixture.data().join("packages.jsonl");
    let mut command = lab.fixture.command(&[]);
    let refused = lab.fixture.end(command.arg("--workspace").arg(file));
    assert_snapshot!(refused.refusal(), @"1: error: cannot open the workspace `DIR/data/packages.jsonl`: failed to create DIR/data/packages.jsonl/store: Not a directory (os error 20)");
}
