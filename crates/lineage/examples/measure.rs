//! Measures one layout of a history on one engine, in a folder of its own, and prints a JSON object
//! per figure. `cargo xtask bench lineage` runs it, one process per measurement.
//!
//! Records are a chain's: each reads what one of the hundred before it made, and a value from
//! outside. `naive` is what one would write first: a key per record and a key per index entry.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use selvedge_event::{Digest, Signature, Text};
use selvedge_lineage::{
    Filter, History, Input, Options, Page, Record, Run, RunId, StepKind, Timestamp, Writer,
    WriterOptions,
};
use selvedge_store::{Backend, Batch, Durability, Durable, Read as _, Redb, Scan, Sled, Store};

/// Records committed at a time by the naive layout, as the writer does.
const GROUP: u64 = 2_048;
/// Questions of each kind.
const N_QUESTIONS: u64 = 2_000;

struct Measured {
    layout: String,
    engine: String,
    n: u64,
}

impl Measured {
    fn tell(&self, figure: &str, value: f64, unit: &str) {
        let Measured { layout, engine, n } = self;
        println!(
            "{{\"layout\":\"{layout}\",\"engine\":\"{engine}\",\"records\":{n},\
             \"figure\":\"{figure}\",\"value\":{value:.3},\"unit\":\"{unit}\"}}"
        );
    }

    fn tell_memory(&self, figure: &str) -> Result<()> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let kib = |name: &str| -> Option<f64> {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        self.tell(figure, kib("VmHWM").context("no VmHWM")? / 1024.0, "MiB");
        Ok(())
    }

    fn tell_latencies(&self, figure: &str, mut took: Vec<Duration>) {
        took.sort_unstable();
        let at = |part: usize| took[took.len() * part / 1000].as_secs_f64() * 1e3;
        self.tell(&format!("{figure}_p50"), at(500), "ms");
        self.tell(&format!("{figure}_p99"), at(990), "ms");
    }
}

fn value(n: u64) -> Digest {
    let hash = blake3::hash(&n.to_le_bytes());
    Digest::from_bytes(*hash.as_bytes())
}

/// Scatters: which earlier record the nth reads.
fn earlier(n: u64) -> u64 {
    n - 1 - (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 100.min(n)
}

/// What every record shares with others.
struct Names {
    steps: Vec<Text>,
    signatures: Vec<Signature>,
    inputs: [Text; 2],
}

impl Names {
    fn new() -> Names {
        let step = |n: u64| Text::from(format!("step-{n}").as_str());
        let steps: Vec<Text> = (0..200).map(step).collect();
        let signatures =
            steps.iter().map(|step| Signature::of_version(step.clone(), "1")).collect();
        Names { steps, signatures, inputs: [Text::literal("left"), Text::literal("right")] }
    }

    fn record(&self, n: u64) -> Record {
        let step = (n % self.steps.len() as u64) as usize;
        let run = RunId::from_bytes(u128::from(n / 10_000).to_be_bytes());
        let mut record = Record::new(run, self.steps[step].clone(), self.signatures[step].clone());
        record.kind = StepKind::Node;
        record.outputs = vec![value(n)];
        let input = |name: &Text, digest| Input { name: name.clone(), step: None, digest };
        if n > 0 {
            record.inputs.push(input(&self.inputs[0], value(earlier(n))));
        }
        record.inputs.push(input(&self.inputs[1], value(u64::MAX - n % 1_000)));
        record.started_at = Timestamp::from_nanos(1_700_000_000_000_000_000 + n * 4_000);
        record.own_duration = Duration::from_micros(3);
        record
    }
}

fn open(engine: &str, folder: &Path) -> Result<Arc<Durable>> {
    let backend: Box<dyn Backend> = match engine {
        "sled" => Box::new(Sled::default().cache_bytes_max(64 << 20)),
        "redb" => Box::new(Redb::default().cache_bytes_max(64 << 20)),
        other => bail!("no engine `{other}`, use sled or redb"),
    };
    Ok(Arc::new(selvedge_store::Options::new().open(folder, &*backend)?))
}

fn segments(folder: &Path, measured: &Measured, writes: bool) -> Result<()> {
    let n = measured.n;
    let began = Instant::now();
    let store = open(&measured.engine, folder)?;
    let store_took = began.elapsed();
    let history = History::open(store, Options::default(), Timestamp::default())?;
    if !writes {
        measured.tell("open_store", store_took.as_secs_f64(), "s");
        measured.tell("open", began.elapsed().as_secs_f64(), "s");
        measured.tell_memory("memory_open")?;
        return ask(&history, measured);
    }
    let names = Names::new();
    let run = RunId::from_bytes(0_u128.to_be_bytes());
    history.begin_run(Run::new(run, "measure", Timestamp::default()))?;
    let writer = Writer::start(history, WriterOptions::default())?;
    let began = Instant::now();
    for n in 0..n {
        writer.record(names.record(n))?;
    }
    writer.flush()?;
    measured.tell("append", n as f64 / began.elapsed().as_secs_f64(), "records/s");
    measured.tell_memory("memory_append")?;
    let began = Instant::now();
    drop(writer);
    measured.tell("close", began.elapsed().as_secs_f64(), "s");
    Ok(())
}

fn ask(history: &History, measured: &Measured) -> Result<()> {
    let (mut producers, mut consumers, mut upstream) = (Vec::new(), Vec::new(), Vec::new());
    let (filter, page) = (Filter::new(), Page::first(10));
    for question in 0..N_QUESTIONS {
        let n = question.wrapping_mul(0x9e37_79b9_7f4a_7c15) % measured.n;
        let began = Instant::now();
        let found = history.producers(&value(n), &filter, &page)?;
        producers.push(began.elapsed());
        if found.items.len() != 1 {
            bail!("{} producers of value {n}, of 1", found.items.len());
        }
        let began = Instant::now();
        history.consumers(&value(n), &filter, &page)?;
        consumers.push(began.elapsed());
        let began = Instant::now();
        let found = history.upstream(&value(n), 3, &filter, &Page::first(100))?;
        upstream.push(began.elapsed());
        if n > 300 && found.items.len() != 3 {
            bail!("{} records upstream of value {n}, of 3", found.items.len());
        }
    }
    measured.tell_latencies("producers", producers);
    measured.tell_latencies("consumers", consumers);
    measured.tell_latencies("upstream_3", upstream);
    measured.tell_memory("memory_asked")
}

/// A key per record and a key per index entry.
fn naive(folder: &Path, measured: &Measured, writes: bool) -> Result<()> {
    let began = Instant::now();
    let store = open(&measured.engine, folder)?;
    if !writes {
        measured.tell("open", began.elapsed().as_secs_f64(), "s");
        measured.tell_memory("memory_open")?;
        let mut producers = Vec::new();
        for question in 0..N_QUESTIONS {
            let n = question.wrapping_mul(0x9e37_79b9_7f4a_7c15) % measured.n;
            let began = Instant::now();
            let of_value = Scan::prefix("outputs", value(n).as_bytes());
            let entry = store.scan(of_value).next().context("no producer")??;
            store.get("records", &entry.key[32..])?.context("no record")?;
            producers.push(began.elapsed());
        }
        measured.tell_latencies("producers", producers);
        return Ok(());
    }
    let names = Names::new();
    let began = Instant::now();
    let mut batch = Batch::new();
    for n in 0..measured.n {
        let record = names.record(n);
        let key = n.to_be_bytes();
        let entry = |term: &[u8]| [term, &key].concat();
        batch = batch.put("records", &key, serde_json::to_vec(&record)?);
        batch = batch.put("runs", &entry(record.run.as_bytes()), []);
        batch = batch.put("steps", &entry(record.step.as_bytes()), []);
        batch = batch.put("signatures", &entry(record.signature.to_string().as_bytes()), []);
        for output in &record.outputs {
            batch = batch.put("outputs", &entry(output.as_bytes()), []);
        }
        for input in &record.inputs {
            batch = batch.put("inputs", &entry(input.digest.as_bytes()), []);
        }
        if n % GROUP == GROUP - 1 {
            store.commit(std::mem::take(&mut batch), Durability::Group)?;
        }
    }
    store.commit(batch, Durability::Group)?;
    let rate = measured.n as f64 / began.elapsed().as_secs_f64();
    measured.tell("append", rate, "records/s");
    measured.tell_memory("memory_append")?;
    let began = Instant::now();
    drop(store);
    measured.tell("close", began.elapsed().as_secs_f64(), "s");
    Ok(())
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mut next = |what: &str| args.next().with_context(|| format!("missing: {what}"));
    let layout = next("the layout, segments or naive")?;
    let engine = next("the engine, sled or redb")?;
    let n = next("the number of records")?.parse()?;
    let folder = PathBuf::from(next("an existing folder")?);
    let writes = next("append or ask")? == "append";
    let measured = Measured { layout, engine, n };
    match measured.layout.as_str() {
        "segments" => segments(&folder, &measured, writes),
        "naive" => naive(&folder, &measured, writes),
        other => bail!("no layout `{other}`, use segments or naive"),
    }
}
