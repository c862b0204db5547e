//! Owns what may stand in `#[processor(…)]`.

use proc_macro2::TokenStream;
use syn::parse::Parser;
use syn::{Error, LitStr, Path, Result, Token, meta};

use crate::signature::{check_uses, read_uses};

/// What the user said in `#[processor(…)]`.
#[derive(Default)]
pub(super) struct Options {
    pub(super) krate: Option<Path>,
    pub(super) strict: Option<Path>,
    pub(super) version: Option<LitStr>,
    pub(super) uses: Vec<Path>,
}

impl Options {
    pub(super) fn read(tokens: TokenStream) -> Result<Options> {
        let mut options = Options::default();
        let parser = meta::parser(|meta| {
            let twice = if meta.path.is_ident("crate") {
                options.krate.replace(meta.value()?.call(Path::parse_mod_style)?).is_some()
            } else if meta.path.is_ident("strict") {
                options.strict.replace(meta.path.clone()).is_some()
            } else if meta.path.is_ident("version") {
                options.version.replace(meta.value()?.parse()?).is_some()
            } else if meta.path.is_ident("uses") {
                !std::mem::replace(&mut options.uses, read_uses(&meta)?).is_empty()
            } else {
                return Err(meta.error(
                    "unknown option: `#[processor]` knows `crate`, `strict`, `version` and `uses`",
                ));
            };
            if meta.input.is_empty() || meta.input.peek(Token![,]) {
                if twice { Err(meta.error("this option is given twice")) } else { Ok(()) }
            } else {
                Err(meta.input.error("expected `,`"))
            }
        });
        parser.parse2(tokens)?;
        check_uses(options.version.as_ref(), &options.uses)?;
        Ok(options)
    }

    /// Refuses options that would have nothing to act on.
    pub(super) fn check(&self, interests_by_hand: bool, signature_by_hand: bool) -> Result<()> {
        match (&self.strict, &self.version) {
            (Some(strict), _) if interests_by_hand => Err(Error::new_spanned(
                strict,
                "`strict` checks the interests that the macro reads, and here `fn interests` is \
                 written by hand: keep one of the two",
            )),
            (_, Some(version)) if signature_by_hand => Err(Error::new_spanned(
                version,
                "`version` is what `fn signature` returns, and here that is written by hand: keep \
                 one of the two",
            )),
            _ => Ok(()),
        }
    }
}
