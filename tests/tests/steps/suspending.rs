//! Runs that wait: in memory, in a store, in another process's hands.

use std::sync::Arc;

use selvedge::flow::steps::{
    CheckpointError, Checkpoints, Control, Item, Pipe, PipeBuilder, Resumed, Start, StartError,
    State,
};
use selvedge::lineage::{RunId, Timestamp};
use selvedge::store::{Memory, Read, Store};

type Seen = Vec<String>;

fn note(seen: &State<Seen>, what: impl Into<String>) {
    let what = what.into();
    seen.update(move |seen| seen.push(what));
}

/// Two branches, of which one waits for an answer; what follows needs both.
fn approval() -> PipeBuilder<Seen, ()> {
    let mut pipe = Pipe::<Seen>::builder("approval");
    pipe.step("begin", |seen: State<Seen>| note(&seen, "begin")).to(["ask", "count"]);
    pipe.step("ask", |seen: State<Seen>| {
        note(&seen, "ask");
        Control::suspend("needs a signature")
    })
    .to("sign");
    pipe.step("sign", |seen: State<Seen>, name: Resumed<String>| {
        note(&seen, format!("signed {}", name.0.unwrap_or_default()));
    })
    .to("file");
    pipe.step("count", |seen: State<Seen>| note(&seen, "count")).to("file");
    pipe.step("file", |seen: State<Seen>| note(&seen, "file"));
    pipe
}

fn checkpoints(store: &Arc<Memory>) -> Checkpoints {
    Checkpoints::new(Arc::clone(store) as Arc<dyn Store>)
}

fn refusal<T: std::fmt::Debug>(refused: Result<T, StartError>) -> CheckpointError {
    match refused {
        Err(StartError::Checkpoint { source, .. }) => source,
        other => panic!("it was to be refused, and is {other:?}"),
    }
}

#[test]
fn another_process_goes_on_where_a_run_was_left() {
    let store = Arc::new(Memory::new());
    let pipe = approval().build().unwrap().kept_in(&checkpoints(&store));
    let first = pipe.run(Seen::new()).unwrap();
    assert_eq!(first.ending().to_string(), "suspended");
    let waiting = checkpoints(&store).list(10, None).unwrap();
    let listed: Vec<_> = waiting.iter().map(|w| (w.run, w.reason.as_deref())).collect();
    assert_eq!(listed, [(first.run(), Some("needs a signature"))]);

    // All that is left of the first is what is in the store.
    let pipe = approval().build().unwrap().kept_in(&checkpoints(&store));
    let second = pipe.resume_run(first.run(), (), &"Ann").unwrap();
    assert!(second.succeeded());
    let mut seen = second.state().clone();
    assert_eq!(seen.last().unwrap(), "file");
    seen.sort();
    assert_eq!(seen, ["ask", "begin", "count", "file", "signed Ann"]);
    assert!(checkpoints(&store).list(10, None).unwrap().is_empty());
    assert_eq!(store.namespaces().unwrap(), Vec::<String>::new());
}

#[test]
fn a_run_is_resumed_once_with_what_fits_by_the_pipe_that_it_was() {
    let store = Arc::new(Memory::new());
    let pipe = approval().build().unwrap().kept_in(&checkpoints(&store));
    let run = pipe.run(Seen::new()).unwrap().run();

    let unkept = refusal(approval().build().unwrap().resume_run(run, (), &"Ann"));
    assert!(matches!(unkept, CheckpointError::NotKept { .. }));
    let unknown = refusal(pipe.resume_run(RunId::named("nobody"), (), &"Ann"));
    assert!(matches!(unknown, CheckpointError::Unknown { .. }));
    let input = refusal(pipe.resume_run(run, (), &7));
    assert!(matches!(input, CheckpointError::InputType { .. }));
    let input = input.to_string().replace(&run.to_string(), "RUN");
    insta::assert_snapshot!(input, @"run RUN is not resumed: step `sign` comes next, and what the run is resumed with is no `alloc::string::String`: invalid type: integer `7`, expected a string");
    let unwritable = std::collections::BTreeMap::from([((1, 2), 3)]);
    let unwritable = refusal(pipe.resume_run(run, (), &unwritable));
    assert!(matches!(unwritable, CheckpointError::Input { .. }));

    let mut other = Pipe::<Seen>::builder("other");
    other.step("begin", || ());
    let other = other.build().unwrap().kept_in(&checkpoints(&store));
    let foreign = refusal(other.resume_run(run, (), &"Ann"));
    assert!(matches!(foreign, CheckpointError::OtherPipe { .. }));

    let mut changed = approval();
    changed.step("archive", || ());
    changed.several_roots();
    let changed = changed.build().unwrap().kept_in(&checkpoints(&store));
    let changed = refusal(changed.resume_run(run, (), &"Ann"));
    assert!(matches!(changed, CheckpointError::Changed { .. }));
    insta::assert_snapshot!(changed.to_string().replace(&run.to_string(), "RUN"), @r"
    the pipe is not what it was when run RUN was left:
    + archive (step)
    ");

    // None of that has changed anything.
    assert!(pipe.resume_run(run, (), &"Ann").unwrap().succeeded());
    let over = refusal(pipe.resume_run(run, (), &"Ann"));
    assert!(matches!(over, CheckpointError::Unknown { .. }));
}

#[test]
fn of_two_that_resume_a_run_one_does() {
    let store = Arc::new(Memory::new());
    for _ in 0..20 {
        let pipe = approval().build().unwrap().kept_in(&checkpoints(&store));
        let run = pipe.run(Seen::new()).unwrap().run();
        let resumed: Vec<_> = std::thread::scope(|scope| {
            let both = [0, 1].map(|_| scope.spawn(|| pipe.resume_run(run, (), &"Ann")));
            both.map(|thread| thread.join().unwrap()).into_iter().collect()
        });
        let (ok, refused): (Vec<_>, Vec<_>) = resumed.into_iter().partition(Result::is_ok);
        assert_eq!((ok.len(), refused.len()), (1, 1));
        for refused in refused {
            let told = refusal(refused);
            let is_told =
                matches!(told, CheckpointError::Claimed { .. } | CheckpointError::Unknown { .. });
            assert!(is_told, "{told}");
        }
    }
}

#[test]
fn runs_that_wait_are_listed_in_pages_expire_and_are_given_up() {
    let store = Arc::new(Memory::new());
    let kept = checkpoints(&store);
    let pipe = approval().build().unwrap().kept_in(&kept);
    let mut runs: Vec<RunId> = (0..5).map(|_| pipe.run(Seen::new()).unwrap().run()).collect();
    runs.sort_unstable();
    let page = |max, after| -> Vec<RunId> {
        kept.list(max, after).unwrap().into_iter().map(|waiting| waiting.run).collect()
    };
    assert_eq!(page(3, None), runs[..3]);
    assert_eq!(page(3, Some(runs[2])), runs[3..]);
    assert!(kept.cancel(runs[0]).unwrap());
    assert!(!kept.cancel(runs[0]).unwrap());
    assert_eq!(kept.expire(Timestamp::from_nanos(0)).unwrap(), 0);
    assert_eq!(kept.expire(Timestamp::from_nanos(u64::MAX)).unwrap(), 4);
    assert_eq!(page(10, None), []);
}

#[test]
fn a_map_goes_on_with_the_items_that_are_left() {
    let mut pipe = Pipe::<Seen>::builder("map");
    pipe.map("m", "w", || (0..5_u32).collect::<Vec<_>>()).at_a_time(1).to("after");
    pipe.step("w", |n: Item<u32>, seen: State<Seen>| {
        note(&seen, n.to_string());
        if *n == 2 { Control::suspend("halfway") } else { Control::Next }
    });
    pipe.step("after", |seen: State<Seen>| note(&seen, "after"));
    let store = Arc::new(Memory::new());
    let pipe = pipe.build().unwrap().kept_in(&checkpoints(&store));
    let first = pipe.run_with(Start::with(Seen::new()).keeping_events()).unwrap();
    assert_eq!(first.state(), &["0", "1", "2"]);
    let second = pipe.resume_run(first.run(), (), &()).unwrap();
    assert_eq!(second.state(), &["0", "1", "2", "3", "4", "after"]);
}

#[test]
fn a_failure_of_before_is_not_forgotten() {
    let mut pipe = Pipe::<u32>::builder("failed_before");
    pipe.several_roots();
    pipe.step("bad", || -> anyhow::Result<()> { anyhow::bail!("boom") }).to("ask");
    pipe.step("ask", || Control::Next).join(selvedge::flow::steps::Join::Any).to("wait");
    pipe.step("good", || ()).to("ask");
    pipe.step("wait", || Control::suspend("w")).to("end");
    pipe.step("end", || ());
    let pipe = pipe.build().unwrap();
    let first = pipe.run(0).unwrap();
    assert_eq!(first.ending().to_string(), "suspended");
    let second = pipe.resume(first.suspended().unwrap().clone(), (), &()).unwrap();
    assert_eq!(second.ending().to_string(), "failed: step `bad` failed: boom");
}

#[test]
fn a_state_that_cannot_be_written_fails_the_run_and_says_so() {
    let mut pipe = Pipe::<std::collections::BTreeMap<(u8, u8), u8>>::builder("unwritable");
    pipe.step("ask", || Control::suspend("r"));
    let store = Arc::new(Memory::new());
    let pipe = pipe.build().unwrap().kept_in(&checkpoints(&store));
    let result = pipe.run([((1, 2), 3)].into()).unwrap();
    let failure = result.finished().failure().unwrap();
    assert!(failure.error.contains("can't be written as JSON"), "{}", failure.error);
    assert!(result.suspended().is_some(), "where it stands is not lost");
}

#[test]
fn what_was_written_by_somebody_else_is_refused() {
    let store = Arc::new(Memory::new());
    let pipe = approval().build().unwrap().kept_in(&checkpoints(&store));
    let run = pipe.run(Seen::new()).unwrap().run();
    let key = run.as_bytes();
    let good = store.get("pipe.positions", key).unwrap().unwrap();
    let write = |bytes: &[u8]| {
        store.put("pipe.positions", key, bytes, selvedge::store::Durability::Sync).unwrap();
        refusal(pipe.resume_run(run, (), &"Ann"))
    };
    assert!(matches!(write(b"{"), CheckpointError::Unread { .. }));
    let later = String::from_utf8(good.clone()).unwrap().replace("\"format\":1", "\"format\":9");
    let later = write(later.as_bytes());
    assert!(matches!(later, CheckpointError::Format { found: 9, .. }));
    store.put("pipe.positions", key, &good, selvedge::store::Durability::Sync).unwrap();
    assert!(pipe.resume_run(run, (), &"Ann").unwrap().succeeded());
    store.put("pipe.waiting", b"x", b"{", selvedge::store::Durability::Sync).unwrap();
    let list = checkpoints(&store).list(10, None).unwrap_err();
    assert!(matches!(list, CheckpointError::List { .. }));
}
