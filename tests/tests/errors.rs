//! What the runtime's errors say: what, where, and what to do about it.

use insta::assert_snapshot;
use selvedge::prelude::*;
use selvedge::runtime::{AskError, BuildError, SubmitError};

#[derive(Debug, Event)]
struct Asked;

#[derive(Debug, Event)]
struct Answered;

#[test]
fn build_errors_say_what_to_do() {
    assert_snapshot!(BuildError::PanicAborts, @"this program is built with `panic = \"abort\"`: a panicking turn would end the process; remove it from the profile in Cargo.toml");
    assert_snapshot!(BuildError::NoWorkers, @"a pipeline needs at least one worker: the thread that calls `run()` counts");
    assert_snapshot!(BuildError::ZeroLimit { limit: "lane_max" }, @"limit `lane_max` is zero: nothing could ever happen");
    assert_snapshot!(BuildError::DuplicateName { name: "till".into() }, @"processor `till` is registered twice: give one of them another name with `.named(…)`");
    assert_snapshot!(BuildError::NoInterests { name: "till".into() }, @"processor `till` has no interests: no event could ever reach it");
}

#[test]
fn a_catch_all_is_named_with_its_place() {
    struct Logger;
    #[processor]
    impl Processor for Logger {
        fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
            match event {
                Asked => {}
                other => eprintln!("{other:?}"),
            }
            Ok(())
        }
    }
    let refusal = Pipeline::builder().processor(Logger).strict().build().expect_err("strict");
    assert_snapshot!(refusal, @"processor `Logger` hears every event because of tests/tests/errors.rs:30:17: name the kinds it hears, mark an arm that is there for completeness `#[unmatched]`, or build without `.strict()`");
}

#[test]
fn a_full_backlog_hands_the_event_back() {
    let limits = Limits { backlog_max: 1, ..Limits::default() };
    let pipeline = Pipeline::builder()
        .processor(on("asked", |_: &mut Context<'_>, _: &Asked| Ok(())))
        .limits(limits)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Asked).expect("there is room for one");
    let error = pipeline.submit(Asked).expect_err("there is no room for another");
    assert_snapshot!(error, @"the pipeline holds 1 submitted events already: submit during the run through a `Submitter`, which waits, use a source, or raise `Limits::backlog_max`");
    assert!(matches!(error, SubmitError::Full { event, .. } if event.is::<Asked>()));
}

#[test]
fn answers_that_don_t_come_say_why() {
    let pipeline = Pipeline::builder()
        .processor(on("answer", |cx: &mut Context<'_>, _: &Asked| {
            cx.reply(Answered);
            Ok(())
        }))
        .build()
        .expect("the wiring is sound");
    let wrong = pipeline.ask::<Asked>(Asked).expect("there is room");
    let missing = pipeline.ask::<Asked>(Answered).expect("there is room");
    pipeline.run().expect("nothing fails");
    let wrong = wrong.wait().expect_err("the reply is of another type");
    assert!(matches!(wrong, AskError::WrongReply { .. }));
    assert_snapshot!(wrong, @"the reply to selvedge-tests::Asked is selvedge-tests::Answered, not a `all::errors::Asked`");
    let missing = missing.wait().expect_err("nobody hears the question");
    assert!(matches!(missing, AskError::NoReply { .. }));
    assert_snapshot!(missing, @"nobody replied to selvedge-tests::Answered");
}

#[test]
fn run_errors_carry_their_cause() {
    let source = || std::io::Error::from(std::io::ErrorKind::WouldBlock);
    assert_snapshot!(RunError::Spawn { worker: 3, source: source() }, @"cannot start worker thread 3: operation would block");
    let listener = || "recorder 1".into();
    assert_snapshot!(RunError::SpawnListener { listener: listener(), source: source() }, @"cannot start a thread for `recorder 1`: operation would block");
    assert_snapshot!(RunError::Signals { source: source() }, @"cannot watch for signals: operation would block");
    assert_snapshot!(RunError::Aborted { signal: None }, @"aborted: turns under way were not waited for");
}

#[test]
fn a_failed_turn_names_processor_and_event() {
    let pipeline = Pipeline::builder()
        .processor(on("till", |_: &mut Context<'_>, _: &Asked| {
            Err(anyhow::anyhow!("no change").context("cannot pay"))
        }))
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Asked).expect("there is room");
    let error = pipeline.run().expect_err("the turn fails");
    assert_snapshot!(error, @"processor `till` failed on selvedge-tests::Asked: cannot pay: no change");
    assert_eq!(error.exit_status(), 1);
}

#[test]
fn mailboxes_that_only_grow_are_named() {
    let limits = Limits { pipeline_events_max: 100, ..Limits::default() };
    let pipeline = Pipeline::builder()
        .processor(on("doubler", |cx: &mut Context<'_>, _: &Asked| {
            cx.emit(Asked);
            cx.emit(Asked);
            Ok(())
        }))
        .workers(1)
        .limits(limits)
        .build()
        .expect("the wiring is sound");
    pipeline.submit(Asked).expect("there is room");
    let error = pipeline.run().expect_err("it never ends");
    let RunError::TooManyEvents { limit: 100, fullest, report } = &error else {
        panic!("another error: {error}");
    };
    assert_eq!(&*fullest[0].0, "doubler");
    assert!(report.balances());
}

#[test]
fn an_event_without_serde_has_no_digest() {
    let error = Event::new(Asked).payload_digest().expect_err("it can't be encoded");
    let problem = selvedge::digest::DigestProblem::NotSerializable { kind: Asked::kind() };
    assert_eq!(error.problem(), &problem);
    assert_snapshot!(error, @"events of kind `selvedge-tests::Asked` are not serializable, derive Serialize for the payload");
}

#[test]
fn one_type_holds_them_all() {
    fn submit() -> Result<(), selvedge::Error> {
        let limits = Limits { backlog_max: 0, ..Limits::default() };
        let hears = on("asked", |_: &mut Context<'_>, _: &Asked| Ok(()));
        let pipeline = Pipeline::builder().processor(hears).limits(limits).build()?;
        pipeline.submit(Asked)?;
        Ok(())
    }
    fn ask() -> Result<(), selvedge::Error> {
        let pipeline = Pipeline::builder().build()?;
        let answer = pipeline.ask::<Answered>(Asked)?;
        pipeline.run()?;
        answer.wait()?;
        Ok(())
    }
    let refused = submit().expect_err("nothing fits");
    assert!(matches!(&refused, selvedge::Error::Submit(_)), "{refused}");
    let unanswered = ask().expect_err("nobody is there");
    assert!(matches!(&unanswered, selvedge::Error::Ask(_)));
    assert_snapshot!(unanswered, @"nobody replied to selvedge-tests::Asked");
}
