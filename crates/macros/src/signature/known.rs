//! Owns the expression for a signature that a macro writes: of the code it has read, or of the
//! version that is declared in its place.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::{Error, LitStr, Path, Result, Token, parenthesized};

/// What is known of a piece of code.
pub(crate) struct Known<'a> {
    /// Whose version it is, if one is declared.
    pub(crate) subject: TokenStream,
    pub(crate) version: Option<&'a LitStr>,
    /// Functions that it uses.
    pub(crate) uses: &'a [Path],
    pub(crate) code: [u8; 32],
}

impl Known<'_> {
    /// The expression; `place` is where `Signature` is found.
    pub(crate) fn expression(&self, place: &TokenStream) -> TokenStream {
        let Known { subject, version, uses, code } = self;
        if let Some(version) = version {
            return quote! {
                #place::Signature::of_version(
                    ::core::concat!(
                        ::core::env!("CARGO_PKG_NAME"), "::", ::core::stringify!(#subject)
                    ),
                    #version,
                )
            };
        }
        let code = Literal::byte_string(code);
        let own = quote!(#place::Signature::of_code(*#code));
        if uses.is_empty() { own } else { quote!(#own.using(&[#(&#uses::CODE),*])) }
    }
}

/// Reads `uses(a, b::c)`.
pub(crate) fn read_uses(meta: &ParseNestedMeta<'_>) -> Result<Vec<Path>> {
    let paths;
    parenthesized!(paths in meta.input);
    let paths =
        Punctuated::<Path, Token![,]>::parse_terminated_with(&paths, Path::parse_mod_style)?;
    Ok(paths.into_iter().collect())
}

/// Refuses to follow code whose version is declared.
pub(crate) fn check_uses(version: Option<&LitStr>, uses: &[Path]) -> Result<()> {
    match (version, uses.first()) {
        (Some(_), Some(used)) => Err(Error::new_spanned(
            used,
            "a declared `version` stands for all that is used, too: keep one of the two",
        )),
        _ => Ok(()),
    }
}
