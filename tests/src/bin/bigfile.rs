//! Sends a JSON Lines file of any size through a pipeline and checks what comes out, in memory that
//! does not grow with the file. `cargo xtask bigfile` runs this under a limit of the kernel's.
//!
//! The lines follow from their numbers, so that what comes out is compared with what should, not
//! with what went in. Neither file is written or read for that with the code under test.

#![expect(clippy::disallowed_methods, reason = "a program keeps its own time")]

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use selvedge::io::jsonl::{Sink, Source};
use selvedge::prelude::*;
use serde::{Deserialize, Serialize};

/// Sends a large JSON Lines file through source, processor and sink, and checks the result.
#[derive(Parser)]
struct Args {
    /// Size of the file to generate
    #[arg(long, value_name = "N")]
    bytes: u64,
    /// Folder for the file and what comes of it, `in.jsonl` and `out.jsonl`
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

/// A line of the generated file.
#[derive(Event, Deserialize)]
struct Reading {
    id: u64,
    station: String,
    values: Vec<u32>,
    note: String,
}

/// What becomes of it.
#[derive(Event, Serialize)]
struct Summary {
    id: u64,
    station: String,
    total: u64,
    note: String,
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

fn run(args: &Args) -> anyhow::Result<()> {
    let (input, output) = (args.dir.join("in.jsonl"), args.dir.join("out.jsonl"));
    let began = Instant::now();
    let n_lines = generate(&input, args.bytes)
        .with_context(|| format!("failed to generate {}", input.display()))?;
    let seconds = began.elapsed().as_secs_f64();
    println!("generated {} bytes in {n_lines} lines: {seconds:.1} s", args.bytes);

    let began = Instant::now();
    let report = send(&input, &output)?;
    let seconds = began.elapsed().as_secs_f64();
    let rate = args.bytes as f64 / seconds / 1e6;
    println!("sent through: {seconds:.1} s, {rate:.0} MB/s, {} deliveries", report.accepted);

    let began = Instant::now();
    let file = File::open(&output).with_context(|| format!("no {}", output.display()))?;
    compare(BufReader::with_capacity(1 << 18, file), n_lines)?;
    println!("compared {n_lines} lines: {:.1} s", began.elapsed().as_secs_f64());
    if let Some(bytes) = peak_rss_bytes() {
        println!("peak memory: {:.1} MiB", bytes as f64 / (1024.0 * 1024.0));
    }
    Ok(())
}

/// The values and the note of a line.
fn content(id: u64) -> (Vec<u32>, String) {
    let mut draws = SplitMix64::seed_from_u64(id);
    let mut draw = |n: u64| draws.next_u64() % n;
    let values = (0..draw(12)).map(|_| draw(1 << 32) as u32).collect();
    // Long and short ones, some with what has to be escaped.
    let length = if draw(1_000) == 0 { draw(20_000) } else { draw(200) };
    let alphabet = ['a', 'b', 'c', ' ', 'é', '語', '"', '\\', '\n'];
    let n_letters = if draw(4) == 0 { alphabet.len() as u64 } else { 4 };
    let note = (0..length).map(|_| alphabet[draw(n_letters) as usize]).collect();
    (values, note)
}

/// A text as JSON writes it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn input_line(id: u64) -> String {
    let (values, note) = content(id);
    let station = id % 1_000;
    format!(
        "{{\"id\":{id},\"station\":\"s{station}\",\"values\":{values:?},\"note\":{}}}\n",
        quoted(&note)
    )
}

fn output_line(id: u64) -> String {
    let (values, note) = content(id);
    let total: u64 = values.into_iter().map(u64::from).sum();
    let (station, note) = (id % 1_000, quoted(&note));
    format!("{{\"id\":{id},\"station\":\"s{station}\",\"total\":{total},\"note\":{note}}}\n")
}

/// Writes a file of exactly this many bytes, and says how many lines it has. Blanks at the end of
/// the last line fill it up.
fn generate(path: &Path, n_bytes: u64) -> anyhow::Result<u64> {
    let mut file = BufWriter::with_capacity(1 << 18, File::create(path)?);
    let (mut id, mut left) = (0, n_bytes);
    loop {
        let line = input_line(id);
        let length = line.len() as u64;
        if length > left {
            break;
        }
        file.write_all(line.as_bytes())?;
        (id, left) = (id + 1, left - length);
    }
    (0..left).try_for_each(|_| file.write_all(b" "))?;
    file.into_inner()?.sync_all()?;
    Ok(id)
}

/// Sends the file through a pipeline on two workers.
fn send(input: &Path, output: &Path) -> anyhow::Result<RunReport> {
    let pipeline = Pipeline::builder()
        .processor(Source::<Reading>::new("reading", input).at_start())
        .processor(on("summarize", |cx: &mut Context<'_>, reading: &Reading| {
            cx.emit(Summary {
                id: reading.id,
                station: reading.station.clone(),
                total: reading.values.iter().copied().map(u64::from).sum(),
                note: reading.note.clone(),
            });
            Ok(())
        }))
        .processor(Sink::<Summary>::new(output))
        .workers(2)
        .build()?;
    Ok(pipeline.run()?)
}

/// Holds every line against what it should be.
fn compare(mut lines: impl BufRead, n_lines: u64) -> anyhow::Result<()> {
    let mut line = Vec::new();
    for id in 0..n_lines {
        line.clear();
        lines.read_until(b'\n', &mut line)?;
        let expected = output_line(id);
        if line != expected.as_bytes() {
            let found = String::from_utf8_lossy(&line);
            bail!("line {}: found {found:?}, expected {expected:?}", id + 1);
        }
    }
    ensure!(lines.fill_buf()?.is_empty(), "more than {n_lines} lines");
    Ok(())
}

/// The most memory that this process ever had resident; known on Linux only.
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::{compare, output_line};

    /// The verdict on the first three lines after a change to them.
    fn check(change: impl Fn(String) -> String) -> String {
        let lines: String = (0..3).map(output_line).collect();
        match compare(change(lines).as_bytes(), 3) {
            Ok(()) => "equal".to_owned(),
            Err(error) => error.to_string().split(':').next().unwrap_or_default().to_owned(),
        }
    }

    #[test]
    fn any_difference_is_found() {
        insta::assert_snapshot!(check(|lines| lines), @"equal");
        insta::assert_snapshot!(check(|lines| lines.replacen("s1", "s2", 1)), @"line 2");
        insta::assert_snapshot!(check(|lines| lines[1..].to_owned()), @"line 1");
        insta::assert_snapshot!(check(|lines| lines[..lines.len() - 1].to_owned()), @"line 3");
        insta::assert_snapshot!(check(|_| String::new()), @"line 1");
        insta::assert_snapshot!(check(|lines| lines + "\n"), @"more than 3 lines");
    }
}
