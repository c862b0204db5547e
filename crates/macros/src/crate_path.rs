//! Owns the question where generated code finds `selvedge-event`. Refuses to guess: a crate that
//! depends on neither the facade nor `selvedge-event` has to say so with `crate = path`.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Error, Path, Result};

/// The path of `selvedge-event`, as seen from the crate being compiled.
///
/// `named` is the user's `crate = path`: a stand-in for the facade, under which `event` is found.
pub(crate) fn event_crate(named: Option<&Path>) -> Result<TokenStream> {
    if let Some(path) = named {
        return Ok(quote!(#path::event));
    }
    if let Some(facade) = found("selvedge") {
        return Ok(quote!(#facade::event));
    }
    found("selvedge-event").ok_or_else(|| {
        Error::new(
            Span::call_site(),
            "`selvedge` is not among the dependencies: add it to Cargo.toml, or say where it is \
             with `crate = path` (a path that leads to a module `event`)",
        )
    })
}

/// The extern path of a package that the crate being compiled depends on, or is.
///
/// A package's own library, tests, examples and doctests are told apart badly from here, so all of
/// them use the extern name: its `lib.rs` says `extern crate self as …`.
fn found(package: &str) -> Option<TokenStream> {
    let name = match crate_name(package).ok()? {
        FoundCrate::Itself => package.replace('-', "_"),
        FoundCrate::Name(name) => name,
    };
    let name = format_ident!("{name}");
    Some(quote!(::#name))
}
