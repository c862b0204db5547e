//! Owns `#[node]`: makes of a function one that gives a node of a dataflow graph, whose inputs bear
//! the names of its parameters. Refuses to guess what a parameter reads.

mod options;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, FnArg, Ident, Item, ItemFn, Pat, Result, ReturnType, Type};

use crate::signature::Known;
use crate::written::{argument, last_segment};
use crate::{crate_path, signature};
use options::Options;

/// Expands `#[node]`.
pub(crate) fn expand(options: TokenStream, item: &TokenStream) -> TokenStream {
    let code = signature::hash(item.clone());
    let function = match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Fn(function)) => function,
        Ok(other) => {
            let error = Error::new_spanned(other, "`#[node]` belongs on a function");
            let error = error.into_compile_error();
            return quote!(#error #item);
        }
        Err(error) => {
            let error = error.into_compile_error();
            return quote!(#error #item);
        }
    };
    match complete(options, &function, code) {
        Ok(made) => made,
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#error #item)
        }
    }
}

fn complete(options: TokenStream, function: &ItemFn, code: [u8; 32]) -> Result<TokenStream> {
    let options = Options::read(options)?;
    let flow = crate_path::flow_crate(options.krate.as_ref())?;
    check(function)?;
    let mut reads = Vec::new();
    for parameter in &function.sig.inputs {
        reads.push(Read::of(parameter)?);
    }
    let parameters = reads.iter().filter_map(|read| read.parameter(&flow));
    let inputs = reads.iter().map(|read| read.input(&flow));
    let names: Vec<&Ident> = reads.iter().map(|read| &read.name).collect();
    let types = reads.iter().map(|read| &read.seen_as);
    let (makes, fails) = output(&function.sig.output);
    let ItemFn { attrs, vis, sig, .. } = function;
    let name = &sig.ident;
    let (docs, others): (Vec<_>, Vec<_>) =
        attrs.iter().partition(|attribute| attribute.path().is_ident("doc"));
    let inner = ItemFn {
        attrs: others.into_iter().cloned().collect(),
        vis: syn::Visibility::Inherited,
        ..function.clone()
    };
    // Called by a function of ours, since lints look at what is written at the user's place.
    let called = if fails {
        quote!(#flow::generated::made(#name(#(#names),*)))
    } else {
        quote!(::core::result::Result::Ok(#name(#(#names),*)))
    };
    let (version, uses) = (options.version.as_ref(), options.uses.as_slice());
    let known = Known { subject: quote!(#name), version, uses, code };
    let signature = known.expression(&quote!(#flow::generated));
    Ok(quote! {
        #(#docs)*
        #vis fn #name(#(#parameters),*) -> #flow::NodeSpec<#makes> {
            // Not `expect`: whether the lint strikes depends on what the user's function reads.
            #[allow(clippy::ptr_arg, reason = "a node reads the very value that another made")]
            #inner
            #flow::node(
                (#(#inputs,)*),
                |#(#names: #types),*| -> #flow::generated::Result<#makes> {
                    #called
                },
            )
            .signed(#signature)
        }
    })
}

/// Refuses what a node can't be made of.
fn check(function: &ItemFn) -> Result<()> {
    let sig = &function.sig;
    let refused = |tokens: &dyn quote::ToTokens, why| Err(Error::new_spanned(tokens, why));
    if let Some(asyncness) = &sig.asyncness {
        return refused(
            asyncness,
            "a node is a plain function: it runs on a thread of its own time",
        );
    }
    if let syn::Safety::Unsafe(unsafety) = &sig.safety {
        return refused(unsafety, "a node is called by whoever has its inputs: it must be safe");
    }
    if !sig.generics.params.is_empty() {
        let why = "a node has inputs of known types: write one function for each";
        return refused(&sig.generics, why);
    }
    if sig.inputs.len() > 8 {
        return refused(&sig.inputs, "a node reads 8 inputs at most: gather some in a struct");
    }
    Ok(())
}

/// What a parameter reads.
struct Read {
    name: Ident,
    /// As the function sees it.
    seen_as: Type,
    source: Source,
}

enum Source {
    /// The value of a node, or a constant.
    Value(Type),
    /// What became of a node.
    Outcome(Type),
    Run,
}

impl Read {
    fn of(parameter: &FnArg) -> Result<Read> {
        let FnArg::Typed(typed) = parameter else {
            return Err(Error::new_spanned(parameter, "a node is a function, not a method"));
        };
        let Pat::Ident(pat) = &*typed.pat else {
            return Err(Error::new_spanned(
                &typed.pat,
                "an input bears the name of its parameter: write a plain name",
            ));
        };
        let mut name = pat.ident.clone();
        name.set_span(pat.ident.span());
        Ok(Read { name, seen_as: (*typed.ty).clone(), source: Source::of(&typed.ty)? })
    }

    /// The parameter of the function that gives the node.
    fn parameter(&self, flow: &TokenStream) -> Option<TokenStream> {
        let name = &self.name;
        match &self.source {
            Source::Value(read) => Some(quote!(#name: impl #flow::Reads<#read>)),
            Source::Outcome(read) => Some(quote!(#name: #flow::Node<#read>)),
            Source::Run => None,
        }
    }

    fn input(&self, flow: &TokenStream) -> TokenStream {
        let name = &self.name;
        let text = name.to_string();
        match &self.source {
            Source::Value(_) => {
                quote!(#flow::Input::called(#flow::Reads::reads(#name), #text))
            }
            Source::Outcome(_) => quote!(#flow::Input::called(#flow::Node::outcome(#name), #text)),
            Source::Run => quote!(#flow::run_info()),
        }
    }
}

impl Source {
    fn of(seen_as: &Type) -> Result<Source> {
        let how = "a node reads values by reference: `&T`, what the run is as `&RunInfo`, what \
                   became of a parent as `Outcome<&T>`";
        match seen_as {
            Type::Reference(reference) if reference.mutability.is_none() => {
                let read = &*reference.elem;
                if last_segment(read).is_some_and(|segment| segment.ident == "RunInfo") {
                    return Ok(Source::Run);
                }
                if last_segment(read).is_some_and(|segment| segment.ident == "str") {
                    return Err(Error::new_spanned(
                        read,
                        "what flows between nodes owns what it holds: read a `&String`",
                    ));
                }
                if let Type::Slice(slice) = read {
                    return Err(Error::new_spanned(
                        slice,
                        "what flows between nodes owns what it holds: read a `&Vec<…>`",
                    ));
                }
                Ok(Source::Value(read.clone()))
            }
            other => match last_segment(other) {
                Some(segment) if segment.ident == "Outcome" => match argument(segment) {
                    Some(Type::Reference(reference)) => {
                        Ok(Source::Outcome((*reference.elem).clone()))
                    }
                    _ => Err(Error::new_spanned(other, how)),
                },
                _ => Err(Error::new_spanned(other, how)),
            },
        }
    }
}

/// What a function makes, and whether it may fail instead.
fn output(output: &ReturnType) -> (Type, bool) {
    let ReturnType::Type(_, made) = output else { return (syn::parse_quote!(()), false) };
    match last_segment(made) {
        Some(segment) if segment.ident == "Result" => {
            let made = argument(segment).cloned();
            (made.unwrap_or_else(|| syn::parse_quote!(())), true)
        }
        _ => ((**made).clone(), false),
    }
}

#[cfg(test)]
mod tests;
