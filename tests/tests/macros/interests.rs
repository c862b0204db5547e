//! Which interests `#[processor]` reads from which code.

use insta::assert_snapshot;
use selvedge_event::{Event, Init, Interest, Interests, Phase};
use selvedge_runtime::{Context, Processor, Result, processor};

use shop::Sold;

#[derive(Event)]
struct Start {
    #[expect(dead_code, reason = "read by patterns only")]
    who: String,
}
#[derive(Event)]
struct Tick(u32);
#[derive(Event)]
struct Stop;
#[derive(Event)]
#[expect(dead_code, reason = "these tests look at patterns and make no events")]
enum Order {
    Placed { id: u64 },
    Lost(u64),
    Closed,
}
#[derive(Event)]
#[event(name = "batch")]
struct Batch<T>(T);

mod shop {
    #[derive(selvedge_event::Event)]
    pub(super) struct Sold;
}

const RELOAD: &str = "reload";

/// The interests, one per line. A catch-all shows the code that is to blame for it.
fn describe(interests: &Interests) -> String {
    let mut lines: Vec<String> = interests.as_slice().iter().map(Interest::to_string).collect();
    if let Some(catch_all) = interests.catch_all() {
        let spot = catch_all.spot.expect("the macro saw the code");
        assert!(spot.file.ends_with("macros/interests.rs"), "{spot}");
        let line = include_str!("interests.rs").lines().nth(spot.line as usize - 1).unwrap_or("");
        lines.push(format!("everything: {}", &line[spot.column as usize - 1..]));
    }
    lines.join("\n")
}

/// Takes whatever a pattern bound: an arm must use its names.
fn used<T>(_: T) {}

/// What a turn with this body hears.
macro_rules! hears {
    ($event:pat => $body:tt) => {
        hears!([] $event => $body)
    };
    ([$($options:tt)*] $event:pat => $body:tt) => {{
        struct Subject;

        #[processor($($options)*)]
        impl Processor for Subject {
            fn process(&mut self, _: &mut Context<'_>, $event: &Event) -> Result $body
        }
        describe(&Subject.interests())
    }};
}

#[test]
fn arms_name_payload_types() {
    let heard = hears!(event => {
        match event {
            Start { who: _ } => {}
            Tick(_) => {}
            Stop => {}
            shop::Sold => {}
            self::shop::Sold { .. } => {}
            Batch::<Stop>(_) | Batch::<Batch<Tick>> { .. } => {}
            Init | Phase { .. } => {}
        }
        Ok(())
    });
    assert_snapshot!(heard, @"
    selvedge-tests::Start
    selvedge-tests::Tick
    selvedge-tests::Stop
    selvedge-tests::Sold
    selvedge-tests::Sold
    batch<selvedge-tests::Stop>
    batch<batch<selvedge-tests::Tick>>
    selvedge::Init
    selvedge::Phase
    ");
}

#[test]
fn variants_name_their_enum_once() {
    let heard = hears!(event => {
        match event {
            Order::Placed { id: 0..10 } => {}
            Order::Lost(_) | Order::Closed => {}
            Order => {}
        }
        Ok(())
    });
    assert_snapshot!(heard, @"selvedge-tests::Order");
}

#[test]
fn alternatives_bindings_and_guards_count() {
    let heard = hears!(event => {
        let ready = true;
        match event {
            Stop | (Tick(3) | Tick(4)) => {}
            sold @ (Sold | shop::Sold) if ready => used(sold),
            start @ Start { .. } => used(start),
            Order::Placed { id: 1 | 2 } if ready => {}
        }
        Ok(())
    });
    assert_snapshot!(heard, @"
    selvedge-tests::Stop
    selvedge-tests::Tick
    selvedge-tests::Sold
    selvedge-tests::Sold
    selvedge-tests::Start
    selvedge-tests::Order
    ");
}

#[test]
fn every_match_over_the_event_counts() {
    let heard = hears!(event => {
        for _ in 0..2 {
            match event {
                Stop => break,
            }
        }
        let size = match (event) {
            Tick(0) => 0,
            Tick(size) => match event {
                Start { .. } => 1,
                _ => *size,
            },
            #[unmatched]
            _ => 0,
        };
        let later = || match event {
            Sold => 1,
            #[unmatched]
            _ => size,
        };
        if later() > 0 {
            match event {
                Order::Closed => {}
            }
        } else {
            // Another value called by an upper-case name is none of the macro's business.
            match Some(3) {
                None => {}
                Some(_) => match event {
                    Init => {}
                },
            }
        }
        Ok(())
    });
    assert_snapshot!(heard, @"
    selvedge-tests::Stop
    selvedge-tests::Tick
    selvedge-tests::Start
    selvedge-tests::Sold
    selvedge-tests::Order
    selvedge::Init
    ");
}

#[test]
fn literal_kinds_names_and_keys_narrow() {
    let heard = hears!(event => {
        match event {
            Event { name: "start", .. } => {}
            Event { kind: "orders", name: "a" | "b", .. } => {}
            Event { kind: "x" | "y", value, .. } => used(value),
            Event { name: name @ (RELOAD | "restart"), kind: _, .. } => used(name),
            Event { key: 7 | "seven", value: _, .. } => {}
            Event { kind: kind @ "tea", key: key @ "green", .. } => used((kind, key)),
        }
        Ok(())
    });
    assert_snapshot!(heard, @r#"
    any "start"
    orders "a"
    orders "b"
    x
    y
    any "reload"
    any "restart"
    any [7]
    any [seven]
    tea [green]
    "#);
}

#[test]
fn what_is_asked_of_every_event_is_a_catch_all() {
    let heard = hears!(event => {
        match event {
            Stop => {}
            _ => {}
        }
        Ok(())
    });
    assert_snapshot!(heard, @"
    selvedge-tests::Stop
    everything: _ => {}
    ");
    let heard = hears!(event => {
        match event {
            other if other.key().is_some() => {}
        }
        Ok(())
    });
    assert_snapshot!(heard, @"everything: other if other.key().is_some() => {}");
    let heard = hears!(event => {
        match event {
            Event { kind: "orders", .. } => {}
            Event { name: _, .. } if event.key().is_some() => {}
        }
        Ok(())
    });
    assert_snapshot!(heard, @r#"
    orders
    everything: Event { name: _, .. } if event.key().is_some() => {}
    "#);
}

#[test]
fn a_pattern_without_literals_asks_every_event() {
    let heard = hears!(event => {
        match event {
            Event { key: key @ selvedge_event::Key::Number(_), .. } => used(key),
        }
        match event {
            Event { value: serde_json::Value::Null, .. } => {}
        }
        Ok(())
    });
    assert_snapshot!(heard, @"everything: Event { key: key @ selvedge_event::Key::Number(_), .. } => used(key),");
}

#[test]
fn an_event_passed_on_is_a_catch_all() {
    let heard = hears!(event => {
        match event {
            Stop => {}
        }
        used(event);
        Ok(())
    });
    assert_snapshot!(heard, @"
    selvedge-tests::Stop
    everything: event);
    ");
    let heard = hears!(event => {
        used(event.clone());
        Ok(())
    });
    assert_snapshot!(heard, @"everything: event.clone());");
    let heard = hears!(event => {
        println!("{event:>3}");
        Ok(())
    });
    assert_snapshot!(heard, @r#"everything: "{event:>3}");"#);
    let heard = hears!(event => {
        used([event]);
        Ok(())
    });
    assert_snapshot!(heard, @"everything: event]);");
    let heard = hears!(event => {
        let kept = event;
        used(kept);
        Ok(())
    });
    assert_snapshot!(heard, @"everything: event;");
}

#[test]
fn an_arm_that_names_its_events_passes_on_no_others() {
    let heard = hears!(event => {
        match event {
            Stop if event.key().is_none() => println!("{event}"),
            Tick(_) => match event {
                Tick(3) => {}
                _ => used(event.clone()),
            },
            #[unmatched]
            _ => unreachable!("{event}"),
        }
        Ok(())
    });
    assert_snapshot!(heard, @"
    selvedge-tests::Stop
    selvedge-tests::Tick
    ");
}

#[test]
fn a_turn_that_looks_at_nothing_is_a_catch_all() {
    struct Holder {
        event: u8,
    }
    let heard = hears!(_event => {
        Ok(())
    });
    assert_snapshot!(heard, @"everything: hears!(_event => {");
    let heard = hears!(_ => {
        Ok(())
    });
    assert_snapshot!(heard, @"everything: hears!(_ => {");
    // Fields, paths and items of the same name are other things than the parameter.
    let heard = hears!(event => {
        fn inner(event: u8) -> Holder {
            Holder { event }
        }
        used(format!("{} {{event}}", inner(1).event));
        match event {
            Stop => {}
        }
        Ok(())
    });
    assert_snapshot!(heard, @"selvedge-tests::Stop");
}

#[test]
fn strict_allows_what_is_named() {
    let heard = hears!([strict] event => {
        let n = match event {
            Stop => 1,
            Tick(n) => *n,
            #[unmatched]
            other => unreachable!("{other}"),
        };
        match event {
            #[unmatched]
            _ => used(n),
        }
        Ok(())
    });
    assert_snapshot!(heard, @"
    selvedge-tests::Stop
    selvedge-tests::Tick
    ");
}

#[test]
fn interests_written_by_hand_stay() {
    struct Subject;

    #[processor]
    impl Processor for Subject {
        fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
            match event {
                Stop => {}
                _ => {}
            }
            Ok(())
        }

        fn interests(&self) -> Interests {
            Interests::listed([Interest::of::<Tick>()])
        }
    }
    assert_eq!(Subject.interests(), Interests::listed([Interest::of::<Tick>()]));
}
