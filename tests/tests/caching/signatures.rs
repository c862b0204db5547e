//! What a result is known by: code, version and constants.

use super::*;

/// One processor in several writings, each in a module of its own.
macro_rules! imports {
    () => {
        use crate::caching::{Calls, Length, Word};
        use selvedge::prelude::*;
    };
}

mod original {
    imports!();
    #[derive(serde::Serialize)]
    pub(super) struct Measure {
        #[serde(skip)]
        pub(super) calls: Calls,
    }

    #[processor]
    impl CachedProcessor for Measure {
        type Emits = Length;

        fn process(&self, cx: &mut Context<'_>, event: &Event) -> Result {
            match event {
                Word(text) => {
                    self.calls.count();
                    cx.emit(Length(text.len()));
                }
            }
            Ok(())
        }
    }
}

mod respaced {
    imports!();
    #[derive(serde::Serialize)]
    pub(super) struct Measure {
        #[serde(skip)]
        pub(super) calls: Calls,
    }

    #[rustfmt::skip]
    mod skipped {
        use super::*;
        #[processor]
        impl CachedProcessor for Measure
        {
            // The same, with a remark.
            type Emits = Length;
            /// And another.
            fn process(&self, cx: &mut Context<'_>, event: &Event) -> Result {
                match event { Word(text) => { self.calls.count(); cx.emit(Length(text.len())); } }
                Ok( () )
            }
        }
    }
}

mod edited {
    imports!();
    #[derive(serde::Serialize)]
    pub(super) struct Measure {
        #[serde(skip)]
        pub(super) calls: Calls,
    }

    #[processor]
    impl CachedProcessor for Measure {
        type Emits = Length;

        fn process(&self, cx: &mut Context<'_>, event: &Event) -> Result {
            match event {
                Word(text) => {
                    self.calls.count();
                    cx.emit(Length(text.len() + 1));
                }
            }
            Ok(())
        }
    }
}

macro_rules! versioned {
    ($module:ident, $version:literal, $more:literal) => {
        mod $module {
            imports!();
            #[derive(serde::Serialize)]
            pub(super) struct Measure {
                #[serde(skip)]
                pub(super) calls: Calls,
            }

            #[processor(version = $version)]
            impl CachedProcessor for Measure {
                type Emits = Length;

                fn process(&self, cx: &mut Context<'_>, event: &Event) -> Result {
                    match event {
                        Word(text) => {
                            self.calls.count();
                            cx.emit(Length(text.len() + $more));
                        }
                    }
                    Ok(())
                }
            }
        }
    };
}
versioned!(second, "2", 0);
versioned!(second_edited, "2", 1);
versioned!(third, "3", 0);

/// Whether the body of the second runs after the first one's.
fn runs_again(first: impl CachedProcessor, second: impl CachedProcessor, calls: &Calls) -> bool {
    let store = memory();
    let before = calls.n();
    run(first.cached(), &store);
    assert_eq!(calls.n(), before + 1);
    run(second.cached(), &store);
    calls.n() == before + 2
}

fn run(cached: Registration<Cached<impl CachedProcessor>>, store: &Arc<dyn Store>) {
    let builder = Pipeline::builder().processor(cached).store(Arc::clone(store));
    let pipeline = builder.build().expect("the wiring is sound");
    pipeline.submit(word("ab")).expect("there is room");
    pipeline.run().expect("nothing fails");
}

#[test]
fn whitespace_keeps_the_hit_code_loses_it_and_a_version_overrides_both() {
    let calls = Calls::default();
    let c = || calls.clone();
    assert!(!runs_again(
        original::Measure { calls: c() },
        original::Measure { calls: c() },
        &calls
    ));
    assert!(!runs_again(
        original::Measure { calls: c() },
        respaced::Measure { calls: c() },
        &calls
    ));
    assert!(runs_again(original::Measure { calls: c() }, edited::Measure { calls: c() }, &calls));
    assert!(runs_again(original::Measure { calls: c() }, second::Measure { calls: c() }, &calls));
    assert!(!runs_again(
        second::Measure { calls: c() },
        second_edited::Measure { calls: c() },
        &calls
    ));
    assert!(runs_again(second::Measure { calls: c() }, third::Measure { calls: c() }, &calls));
}

#[test]
fn constants_tell_apart_and_what_is_skipped_does_not() {
    let speller = |upper| Speller { upper, calls: Calls::default() };
    let store = memory();
    for (upper, n) in [(false, 0), (true, 0), (false, 1), (true, 1)] {
        let (heard, report) = spell(speller(upper).cached(), Some(store.clone()), &["a"]);
        assert_eq!(n_replayed(&report), n);
        assert!(heard[0].contains(if upper { "\"A\"" } else { "\"a\"" }), "{heard:?}");
    }
}

#[test]
fn a_name_is_no_part_of_it() {
    let (store, calls) = (memory(), Calls::default());
    for name in ["one", "other"] {
        run(original::Measure { calls: calls.clone() }.cached().named(name), &store);
    }
    assert_eq!(calls.n(), 1);
}

#[test]
fn a_function_is_known_by_its_name_and_version() {
    let (store, calls) = (memory(), Calls::default());
    for (name, version, n) in [("a", "1", 1), ("a", "1", 1), ("a", "2", 2), ("b", "1", 3)] {
        let calls_in = calls.clone();
        let measure = on_cached(name, version, move |_: &mut Context<'_>, word: &Word| {
            calls_in.count();
            Ok((Letter('x'), Some(Length(word.0.len()))))
        });
        run(measure, &store);
        assert_eq!(calls.n(), n, "{name} {version}");
    }
}

/// The same processor, with a helper that uses another function; their code is the macro's.
macro_rules! with_helpers {
    ($name:ident, $helper:item, $inner:item) => {
        mod $name {
            use crate::caching::{Length, Word};
            use selvedge::prelude::*;

            pub(super) struct Measure;

            #[signed]
            $inner

            #[signed(uses(inner))]
            $helper

            #[processor(uses(self::helper))]
            impl CachedProcessor for Measure {
                type Emits = Length;

                fn process(&self, cx: &mut Context<'_>, event: &Event) -> Result {
                    match event {
                        Word(text) => cx.emit(Length(helper(text))),
                    }
                    Ok(())
                }
            }
        }
    };
}

with_helpers!(
    helped,
    fn helper(text: &str) -> usize {
        inner(text) + 1
    },
    fn inner(text: &str) -> usize {
        text.len()
    }
);
with_helpers!(
    helped_alike,
    /// With a remark.
    fn helper(text: &str) -> usize {
        inner(text) + 1
    },
    fn inner(text: &str) -> usize {
        text.len()
    }
);
with_helpers!(
    helper_edited,
    fn helper(text: &str) -> usize {
        inner(text) + 2
    },
    fn inner(text: &str) -> usize {
        text.len()
    }
);
with_helpers!(
    inner_edited,
    fn helper(text: &str) -> usize {
        inner(text) + 1
    },
    fn inner(text: &str) -> usize {
        text.chars().count()
    }
);

#[test]
fn code_that_is_used_counts_as_far_as_it_is_named() {
    let original = helped::Measure.signature().unwrap();
    assert_eq!(original, helped_alike::Measure.signature().unwrap());
    assert_ne!(original, helper_edited::Measure.signature().unwrap());
    assert_ne!(original, inner_edited::Measure.signature().unwrap());
}
