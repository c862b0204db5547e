//! Owns what may stand in `#[event(…)]`.

use syn::{Attribute, LitInt, LitStr, Path, Result, Token, Type};

/// What the user said in `#[event(…)]`.
#[derive(Default)]
pub(super) struct Options {
    pub(super) krate: Option<Path>,
    pub(super) name: Option<LitStr>,
    pub(super) extends: Option<Type>,
    pub(super) heap_bytes: Option<Path>,
    pub(super) version: Option<LitInt>,
    pub(super) upgrade: Option<Path>,
}

impl Options {
    /// Reads every `#[event(…)]` on the type; each option may be given once.
    pub(super) fn read(attributes: &[Attribute]) -> Result<Options> {
        let mut options = Options::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("event")) {
            attribute.parse_nested_meta(|meta| {
                let twice = if meta.path.is_ident("crate") {
                    options.krate.replace(meta.value()?.call(Path::parse_mod_style)?).is_some()
                } else if meta.path.is_ident("name") {
                    options.name.replace(meta.value()?.parse()?).is_some()
                } else if meta.path.is_ident("extends") {
                    options.extends.replace(meta.value()?.parse()?).is_some()
                } else if meta.path.is_ident("heap_bytes") {
                    options.heap_bytes.replace(meta.value()?.parse()?).is_some()
                } else if meta.path.is_ident("version") {
                    let version: LitInt = meta.value()?.parse()?;
                    version.base10_parse::<u32>()?;
                    options.version.replace(version).is_some()
                } else if meta.path.is_ident("upgrade") {
                    options.upgrade.replace(meta.value()?.parse()?).is_some()
                } else {
                    if meta.input.peek(Token![=]) {
                        meta.value()?.parse::<syn::Expr>()?;
                    }
                    return Err(meta.error(
                        "unknown option: `#[event]` knows `crate`, `extends`, `heap_bytes`, \
                         `name`, `upgrade` and `version`; a field is marked with `#[base]` or \
                         `#[key]`",
                    ));
                };
                if twice { Err(meta.error("this option is given twice")) } else { Ok(()) }
            })?;
        }
        if let (Some(upgrade), None) = (&options.upgrade, &options.version) {
            return Err(syn::Error::new_spanned(
                upgrade,
                "there is nothing older than version 1 to read: say `version = 2`, or more",
            ));
        }
        match &options.name {
            Some(name) if name.value().is_empty() => {
                Err(syn::Error::new(name.span(), "the name of a kind can't be empty"))
            }
            _ => Ok(options),
        }
    }
}
