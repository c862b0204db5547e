//! What `#[derive(Event)]` writes.

use insta::assert_snapshot;

use super::derive;

/// The generated code as people would write it.
fn check(code: &str) -> String {
    let expanded = derive(code.parse().expect("the test's code is made of tokens"));
    prettyplease::unparse(&syn::parse2(expanded).expect("what is generated is Rust"))
}

#[test]
fn a_plain_event_has_a_kind() {
    let code = "#[event(crate = selvedge)] struct Start { who: String }";
    assert_snapshot!(check(code), @r#"
    #[automatically_derived]
    impl selvedge::event::Payload for Start {
        const COPIES: ::core::option::Option<selvedge::event::payload::Copies<Self>> = {
            use selvedge::event::payload::generated::*;
            Copyable::<Self>::COPIES
        };
        fn kind() -> selvedge::event::Kind {
            selvedge::event::Kind::literal(
                ::core::concat!(::core::env!("CARGO_PKG_NAME"), "::", "Start"),
            )
        }
        fn encodable(
            &self,
        ) -> ::core::option::Option<&dyn selvedge::event::payload::generated::Encodable> {
            use selvedge::event::payload::generated::*;
            Probe(self).probe()
        }
    }
    "#);
}

#[test]
fn a_version_is_a_constant() {
    let written = check("#[event(crate = selvedge, version = 2)] struct Start;");
    assert!(written.contains("const VERSION: u32 = 2;"), "{written}");
}

#[test]
fn older_versions_are_read_by_a_function_of_the_users() {
    let written =
        check("#[event(crate = selvedge, version = 2, upgrade = old::read)] struct Start;");
    let call = "old::read(version, json).map_err(::core::convert::Into::into)";
    assert!(written.contains(call), "{written}");
    let refused = check("#[event(crate = selvedge, upgrade = old::read)] struct Start;");
    assert!(refused.contains("nothing older than version 1 to read"), "{refused}");
}

#[test]
fn a_child_delegates_to_its_base() {
    let code = "
        #[event(crate = selvedge, name = \"b\", extends = A)]
        struct B(u8, #[base] A);
    ";
    assert_snapshot!(check(code), @r#"
    #[automatically_derived]
    impl selvedge::event::Payload for B {
        const COPIES: ::core::option::Option<selvedge::event::payload::Copies<Self>> = {
            use selvedge::event::payload::generated::*;
            Copyable::<Self>::COPIES
        };
        fn kind() -> selvedge::event::Kind {
            selvedge::event::Kind::literal("b")
        }
        const EXTENDS: bool = true;
        fn ancestors() -> ::std::vec::Vec<selvedge::event::Kind> {
            let mut ancestors = ::std::vec![< A as selvedge::event::Payload > ::kind()];
            ancestors.extend(<A as selvedge::event::Payload>::ancestors());
            ancestors
        }
        fn view(
            &self,
            wanted: ::core::any::TypeId,
        ) -> ::core::option::Option<&dyn ::core::any::Any> {
            if wanted == ::core::any::TypeId::of::<Self>() {
                return ::core::option::Option::Some(self);
            }
            <A as selvedge::event::Payload>::view(
                selvedge::event::payload::generated::base::<_, A>(&self.1),
                wanted,
            )
        }
        const CARRIES_KEY: bool = <A as selvedge::event::Payload>::CARRIES_KEY;
        fn key(&self) -> ::core::option::Option<selvedge::event::Key> {
            <A as selvedge::event::Payload>::key(
                selvedge::event::payload::generated::base::<_, A>(&self.1),
            )
        }
        fn heap_bytes(&self) -> usize {
            <A as selvedge::event::Payload>::heap_bytes(
                selvedge::event::payload::generated::base::<_, A>(&self.1),
            )
        }
        fn encodable(
            &self,
        ) -> ::core::option::Option<&dyn selvedge::event::payload::generated::Encodable> {
            use selvedge::event::payload::generated::*;
            Probe(self).probe()
        }
    }
    "#);
}

#[test]
fn an_enum_finds_the_key_in_each_variant() {
    let code = "
        #[event(crate = selvedge, heap_bytes = size)]
        enum Order { Placed { #[key] id: u64 }, Lost(u8, #[key] String), Closed }
    ";
    assert_snapshot!(check(code), @r#"
    #[automatically_derived]
    impl selvedge::event::Payload for Order {
        const COPIES: ::core::option::Option<selvedge::event::payload::Copies<Self>> = {
            use selvedge::event::payload::generated::*;
            Copyable::<Self>::COPIES
        };
        fn kind() -> selvedge::event::Kind {
            selvedge::event::Kind::literal(
                ::core::concat!(::core::env!("CARGO_PKG_NAME"), "::", "Order"),
            )
        }
        const CARRIES_KEY: bool = true;
        fn key(&self) -> ::core::option::Option<selvedge::event::Key> {
            match self {
                Self::Placed { id: key, .. } => {
                    ::core::option::Option::Some(
                        selvedge::event::payload::generated::key::<_>(key),
                    )
                }
                Self::Lost { 1: key, .. } => {
                    ::core::option::Option::Some(
                        selvedge::event::payload::generated::key::<_>(key),
                    )
                }
                _ => ::core::option::Option::None,
            }
        }
        fn heap_bytes(&self) -> usize {
            size(self)
        }
        fn encodable(
            &self,
        ) -> ::core::option::Option<&dyn selvedge::event::payload::generated::Encodable> {
            use selvedge::event::payload::generated::*;
            Probe(self).probe()
        }
    }
    "#);
}

#[test]
fn a_generic_event_asks_its_parameters_for_their_kinds() {
    let code = "
        #[event(crate = selvedge, name = \"batch\")]
        struct Batch<T, const N: usize>([T; N]) where T: Clone;
    ";
    assert_snapshot!(check(code), @r#"
    #[automatically_derived]
    impl<T, const N: usize> selvedge::event::Payload for Batch<T, N>
    where
        T: Clone,
        T: selvedge::event::Payload,
    {
        const COPIES: ::core::option::Option<selvedge::event::payload::Copies<Self>> = {
            use selvedge::event::payload::generated::*;
            Copyable::<Self>::COPIES
        };
        fn kind() -> selvedge::event::Kind {
            selvedge::event::Kind::from(
                ::std::format!(
                    "{}<{},{}>", "batch", < T as selvedge::event::Payload > ::kind(), N
                ),
            )
        }
        fn encodable(
            &self,
        ) -> ::core::option::Option<&dyn selvedge::event::payload::generated::Encodable> {
            use selvedge::event::payload::generated::*;
            Probe(self).probe()
        }
    }
    "#);
}

#[test]
fn a_set_is_checked_where_the_compiler_knows_whether_it_is_serialized() {
    let code = "#[event(crate = selvedge)] struct Tags(std::collections::HashSet<u8>);";
    assert_snapshot!(check(code), @r#"
    #[automatically_derived]
    impl selvedge::event::Payload for Tags {
        const COPIES: ::core::option::Option<selvedge::event::payload::Copies<Self>> = {
            use selvedge::event::payload::generated::*;
            Copyable::<Self>::COPIES
        };
        fn kind() -> selvedge::event::Kind {
            selvedge::event::Kind::literal(
                ::core::concat!(::core::env!("CARGO_PKG_NAME"), "::", "Tags"),
            )
        }
        fn encodable(
            &self,
        ) -> ::core::option::Option<&dyn selvedge::event::payload::generated::Encodable> {
            use selvedge::event::payload::generated::*;
            Probe(self).probe()
        }
    }
    const _: () = {
        use selvedge::event::payload::generated::*;
        ::core::assert!(
            ! < Serializable < Tags >> ::YES,
            "a hash set in the event `Tags` has no order, so its digest would change from run to run: use a `BTreeSet`, mark the field `#[serde(with = \"selvedge::digest::set\")]`, or wrap the set in `selvedge::digest::set::Set`"
        )
    };
    "#);
}
