//! Who hears what: kinds, names, keys, subtypes, catch-alls, and the count that `submit` returns.

use std::sync::{Arc, Mutex};

use selvedge::prelude::*;
use selvedge::runtime::BuildError;
use selvedge::{Value, json};

#[derive(Event)]
struct Sold {
    price: u32,
}

#[derive(Event)]
struct Bought;

/// What was heard, by whom, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, line: impl Into<String>) {
        self.0.lock().expect("no test panics with the log in hand").push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("no test panics with the log in hand"))
    }
}

/// Hears what it is told to and logs it.
pub(crate) struct Listener {
    pub(crate) interests: Interests,
    pub(crate) log: Log,
}

impl Listener {
    pub(crate) fn of(interest: Interest, log: &Log) -> Listener {
        Listener { interests: Interests::listed([interest]), log: log.clone() }
    }
}

impl Processor for Listener {
    fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
        self.log.add(format!("{} heard {event}", cx.processor()));
        Ok(())
    }

    fn interests(&self) -> Interests {
        self.interests.clone()
    }
}

#[test]
fn submit_counts_those_who_hear() {
    struct Generic;
    impl Processor for Generic {
        fn process(&mut self, _: &mut Context<'_>, _: &Event) -> Result {
            Ok(())
        }
    }
    let log = Log::default();
    let sold = || Listener::of(Interest::of::<Sold>(), &log);
    let refusal = Pipeline::builder().processor(sold()).processor(Generic).strict().build();
    assert!(matches!(refusal, Err(BuildError::CatchAll { name, .. }) if &*name == "Generic"));

    let strict = Pipeline::builder().processor(sold()).strict().build().expect("all is named");
    assert_eq!(strict.submit(Sold { price: 1 }).expect("there is room"), 1);

    let lenient = Pipeline::builder().processor(sold()).processor(Generic).build();
    let lenient = lenient.expect("lenient routing takes anything");
    assert_eq!(lenient.warnings().len(), 1);
    assert_eq!(lenient.submit(Sold { price: 1 }).expect("there is room"), 2);
    assert_eq!(lenient.submit(Bought).expect("there is room"), 1);
    let report = lenient.run().expect("nothing fails");
    assert_eq!((report.submitted, report.accepted, report.unrouted), (2, 3, 0));
    assert_eq!(report.warnings.len(), 1);
}

#[test]
fn an_event_nobody_hears_is_legal_and_counted() {
    let pipeline = Pipeline::builder().build().expect("an empty pipeline is legal");
    assert_eq!(pipeline.submit(Bought).expect("there is room"), 0);
    let report = pipeline.run().expect("nothing fails");
    assert_eq!((report.submitted, report.accepted, report.unrouted), (1, 0, 1));
}

#[derive(Event)]
struct Base {
    id: u32,
}

#[derive(Event)]
#[event(extends = Base)]
struct Middle {
    #[base]
    base: Base,
}

#[derive(Event)]
#[event(extends = Middle)]
struct Leaf {
    #[base]
    middle: Middle,
}

#[test]
fn a_subtype_reaches_every_ancestor_once() {
    struct OnBase(Log);
    #[processor(strict)]
    impl Processor for OnBase {
        fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
            match event {
                Leaf { middle } if middle.base.id == 0 => self.0.add("leaf zero"),
                Base { id } => self.0.add(format!("{} {id}", cx.processor())),
            }
            Ok(())
        }
    }
    let log = Log::default();
    let pipeline = Pipeline::builder().processor(OnBase(log.clone())).strict().build();
    let pipeline = pipeline.expect("all is named");
    let middle = |id| Middle { base: Base { id } };
    // Both of its interests match a leaf: it hears it once.
    assert_eq!(pipeline.submit(Leaf { middle: middle(7) }).expect("there is room"), 1);
    assert_eq!(pipeline.submit(Leaf { middle: middle(0) }).expect("there is room"), 1);
    assert_eq!(pipeline.submit(middle(8)).expect("there is room"), 1);
    pipeline.run().expect("nothing fails");
    assert_eq!(log.lines(), ["OnBase 7", "leaf zero", "OnBase 8"]);
}

#[test]
fn names_route_typed_and_dynamic_events_alike() {
    struct Shop(Log);
    #[processor(strict)]
    impl Processor for Shop {
        fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
            match event {
                Event { name: "refund" | "return", value, .. } => {
                    self.0.add(format!("dynamic {}", value["price"]));
                }
                Sold { price } => self.0.add(format!("sold for {price}")),
            }
            Ok(())
        }
    }
    let log = Log::default();
    let pipeline = Pipeline::builder().processor(Shop(log.clone())).strict().build();
    let pipeline = pipeline.expect("all is named");
    let dynamic = |name: &str| Dynamic::new("shop", json!({"price": 3})).named(name);
    let counts = [
        pipeline.submit(dynamic("refund")),
        pipeline.submit(dynamic("return")),
        pipeline.submit(dynamic("other")),
        pipeline.submit(Named("refund", Sold { price: 4 })),
        pipeline.submit(Sold { price: 5 }),
        pipeline.submit(Named("unheard of", Bought)),
    ];
    assert_eq!(counts.map(|count| count.expect("there is room")), [1, 1, 0, 1, 1, 0]);
    pipeline.run().expect("nothing fails");
    assert_eq!(log.lines(), ["dynamic 3", "dynamic 3", "sold for 4", "sold for 5"]);
}

#[derive(Event, Clone, Copy)]
struct Shipped {
    #[key]
    shop: u32,
}

#[derive(Event, Clone, Copy)]
#[event(extends = Shipped)]
struct ShippedAbroad(#[base] Shipped);

/// Three places of one name: a slice of statics is one as well.
static PARCELS: [Name; 2] = [Name::literal("parcel"), Name::literal("parcel")];
static PARCEL: Name = Name::literal("parcel");
static LETTER: Name = Name::literal("letter");

#[test]
fn static_names_route_by_their_text_wherever_they_lie() {
    let log = Log::default();
    let hears = |interest: Interest, name: &str| Listener::of(interest, &log).named(name);
    let pipeline = Pipeline::builder()
        .processor(hears(Interest::any().named("parcel"), "by name"))
        .processor(hears(Interest::of::<Shipped>(), "by kind"))
        .processor(Listener::of(Interest::of::<Shipped>(), &log).named("by key").keyed(7_u32))
        .processor(hears(Interest::of::<ShippedAbroad>().named("parcel"), "by both"))
        .workers(1)
        .build()
        .expect("the wiring is sound");
    let count = |event: Event| pipeline.submit(event).expect("there is room");
    let shipped = |name| Event::new(Named(name, Shipped { shop: 3 }));
    for name in [&PARCELS[0], &PARCELS[1], &PARCEL, &PARCELS[0], &PARCEL] {
        assert_eq!(count(shipped(name)), 2, "its name and its kind");
        assert_eq!(pipeline.submit(Named(name, Shipped { shop: 7 })).expect("there is room"), 3);
        assert_eq!(count(Event::new(Named(name, ShippedAbroad(Shipped { shop: 3 })))), 3);
        assert_eq!(pipeline.submit(Named(name, Bought)).expect("there is room"), 1, "not small");
    }
    assert_eq!(count(shipped(&LETTER)), 1, "its kind alone");
    assert_eq!(count(Event::new(Shipped { shop: 3 })), 1);
    assert_eq!(count(Event::new(Named("parcel", Shipped { shop: 3 }))), 2);
    assert_eq!(count(Event::new(Named(&LETTER, Bought))), 0);
    pipeline.run().expect("nothing fails");

    let lines = log.lines();
    let n_heard = |who: &str| lines.iter().filter(|line| line.starts_with(who)).count();
    assert_eq!(["by name", "by kind", "by key", "by both"].map(n_heard), [21, 18, 5, 5]);
}

#[test]
fn emissions_under_static_names_keep_their_order() {
    struct Clerk;
    #[processor(strict)]
    impl Processor for Clerk {
        fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
            match event {
                Sold { price } => {
                    for shop in 0..*price {
                        cx.emit(Named(&PARCEL, Shipped { shop }));
                        cx.emit(Named(&PARCELS[0], Shipped { shop }));
                        cx.emit(Named(&LETTER, Shipped { shop }));
                        cx.emit(Named(PARCEL.clone(), Shipped { shop }));
                        cx.emit(Shipped { shop });
                    }
                }
            }
            Ok(())
        }
    }
    let log = Log::default();
    let heard = Listener::of(Interest::any().named("parcel"), &log).named("parcels");
    let all = Log::default();
    let pipeline = Pipeline::builder()
        .processor(Clerk)
        .processor(heard)
        .processor(Listener::of(Interest::of::<Shipped>(), &all).named("all"));
    let pipeline = pipeline.workers(1).build().expect("the wiring is sound");
    pipeline.submit(Sold { price: 2 }).expect("there is room");
    pipeline.run().expect("nothing fails");
    let kind = Shipped::kind();
    let parcel = |shop| format!("parcels heard {kind} \"parcel\" [{shop}]");
    assert_eq!(log.lines(), [0, 0, 0, 1, 1, 1].map(parcel));
    let names = [" \"parcel\"", " \"parcel\"", " \"letter\"", " \"parcel\"", ""];
    let line = |shop| names.map(|name| format!("all heard {kind}{name} [{shop}]"));
    assert_eq!(all.lines(), [0, 1].map(line).concat());
}

#[derive(Event)]
struct Built {
    #[key]
    target: String,
}

#[test]
fn a_key_wakes_only_those_who_asked_for_it() {
    let log = Log::default();
    let by_key =
        |key: &'static str| Listener::of(Interest::of::<Built>(), &log).named(key).keyed(key);
    let every = Listener::of(Interest::of::<Built>(), &log).named("every");
    let pipeline = Pipeline::builder()
        .processor(by_key("a"))
        .processor(every)
        .processor(by_key("b"))
        .workers(1)
        .build()
        .expect("the wiring is sound");
    let built = |target: &str| Built { target: target.to_owned() };
    let counts = ["a", "b", "c"].map(|key| pipeline.submit(built(key)).expect("there is room"));
    assert_eq!(counts, [2, 2, 1]);
    pipeline.run().expect("nothing fails");
    let kind = Built::kind();
    let heard = |who: &str, key: &str| format!("{who} heard {kind} [{key}]");
    let mut lines = log.lines();
    lines.sort();
    let expected = [
        heard("a", "a"),
        heard("b", "b"),
        heard("every", "a"),
        heard("every", "b"),
        heard("every", "c"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_key_that_nothing_carries_is_refused() {
    let log = Log::default();
    let shard = Listener::of(Interest::of::<Sold>(), &log).named("shard").keyed(7);
    let refusal = Pipeline::builder().processor(shard).build().expect_err("it means nothing");
    assert!(matches!(&refusal, BuildError::KeyWithoutUse { name, .. } if &**name == "shard"));
    assert!(refusal.to_string().contains("registered for key 7"), "{refusal}");
}

#[test]
fn two_types_of_one_kind_are_refused_at_build_or_when_they_meet() {
    #[derive(Event)]
    #[event(name = "clash")]
    struct First;
    #[derive(Event)]
    #[event(name = "clash")]
    struct Second;

    let log = Log::default();
    let refusal = Pipeline::builder()
        .processor(Listener::of(Interest::of::<First>(), &log).named("first"))
        .processor(Listener::of(Interest::of::<Second>(), &log).named("second"))
        .build();
    assert!(matches!(refusal, Err(BuildError::KindClash { kind, .. }) if kind == "clash"));

    let pipeline = Pipeline::builder().processor(Listener::of(Interest::of::<First>(), &log));
    let pipeline = pipeline.build().expect("one type, one kind");
    let error = pipeline.submit(Second).expect_err("the kind is taken");
    assert!(error.to_string().contains("`clash`"), "{error}");
    assert!(error.into_event().is::<Second>(), "what is refused comes back");
}

#[test]
fn names_are_unique_and_made_up_ones_are_numbered() {
    let log = Log::default();
    let listener = || Listener::of(Interest::of::<Sold>(), &log);
    let refusal = Pipeline::builder()
        .processor(listener().named("till"))
        .processor(listener().named("till"))
        .build();
    assert!(matches!(refusal, Err(BuildError::DuplicateName { name }) if &*name == "till"));
    let pipeline = Pipeline::builder()
        .processor(listener())
        .processor(listener().named("Listener#2"))
        .processor(listener())
        .build()
        .expect("the names differ");
    let names: Vec<String> = pipeline.processor_names().map(ToString::to_string).collect();
    assert_eq!(names, ["Listener", "Listener#2", "Listener#3"]);
}

#[test]
fn a_processor_that_can_hear_nothing_is_refused() {
    let nothing = Listener { interests: Interests::default(), log: Log::default() };
    let refusal = Pipeline::builder().processor(nothing).build();
    assert!(matches!(refusal, Err(BuildError::NoInterests { .. })));
}

#[test]
fn a_catch_all_does_not_hear_the_lifecycle() {
    let log = Log::default();
    let listener = Listener { interests: Interests::everything(), log: log.clone() };
    let pipeline = Pipeline::builder().processor(listener).build().expect("it is lenient");
    pipeline.submit(Dynamic::new("x", Value::Null)).expect("there is room");
    pipeline.run().expect("nothing fails");
    assert_eq!(log.lines(), ["Listener heard x"]);
}
