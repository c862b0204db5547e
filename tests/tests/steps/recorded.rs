//! Runs of steps in the history that all layers have.

use selvedge::flow::Journal;
use selvedge::flow::steps::{Control, Item, Pipe, Resumed, State};
use selvedge::lineage::{Filter, Page, RunId, Status};
use selvedge::prelude::*;

/// A line per record, in order: what read which state and left which. States are numbered as they
/// come.
fn records(journal: &Journal, run: RunId) -> String {
    let found = journal.history().of_run(run, &Filter::new(), &Page::first(100)).unwrap();
    let mut seen = Vec::new();
    let mut number = |digest| {
        seen.iter().position(|known| *known == digest).unwrap_or_else(|| {
            seen.push(digest);
            seen.len() - 1
        })
    };
    let mut text = String::new();
    for found in found.items {
        let record = found.record;
        text += &format!("{} {:?}: {}", record.step, record.kind, record.outcome);
        for input in &record.inputs {
            text += &format!(", read {} {}", input.name, number(input.digest));
        }
        for output in &record.outputs {
            text += &format!(", left {}", number(*output));
        }
        text += "\n";
    }
    text
}

fn status(journal: &Journal, run: RunId) -> Status {
    journal.history().run(run).unwrap().unwrap().status()
}

#[test]
fn each_step_is_on_record_with_the_state_that_it_read_and_left() {
    let journal = Journal::in_memory().unwrap();
    let mut inner = Pipe::<u32>::builder("inner");
    inner.step("ask", || Control::suspend("how many?")).to("add");
    inner.step("add", |n: State<u32>, more: Resumed<u32>| {
        let more = more.0.unwrap_or_default();
        n.update(move |n| *n += more);
    });
    let inner = inner.build().unwrap();
    let mut pipe = Pipe::<u32>::builder("outer");
    pipe.step("double", |n: State<u32>| n.update(|n| *n *= 2)).version("double", "1").to("items");
    pipe.map("items", "item", || vec![1_u32, 2]).at_a_time(1).to("within");
    pipe.step("item", |item: Item<u32>, n: State<u32>| {
        let item = *item;
        n.update(move |n| *n += item);
    });
    pipe.sub("within", &inner, |n: State<u32>| Ok(*n), |n, inner| *n = *inner).to("fails");
    pipe.step("fails", || -> Result { anyhow::bail!("boom") }).to("never");
    pipe.step("never", || ());
    let pipe = pipe.build().unwrap().in_journal(&journal);

    let first = pipe.run(5).unwrap();
    let run = first.run();
    assert_eq!(status(&journal, run), Status::Suspended);
    let second = pipe.resume(first.suspended().unwrap().clone(), (), &7).unwrap();
    assert_eq!(*second.state(), 20);
    assert_eq!(status(&journal, run), Status::Failed);
    insta::assert_snapshot!(records(&journal, run), @r"
    double Step: succeeded, read state 0, left 1
    item[0] MapItem: succeeded, read state 1, left 2
    item[1] MapItem: succeeded, read state 2, left 3
    items Step: succeeded, read state 1, left 3
    within Step: succeeded, left 4
    fails Step: failed: boom, read state 4
    never Step: skipped: `fails` failed
    ");

    let runs = journal.history().runs(&Filter::new(), &Page::first(10));
    let runs = runs.unwrap().items;
    let child = runs.iter().find(|known| known.parent == Some(run)).unwrap();
    assert_eq!(child.status(), Status::Succeeded);
    insta::assert_snapshot!(records(&journal, child.id), @r"
    ask Step: suspended, read state 0
    add Step: succeeded, read state 0, left 1
    ");
}

#[test]
fn a_run_that_is_known_already_is_not_begun_again() {
    let journal = Journal::in_memory().unwrap();
    let mut pipe = Pipe::<u32>::builder("once");
    pipe.step("a", |n: State<u32>| n.update(|n| *n += 1));
    let pipe = pipe.build().unwrap().in_journal(&journal);
    let start = || selvedge::flow::steps::Start::with(0).run_id(RunId::named("monday"));
    assert!(pipe.run_with(start()).unwrap().succeeded());
    let again = pipe.run_with(start()).unwrap();
    assert_eq!(*again.state(), 0);
    let failure = again.finished().failure().unwrap();
    assert!(failure.error.contains("is in the history already"), "{}", failure.error);
}
