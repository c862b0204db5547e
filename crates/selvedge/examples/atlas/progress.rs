//! Shows on a terminal how far the run is.

use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use indicatif::{ProgressBar, ProgressStyle};
use selvedge::runtime::{Monitor, Progress};

const EVERY: Duration = Duration::from_millis(100);

/// The display, until it is ended.
pub struct Display {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// Starts to show progress on standard error, if that is a terminal and nobody wants it quiet.
pub fn show(monitor: Monitor, quiet: bool) -> Display {
    let (stop, stopped) = bounded(0);
    let thread = std::thread::spawn(move || {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("a valid template"));
        loop {
            bar.set_message(describe(&monitor.progress()));
            bar.tick();
            if stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        bar.finish_and_clear();
    });
    Display { stop, thread }
}

impl Display {
    pub fn end(self) {
        drop(self.stop);
        // The display is a convenience: that it failed is no reason for the atlas to fail.
        let _ = self.thread.join();
    }
}

fn describe(progress: &[Progress]) -> String {
    let sum = |prefix: &str, what: fn(&Progress) -> u64| -> u64 {
        progress.iter().filter(|p| p.processor.starts_with(prefix)).map(what).sum()
    };
    let (read, joined) = (sum("read", |p| p.emitted), sum("join", |p| p.emitted));
    let (walked, to_walk) = (sum("walk", |p| p.emitted), sum("walk", |p| p.waiting as u64));
    let to_write = sum("write", |p| p.waiting as u64);
    let slices = format!("{walked} slices walked, {to_walk} to go");
    format!("{read} lines read, {joined} joined; {slices}; {to_write} lines to write")
}
