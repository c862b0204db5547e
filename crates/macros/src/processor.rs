//! Owns `#[processor]`: reads what a processor hears from the code of its turn. Refuses to guess:
//! what can't be read is an error that shows what to write instead.

mod alternatives;
mod body;
mod columns;
mod envelope;
mod looks;
mod options;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{
    Error, FnArg, Ident, ImplItem, ImplItemFn, Item, ItemImpl, Pat, PatType, Result, parse_quote,
};

use crate::signature::Known;
use crate::{crate_path, signature};
use body::Heard;
use options::Options;

/// Expands `#[processor]`.
pub(crate) fn expand(options: TokenStream, item: &TokenStream) -> TokenStream {
    let code = signature::hash(item.clone());
    let mut block = match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Impl(block)) => block,
        Ok(other) => {
            let error = Error::new_spanned(
                other,
                "`#[processor]` belongs on an impl block: `impl Processor for X { … }`",
            );
            let error = error.into_compile_error();
            return quote!(#error #item);
        }
        Err(error) => {
            let error = error.into_compile_error();
            return quote!(#error #item);
        }
    };
    match complete(options, &mut block, code) {
        Ok(()) => quote!(#block),
        Err(error) => {
            // The impl stays, without its turn: its absence would only add errors elsewhere.
            let error = error.into_compile_error();
            stub(&mut block);
            quote!(#error #block)
        }
    }
}

/// Rewrites the turn and adds what is not written by hand.
fn complete(options: TokenStream, block: &mut ItemImpl, code: [u8; 32]) -> Result<()> {
    let options = Options::read(options)?;
    let flavour = Flavour::of(block)?;
    let event_crate = crate_path::event_crate(options.krate.as_ref())?;
    let by_hand = |name| functions(block).find(|function| function.sig.ident == name);
    let interests_by_hand = by_hand("interests").is_some();
    let signature_by_hand = by_hand("signature").is_some();
    options.check(interests_by_hand, signature_by_hand)?;

    let turn = turn(block)?;
    let event = event_parameter(turn)?;
    let strict = options.strict.is_some();
    let heard = body::rewrite(&mut turn.block, event.as_ref(), &event_crate, strict)?;
    let heard = heard.or_everything_at(&turn.sig.ident, strict && !interests_by_hand)?;
    if !interests_by_hand {
        block.items.push(interests(&heard, &event_crate));
    }
    if !signature_by_hand {
        let signature = signature(&options, flavour, &block.self_ty, code, &event_crate);
        block.items.push(signature);
    }
    Ok(())
}

/// Which trait the block implements.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flavour {
    Plain,
    /// `CachedProcessor`, whose signature covers its fields.
    Cached,
}

impl Flavour {
    fn of(block: &ItemImpl) -> Result<Flavour> {
        let name = block.trait_.as_ref().and_then(|(path, _)| path.segments.last());
        if let Some(name) = name {
            if name.ident == "Processor" {
                return Ok(Flavour::Plain);
            }
            if name.ident == "CachedProcessor" {
                return Ok(Flavour::Cached);
            }
        }
        let found: &dyn quote::ToTokens = match &block.trait_ {
            Some((path, _)) => path,
            None => &block.self_ty,
        };
        Err(Error::new_spanned(
            found,
            "`#[processor]` reads an `impl Processor for X`, or an `impl CachedProcessor for X`: \
             put it on that block",
        ))
    }
}

fn functions(block: &ItemImpl) -> impl Iterator<Item = &ImplItemFn> {
    block.items.iter().filter_map(|item| match item {
        ImplItem::Fn(function) => Some(function),
        _ => None,
    })
}

/// The `fn process` of the block.
fn turn(block: &mut ItemImpl) -> Result<&mut ImplItemFn> {
    let missing = Error::new_spanned(
        &block.self_ty,
        "there is no turn to read: write `fn process(&mut self, cx: &mut Context<'_>, event: \
         &Event) -> Result` in this block",
    );
    block
        .items
        .iter_mut()
        .find_map(|item| match item {
            ImplItem::Fn(function) if function.sig.ident == "process" => Some(function),
            _ => None,
        })
        .ok_or(missing)
}

/// The name of the event's parameter, or `None` for `_`.
fn event_parameter(turn: &ImplItemFn) -> Result<Option<Ident>> {
    let unexpected = "a turn takes `&mut self, cx: &mut Context<'_>, event: &Event`";
    let [FnArg::Receiver(_), FnArg::Typed(_), FnArg::Typed(event)] =
        turn.sig.inputs.iter().collect::<Vec<_>>()[..]
    else {
        return Err(Error::new_spanned(&turn.sig.inputs, unexpected));
    };
    match &*event.pat {
        Pat::Wild(_) => Ok(None),
        Pat::Ident(name)
            if name.by_ref.is_none() && name.mutability.is_none() && name.subpat.is_none() =>
        {
            Ok(Some(name.ident.clone()))
        }
        other => Err(Error::new_spanned(
            other,
            "`#[processor]` follows the event by the name of its parameter: write a plain name",
        )),
    }
}

fn interests(heard: &Heard, event_crate: &TokenStream) -> ImplItem {
    let listed = heard.listed();
    let everything = heard.everything.map(|span| {
        quote_spanned! {span=>
            .and_everything(#event_crate::SourceSpot {
                file: ::core::file!(),
                line: ::core::line!(),
                column: ::core::column!(),
            })
        }
    });
    parse_quote! {
        fn interests(&self) -> #event_crate::Interests {
            #event_crate::Interests::listed([#(#listed),*]) #everything
        }
    }
}

fn signature(
    options: &Options,
    flavour: Flavour,
    subject: &syn::Type,
    code: [u8; 32],
    event_crate: &TokenStream,
) -> ImplItem {
    let subject = quote!(#subject);
    let known = Known { subject, version: options.version.as_ref(), uses: &options.uses, code };
    let signature = known.expression(event_crate);
    match flavour {
        Flavour::Plain => parse_quote! {
            fn signature(&self) -> ::core::option::Option<#event_crate::Signature> {
                ::core::option::Option::Some(#signature)
            }
        },
        Flavour::Cached => parse_quote! {
            fn signature(
                &self,
            ) -> ::core::result::Result<#event_crate::Signature, #event_crate::SignatureError> {
                use #event_crate::payload::generated::*;
                signed(#signature, Probe(self).probe(), ::core::mem::size_of::<Self>())
            }
        },
    }
}

/// Replaces the turn, if there is one, by one that compiles.
fn stub(block: &mut ItemImpl) {
    for item in &mut block.items {
        if let ImplItem::Fn(function) = item
            && function.sig.ident == "process"
        {
            let names = function.sig.inputs.iter().filter_map(|input| match input {
                FnArg::Typed(PatType { pat, .. }) => match &**pat {
                    Pat::Ident(name) => Some(&name.ident),
                    _ => None,
                },
                FnArg::Receiver(_) => None,
            });
            function.block = parse_quote!({
                let _ = (#(&#names,)*);
                ::core::unreachable!()
            });
        }
    }
}

#[cfg(test)]
mod tests;
