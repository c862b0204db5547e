//! Owns the marks on fields: `#[base]`, `#[key]`, and the sets that have no order to hash in.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, Ident, Index, Member, Meta, Result, Type,
};

use super::options::Options;

/// Where a marked field is, and of what type.
pub(super) struct Place<'a> {
    pub(super) member: Member,
    pub(super) ty: &'a Type,
}

/// The fields that the user marked.
pub(super) struct Marked<'a> {
    pub(super) base: Option<Place<'a>>,
    pub(super) keys: Keys<'a>,
}

/// Where the key is found.
pub(super) enum Keys<'a> {
    None,
    Field(Place<'a>),
    /// One key each for these variants; `all` if there are no others.
    Variants {
        keyed: Vec<(&'a Ident, Place<'a>)>,
        all: bool,
    },
}

/// Reads the marks and checks them against `#[event(extends = …)]`.
pub(super) fn read<'a>(data: &'a Data, options: &Options, ident: &Ident) -> Result<Marked<'a>> {
    match data {
        Data::Struct(data) => {
            let base = only(&data.fields, "base", "an event extends one parent")?;
            let key = only(&data.fields, "key", "an event concerns one key")?;
            match (&options.extends, &base) {
                (Some(parent), None) => {
                    let shown = shown(parent);
                    return Err(Error::new_spanned(
                        parent,
                        format!(
                            "`{ident}` extends `{shown}`, so it needs a field of that type marked \
                             `#[base]`: listeners on `{shown}` see that field"
                        ),
                    ));
                }
                (None, Some(base)) => {
                    return Err(Error::new_spanned(
                        base.ty,
                        format!(
                            "a field marked `#[base]` needs `#[event(extends = {})]` on the type",
                            shown(base.ty)
                        ),
                    ));
                }
                _ => {}
            }
            Ok(Marked { base, keys: key.map_or(Keys::None, Keys::Field) })
        }
        Data::Enum(data) => {
            if let Some(parent) = &options.extends {
                return Err(Error::new_spanned(
                    parent,
                    "an enum can't extend an event: no field is there in all its variants. Make \
                     it a field of a struct that extends the event",
                ));
            }
            let mut keyed = Vec::new();
            for variant in &data.variants {
                if let Some(base) = only(&variant.fields, "base", "an event extends one parent")? {
                    return Err(Error::new_spanned(
                        base.ty,
                        "`#[base]` is for structs: an enum can't extend an event",
                    ));
                }
                let key = only(&variant.fields, "key", "an event concerns one key")?;
                keyed.extend(key.map(|place| (&variant.ident, place)));
            }
            let all = keyed.len() == data.variants.len();
            let keys = if keyed.is_empty() { Keys::None } else { Keys::Variants { keyed, all } };
            Ok(Marked { base: None, keys })
        }
        Data::Union(_) => Ok(Marked { base: None, keys: Keys::None }),
    }
}

/// The one field with this mark, if there is one.
fn only<'a>(fields: &'a Fields, mark: &str, why: &str) -> Result<Option<Place<'a>>> {
    let mut found = None;
    for (index, field) in fields.iter().enumerate() {
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident(mark)) {
            if !matches!(attribute.meta, Meta::Path(_)) {
                let message = format!("`#[{mark}]` stands alone: it has no options");
                return Err(Error::new_spanned(attribute, message));
            }
            if found.is_some() {
                return Err(Error::new_spanned(
                    attribute,
                    format!("a second field marked `#[{mark}]`: {why}"),
                ));
            }
            let member = match &field.ident {
                Some(ident) => Member::Named(ident.clone()),
                None => Member::Unnamed(Index::from(index)),
            };
            found = Some(Place { member, ty: &field.ty });
        }
    }
    Ok(found)
}

/// The checks that keep sets out of serializable events: a set has no order to hash in, so its
/// digest would differ from run to run.
///
/// A derive doesn't see whether its type is serializable, so for types without parameters the
/// compiler is asked; generic ones can't be asked and are refused outright.
pub(super) fn set_checks(input: &DeriveInput, event: &TokenStream) -> Result<TokenStream> {
    let fields: Vec<&Field> = match &input.data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| &variant.fields).collect(),
        Data::Union(_) => Vec::new(),
    };
    let unordered = |field: &&Field| {
        holds_hash_set(field.ty.to_token_stream()) && !field.attrs.iter().any(is_serialized_apart)
    };
    let mut checks = TokenStream::new();
    for field in fields.into_iter().filter(unordered) {
        let ident = &input.ident;
        let message = format!(
            "a hash set in the event `{ident}` has no order, so its digest would change from run \
             to run: use a `BTreeSet`, mark the field `#[serde(with = \"selvedge::digest::set\")]`, or \
             wrap the set in `selvedge::digest::set::Set`"
        );
        if !input.generics.params.is_empty() {
            return Err(Error::new_spanned(&field.ty, message));
        }
        checks.extend(quote_spanned! {field.ty.span()=>
            const _: () = {
                use #event::payload::generated::*;
                ::core::assert!(!<Serializable<#ident>>::YES, #message)
            };
        });
    }
    Ok(checks)
}

/// Whether the type mentions a `HashSet`, or a relative of another hasher, outside of a `Set<…>`,
/// which has an order for its digest.
fn holds_hash_set(ty: TokenStream) -> bool {
    let mut tokens = ty.into_iter().peekable();
    let is = |token: Option<&TokenTree>, wanted| match token {
        Some(TokenTree::Punct(punct)) => punct.as_char() == wanted,
        _ => false,
    };
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == "Set" && is(tokens.peek(), '<') => {
                let mut depth = 0_usize;
                for token in tokens.by_ref() {
                    depth += usize::from(is(Some(&token), '<'));
                    depth -= usize::from(is(Some(&token), '>'));
                    if depth == 0 {
                        break;
                    }
                }
            }
            TokenTree::Ident(ident) if ident.to_string().ends_with("HashSet") => return true,
            TokenTree::Group(group) if holds_hash_set(group.stream()) => return true,
            _ => {}
        }
    }
    false
}

/// Whether serde was told to write the field in another way, or not at all.
fn is_serialized_apart(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else { return false };
    list.path.is_ident("serde")
        && list.tokens.clone().into_iter().any(|token| match token {
            TokenTree::Ident(word) => ["with", "serialize_with", "skip", "skip_serializing"]
                .contains(&word.to_string().as_str()),
            _ => false,
        })
}

/// A type as people write it.
fn shown(ty: &Type) -> String {
    quote!(#ty).to_string().replace(' ', "")
}
