//! Owns the long form: a gigabyte in each store, and beside them in the plain engines; how long
//! each takes to open, and in what memory. Every phase has a process of its own, so that what an
//! allocator keeps of the one before is nobody's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use redb::Database;
use selvedge_store::{Durable, Options, Redb, Sled};
use serde::{Deserialize, Serialize};

use crate::subjects::{Subject, plain_sled};

const N_RECORDS: u64 = 4_000_000;
const N_BATCH: u64 = 1000;
const SUBJECTS: [&str; 4] = ["store on sled", "store on redb", "sled (no fsync)", "redb"];

/// What one process has to do.
#[derive(clap::Args)]
#[group(requires_all = ["subject", "phase", "dir"])]
pub(crate) struct Step {
    /// For the program itself: whose turn it is
    #[arg(long, hide = true)]
    subject: Option<String>,
    #[arg(long, hide = true)]
    phase: Option<String>,
    #[arg(long, hide = true)]
    dir: Option<PathBuf>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Told {
    secs: f64,
    mib: u64,
    close_secs: f64,
}

#[derive(Debug, Serialize)]
struct Row {
    subject: &'static str,
    fill_secs: f64,
    fill_mib: u64,
    close_secs: f64,
    disk_mib: u64,
    open_secs: f64,
    open_mib: u64,
    /// After its process was killed.
    open_killed_secs: f64,
    /// The engine is made anew from the log; plain ones have none.
    rebuild_secs: Option<f64>,
}

/// Memory of the process in MiB.
fn resident_mib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kib.context("the system tells a process's memory")?.trim().parse::<u64>()? / 1024)
}

pub(crate) fn run(is_json: bool, step: &Step) -> Result<()> {
    if let (Some(subject), Some(phase), Some(dir)) = (&step.subject, &step.phase, &step.dir) {
        return perform(subject, phase, dir);
    }
    let rows = SUBJECTS.map(measure).into_iter().collect::<Result<Vec<_>>>()?;
    if is_json {
        println!("{}", serde_json::to_string(&rows)?);
        return Ok(());
    }
    println!(
        "{:<17}{:>8}{:>9}{:>8}{:>10}{:>8}{:>9}{:>12}{:>9}",
        "a gigabyte",
        "fill s",
        "fill MiB",
        "close s",
        "disk MiB",
        "open s",
        "open MiB",
        "killed, s",
        "anew, s"
    );
    for row in rows {
        let rebuild = row.rebuild_secs.map_or_else(String::new, |secs| format!("{secs:.2}"));
        println!(
            "{:<17}{:>8.1}{:>9}{:>8.2}{:>10}{:>8.2}{:>9}{:>12.2}{:>9}",
            row.subject,
            row.fill_secs,
            row.fill_mib,
            row.close_secs,
            row.disk_mib,
            row.open_secs,
            row.open_mib,
            row.open_killed_secs,
            rebuild
        );
    }
    Ok(())
}

fn measure(subject: &'static str) -> Result<Row> {
    let dir = tempfile::tempdir()?;
    let told = |phase: &str| -> Result<Told> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--gigabyte", "--subject", subject, "--phase", phase, "--dir"]);
        let output = command.arg(dir.path()).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{subject} can't {phase}: {said}");
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    let filled = told("fill")?;
    let disk_mib = n_bytes(dir.path())? >> 20;
    let opened = told("open")?;
    let killed = told("open")?;
    let rebuilt = match subject.starts_with("store") {
        true => Some(told("rebuild")?.secs),
        false => None,
    };
    Ok(Row {
        subject,
        fill_secs: filled.secs,
        fill_mib: filled.mib,
        close_secs: filled.close_secs,
        disk_mib,
        open_secs: opened.secs,
        open_mib: opened.mib,
        open_killed_secs: killed.secs,
        rebuild_secs: rebuilt,
    })
}

fn n_bytes(dir: &Path) -> Result<u64> {
    let mut n = 0;
    for entry in std::fs::read_dir(dir)? {
        let (path, metadata) = {
            let entry = entry?;
            (entry.path(), entry.metadata()?)
        };
        n += if metadata.is_dir() { n_bytes(&path)? } else { metadata.len() };
    }
    Ok(n)
}

/// An open subject; what is dropped is closed.
enum Open {
    Ours(Durable),
    Sled(sled::Db),
    Redb(Database),
}

impl Open {
    fn of(subject: &str, dir: &Path) -> Result<Open> {
        Ok(match subject {
            "store on sled" => Open::Ours(Options::new().open(dir, &Sled::default())?),
            "store on redb" => Open::Ours(Options::new().open(dir, &Redb::default())?),
            "sled (no fsync)" => Open::Sled(plain_sled(dir)?),
            "redb" => Open::Redb(Database::create(dir.join("redb"))?),
            _ => bail!("nobody is called {subject}"),
        })
    }

    fn subject(&self) -> &dyn Subject {
        match self {
            Open::Ours(store) => store,
            Open::Sled(sled) => sled,
            Open::Redb(redb) => redb,
        }
    }

    fn put(&self, begin: u64) -> Result<()> {
        let keys: Vec<[u8; 8]> = (begin..begin + N_BATCH).map(u64::to_be_bytes).collect();
        self.subject().commit(&keys)
    }
}

fn perform(subject: &str, phase: &str, dir: &Path) -> Result<()> {
    let (before, began) = (resident_mib()?, Instant::now());
    let open = Open::of(subject, dir)?;
    let mut told = Told::default();
    if phase == "fill" {
        (0..N_RECORDS).step_by(N_BATCH as usize).try_for_each(|begin| open.put(begin))?;
    } else {
        open.subject().get(7u64.to_be_bytes())?;
    }
    told.secs = began.elapsed().as_secs_f64();
    told.mib = resident_mib()?.saturating_sub(before);
    if phase == "open" {
        // As if it were killed: nothing is closed.
        println!("{}", serde_json::to_string(&told)?);
        std::process::exit(0);
    }
    let began = Instant::now();
    if let (Open::Ours(store), "rebuild") = (&open, phase) {
        store.rebuild();
    }
    drop(open);
    told.close_secs = began.elapsed().as_secs_f64();
    if phase == "rebuild" {
        let began = Instant::now();
        drop(Open::of(subject, dir)?);
        told.secs = began.elapsed().as_secs_f64();
    }
    println!("{}", serde_json::to_string(&told)?);
    Ok(())
}
