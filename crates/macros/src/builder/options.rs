//! Owns what may stand in `#[builder(…)]`.

use proc_macro2::{Span, TokenStream};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Error, LitStr, Path, Result, Token, bracketed, meta};

use crate::signature::{check_uses, read_uses};

/// What the user said in `#[builder(…)]`.
pub(super) struct Options {
    pub(super) krate: Option<Path>,
    pub(super) version: Option<LitStr>,
    pub(super) uses: Vec<Path>,
    pub(super) provides: LitStr,
    pub(super) requires: Vec<LitStr>,
}

impl Options {
    pub(super) fn read(tokens: TokenStream) -> Result<Options> {
        let (mut krate, mut version, mut uses) = (None, None, Vec::new());
        let (mut provides, mut requires) = (None, None);
        let parser = meta::parser(|meta| {
            let twice = if meta.path.is_ident("crate") {
                krate.replace(meta.value()?.call(Path::parse_mod_style)?).is_some()
            } else if meta.path.is_ident("version") {
                version.replace(meta.value()?.parse()?).is_some()
            } else if meta.path.is_ident("uses") {
                !std::mem::replace(&mut uses, read_uses(&meta)?).is_empty()
            } else if meta.path.is_ident("provides") {
                provides.replace(meta.value()?.parse()?).is_some()
            } else if meta.path.is_ident("requires") {
                let value = meta.value()?;
                let names;
                bracketed!(names in value);
                let names = Punctuated::<LitStr, Token![,]>::parse_terminated(&names)?;
                requires.replace(names.into_iter().collect()).is_some()
            } else {
                return Err(meta.error(
                    "unknown option: `#[builder]` knows `provides`, `requires`, `version`, \
                     `uses` and `crate`",
                ));
            };
            if meta.input.is_empty() || meta.input.peek(Token![,]) {
                if twice { Err(meta.error("this option is given twice")) } else { Ok(()) }
            } else {
                Err(meta.input.error("expected `,`"))
            }
        });
        parser.parse2(tokens)?;
        check_uses(version.as_ref(), &uses)?;
        let Some(provides) = provides else {
            return Err(Error::new(
                Span::call_site(),
                "say what is built: `#[builder(provides = \"x\", requires = [\"a\", \"b\"])]`",
            ));
        };
        Ok(Options { krate, version, uses, provides, requires: requires.unwrap_or_default() })
    }
}
