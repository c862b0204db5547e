//! Sources and sinks: where events come from and where they go. Files first.
//!
//! [`jsonl`] reads and writes JSON Lines. Every decision there (where a line ends, whether it is
//! sound, whether it is sampled, when a flush is due) is a plain value that can be tested without
//! a file; the processors only join those decisions to the operating system.
//!
//! Refuses to know about graphs and targets: it speaks events only.

#![forbid(unsafe_code)]

pub mod jsonl;
