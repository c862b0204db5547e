//! What `#[processor]` writes, and what the walk through a turn makes of the positions of a match.

use insta::assert_snapshot;
use proc_macro2::TokenStream;

use super::expand;

fn tokens(code: &str) -> TokenStream {
    code.parse().expect("the test's code is made of tokens")
}

/// A processor whose turn has this body.
fn processor(body: &str) -> TokenStream {
    tokens(&format!(
        "impl Processor for X {{
            fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {{ {body} }}
        }}"
    ))
}

/// The generated code as people would write it; the code's hash is tested elsewhere.
fn check(body: &str) -> String {
    let options = tokens("crate = selvedge, version = \"1\"");
    let expanded = expand(options, &processor(body));
    prettyplease::unparse(&syn::parse2(expanded).expect("what is generated is Rust"))
}

/// The errors about a turn with this body, or nothing if there are none.
fn errors(body: &str) -> String {
    let expanded = expand(tokens("crate = selvedge"), &processor(body));
    let file: syn::File = syn::parse2(expanded).expect("what is generated is Rust");
    let message = |item: &syn::Item| match item {
        syn::Item::Macro(error) => error.mac.parse_body::<syn::LitStr>().ok(),
        _ => None,
    };
    let messages = file.items.iter().filter_map(message).map(|message| message.value());
    messages.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_match_becomes_one_over_a_tuple_of_downcasts() {
    let body = "
        match event {
            Start { who } if who.is_empty() => return Ok(()),
            Start { who } | Rename(_, who) => cx.emit(Greet { who: who.clone() }),
            order @ Order::Placed { .. } => self.orders.push(order.clone()),
            Stop => self.stop()?,
        }
        Ok(())
    ";
    assert_snapshot!(check(body), @r#"
    impl Processor for X {
        fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
            match selvedge::event::payload::generated::Payloads::of(event) {
                payloads => {
                    match (
                        payloads.seen_as::<Start>(),
                        payloads.seen_as::<Rename>(),
                        payloads.seen_as::<Order>(),
                        payloads.seen_as::<Stop>(),
                    ) {
                        (
                            ::core::option::Option::Some(Start { who }),
                            ..,
                        ) if who.is_empty() => return Ok(()),
                        (::core::option::Option::Some(Start { who }), ..)
                        | (_, ::core::option::Option::Some(Rename(_, who)), ..) => {
                            cx.emit(Greet { who: who.clone() })
                        }
                        (
                            _,
                            _,
                            ::core::option::Option::Some(order @ Order::Placed { .. }),
                            ..,
                        ) => self.orders.push(order.clone()),
                        (_, _, _, ::core::option::Option::Some(_)) => self.stop()?,
                        _ => {}
                    }
                }
            }
            Ok(())
        }
        fn interests(&self) -> selvedge::event::Interests {
            selvedge::event::Interests::listed([
                selvedge::event::Interest::of::<Start>(),
                selvedge::event::Interest::of::<Rename>(),
                selvedge::event::Interest::of::<Order>(),
                selvedge::event::Interest::of::<Stop>(),
            ])
        }
        fn signature(&self) -> ::core::option::Option<selvedge::event::Signature> {
            ::core::option::Option::Some(
                selvedge::event::Signature::of_version(
                    ::core::concat!(
                        ::core::env!("CARGO_PKG_NAME"), "::", ::core::stringify!(X)
                    ),
                    "1",
                ),
            )
        }
    }
    "#);
}

#[test]
fn the_signature_of_a_cached_processor_covers_its_fields() {
    let block = tokens(
        "impl CachedProcessor for X {
            type Emits = ();
            fn process(&self, _: &mut Context<'_>, _: &Event) -> Result { Ok(()) }
            fn interests(&self) -> Interests { Interests::everything() }
        }",
    );
    let expanded = expand(tokens("crate = selvedge, version = \"1\""), &block);
    let expanded = prettyplease::unparse(&syn::parse2(expanded).expect("it is Rust"));
    let at = expanded.find("    fn signature").expect("it is written");
    assert_snapshot!(&expanded[at..], @r#"
        fn signature(
            &self,
        ) -> ::core::result::Result<
            selvedge::event::Signature,
            selvedge::event::SignatureError,
        > {
            use selvedge::event::payload::generated::*;
            signed(
                selvedge::event::Signature::of_version(
                    ::core::concat!(
                        ::core::env!("CARGO_PKG_NAME"), "::", ::core::stringify!(X)
                    ),
                    "1",
                ),
                Probe(self).probe(),
                ::core::mem::size_of::<Self>(),
            )
        }
    }
    "#);
}

#[test]
fn the_envelope_has_columns_of_its_own() {
    let body = "
        match event {
            Event { kind: \"orders\", name: n @ (\"a\" | \"b\"), value, .. } => self.take(n, value),
            other @ Event { key: 7, .. } => self.keep(other),
            Event { name, .. } => self.log(name),
        }
        Ok(())
    ";
    assert_snapshot!(check(body), @r#"
    impl Processor for X {
        fn process(&mut self, cx: &mut Context<'_>, event: &Event) -> Result {
            match (
                selvedge::event::payload::generated::is_kind(event, "orders"),
                selvedge::event::Event::name(event).as_str(),
                selvedge::event::Event::value(event),
                selvedge::event::Event::key(event)
                    == ::core::option::Option::Some(selvedge::event::Key::Number(7)),
                event,
            ) {
                (true, n @ ("a" | "b"), ::core::option::Option::Some(value), ..) => {
                    self.take(n, value)
                }
                (_, _, _, true, other) => self.keep(other),
                (_, name, ..) => self.log(name),
            }
            Ok(())
        }
        fn interests(&self) -> selvedge::event::Interests {
            selvedge::event::Interests::listed([
                    selvedge::event::Interest::kind(selvedge::event::Kind::literal("orders"))
                        .named(selvedge::event::Name::literal("a")),
                    selvedge::event::Interest::kind(selvedge::event::Kind::literal("orders"))
                        .named(selvedge::event::Name::literal("b")),
                    selvedge::event::Interest::any().keyed(selvedge::event::Key::Number(7)),
                ])
                .and_everything(selvedge::event::SourceSpot {
                    file: ::core::file!(),
                    line: ::core::line!(),
                    column: ::core::column!(),
                })
        }
        fn signature(&self) -> ::core::option::Option<selvedge::event::Signature> {
            ::core::option::Option::Some(
                selvedge::event::Signature::of_version(
                    ::core::concat!(
                        ::core::env!("CARGO_PKG_NAME"), "::", ::core::stringify!(X)
                    ),
                    "1",
                ),
            )
        }
    }
    "#);
}

#[test]
fn a_match_whose_value_is_used_needs_an_arm_for_the_rest() {
    let unused = [
        "match event { A => {} } Ok(())",
        "match event { A => {} }; Ok(())",
        "if x { match event { A => {} } } Ok(())",
        "if x { match event { A => {} } } else { match event { B => {} } } Ok(())",
        "for _ in x { match event { A => {} } } Ok(())",
        "loop { match event { A => break Ok(()) } }",
        "while x { match event { A => {} } } Ok(())",
        "unsafe { (match event { A => {} }) } Ok(())",
        "match x { 1 => match event { A => {} }, _ => {} } Ok(())",
        "match event { A => match event { A => {} }, B => { match event { B => {} } } } Ok(())",
        "let _ = { match event { A => {} } 3 }; Ok(())",
        "if x { match event { A => {} } } else if y { match event { B => {} } }; Ok(())",
    ];
    for body in unused {
        assert_eq!(errors(body), "", "{body}");
    }
    let used = [
        "match event { A => Ok(()) }",
        "let n = match event { A => 1 }; Ok(())",
        "f(match event { A => 1 }); Ok(())",
        "let n = if x { match event { A => 1 } } else { 2 }; Ok(())",
        "let n = { match event { A => 1 } }; Ok(())",
        "let f = || match event { A => 1 }; Ok(())",
        "return match event { A => Ok(()) };",
        "(match event { A => Ok(()) })?; Ok(())",
        "match event { A => Ok(()), _ => match event { B => Ok(()) } }",
        "match match event { A => 1 } { 1 => {} _ => {} } Ok(())",
        "match event { A => {} _ if x => {} Event { name: \"a\", .. } => {} }",
    ];
    for body in used {
        assert!(errors(body).contains("is used, so it needs an arm"), "{body}: {}", errors(body));
    }
}

#[test]
fn every_error_is_reported_at_once() {
    let body = "
        if let Start = event {}
        match (event, 1) { _ => {} }
        match event { 3 => {} _ if matches!(event, Stop) => {} }
        let event = 3;
        Ok(())
    ";
    assert_snapshot!(errors(body), @r#"
    `#[processor]` reads `match event` only: write `match event { Start => … }`, which needs no other arm where its value is not used, and `_ => …` for an `else`
    `#[processor]` can't read the event inside of something else: write `match event { … }`, and look at the rest in its guards or inside its arms
    this names no event: an arm is a payload type's pattern (`Start { who }`), `Event { name: "start", .. }`, a name for the event, or `_`
    `#[processor]` reads `match event` only: write `match event { Stop => true, #[unmatched] _ => false }`
    this hides the event, which `#[processor]` follows by the name `event`: give this another name
    "#);
}

#[test]
fn macro_calls_are_searched_for_the_event() {
    let passed_on = |body: &str| {
        let body = format!("{body}; match event {{ A => {{}} }} Ok(())");
        check(&body).contains("and_everything")
    };
    for body in [
        "f!(event)",
        "f!(x, [&event])",
        "f!(\"{event}\")",
        "f!(\"{x} {event:?}\")",
        "f!(r#\"{event }\"#)",
        "f!(?event)",
        "f!(..event)",
        "f!(name = event)",
        "f!(if event == x {})",
    ] {
        assert!(passed_on(body), "{body}");
    }
    for body in [
        "f!(self.event)",
        "f!(\"event\")",
        "f!(\"{{event}}\")",
        "f!(\"{events}\")",
        "f!(X { event: 3 })",
        "f!(event::x)",
        "f!(\"{x}\", event = 3)",
        "f!(events)",
    ] {
        assert!(!passed_on(body), "{body}");
    }
}
