//! Owns `#[derive(Event)]`: writes `Payload` for the user's type. Refuses what has no stable kind
//! or no stable digest.

mod fields;
mod options;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, GenericParam, Generics, Result, Type};

use crate::crate_path;
use fields::{Keys, Marked, Place};
use options::Options;

/// Expands `#[derive(Event)]`.
pub(crate) fn derive(input: TokenStream) -> TokenStream {
    syn::parse2(input)
        .and_then(|input| implementation(&input))
        .unwrap_or_else(Error::into_compile_error)
}

fn implementation(input: &DeriveInput) -> Result<TokenStream> {
    if let Data::Union(data) = &input.data {
        return Err(Error::new(
            data.union_token.span,
            "a union can't be an event: nothing says which of its fields holds the value",
        ));
    }
    let options = Options::read(&input.attrs)?;
    let marked = fields::read(&input.data, &options, &input.ident)?;
    let event = crate_path::event_crate(options.krate.as_ref())?;
    let items = [
        copies(&event),
        version(&options),
        upgrade(&options),
        kind(input, &options, &event)?,
        descent(&options, &marked, &event),
        key(&options, &marked, &event),
        heap_bytes(&options, &marked, &event),
        encodable(&event),
    ];
    let set_checks = fields::set_checks(input, &event)?;

    let generics = with_payload_bounds(&input.generics, &event);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let ident = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #event::Payload for #ident #type_generics #where_clause {
            #(#items)*
        }
        #set_checks
    })
}

/// Adds `T: Payload` for every type parameter: the kind is made of the parameters' kinds.
fn with_payload_bounds(generics: &Generics, event: &TokenStream) -> Generics {
    let mut bounded = generics.clone();
    for parameter in generics.type_params() {
        let ident = &parameter.ident;
        let bound = syn::parse_quote!(#ident: #event::Payload);
        bounded.make_where_clause().predicates.push(bound);
    }
    bounded
}

/// Whether small values may lie in the event itself: decided where the type's traits are known.
fn copies(event: &TokenStream) -> TokenStream {
    quote! {
        const COPIES: ::core::option::Option<#event::payload::Copies<Self>> = {
            use #event::payload::generated::*;
            Copyable::<Self>::COPIES
        };
    }
}

/// Which version of its serialized form the type has, if that was said.
fn version(options: &Options) -> TokenStream {
    options
        .version
        .as_ref()
        .map(|version| quote!(const VERSION: u32 = #version;))
        .into_iter()
        .collect()
}

/// How older versions are read, if that was said.
fn upgrade(options: &Options) -> TokenStream {
    let Some(function) = &options.upgrade else { return TokenStream::new() };
    quote! {
        fn upgrade(
            version: u32,
            json: &str,
        ) -> ::core::option::Option<
            ::core::result::Result<
                Self,
                ::std::boxed::Box<
                    dyn ::std::error::Error + ::core::marker::Send + ::core::marker::Sync,
                >,
            >,
        > {
            ::core::option::Option::Some(
                #function(version, json).map_err(::core::convert::Into::into),
            )
        }
    }
}

fn kind(input: &DeriveInput, options: &Options, event: &TokenStream) -> Result<TokenStream> {
    if let Some(lifetime) = input.generics.lifetimes().next() {
        return Err(Error::new(
            lifetime.span(),
            "an event owns its data, since whoever hears it may keep it: it can't have lifetime \
             parameters",
        ));
    }
    let mut parameters = Vec::new();
    for parameter in &input.generics.params {
        match parameter {
            GenericParam::Type(parameter) => {
                let ident = &parameter.ident;
                parameters.push(quote!(<#ident as #event::Payload>::kind()));
            }
            GenericParam::Const(parameter) => {
                let ident = &parameter.ident;
                parameters.push(quote!(#ident));
            }
            _ => {}
        }
    }
    let ident = input.ident.unraw().to_string();
    let body = match (&options.name, parameters.is_empty()) {
        (Some(name), true) => quote!(#event::Kind::literal(#name)),
        (None, true) => quote! {
            #event::Kind::literal(
                ::core::concat!(::core::env!("CARGO_PKG_NAME"), "::", #ident)
            )
        },
        (Some(name), false) => {
            let format = format!("{{}}<{}>", vec!["{}"; parameters.len()].join(","));
            quote!(#event::Kind::from(::std::format!(#format, #name, #(#parameters),*)))
        }
        (None, false) => {
            return Err(Error::new_spanned(
                &input.generics,
                format!(
                    "a generic event needs a name of its own, to which its parameters' kinds are \
                     appended: add `#[event(name = \"…::{ident}\")]`; type parameters must be \
                     events too"
                ),
            ));
        }
    };
    Ok(quote! {
        fn kind() -> #event::Kind {
            #body
        }
    })
}

/// `EXTENDS`, `ancestors` and `view`: the event seen as what it extends.
fn descent(options: &Options, marked: &Marked<'_>, event: &TokenStream) -> TokenStream {
    let (Some(parent), Some(base)) = (&options.extends, &marked.base) else {
        return TokenStream::new();
    };
    let base = base_field(parent, base, event);
    quote! {
        const EXTENDS: bool = true;

        fn ancestors() -> ::std::vec::Vec<#event::Kind> {
            let mut ancestors = ::std::vec![<#parent as #event::Payload>::kind()];
            ancestors.extend(<#parent as #event::Payload>::ancestors());
            ancestors
        }

        fn view(
            &self,
            wanted: ::core::any::TypeId,
        ) -> ::core::option::Option<&dyn ::core::any::Any> {
            if wanted == ::core::any::TypeId::of::<Self>() {
                return ::core::option::Option::Some(self);
            }
            <#parent as #event::Payload>::view(#base, wanted)
        }
    }
}

/// The base field as a `&Parent`; a field of another type is an error at that type.
fn base_field(parent: &Type, base: &Place<'_>, event: &TokenStream) -> TokenStream {
    let member = &base.member;
    let convert = quote_spanned!(base.ty.span()=> #event::payload::generated::base::<_, #parent>);
    quote!(#convert(&self.#member))
}

fn key(options: &Options, marked: &Marked<'_>, event: &TokenStream) -> TokenStream {
    let body = match &marked.keys {
        Keys::None => {
            let (Some(parent), Some(base)) = (&options.extends, &marked.base) else {
                return TokenStream::new();
            };
            let base = base_field(parent, base, event);
            return quote! {
                const CARRIES_KEY: bool = <#parent as #event::Payload>::CARRIES_KEY;

                fn key(&self) -> ::core::option::Option<#event::Key> {
                    <#parent as #event::Payload>::key(#base)
                }
            };
        }
        Keys::Field(Place { member, ty }) => {
            let convert = quote_spanned!(ty.span()=> #event::payload::generated::key::<_>);
            quote!(::core::option::Option::Some(#convert(&self.#member)))
        }
        Keys::Variants { keyed, all } => {
            let arms = keyed.iter().map(|(variant, Place { member, ty })| {
                let convert = quote_spanned!(ty.span()=> #event::payload::generated::key::<_>);
                quote! {
                    Self::#variant { #member: key, .. } => {
                        ::core::option::Option::Some(#convert(key))
                    }
                }
            });
            let others = (!all).then(|| quote!(_ => ::core::option::Option::None,));
            quote!(match self { #(#arms)* #others })
        }
    };
    quote! {
        const CARRIES_KEY: bool = true;

        fn key(&self) -> ::core::option::Option<#event::Key> {
            #body
        }
    }
}

fn heap_bytes(options: &Options, marked: &Marked<'_>, event: &TokenStream) -> TokenStream {
    let bytes = match (&options.heap_bytes, &options.extends, &marked.base) {
        (Some(function), ..) => quote!(#function(self)),
        (None, Some(parent), Some(base)) => {
            let base = base_field(parent, base, event);
            quote!(<#parent as #event::Payload>::heap_bytes(#base))
        }
        _ => return TokenStream::new(),
    };
    quote! {
        fn heap_bytes(&self) -> usize {
            #bytes
        }
    }
}

fn encodable(event: &TokenStream) -> TokenStream {
    quote! {
        fn encodable(
            &self,
        ) -> ::core::option::Option<&dyn #event::payload::generated::Encodable> {
            use #event::payload::generated::*;
            Probe(self).probe()
        }
    }
}

#[cfg(test)]
mod tests;
