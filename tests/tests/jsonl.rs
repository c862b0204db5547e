//! JSON Lines through pipelines: files in as events, events out as files.

mod sinks;
mod sources;
mod through;

use std::fs;
use std::path::PathBuf;

use selvedge::io::jsonl::Exhausted;
use selvedge::prelude::*;
use selvedge::runtime::PipelineBuilder;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::failure::in_time;
use crate::routing::Log;

/// What most lines of these tests hold.
#[derive(Clone, Debug, PartialEq, Event, Serialize, Deserialize)]
struct Row {
    id: u32,
}

/// A folder for the files of one test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("there is room for a folder"))
    }

    /// With a file of this many rows, from 0 on.
    fn with_rows(name: &str, n: u32) -> Folder {
        let folder = Folder::new();
        folder.put(name, &rows(0..n));
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("there is room for a file");
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("the file is there")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("the folder is there");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.expect("it can be read").file_name().to_string_lossy().into_owned()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    /// An error's message, without the folder.
    fn told(&self, error: &RunError) -> String {
        error.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// The lines of these rows.
fn rows(ids: impl IntoIterator<Item = u32>) -> String {
    ids.into_iter().map(|id| format!("{{\"id\":{id}}}\n")).collect()
}

/// Logs rows and ends of loads, under the names they come by.
struct Hear(Log);

#[processor(strict)]
impl Processor for Hear {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Row { id } => self.0.add(format!("{} {id}", event.name())),
            Exhausted { source, lines, emitted, rejected } => self.0.add(format!(
                "{} of {source}: {lines} lines, {emitted} emitted, {rejected} rejected",
                event.name()
            )),
        }
        Ok(())
    }
}

fn run(builder: PipelineBuilder) -> Result<RunReport, RunError> {
    run_on(builder, Vec::<Event>::new())
}

/// Runs the pipeline on these events.
fn run_on<E: selvedge::event::IntoEvent>(
    builder: PipelineBuilder,
    events: impl IntoIterator<Item = E>,
) -> Result<RunReport, RunError> {
    let pipeline = builder.build().expect("the wiring is sound");
    for event in events {
        pipeline.submit(event).expect("there is room");
    }
    in_time(|| pipeline.run())
}
