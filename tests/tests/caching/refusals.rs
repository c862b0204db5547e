//! What can't be cached, and what is said about it.

use insta::assert_snapshot;
use selvedge::event::SignatureError;
use selvedge::runtime::{FailurePolicy, Solo};

use super::*;

fn refused(builder: PipelineBuilder) -> String {
    format!("{:#}", anyhow::Error::from(builder.build().expect_err("it is refused")))
}

#[test]
fn two_of_one_signature_would_share_their_results_in_a_store() {
    let spellers = || {
        Pipeline::builder()
            .processor(Speller::default().cached().named("one"))
            .processor(Speller { upper: true, ..Speller::default() }.cached().named("upper"))
            .processor(Speller::default().cached().named("two"))
    };
    assert_snapshot!(refused(spellers().store(memory())), @"cached processors `one` and `two` have one signature, and would share their results in the store: register one of them, or tell them apart with `Cache::namespace`");
    assert!(spellers().build().is_ok(), "in memory each has its own");
    let apart = Speller::default().cached_with(Cache::new().namespace("x".repeat(1_000)));
    let builder = Pipeline::builder().processor(Speller::default().cached()).processor(apart);
    assert!(builder.store(memory()).build().is_ok());
}

/// Has a field that nobody could digest.
struct Opaque(Calls);

#[processor]
impl CachedProcessor for Opaque {
    type Emits = ();

    fn process(&self, _: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Word(_) => self.0.count(),
        }
        Ok(())
    }
}

/// Says nothing about itself.
struct Unsigned;

impl CachedProcessor for Unsigned {
    type Emits = ();

    fn process(&self, _: &mut Context<'_>, _: &Event) -> Result {
        Ok(())
    }
}

/// Has no digest.
#[derive(Serialize)]
struct Threshold(f64);

#[processor]
impl CachedProcessor for Threshold {
    type Emits = Length;

    fn process(&self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Word(text) if text.len() as f64 > self.0 => cx.emit(Length(text.len())),
            Word(_) => {}
        }
        Ok(())
    }
}

#[test]
fn a_processor_without_a_signature_is_refused() {
    let builder = Pipeline::builder;
    assert_snapshot!(refused(builder().processor(Unsigned.cached())), @"processor `Unsigned` can't be cached: it has no signature: put `#[processor]` on its impl block, or write `fn signature` with a version");
    let opaque = Opaque(Calls::default());
    assert!(matches!(opaque.signature(), Err(SignatureError::UnknownConstants)));
    assert_snapshot!(refused(builder().processor(opaque.cached())), @"processor `Opaque` can't be cached: its fields may change what it emits, and its signature doesn't cover them: derive `Serialize` for it, with `#[serde(skip)]` on those that don't, or write `fn signature`");
    let threshold = Threshold(f64::NAN);
    assert!(matches!(threshold.signature(), Err(SignatureError::Constants(_))));
    assert_snapshot!(refused(builder().processor(threshold.cached())), @"processor `Threshold` can't be cached: its fields have no digest: NaN has no digest, give a missing number as an Option");
    assert!(builder().processor(Threshold(1.0).cached()).build().is_ok());
}

/// Not serializable.
#[derive(Event)]
struct Opening;

#[derive(Event, Serialize, Deserialize)]
struct Ratio(f64);

/// Does what its word says.
struct Player;

#[processor]
impl CachedProcessor for Player {
    type Emits = (Ratio, Length);

    fn process(&self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Word(text) => match text.as_str() {
                "undeclared" => cx.emit(Letter('x')),
                "reply" => cx.reply(Length(1)),
                "timer" => {
                    cx.emit_after(std::time::Duration::ZERO, Length(1));
                }
                "nan" => cx.emit(Ratio(f64::NAN)),
                _ => cx.emit(Length(text.len())),
            },
            Opening => {}
        }
        Ok(())
    }
}

#[test]
fn a_turn_that_could_not_be_replayed_fails() {
    let player = || Player.cached().on_failure(FailurePolicy::Skip);
    let failure = |event: Event| {
        let turn = Solo::new(player()).turn(event);
        assert!(turn.emitted.is_empty());
        format!("{:#}", turn.result.expect_err("it fails"))
    };
    assert_snapshot!(failure(Event::new(word("undeclared"))), @"selvedge-tests::Letter is of a type that was not declared: add it to what is emitted, which is `selvedge-tests::Ratio`, `selvedge-tests::Length`");
    assert_snapshot!(failure(Event::new(word("timer"))), @"a cached turn may only emit: what else it did, a reply, a timer or a scope, would be missing when it is replayed");
    assert_snapshot!(failure(Event::new(word("nan"))), @"selvedge-tests::Ratio can't be kept: NaN has no digest, give a missing number as an Option");
    assert_snapshot!(failure(Event::new(Opening)), @"selvedge-tests::Opening can't be looked up in a cache: derive `Serialize` for it, or say what it is known by with `Cache::digest_by`: events of kind `selvedge-tests::Opening` are not serializable, derive Serialize for the payload");
    assert!(Solo::new(player()).turn(word("reply")).result.is_ok(), "nobody asked");
    let (turn, reply) = Solo::new(player()).ask::<Length>(word("reply"));
    assert!(reply.is_none());
    assert_snapshot!(format!("{:#}", turn.result.expect_err("it fails")), @"a cached turn may only emit: what else it did, a reply, a timer or a scope, would be missing when it is replayed");
}

#[test]
fn a_key_function_that_fails_fails_the_turn() {
    let cache = Cache::new().digest_by(|_| anyhow::bail!("no idea"));
    let turn = Solo::new(Speller::default().cached_with(cache)).turn(word("a"));
    assert_snapshot!(format!("{:#}", turn.result.expect_err("it fails")), @"selvedge-tests::Word is known by nothing: no idea");
}
