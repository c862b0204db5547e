//! What a turn logs is attributed to it, on whichever thread: the run's span is around the turn's,
//! and whoever collects spans where the run begins does so on its workers too.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use selvedge_event::{Event, Init, Named};
use selvedge_runtime::{Context, Pipeline, Processor, Pull, Result, on, processor};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber, info};

#[derive(Debug, Event)]
#[event(name = "ping")]
struct Ping(u32);

thread_local! {
    /// The spans that this thread is in, outermost first.
    static INSIDE: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Notes each event with the spans that it is in.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Collected>>);

#[derive(Default)]
struct Collected {
    /// By number, from 1.
    spans: Vec<String>,
    lines: BTreeSet<String>,
}

/// Writes fields one after the other.
struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = span.metadata().name().to_owned();
        span.record(&mut Fields(&mut line));
        let mut collected = self.0.lock().expect("no panic");
        collected.spans.push(line);
        Id::from_u64(collected.spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let at = usize::try_from(span.into_u64() - 1).expect("spans are few");
        values.record(&mut Fields(&mut self.0.lock().expect("no panic").spans[at]));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut collected = self.0.lock().expect("no panic");
        let mut line = String::new();
        INSIDE.with_borrow(|inside| {
            for &id in inside {
                line += &collected.spans[usize::try_from(id - 1).expect("spans are few")];
                line += ":";
            }
        });
        event.record(&mut Fields(&mut line));
        collected.lines.insert(line);
    }

    fn enter(&self, span: &Id) {
        INSIDE.with_borrow_mut(|inside| inside.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        let left = INSIDE.with_borrow_mut(Vec::pop);
        assert_eq!(left, Some(span.into_u64()), "spans are left in order");
    }
}

/// Brings in a ping.
struct Source;

#[processor(strict)]
impl Processor for Source {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Init => cx.start_pulling(),
        }
        info!("init");
        Ok(())
    }

    fn pull(&mut self, cx: &mut Context<'_>) -> Result<Pull> {
        info!("pull");
        cx.emit(Named("first", Ping(1)));
        Ok(Pull::Done)
    }
}

#[test]
fn logs_are_attributed_to_turn_and_run() {
    let collector = Collector::default();
    let relay = on("relay", |cx: &mut Context<'_>, ping: &Ping| {
        info!(n = ping.0);
        if ping.0 < 2 {
            cx.emit(Ping(ping.0 + 1));
        }
        Ok(())
    });
    let builder = Pipeline::builder().processor(Source).processor(relay).workers(2);
    let pipeline = builder.build().expect("the wiring is sound");
    tracing::subscriber::with_default(collector.clone(), || {
        // Its workers are other threads than this one, all of them.
        pipeline.start().expect("there is room for threads").finish().expect("nothing fails");
        info!("outside");
    });
    let collected = collector.0.lock().expect("no panic");
    let lines: Vec<&str> = collected.lines.iter().map(String::as_str).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
     message=outside
    run workers=2 processors=2:pull processor="Source": message=pull
    run workers=2 processors=2:turn processor="Source" kind="selvedge::Init" attempt=1: message=init
    run workers=2 processors=2:turn processor="relay" kind="ping" attempt=1 name=first: n=1
    run workers=2 processors=2:turn processor="relay" kind="ping" attempt=1: n=2
    "#);
}
