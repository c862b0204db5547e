//! Nobody can claim to be `Copy` without being so: payloads are copied bit by bit on this proof.

use selvedge_event::payload::Copies;
use selvedge_event::{Kind, Payload};

struct Owned(String);

impl Payload for Owned {
    const COPIES: Option<Copies<Self>> = Some(Copies::new());

    fn kind() -> Kind {
        Kind::literal("owned")
    }
}

#[derive(Clone, Copy)]
struct Plain;

impl Payload for Plain {
    const COPIES: Option<Copies<Self>> = Some(Copies::<u8>::new());

    fn kind() -> Kind {
        Kind::literal("plain")
    }
}

/// The parameter may own something.
struct Either<T>(T);

impl<T: Payload> Payload for Either<T> {
    const COPIES: Option<Copies<Self>> = Some(Copies::new());

    fn kind() -> Kind {
        Kind::literal("either")
    }
}

/// A proof is not taken apart, put together, or passed on to a subtype.
fn subtype(proof: Copies<for<'a> fn(&'a u8)>) -> Copies<fn(&'static u8)> {
    proof
}

fn main() {
    let _ = Copies::<String>(std::marker::PhantomData);
    let _ = Copies::<String>::default();
}
