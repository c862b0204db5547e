//! What the kernel says of this process as the run goes on, and whether it grows.

use std::fmt;
use std::fs;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

/// Resident memory may grow by this much per million events, in KiB.
pub(crate) const SLOPE_MAX: f64 = 64.0;

/// Less than this in all, in KiB, is the allocator's unrest and no growth, however short the run:
/// every thread's arena settles when its busiest moment comes, which short runs see late. An event
/// that is not given back weighs more than this after a hundred thousand of them.
const GROWTH_MIN: f64 = 4096.0;

/// Share of the events before which caches, queues and arenas still find their size.
const WARM_UP: f64 = 0.1;

/// Events between two readings: at most so many, and no fewer than make up this share.
const INTERVAL_MAX: u64 = 1_000_000;
const READINGS_MIN: u64 = 80;

/// One reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reading {
    /// Events that had come in.
    n_events: u64,
    rss_kib: u64,
    threads: u64,
    descriptors: u64,
}

/// Takes readings; every clone adds to the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Gauges {
    n_events: u64,
    readings: Arc<Mutex<Vec<Reading>>>,
}

/// What the readings say.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) n_samples: usize,
    pub(crate) rss_kib_last: u64,
    /// Growth of resident memory after the warm-up, in KiB per million events.
    pub(crate) slope: f64,
    /// What the slope comes to over the whole time after the warm-up.
    pub(crate) growth_kib: f64,
    /// Fewest and most after the warm-up.
    pub(crate) threads: [u64; 2],
    /// Fewest and most after the warm-up.
    pub(crate) descriptors: [u64; 2],
}

impl Gauges {
    /// For a run of so many events.
    pub(crate) fn new(n_events: u64) -> Self {
        Gauges { n_events, readings: Arc::default() }
    }

    /// Events between two readings.
    pub(crate) fn interval(&self) -> u64 {
        (self.n_events / READINGS_MIN).clamp(1, INTERVAL_MAX)
    }

    /// Takes a reading when so many events have come in, and tells of it.
    pub(crate) fn read(&self, n_events: u64) {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let reading = Reading {
            n_events,
            rss_kib: field(&status, "VmRSS:"),
            threads: field(&status, "Threads:"),
            // The folder that is being read is open itself, each time.
            descriptors: fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
        };
        let mut readings = self.readings.lock().expect("nothing in here panics");
        readings.push(reading);
        if readings.len() % 10 == 1 {
            let percent = n_events * 100 / self.n_events.max(1);
            let rss = reading.rss_kib as f64 / 1024.0;
            eprintln!("{percent:>3} %  {n_events} events  {rss:.1} MiB resident");
        }
    }

    /// Judges the readings so far.
    pub(crate) fn verdict(&self) -> Verdict {
        judge(self.n_events, &self.readings.lock().expect("nothing in here panics"))
    }
}

/// The number behind a field of `/proc/self/status`; zero where there is none.
fn field(status: &str, name: &str) -> u64 {
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    let number = value.and_then(|value| value.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn judge(n_events: u64, readings: &[Reading]) -> Verdict {
    let warm = (n_events as f64 * WARM_UP) as u64;
    let warm: Vec<Reading> =
        readings.iter().copied().filter(|reading| reading.n_events > warm).collect();
    let points: Vec<(f64, f64)> = warm
        .iter()
        .map(|reading| (reading.n_events as f64 / 1e6, reading.rss_kib as f64))
        .collect();
    let slope = slope(&points);
    let span = match (points.first(), points.last()) {
        (Some(first), Some(last)) => last.0 - first.0,
        _ => 0.0,
    };
    let range = |gauge: fn(&Reading) -> u64| {
        let values = || warm.iter().map(gauge);
        [values().min().unwrap_or(0), values().max().unwrap_or(0)]
    };
    Verdict {
        n_samples: warm.len(),
        rss_kib_last: warm.last().map_or(0, |reading| reading.rss_kib),
        slope,
        growth_kib: slope * span,
        threads: range(|reading| reading.threads),
        descriptors: range(|reading| reading.descriptors),
    }
}

/// The slope of the straight line that fits the points best (least squares); zero for fewer than
/// two.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len().max(1) as f64;
    let mean = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / n;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let products = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    let squares = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>();
    if squares == 0.0 { 0.0 } else { products / squares }
}

impl Verdict {
    /// What is wrong, a line each.
    pub(crate) fn amiss(&self) -> Vec<String> {
        let mut amiss = Vec::new();
        // Two points always lie on a line.
        const SAMPLES_MIN: usize = 8;
        if self.n_samples < SAMPLES_MIN {
            let n = self.n_samples;
            amiss.push(format!("only {n} readings after the warm-up, use more events"));
        }
        if self.rss_kib_last == 0 {
            amiss.push("no reading of resident memory, use a system with /proc".to_owned());
        }
        if self.slope > SLOPE_MAX && self.growth_kib > GROWTH_MIN {
            let (slope, growth) = (self.slope, self.growth_kib);
            amiss.push(format!(
                "memory grows by {slope:.1} KiB per million events (limit {SLOPE_MAX}), \
                 {growth:.0} KiB in all"
            ));
        }
        for (what, [least, most]) in [("threads", self.threads), ("descriptors", self.descriptors)]
        {
            if least != most {
                amiss.push(format!("{what} don't stay the same: {least} to {most}"));
            }
        }
        amiss
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rss = self.rss_kib_last as f64 / 1024.0;
        let (slope, growth) = (self.slope, self.growth_kib);
        write!(f, "{rss:.1} MiB resident at last, {slope:+.1} KiB per million events")?;
        write!(f, " (limit {SLOPE_MAX}), {growth:+.0} KiB in all; ")?;
        let range = |[least, most]: [u64; 2]| RangeInclusive::new(least, most);
        write!(f, "threads {:?}, descriptors {:?}", range(self.threads), range(self.descriptors))
    }
}

#[cfg(test)]
mod tests {
    use super::{Reading, field, judge, slope};

    #[test]
    fn the_slope_of_a_line_and_of_less() {
        let check = |points: &[(f64, f64)]| format!("{:.2}", slope(points));
        insta::assert_snapshot!(check(&[]), @"0.00");
        insta::assert_snapshot!(check(&[(3.0, 7.0)]), @"0.00");
        insta::assert_snapshot!(check(&[(1.0, 10.0), (2.0, 12.0), (3.0, 14.0)]), @"2.00");
        insta::assert_snapshot!(check(&[(1.0, 5.0), (2.0, 9.0), (3.0, 5.0)]), @"0.00");
        insta::assert_snapshot!(check(&[(1.0, 8.0), (2.0, 7.0), (3.0, 3.0)]), @"-2.50");
    }

    #[test]
    fn fields_of_the_kernel() {
        let status = "Name:\ta\nVmRSS:\t    5120 kB\nThreads:\t3\n";
        insta::assert_snapshot!(field(status, "VmRSS:"), @"5120");
        insta::assert_snapshot!(field(status, "Threads:"), @"3");
        insta::assert_snapshot!(field("", "Threads:"), @"0");
    }

    /// Judges a hundred readings, each made from its number.
    fn check(n_events: u64, reading: impl Fn(u64) -> (u64, u64, u64)) -> String {
        let readings: Vec<Reading> = (1..=100)
            .map(|n| {
                let (rss_kib, threads, descriptors) = reading(n);
                Reading { n_events: n_events / 100 * n, rss_kib, threads, descriptors }
            })
            .collect();
        let verdict = judge(n_events, &readings);
        format!("{verdict}\n{}", verdict.amiss().join("\n"))
    }

    #[test]
    fn growth_after_the_warm_up_is_amiss() {
        let steady = check(100_000_000, |n| (if n <= 10 { n * 900 } else { 10_240 + n % 3 }, 2, 4));
        insta::assert_snapshot!(steady.trim_end(), @"10.0 MiB resident at last, -0.0 KiB per million events (limit 64), -0 KiB in all; threads 2..=2, descriptors 4..=4");
        insta::assert_snapshot!(check(100_000_000, |n| (10_240 + n * 65, 2, 4)), @r"
        16.3 MiB resident at last, +65.0 KiB per million events (limit 64), +5785 KiB in all; threads 2..=2, descriptors 4..=4
        memory grows by 65.0 KiB per million events (limit 64), 5785 KiB in all
        ");
        // The same slope, but in all less than an allocator's unrest.
        insta::assert_snapshot!(check(1_000_000, |n| (10_240 + n * 10, 2, 4)).trim_end(), @"11.0 MiB resident at last, +1000.0 KiB per million events (limit 64), +890 KiB in all; threads 2..=2, descriptors 4..=4");
    }

    #[test]
    fn threads_and_descriptors_stay_the_same_after_the_warm_up() {
        insta::assert_snapshot!(check(1_000_000, |n| (9, n.min(10), n / 50)), @r"
        0.0 MiB resident at last, +0.0 KiB per million events (limit 64), +0 KiB in all; threads 10..=10, descriptors 0..=2
        descriptors don't stay the same: 0 to 2
        ");
        insta::assert_snapshot!(judge(10, &[]).amiss().join("\n"), @r"
        only 0 readings after the warm-up, use more events
        no reading of resident memory, use a system with /proc
        ");
    }
}
