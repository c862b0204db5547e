//! Events, topics, interests, digests and the facts a listener can be told.
//!
//! An [`Event`](struct@Event) is an immutable value with a [`Topic`]: its [`Kind`], its [`Name`]
//! and an optional [`Key`]. A processor's [`Interests`] say which topics it hears. Typed payloads
//! ([`#[derive(Event)]`](derive@Event)) and [`Dynamic`] ones route through the same tables.
//!
//! Knows nothing about threads, IO or clocks: everything here is a value.
//!
//! Reading order: [`topic`], [`payload`], [`event`], then [`digest`].

// `#[derive(Event)]` writes `::selvedge_event::…`, in this crate's own tests and examples too.
#[cfg_attr(not(test), expect(unused_extern_crates, reason = "only tests and examples derive"))]
extern crate self as selvedge_event;

pub mod codec;
pub mod digest;
pub mod dynamic;
pub mod event;
pub mod lifecycle;
pub mod outcome;
pub mod payload;
pub mod signature;
pub mod text;
pub mod topic;

pub use codec::Emits;
pub use digest::{Digest, DigestError};
pub use dynamic::Dynamic;
pub use event::{Event, IntoEvent, Named, Typed, Way};
pub use lifecycle::{Ending, Init, Phase, Poison};
pub use outcome::{Canceller, Fact, Outcome, Wants, Warning};
pub use payload::Payload;
/// Makes a type an event, with a kind, a key and a parent as declared.
///
/// ```
/// use selvedge_event::{Event, Interest, Key};
///
/// #[derive(Event)]
/// struct Sold {
///     #[key]
///     shop: u64,
///     price: u32,
/// }
///
/// #[derive(Event)]
/// #[event(name = "shop.sold-online", extends = Sold)]
/// struct SoldOnline {
///     #[base]
///     sold: Sold,
///     address: String,
/// }
///
/// let sold = Sold { shop: 3, price: 20 };
/// let event = Event::new(SoldOnline { sold, address: "Bag End".into() });
/// assert_eq!(event.kind(), "shop.sold-online");
/// assert_eq!(event.key(), Some(Key::from(3_u64)));
/// assert_eq!(event.payload::<Sold>().map(|sold| sold.price), Some(20));
/// assert!(Interest::of::<Sold>().hears(&event.topic(), &event.ancestors()));
/// ```
///
pub use selvedge_macros::Event;
pub use signature::{Code, Signature, SignatureError, Used};
pub use text::Text;
pub use topic::{CatchAll, Interest, Interests, Key, Kind, Name, SourceSpot, Topic};
