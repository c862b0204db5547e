//! `#[derive(Event)]`, `#[processor]`, `#[builder]` and `#[node]`: kinds, interests, inputs and
//! signatures read from the code.
//!
//! Everything is decided at compile time; what the macros generate is plain code against
//! `selvedge-event`, with no `unsafe` in it. Knows nothing about any other crate at run time.
//!
//! Users get the macros from where their interfaces live: [`macro@Event`] from `selvedge-event`,
//! [`macro@processor`] from `selvedge-runtime`, [`macro@builder`] from `selvedge-reactive`,
//! [`macro@node`] from `selvedge-flow`, all from the facade.
//!
//! Reading order: `event`, then `processor` with `processor/pattern` and `processor/body`,
//! then `signature`.

#![forbid(unsafe_code)]

mod builder;
mod crate_path;
mod event;
mod node;
mod processor;
mod signature;
mod written;

use proc_macro::TokenStream;

// A procedural macro must be defined at the root of its crate; all of them only hand over.

#[doc = include_str!("../docs/event.md")]
#[proc_macro_derive(Event, attributes(event, base, key))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    event::derive(input.into()).into()
}

#[doc = include_str!("../docs/processor.md")]
#[proc_macro_attribute]
pub fn processor(options: TokenStream, item: TokenStream) -> TokenStream {
    processor::expand(options.into(), &item.into()).into()
}

#[doc = include_str!("../docs/builder.md")]
#[proc_macro_attribute]
pub fn builder(options: TokenStream, item: TokenStream) -> TokenStream {
    builder::expand(options.into(), &item.into()).into()
}

#[doc = include_str!("../docs/node.md")]
#[proc_macro_attribute]
pub fn node(options: TokenStream, item: TokenStream) -> TokenStream {
    node::expand(options.into(), &item.into()).into()
}

#[doc = include_str!("../docs/signed.md")]
#[proc_macro_attribute]
pub fn signed(options: TokenStream, item: TokenStream) -> TokenStream {
    signature::expand_signed(options.into(), &item.into()).into()
}
