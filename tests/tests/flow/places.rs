//! Where nodes run: executors, other programs, limits that nodes have in common, priorities.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{bail, ensure};
use selvedge::flow::DefinitionProblem::{FlowElsewhere, NoExecutor, NobodyPasses};
use selvedge::flow::{
    Cause, Engine, Executor, Flow, Limit, Node, NodeSpec, OwnThread, Request, RunInfo, SubFlow,
    Work, foreign, map, node, run_info,
};
use selvedge::prelude::*;

use super::{everywhere, story};

const HOUR: Duration = Duration::from_secs(3_600);

/// How many are under way at a time, and how many there were at most.
#[derive(Clone, Default)]
struct Gauge(Arc<(AtomicU32, AtomicU32)>);

impl Gauge {
    fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        let n = 1 + self.0.0.fetch_add(1, Ordering::SeqCst);
        self.0.1.fetch_max(n, Ordering::SeqCst);
        std::thread::yield_now();
        let done = work();
        self.0.0.fetch_sub(1, Ordering::SeqCst);
        done
    }

    fn max(&self) -> u32 {
        self.0.1.load(Ordering::SeqCst)
    }
}

#[test]
fn what_fails_elsewhere_is_attempted_again() {
    let mut flow = Flow::builder("flaky");
    let flaky = |fails: u32| {
        node((run_info(),), move |run: &RunInfo| {
            assert!(run.attempt() != 1, "a panic");
            ensure!(run.attempt() > fails, "attempt {} fails", run.attempt());
            Ok(run.attempt())
        })
    };
    let retry = || Retry::times(3).backoff(Backoff::fixed(Duration::from_millis(1)));
    let second = flow.add("second", flaky(1).on_own_thread().on_failure(retry()));
    let third = flow.add("third", flaky(2).runs_on(OwnThread).on_failure(retry()).time_limit(HOUR));
    let never = flow.add("never", flaky(9).on_own_thread().on_failure(retry()).optional());
    let once = flow.add("once", flaky(1).on_own_thread().optional());
    let list = flow.parameter_or("list", vec![1_u32, 2, 3]);
    let calls: [AtomicU32; 4] = Default::default();
    let items = map(list, (), move |n: &u32| {
        let n_calls = calls[*n as usize].fetch_add(1, Ordering::SeqCst);
        ensure!(n_calls % 2 == 1, "not yet");
        Ok(n * 2)
    });
    let items = flow.add("items", items.on_own_thread().on_failure(retry()).items_at_a_time(2));
    let flow = flow.build().unwrap();
    for threads in [0, 1, 64] {
        let result = flow.run(Request::new().threads_max(threads)).unwrap();
        assert_eq!(result.value(second).unwrap(), &2, "{threads}: {result}");
        assert_eq!(result.value(third).unwrap(), &3);
        assert!(result.succeeded() && result.outcome(once).is_err());
        let told: Vec<_> = result.failures().map(ToString::to_string).collect();
        assert_eq!(told, ["node `never` failed: attempt 3 fails", "node `once` panicked: a panic"]);
        assert!(result.outcome(never).is_err());
        let attempts = |step: &str| {
            let mut records = result.records().iter();
            records.find(|record| record.step.as_str() == step).unwrap().attempt
        };
        assert_eq!([attempts("third"), attempts("never"), attempts("once")], [3, 3, 1]);
        assert_eq!(result.value(items).unwrap(), &[2, 4, 6]);
    }
}

#[test]
fn items_of_a_map_run_where_the_map_says() {
    let mut flow = Flow::builder("items");
    let list = flow.parameter_or("list", (0..20_u32).collect::<Vec<_>>());
    let gauge = Gauge::default();
    let (inside, seen) = (gauge.clone(), Arc::new(Mutex::new(Vec::new())));
    let names = Arc::clone(&seen);
    let each = map(list, (), move |n: &u32| {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        names.lock().unwrap().push(name);
        if *n == 3 {
            return Err(selvedge::flow::skip("three"));
        }
        inside.within(|| Ok(n * 2))
    });
    let each = flow.add("each", each.on_own_thread().items_at_a_time(3));
    let result = flow.build().unwrap().run(Request::new()).unwrap();
    let expected: Vec<u32> = (0..20).filter(|n| *n != 3).map(|n| n * 2).collect();
    assert_eq!(result.value(each).unwrap(), &expected);
    assert!(gauge.max() <= 3);
    let seen = seen.lock().unwrap();
    assert!(seen.len() == 20 && seen.iter().all(|name| name.starts_with("selvedge-each")));
    let records = result.records().iter();
    assert_eq!(records.filter(|record| record.step.as_str().starts_with("each[")).count(), 20);
}

#[test]
fn a_cap_of_a_run_counts_whatever_is_under_way() {
    for cap in [1, 2] {
        let gauge = Gauge::default();
        let works = |n: u32| {
            let gauge = gauge.clone();
            move || gauge.within(|| Ok(n))
        };
        let mut inner = Flow::builder("inner");
        let parts: Vec<_> = (0..4).map(|n| inner.node(&format!("p{n}"), (), works(n))).collect();
        let sum = |all: &[&u32]| Ok(all.iter().copied().sum::<u32>());
        let whole = inner.aggregate("whole", parts, sum);
        let inner = inner.build().unwrap();
        let mut flow = Flow::builder("outer");
        let list = flow.parameter_or("list", (0..10_u32).collect::<Vec<_>>());
        let item = gauge.clone();
        flow.add("items", map(list, (), move |n: &u32| item.within(|| Ok(*n))));
        flow.add("inner", SubFlow::of(&inner).making(whole));
        flow.add("away", node((), works(1)).on_own_thread());
        for n in 0..4 {
            flow.node(&format!("n{n}"), (), works(n));
        }
        let flow = flow.build().unwrap();
        everywhere(&flow, &Request::new().concurrency_max(cap).threads_max(0), story);
        let result = flow.run(Request::new().concurrency_max(cap)).unwrap();
        assert!(result.succeeded(), "{result}");
        assert!(gauge.max() <= cap, "{} under way, {cap} may be", gauge.max());
    }
}

/// Nodes that need one or both of two limits, in either order.
fn limited(one: &Limit, other: &Limit, gauge: &Gauge) -> Flow {
    let mut flow = Flow::builder("limited");
    let all: Vec<Node<u32>> = (0..6_u32)
        .map(|n| {
            let gauge = gauge.clone();
            let works = node((), move || gauge.within(|| Ok(n)));
            let works = match n % 3 {
                0 => works.limited_by(one).limited_by(other),
                1 => works.limited_by(other).limited_by(one).limited_by(one),
                _ => works.limited_by(one).on_own_thread(),
            };
            flow.add(&format!("n{n}"), works)
        })
        .collect();
    let sum = flow.aggregate("sum", all, |all: &[&u32]| Ok(all.iter().copied().sum()));
    let list = flow.parameter_or("list", (0..4_u32).collect::<Vec<_>>());
    let inside = gauge.clone();
    let each = map(list, (sum,), move |n: &u32, _: &u32| inside.within(|| Ok(*n)));
    flow.add("each", each.limited_by(one));
    flow.build().unwrap()
}

#[test]
fn limits_hold_over_nodes_runs_and_flows_and_nobody_waits_for_ever() {
    for (one, other) in [(1, 1), (2, 1)] {
        let (limit, gauge) = (Limit::new("one", one), Gauge::default());
        let other = Limit::new("other", other);
        let flow = limited(&limit, &other, &gauge);
        everywhere(&flow, &Request::new().threads_max(0).concurrency_max(2), story);
        let second = limited(&limit, &other, &gauge);
        let engine = Engine::with_workers(2).unwrap();
        let runs: Vec<_> = (0..4)
            .flat_map(|_| {
                [engine.launch(&flow, Request::new()), engine.launch(&second, Request::new())]
            })
            .collect();
        for run in runs {
            let result = run.unwrap().wait();
            assert!(result.succeeded(), "{result}");
        }
        engine.close().unwrap();
        assert!(gauge.max() <= one, "{} at a time of {one}", gauge.max());
        assert_eq!((limit.in_use(), limit.n_waiting(), other.in_use()), (0, 0, 0));
    }
}

#[test]
fn a_run_that_is_called_off_leaves_limits_as_they_were() {
    let limit = Limit::new("desk", 1);
    let (begun, begins) = channel();
    let (give, take) = channel::<()>();
    let take = Mutex::new(take);
    let mut flow = Flow::builder("holds");
    let holds = node((), move || {
        begun.send(())?;
        Ok(take.lock().unwrap().recv()?)
    });
    flow.add("holds", holds.limited_by(&limit).on_own_thread());
    let holds = flow.build().unwrap();
    let mut flow = Flow::builder("waits");
    for n in 0..5 {
        flow.add(&format!("n{n}"), node((), || Ok(1)).limited_by(&limit));
    }
    let waits = flow.build().unwrap();

    let engine = Engine::with_workers(2).unwrap();
    let holding = engine.launch(&holds, Request::new()).unwrap();
    begins.recv().unwrap();
    let waiting = engine.launch(&waits, Request::new()).unwrap();
    while limit.n_waiting() < 5 {
        std::thread::yield_now();
    }
    waiting.cancel();
    assert_eq!(waiting.wait().ending().to_string(), "cancelled by User");
    let patient = engine.launch(&waits, Request::new()).unwrap();
    give.send(()).unwrap();
    assert!(holding.wait().succeeded() && patient.wait().succeeded());
    engine.close().unwrap();
    assert_eq!((limit.in_use(), limit.n_waiting()), (0, 0));
}

#[test]
fn more_urgent_nodes_are_taken_first_and_every_node_once() {
    // A node, two that follow from it, and who else is ready: in order of their numbers.
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut flow = Flow::builder("urgent");
    let says = |n: i32| {
        let order = Arc::clone(&order);
        move || {
            order.lock().unwrap().push(n);
            Ok(n)
        }
    };
    let first = flow.add("first", node((), says(-10)).priority(-10));
    for n in [3, -2, 7, 0, 5, -1] {
        let (order, name) = (Arc::clone(&order), format!("after{n}"));
        let after = node((first,), move |_: &i32| {
            order.lock().unwrap().push(n);
            ensure!(n != 5, "five fails");
            Ok(n)
        });
        flow.add(&name, after.priority(n));
    }
    let flaky = node((run_info(),), |run: &RunInfo| {
        ensure!(run.attempt() > 1, "not yet");
        Ok(0)
    });
    flow.add("flaky", flaky.on_failure(Retry::times(2)).priority(2));
    let flow = flow.build().unwrap();
    let told = everywhere(&flow, &Request::new(), story);
    insta::assert_snapshot!(told, @r"
    first: succeeded
    after3: succeeded
    after-2: succeeded
    after7: succeeded
    after0: succeeded
    after5: failed: five fails
    after-1: succeeded
    flaky: succeeded
    run failed: node `after5` failed: five fails
    ");
    let engine = Engine::with_workers(1).unwrap();
    order.lock().unwrap().clear();
    drop(engine.launch(&flow, Request::new()).unwrap().wait());
    assert_eq!(*order.lock().unwrap(), [-10, -2, -1, 0, 3, 5, 7]);
    engine.close().unwrap();
}

#[test]
fn a_node_elsewhere_that_is_late_holds_nobody_up() {
    let (give, take) = channel::<()>();
    let take = Mutex::new(take);
    let (stop, stopped) = channel();
    let mut flow = Flow::builder("late");
    let limit = Limit::new("one", 1);
    let stuck = node((run_info(),), move |run: &RunInfo| {
        take.lock().unwrap().recv()?; // Until the test lets it go.
        stop.send(run.is_cancelled())?;
        Ok(1)
    });
    let stuck = stuck.on_own_thread().limited_by(&limit).time_limit(Duration::from_millis(20));
    let stuck = flow.add("stuck", stuck);
    flow.add("next", node((stuck.outcome(),), |_: selvedge::flow::Outcome<&i32>| Ok(2)));
    let flow = flow.build().unwrap();
    let result = flow.run(Request::new().concurrency_max(1)).unwrap();
    insta::assert_snapshot!(story(&result), @r"
    stuck: timed out
    next: succeeded
    run failed: node `stuck` timed out: it took longer than 20ms
    ");
    assert_eq!(result.failures().next().unwrap().cause(), Cause::TimedOut);
    assert_eq!(limit.in_use(), 0);
    give.send(()).unwrap();
    assert!(stopped.recv().unwrap());
}

/// Does with work what it should not.
#[derive(Debug)]
struct Careless(&'static str);

impl Executor for Careless {
    fn execute(&self, work: Work) -> Result<()> {
        match self.0 {
            "drops" => {}
            "refuses" => bail!("no room for `{}` of `{}`", work.node(), work.flow()),
            "panics" => panic!("{}", work.attempt()),
            "answers twice" => {
                let stopped = Arc::new(AtomicU32::new(0));
                let stops = Arc::clone(&stopped);
                work.on_stop(move || stops.store(1, Ordering::SeqCst));
                assert_eq!(work.inputs_json()?, br#"[{"ok":7},7]"#);
                work.answer_json(b"8");
                assert_eq!(stopped.load(Ordering::SeqCst), 0);
            }
            _ => work.answer_json(b"no number"),
        }
        Ok(())
    }
}

#[test]
fn what_an_executor_does_wrong_fails_the_node() {
    let mut flow = Flow::builder("careless");
    let seven = flow.parameter_or("seven", 7_u32);
    let ways = ["drops", "refuses", "panics", "answers twice", "garbles"];
    for way in ways {
        let spec: NodeSpec<u32> = foreign((seven.outcome(), seven));
        flow.add(&way.replace(' ', "-"), spec.runs_on(Careless(way)));
    }
    let list = flow.parameter_or("list", vec![1_u32]);
    flow.add("items", map(list, (), |n: &u32| Ok(*n)).runs_on(Careless("refuses")));
    let result = flow.build().unwrap().run(Request::new()).unwrap();
    insta::assert_snapshot!(story(&result), @r#"
    param:seven: succeeded
    drops: failed: its executor has dropped the work
    refuses: failed: its executor has not taken it in: no room for `refuses` of `careless`
    panics: panicked: 1
    answers-twice: succeeded
    garbles: failed: the answer "no number" can't be read: expected ident at line 1 column 2
    param:list: succeeded
    items: failed: its executor has not taken it in: no room for `items[0]` of `careless`
    run failed: node `drops` failed: its executor has dropped the work
    "#);
}

#[test]
fn what_can_not_run_is_refused_when_it_is_built() {
    let mut inner = Flow::builder("inner");
    let one = inner.node("one", (), || Ok(1));
    let inner = inner.build().unwrap();
    let mut flow = Flow::builder("refused");
    flow.add("nowhere", foreign::<_, u32>(()));
    flow.add("never", node((), || Ok(1)).limited_by(&Limit::new("none", 0)));
    flow.add("within", SubFlow::of(&inner).making(one).on_own_thread());
    flow.add("limited", SubFlow::of(&inner).making(one).limited_by(&Limit::new("two", 2)));
    let problems = flow.build().unwrap_err();
    let told: Vec<String> = problems
        .list()
        .iter()
        .map(|problem| problem.to_string().replace(file!(), "places.rs"))
        .map(|text| {
            text.split(':')
                .filter(|part| part.parse::<u32>().is_err())
                .collect::<Vec<_>>()
                .join(":")
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    node `nowhere` at places.rs:10 has no function: say where it runs, with `runs_on`
    node `never` at places.rs:10 never passes limit `none`, which is 0: raise it
    node `within` at places.rs:10 runs a flow, and has no executor of its own: give it to the nodes of that flow
    node `limited` at places.rs:10 runs a flow, and has no limit of its own: give it to the nodes of that flow
    ");
    let [NoExecutor { .. }, NobodyPasses { .. }, FlowElsewhere { .. }, FlowElsewhere { .. }] =
        problems.list()
    else {
        panic!("{problems}")
    };
}

#[cfg(unix)]
mod programs {
    use selvedge::flow::{Journal, program};
    use selvedge::runtime::subprocess::Program;

    use super::*;

    fn sh(script: &str) -> Program {
        Program::new("sh").args(["-c", script])
    }

    #[test]
    fn nodes_that_other_programs_compute() {
        let mut flow = Flow::builder("programs");
        let (a, b) = (flow.parameter_or("a", 2_u32), flow.parameter_or("b", 3_u32));
        let sum = sh("tr -d '[]' | { IFS=, read a b; echo $((a + b)); }");
        let sum = flow.add("sum", program::<_, u32>((a, b), sum));
        let doubled = flow.node("doubled", (sum,), |sum: &u32| Ok(sum * 2));
        let list = flow.parameter_or("list", vec![1_u32, 2, 3]);
        let items = flow.add(
            "items",
            map(list, (b,), |_: &u32, _: &u32| -> Result<Vec<u32>> {
                bail!("it is the program's")
            })
            .runs_on(selvedge::flow::Subprocess::new(Program::new("cat"))),
        );
        let flow = flow.build().unwrap();
        for threads in [0, 64] {
            let result = flow.run(Request::new().threads_max(threads)).unwrap();
            assert_eq!(result.value(doubled).unwrap(), &10, "{result}");
            assert_eq!(result.value(items).unwrap(), &[[1, 3], [2, 3], [3, 3]]);
        }
    }

    #[test]
    fn what_a_program_does_wrong_fails_its_node() {
        let mut flow = Flow::builder("hostile");
        let mut add = |id: &str, program: Program| {
            flow.add(id, super::programs::program::<_, u32>((), program));
        };
        add("exits", sh("echo broken >&2; exit 3"));
        add("garbles", sh("echo '{'"));
        add(
            "floods",
            Program::new("head").args(["-c", "1000000000", "/dev/zero"]).output_max(1_000),
        );
        add("killed", sh("kill -KILL $$"));
        add("missing", Program::new("/no/such/program"));
        if cfg!(target_os = "linux") {
            add("greedy", Program::new("tail").arg("/dev/zero").memory_max(64 << 20));
        }
        let stuck = program::<_, u32>((), sh("cat <&3 & exec tail -f /dev/null"));
        flow.add("stuck", stuck.time_limit(Duration::from_millis(50)));
        let result = flow.build().unwrap().run(Request::new()).unwrap();
        let told: Vec<_> = result.failures().map(ToString::to_string).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        node `exits` failed: program `sh` ended with status 3; it said: broken
        node `garbles` failed: the answer "{\n" can't be read: invalid type: map, expected u32 at line 1 column 0
        node `floods` failed: program `head` was killed: it wrote more than 1000 bytes; raise `output_max`, or have it write a file and tell its name
        node `killed` failed: program `sh` was ended by signal 9
        node `missing` failed: there is no program `/no/such/program`: install it, or name it by its path
        node `greedy` failed: program `tail` ended with status 1, limited to 67108864 bytes of memory; it said: /usr/bin/tail: memory exhausted
        node `stuck` timed out: it took longer than 50ms
        "#);
    }

    #[test]
    fn a_program_is_attempted_again_and_killed_when_its_run_is_called_off() {
        let folder = tempfile::tempdir().unwrap();
        let mut flow = Flow::builder("flaky");
        let flaky = sh("echo x >> n; [ $(wc -l < n) -ge 3 ] && wc -l < n").dir(folder.path());
        let flaky = program::<_, u32>((), flaky).on_failure(Retry::times(3));
        let flaky = flow.add("flaky", flaky);
        assert_eq!(flow.build().unwrap().run(Request::new()).unwrap().value(flaky).unwrap(), &3);

        Program::new("mkfifo").args(["pipe", "never"]).dir(folder.path()).run(vec![]).unwrap();
        let mut flow = Flow::builder("endless");
        let endless = sh("exec 3> pipe; cat <> never & echo x >&3; wait").dir(folder.path());
        flow.add("endless", program::<_, u32>((), endless));
        let flow = flow.build().unwrap();
        for way in ["cancel", "stop"] {
            let engine = Engine::with_workers(1).unwrap();
            let run = engine.launch(&flow, Request::new()).unwrap();
            let mut pipe = std::fs::File::open(folder.path().join("pipe")).unwrap();
            let mut begun = [0; 2];
            std::io::Read::read_exact(&mut pipe, &mut begun).unwrap();
            if way == "cancel" {
                run.cancel();
                assert_eq!(run.wait().ending().to_string(), "cancelled by User");
                engine.close().unwrap();
            } else {
                drop((run, engine)); // Nobody waits for it.
            }
            // Until nobody lives who could write.
            std::io::copy(&mut pipe, &mut std::io::sink()).unwrap();
        }
    }

    #[test]
    fn items_of_a_map_that_is_late_are_killed() {
        let folder = tempfile::tempdir().unwrap();
        Program::new("mkfifo").args(["pipe", "never"]).dir(folder.path()).run(vec![]).unwrap();
        let mut flow = Flow::builder("late items");
        let list = flow.parameter_or("list", (0..100_u32).collect::<Vec<_>>());
        let endless = sh("exec 3> pipe; cat <> never; wait").dir(folder.path());
        let items = map(list, (), |_: &u32| -> Result<u32> { bail!("it is the program's") });
        let items = items.runs_on(selvedge::flow::Subprocess::new(endless)).items_at_a_time(3);
        flow.add("items", items.time_limit(Duration::from_millis(500)));
        let flow = flow.build().unwrap();
        let path = folder.path().join("pipe");
        let pipe = path.clone();
        let reads = std::thread::spawn(move || {
            let mut pipe = std::fs::File::open(pipe).unwrap();
            // Until nobody lives who could write.
            std::io::copy(&mut pipe, &mut std::io::sink()).unwrap()
        });
        let result = flow.run(Request::new()).unwrap();
        assert_eq!(result.failures().next().unwrap().cause(), Cause::TimedOut, "{result}");
        // If they were killed before they came to open it, the reader still waits for a writer.
        drop(std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap());
        assert_eq!(reads.join().unwrap(), 0);
    }

    #[test]
    fn what_a_program_is_given_is_part_of_what_it_is() {
        let made = |arg: &str, journal: &Journal| {
            let mut flow = Flow::builder("cached");
            let echo = Program::new("echo").arg(arg);
            let echo = program::<_, u32>((), echo).version("echo", "1").cached();
            let echo = flow.add("echo", echo);
            let flow = flow.build().unwrap().in_journal(journal.clone());
            let result = flow.run(Request::new()).unwrap();
            (*result.value(echo).unwrap(), result.reused(echo).is_some())
        };
        let journal = Journal::in_memory().unwrap();
        let made: HashMap<_, _> = ["1", "2", "1"]
            .into_iter()
            .enumerate()
            .map(|(n, arg)| (n, made(arg, &journal)))
            .collect();
        assert_eq!((made[&0], made[&1], made[&2]), ((1, false), (2, false), (1, true)));
    }
}
