//! Owns the events that the runtime itself emits: `Init`, `Phase`, `Poison`.
//!
//! A processor hears them by naming them, like any other event; a catch-all does not hear them, or
//! a relay that forwards everything would keep the phases going for ever.

use serde::{Deserialize, Serialize};

use crate::payload::{Copies, Payload};
use crate::topic::Kind;

/// Before any other event, once per processor that names it, in order of registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Init;

/// The pipeline has drained: time to flush what was gathered. Numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Which phase this is, from 1.
    pub number: u32,
}

/// The run comes to its end: after this come only events that this caused, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poison {
    /// How the run came to its end; a sink keeps its output only when it was
    /// [completed](Ending::Completed).
    pub ending: Ending,
}

/// How a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ending {
    /// Everything was handled.
    Completed,
    /// Someone asked for an early stop: what had been accepted was handled, the rest never came.
    Stopped,
    /// SIGINT or SIGTERM asked for an early stop.
    Interrupted,
}

macro_rules! lifecycle_kind {
    ($($type:ident => $kind:literal),*) => {
        $(impl Payload for $type {
            const COPIES: Option<Copies<Self>> = Some(Copies::new());

            fn kind() -> Kind {
                Kind::literal($kind)
            }
            fn encodable(&self) -> Option<&dyn erased_serde::Serialize> {
                Some(self)
            }
        })*

        /// Whether events of this kind are the runtime's own.
        #[must_use]
        pub fn is_lifecycle(kind: &Kind) -> bool {
            matches!(kind.as_str(), $($kind)|*)
        }
    };
}

lifecycle_kind! {
    Init => "selvedge::Init",
    Phase => "selvedge::Phase",
    Poison => "selvedge::Poison"
}
