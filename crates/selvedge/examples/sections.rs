//! Statistics of a distribution by section, as a dataflow graph: what fails, what is tried again,
//! and what is not done twice.
//!
//! ```text
//! cargo run --release --example sections --features flow,workspace            # 892 packages
//! cargo run --release --example sections --features flow,workspace -- --full  # all of Debian 12
//! ```
//!
//! How large the packages of a section are is asked of a mirror, which is a folder with a file per
//! section and can lack some. The first run finds such gaps. Then they are filled, a plan tells
//! what is left to do, and a second run goes on from the first and does only that.
//!
//! `graph` is the graph; above it is what its nodes do, below it how it is run and told.

#![expect(clippy::disallowed_methods, reason = "a program has clocks of its own")]

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use selvedge::flow::{Flow, Node, Outcome, Request, RunPlan, RunResult, map, node};
use selvedge::io::jsonl;
use selvedge::lineage::{Filter, History, Page, RunId};
use selvedge::{Digest, Workspace};
use serde::{Deserialize, Serialize};

/// Counts what the sections of a distribution hold, asks a mirror that has gaps how large they are,
/// and goes on when they are filled.
#[derive(Parser)]
#[command(name = "sections")]
struct Args {
    /// Folder with `packages.jsonl` and `sizes.jsonl`, plain or `.gz` or `.zst` [default: the
    /// sample of the atlas]
    #[arg(long, value_name = "DIR", conflicts_with = "full")]
    data: Option<PathBuf>,
    /// Use the atlas's index of Debian 12 instead of the sample
    #[arg(long)]
    full: bool,
    /// Where runs are written down, and the mirror is put
    #[arg(long, value_name = "DIR", default_value = "target/sections")]
    workspace: PathBuf,
    /// Sections that the mirror does not have at first
    #[arg(long, value_name = "SECTION", value_delimiter = ',', default_value = "science,web")]
    withhold: Vec<String>,
    /// How many sections are looked at at a time
    #[arg(long, value_name = "N", default_value_t = 4)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1024))]
    at_a_time: u32,
    /// Print one JSON object instead of the story
    #[arg(long)]
    json: bool,
}

/// An input file, known by what is in it: a run is not taken for one of other data.
#[derive(Serialize, Deserialize)]
struct DataFile {
    path: PathBuf,
    content: Digest,
}

/// A line of `packages.jsonl`, as far as it matters here.
#[derive(Clone, Serialize, Deserialize)]
struct Package {
    package: String,
    section: String,
    /// Groups of alternatives: of each group one is needed.
    depends: Vec<Vec<String>>,
}

/// A line of `sizes.jsonl`, and of the mirror's files.
#[derive(Clone, Serialize, Deserialize)]
struct Size {
    package: String,
    installed_size_kib: u32,
}

#[derive(Serialize, Deserialize)]
struct Section {
    name: String,
    packages: Vec<Package>,
}

/// How many packages name each one among what they need.
type Needed = BTreeMap<String, u32>;

/// What there is to say about a section.
#[derive(Clone, Serialize, Deserialize)]
struct Statistics {
    section: String,
    packages: usize,
    dependencies: usize,
    most_needed: String,
    needed_by: u32,
}

#[derive(Clone, Serialize, Deserialize)]
struct Installed {
    section: String,
    kib: u64,
}

#[node]
fn packages(file: &DataFile) -> Result<Vec<Package>> {
    let packages: Vec<Package> = jsonl::read(&file.path).collect::<Result<_, _>>()?;
    ensure!(!packages.is_empty(), "`{}` holds no packages", file.path.display());
    Ok(packages)
}

#[node]
fn needed(packages: &Vec<Package>) -> Needed {
    let mut needed = Needed::new();
    for name in packages.iter().flat_map(|package| &package.depends).flatten() {
        *needed.entry(name.clone()).or_default() += 1;
    }
    needed
}

#[node]
fn sections(packages: &Vec<Package>) -> Vec<Section> {
    let mut sections: BTreeMap<&str, Vec<Package>> = BTreeMap::new();
    for package in packages {
        sections.entry(&package.section).or_default().push(package.clone());
    }
    let sections = sections.into_iter();
    sections.map(|(name, packages)| Section { name: name.to_owned(), packages }).collect()
}

/// What a section holds; `needed` is the same for all of them.
fn statistics(section: &Section, needed: &Needed) -> Result<Statistics> {
    let by = |package: &Package| needed.get(&package.package).copied().unwrap_or(0);
    let most = section.packages.iter().rev().max_by_key(|&package| by(package));
    let most = most.context("a section that holds nothing")?;
    Ok(Statistics {
        section: section.name.clone(),
        packages: section.packages.len(),
        dependencies: section.packages.iter().map(|package| package.depends.len()).sum(),
        most_needed: most.package.clone(),
        needed_by: by(most),
    })
}

/// Asks the mirror. What it answers depends on more than what is read here: never `cached`.
fn installed(section: &Section, mirror: &Path) -> Result<Installed> {
    let mut kib = 0;
    for size in jsonl::read::<Size>(mirror.join(format!("{}.jsonl", section.name))) {
        kib += u64::from(size?.installed_size_kib);
    }
    Ok(Installed { section: section.name.clone(), kib })
}

/// The sections with the most packages.
#[node]
fn largest(all: &Vec<Statistics>, rows: &usize) -> Vec<Statistics> {
    let mut all = all.clone();
    all.sort_by_key(|section| std::cmp::Reverse(section.packages));
    all.truncate(*rows);
    all
}

/// What is shown: sections, and how large they are where that is known.
#[derive(Serialize, Deserialize)]
struct Table {
    rows: Vec<(Statistics, Option<u64>)>,
    /// Why sizes are missing, if they are.
    gap: Option<String>,
}

#[node]
fn table(
    largest: Outcome<&Vec<Statistics>>,
    every: Outcome<&Vec<Statistics>>,
    installed: Outcome<&Vec<Installed>>,
) -> Result<Table> {
    let rows = largest.ok().or(every.ok()).context("there are no statistics to show")?;
    let (sizes, gap) = match installed {
        Outcome::Ok(sizes) => (sizes.as_slice(), None),
        other => (&[][..], Some(other.ending().to_string())),
    };
    let size = |row: &Statistics| {
        sizes.iter().find(|size| size.section == row.section).map(|size| size.kib)
    };
    Ok(Table { rows: rows.iter().map(|row| (row.clone(), size(row))).collect(), gap })
}

/// Above so many sections only the largest are shown.
const NARROW_MAX: usize = 40;

/// The graph, and the node that makes what is shown.
fn graph(at_a_time: u32) -> Result<(Flow, Node<Table>)> {
    let mut flow = Flow::builder("sections");
    let file = flow.parameter::<DataFile>("file");
    let mirror = flow.parameter::<PathBuf>("mirror");
    let rows = flow.parameter_or::<usize>("rows", 10);
    flow.check(rows, |&rows| if rows > 0 { Ok(()) } else { Err("must be above 0".into()) });

    let packages = flow.add("packages", packages(file).cached());
    let needed = flow.add("needed", needed(packages).cached());
    let sections = flow.add("sections", sections(packages).cached());
    let statistics = map(sections, (needed,), statistics)
        .items_at_a_time(at_a_time)
        .version("sections::statistics", "1")
        .cached();
    let statistics = flow.add("statistics", statistics);

    let installed =
        map(sections, (mirror,), |section: &Section, mirror: &PathBuf| installed(section, mirror))
            .items_at_a_time(at_a_time)
            .optional();
    let installed = flow.add("installed", installed);

    let width = |all: &Vec<Statistics>| Ok(if all.len() > NARROW_MAX { "many" } else { "few" });
    let (_, [many, few]) = flow.branch("width", statistics, ["many", "few"], width);
    let largest = flow.add("largest", largest(many, rows));
    let every = flow.node("every", (few,), |all: &Vec<Statistics>| Ok(all.clone()));
    let table = flow.add("table", table(largest, every, installed));
    Ok((flow.build()?, table))
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let folder = args.folder();
    let (packages, sizes) = (find(&folder, "packages")?, find(&folder, "sizes")?);
    let workspace = Workspace::open(&args.workspace)
        .with_context(|| format!("no workspace in `{}`", args.workspace.display()))?;
    let (flow, table) = graph(args.at_a_time)?;
    let flow = flow.in_journal(workspace.journal()?);
    let content =
        std::fs::read(&packages).with_context(|| format!("can't read `{}`", packages.display()))?;
    let file = DataFile { content: Digest::of(&content)?, path: packages };
    let mirror = Mirror::of(&file.path, &sizes, args)?;

    let began = Instant::now();
    let request = Request::new().with("file", file).with("mirror", mirror.folder.clone());
    let first = Told::of(workspace.history(), flow.run(request)?, table, began)?;
    mirror.fill()?;
    let again = flow.request_of(first.run)?.going_on_from(first.run);
    let plan = flow.plan(&again)?;
    let began = Instant::now();
    let second = Told::of(workspace.history(), flow.run(again)?, table, began)?;

    let story = Story { tree: flow.drawing().tree(), first, plan, second };
    let text = if args.json { story.json()? } else { story.to_string() };
    std::io::stdout().write_all(text.as_bytes()).context("cannot print the story")
}

impl Args {
    fn folder(&self) -> PathBuf {
        let bundled = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/atlas/data"));
        match &self.data {
            Some(folder) => folder.clone(),
            None if self.full => bundled.join("full"),
            None => bundled.join("sample"),
        }
    }
}

fn find(folder: &Path, name: &str) -> Result<PathBuf> {
    let candidates = ["", ".gz", ".zst"].map(|end| folder.join(format!("{name}.jsonl{end}")));
    let found = candidates.into_iter().find(|path| path.is_file());
    found.with_context(|| {
        let folder = folder.display();
        format!("there is no file {name}.jsonl in `{folder}`, nor one ending in .gz or .zst")
    })
}

/// The folder that stands for a mirror, and what it does not have yet.
struct Mirror {
    folder: PathBuf,
    withheld: Vec<(String, Vec<Size>)>,
}

impl Mirror {
    /// Deals out the sizes by section.
    fn of(packages: &Path, sizes: &Path, args: &Args) -> Result<Mirror> {
        let mut kib = BTreeMap::new();
        for size in jsonl::read::<Size>(sizes) {
            let size = size?;
            kib.insert(size.package, size.installed_size_kib);
        }
        let mut by_section: BTreeMap<String, Vec<Size>> = BTreeMap::new();
        for package in jsonl::read::<Package>(packages) {
            let Package { package, section, .. } = package?;
            let is_name = |c: char| c.is_ascii_alphanumeric() || "-_+".contains(c);
            ensure!(
                !section.is_empty() && section.chars().all(is_name),
                "package `{package}` is in section `{section}`, which can't name a file"
            );
            let size =
                kib.get(&package).map(|&installed_size_kib| Size { package, installed_size_kib });
            by_section.entry(section).or_default().extend(size);
        }
        let folder = args.workspace.join("mirror");
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => std::fs::create_dir_all(&folder),
        }
        .with_context(|| format!("no room for a mirror in `{}`", folder.display()))?;
        let mut withheld = Vec::new();
        for name in &args.withhold {
            let Some(sizes) = by_section.remove(name) else {
                let names: Vec<&str> = by_section.keys().map(String::as_str).collect();
                bail!("there is no section `{name}` to withhold, but [{}]", names.join(", "));
            };
            withheld.push((name.clone(), sizes));
        }
        let mirror = Mirror { folder, withheld };
        by_section.iter().try_for_each(|(section, sizes)| mirror.put(section, sizes))?;
        Ok(mirror)
    }

    /// Puts there what it did not have.
    fn fill(&self) -> Result<()> {
        self.withheld.iter().try_for_each(|(section, sizes)| self.put(section, sizes))
    }

    fn put(&self, section: &str, sizes: &[Size]) -> Result<()> {
        let mut file = jsonl::Writer::atomic(self.folder.join(format!("{section}.jsonl")))?;
        sizes.iter().try_for_each(|size| file.write(size))?;
        file.finish()?;
        Ok(())
    }
}

/// What is told of a run.
struct Told {
    run: RunId,
    result: RunResult,
    table: Table,
    /// Nodes and items by what was done about them.
    steps: Steps,
    failures: Vec<String>,
    seconds: f64,
}

#[derive(Default, Serialize)]
struct Steps {
    computed: usize,
    reused: usize,
    skipped: usize,
    failed: usize,
}

impl Told {
    fn of(
        history: &History,
        result: RunResult,
        table: Node<Table>,
        began: Instant,
    ) -> Result<Told> {
        let seconds = began.elapsed().as_secs_f64();
        // The first that failed says more than what it is that can't be shown.
        if !result.succeeded() {
            bail!("{}", result.ending());
        }
        let run = result.run();
        let shown = result.value(table)?;
        let table = Table { rows: shown.rows.clone(), gap: shown.gap.clone() };
        let (mut steps, mut failures) = (Steps::default(), Vec::new());
        let found = history.of_run(run, &Filter::new(), &Page::first(10_000))?;
        for record in found.items.into_iter().map(|found| found.record) {
            let count = match &record.outcome {
                selvedge::event::Outcome::Succeeded if record.reused_from.is_some() => {
                    &mut steps.reused
                }
                selvedge::event::Outcome::Succeeded => &mut steps.computed,
                selvedge::event::Outcome::Skipped { .. } => &mut steps.skipped,
                failed => {
                    failures.push(format!("{} {failed}", record.step));
                    &mut steps.failed
                }
            };
            *count += 1;
        }
        failures.sort_unstable();
        Ok(Told { run, result, table, steps, failures, seconds })
    }
}

/// What happened, in order.
struct Story {
    tree: String,
    first: Told,
    plan: RunPlan,
    second: Told,
}

impl Story {
    /// Text of ours, with the runs called by their places in the story.
    fn named(&self, text: &str) -> String {
        let mut named = text.replace(&format!("run {}", self.first.run), "the first run");
        named = named.replace(&format!("run {}", self.second.run), "the second run");
        named
    }

    fn json(&self) -> Result<String> {
        let run = |told: &Told| {
            selvedge::json!({
                "ending": told.result.ending().to_string(),
                "steps": told.steps,
                "failures": told.failures,
                "seconds": told.seconds,
            })
        };
        let rows: Vec<_> = self
            .second
            .table
            .rows
            .iter()
            .map(|(row, kib)| selvedge::json!({"statistics": row, "installed_kib": kib}))
            .collect();
        let whole = selvedge::json!({
            "runs": [run(&self.first), run(&self.second)],
            "plan": {"nodes": self.plan.nodes.len(), "computed": self.plan.n_computed()},
            "table": rows,
        });
        Ok(serde_json::to_string(&whole)? + "\n")
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The graph\n\n{}", self.tree)?;
        for (title, told) in
            [("The first run", &self.first), ("The second run, with the gaps filled", &self.second)]
        {
            let Steps { computed, reused, skipped, failed } = told.steps;
            writeln!(f, "{title} ({:.2} s)\n\n{}", told.seconds, self.named(&nodes(told)))?;
            writeln!(
                f,
                "  nodes and items: {computed} computed, {reused} taken from earlier runs, \
                 {skipped} skipped, {failed} failed"
            )?;
            told.failures.iter().try_for_each(|failure| writeln!(f, "  - {failure}"))?;
            writeln!(f)?;
            if told.run == self.first.run {
                writeln!(f, "What is left to do\n\n{}", self.named(&self.plan.to_string()))?;
            }
        }
        write!(f, "{}", self.second.table)
    }
}

/// A line per node.
fn nodes(told: &Told) -> String {
    let mut text = String::new();
    for node in told.result.nodes() {
        let ending = node.ending.map_or("did not run".to_owned(), |ending| ending.to_string());
        let from = node.reused.map(|run| format!(", taken from run {run}")).unwrap_or_default();
        let _ = writeln!(text, "  {:<14} {ending}{from}", node.id);
    }
    text
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<14}{:>9}{:>9}{:>9}  most needed", "section", "packages", "needs", "MiB")?;
        for (row, kib) in &self.rows {
            let Statistics { section, packages, dependencies, most_needed, needed_by } = row;
            let mib = kib.map_or("–".to_owned(), |kib| (kib / 1024).to_string());
            let most = format!("{most_needed}, by {needed_by}");
            writeln!(f, "{section:<14}{packages:>9}{dependencies:>9}{mib:>9}  {most}")?;
        }
        self.gap.iter().try_for_each(|gap| writeln!(f, "no sizes: {gap}"))
    }
}
