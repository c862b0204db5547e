//! What changes a processor's signature, and what doesn't.

use selvedge_event::{Event, Signature};
use selvedge_runtime::{Context, Processor, Result, processor};

#[derive(Event)]
struct Tick(u64);

/// The signature of a processor with this impl block; every one is called `Subject`.
macro_rules! signature {
    ([$($options:tt)*] $($block:tt)*) => {{
        struct Subject(u64);

        #[processor($($options)*)]
        $($block)*
        Subject(0).signature()
    }};
}

fn plain() -> Option<Signature> {
    signature! {
        []
        impl Processor for Subject {
            fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
                match event {
                    Tick(n) => self.0 += n,
                }
                Ok(())
            }
        }
    }
}

#[test]
fn layout_and_comments_keep_it() {
    #[rustfmt::skip]
    let other = signature! {
        []
        impl Processor
        for Subject {
            /// Counts ticks.
            fn process(&mut self, _: &mut Context<'_ >, event : &Event)->Result {
                // One arm is enough.
                match event { Tick( n ) /* n is the step */ => self.0+=n, } Ok( () )
            }
        }
    };
    assert_eq!(plain(), other);
    assert!(other.is_some_and(|signature| signature.to_string().starts_with("code b3:")));
}

#[test]
fn code_changes_it() {
    let other = signature! {
        []
        impl Processor for Subject {
            fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
                match event {
                    Tick(n) => self.0 -= n,
                }
                Ok(())
            }
        }
    };
    assert_ne!(plain(), other);
}

#[test]
fn a_version_stands_in_for_it() {
    let declared = signature! {
        [version = "2"]
        impl Processor for Subject {
            fn process(&mut self, _: &mut Context<'_>, _: &Event) -> Result {
                self.0 += 1;
                Ok(())
            }
        }
    };
    assert_eq!(declared, Some(Signature::of_version("selvedge-tests::Subject", "2")));
    let by_hand = signature! {
        []
        impl Processor for Subject {
            fn process(&mut self, _: &mut Context<'_>, _: &Event) -> Result {
                self.0 += 1;
                Ok(())
            }

            fn signature(&self) -> Option<Signature> {
                Some(Signature::of_version("Subject", "by hand"))
            }
        }
    };
    assert_eq!(by_hand, Some(Signature::of_version("Subject", "by hand")));
}
