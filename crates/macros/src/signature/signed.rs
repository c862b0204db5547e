//! Owns `#[signed]`: lets a function be named in `uses(…)`.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::parse::Parser;
use syn::{Error, Item, ItemFn, Path, Result, Token, Visibility, meta};

use super::{hash, read_uses};
use crate::crate_path;

/// Expands `#[signed]`.
pub(crate) fn expand(options: TokenStream, item: &TokenStream) -> TokenStream {
    match signed(options, item) {
        Ok(code) => quote!(#item #code),
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#error #item)
        }
    }
}

/// What stands beside the function: a module of its name, which is another namespace.
fn signed(options: TokenStream, item: &TokenStream) -> Result<TokenStream> {
    let (krate, uses) = read(options)?;
    let function: ItemFn = match syn::parse2(item.clone())? {
        Item::Fn(function) => function,
        other => return Err(Error::new_spanned(other, "`#[signed]` belongs on a function")),
    };
    let event = crate_path::event_crate(krate.as_ref())?;
    let (outer, name) = (&function.vis, &function.sig.ident);
    let inner = from_within(outer);
    let uses = uses.iter().map(path_from_within);
    let code = Literal::byte_string(&hash(item.clone()));
    Ok(quote! {
        #[doc(hidden)]
        #outer mod #name {
            #inner const CODE: #event::Used =
                #event::Used::of_code(*#code, &[#(&#uses::CODE),*]);
        }
    })
}

/// A visibility as it is written one module further in.
fn from_within(vis: &Visibility) -> TokenStream {
    match vis {
        Visibility::Inherited => quote!(pub(super)),
        Visibility::Public(_) => quote!(pub),
        Visibility::Restricted(restricted) if restricted.path.is_ident("self") => {
            quote!(pub(super))
        }
        Visibility::Restricted(restricted) if restricted.path.is_ident("crate") => quote!(#vis),
        Visibility::Restricted(restricted) => {
            let path = path_from_within(&restricted.path);
            quote!(pub(in #path))
        }
    }
}

/// A path as it is written one module further in.
fn path_from_within(path: &Path) -> TokenStream {
    let is_absolute = path.leading_colon.is_some()
        || path.segments.first().is_some_and(|first| first.ident == "crate");
    let is_own = path.segments.first().is_some_and(|first| first.ident == "self");
    if is_absolute {
        return quote!(#path);
    }
    let rest = path.segments.iter().skip(usize::from(is_own));
    quote!(super #(::#rest)*)
}

fn read(tokens: TokenStream) -> Result<(Option<Path>, Vec<Path>)> {
    let (mut krate, mut uses) = (None, None);
    let parser = meta::parser(|meta| {
        let twice = if meta.path.is_ident("crate") {
            krate.replace(meta.value()?.call(Path::parse_mod_style)?).is_some()
        } else if meta.path.is_ident("uses") {
            uses.replace(read_uses(&meta)?).is_some()
        } else {
            return Err(meta.error("unknown option: `#[signed]` knows `uses` and `crate`"));
        };
        if meta.input.is_empty() || meta.input.peek(Token![,]) {
            if twice { Err(meta.error("this option is given twice")) } else { Ok(()) }
        } else {
            Err(meta.input.error("expected `,`"))
        }
    });
    parser.parse2(tokens)?;
    Ok((krate, uses.unwrap_or_default()))
}
