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
    layer("event", named)
}

/// The path of `selvedge-flow`; see [`event_crate`].
pub(crate) fn flow_crate(named: Option<&Path>) -> Result<TokenStream> {
    layer("flow", named)
}

/// The path of `selvedge-reactive`; see [`event_crate`].
pub(crate) fn reactive_crate(named: Option<&Path>) -> Result<TokenStream> {
    layer("reactive", named)
}

/// The path of a layer: a module of the facade, or a crate of its own.
fn layer(name: &str, named: Option<&Path>) -> Result<TokenStream> {
    let module = format_ident!("{name}");
    if let Some(path) = named {
        return Ok(quote!(#path::#module));
    }
    let own = || found(&format!("selvedge-{name}"));
    let facade = || found("selvedge").map(|facade| quote!(#facade::#module));
    facade().or_else(own).ok_or_else(|| {
        Error::new(
            Span::call_site(),
            format!(
                "`selvedge` is not among the dependencies: add it to Cargo.toml, or say where it \
                 is with `crate = path` (a path that leads to a module `{name}`)"
            ),
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
