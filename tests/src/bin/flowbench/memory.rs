//! A chain of large values, and what the kernel says of the process.

use anyhow::{Context as _, Result, ensure};
use selvedge::flow::{Flow, Request};

/// The most memory, in MiB, that was resident while a chain ran in which each node makes a value of
/// so many bytes of the one before.
pub(crate) fn chain(
    nodes: u32,
    bytes: usize,
    as_run: impl Fn(Flow) -> Flow,
) -> Result<(f64, &'static str)> {
    let mut flow = Flow::builder("large-values");
    let mut last = flow.node("n0", (), move || Ok("0".repeat(bytes)));
    for n in 1..nodes {
        last = flow.node(&format!("n{n}"), (last,), |text: &String| {
            let first = text.bytes().next().unwrap_or(b'0');
            let next = if first == b'9' { b'0' } else { first + 1 };
            Ok(char::from(next).to_string().repeat(text.len()))
        });
    }
    let result = as_run(flow.build()?).run(Request::new())?;
    ensure!(result.succeeded(), "{}", result.ending());
    let value = result.value(last)?;
    let digit = b'0' + (nodes.saturating_sub(1) % 10) as u8;
    ensure!(value.len() == bytes && value.bytes().all(|byte| byte == digit), "a wrong value");
    Ok((read("VmHWM:")? as f64 / f64::from(1 << 20), "MiB"))
}

/// Bytes that are resident.
pub(crate) fn resident() -> Result<u64> {
    read("VmRSS:")
}

fn read(field: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("no /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kib.with_context(|| format!("no {field} in /proc/self/status"))? * 1024)
}
