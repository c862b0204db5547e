//! Owns `#[builder]`: makes of a function, or of an impl of `Build`, what a graph adds: a builder
//! with its target, its requirements and its signature. Refuses to guess what is required.

mod options;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, FnArg, ImplItem, Item, ItemFn, ItemImpl, Result, ReturnType, Type, parse_quote};

use crate::signature::Known;
use crate::written::{argument, last_segment};
use crate::{crate_path, signature};
use options::Options;

/// Expands `#[builder]`.
pub(crate) fn expand(options: TokenStream, item: &TokenStream) -> TokenStream {
    let code = signature::hash(item.clone());
    let made =
        Options::read(options).and_then(|options| match syn::parse2::<Item>(item.clone())? {
            Item::Fn(function) => of_function(&options, &function, code),
            Item::Impl(block) => of_impl(&options, block, code),
            other => Err(Error::new_spanned(
                other,
                "`#[builder]` belongs on a function or on an `impl Build for X`",
            )),
        });
    made.unwrap_or_else(|error| {
        let error = error.into_compile_error();
        quote!(#error #item)
    })
}

/// A function of the same name that gives the builder.
fn of_function(options: &Options, function: &ItemFn, code: [u8; 32]) -> Result<TokenStream> {
    let reactive = crate_path::reactive_crate(options.krate.as_ref())?;
    let refused = |tokens: &dyn quote::ToTokens, why| Err(Error::new_spanned(tokens, why));
    if let Some(asyncness) = &function.sig.asyncness {
        return refused(asyncness, "a builder is a plain function: its turn is on a worker");
    }
    if !function.sig.generics.params.is_empty() {
        let why = "a builder has artifacts of known types: write one function for each";
        return refused(&function.sig.generics, why);
    }
    let arguments: Vec<Type> =
        function.sig.inputs.iter().map(argument_type).collect::<Result<_>>()?;
    let requires = requires(options, &arguments, &reactive)?;
    let made = made(&function.sig.output)?;
    let ItemFn { attrs, vis, sig, .. } = function;
    let (name, provides) = (&sig.ident, &options.provides);
    let (docs, others): (Vec<_>, Vec<_>) =
        attrs.iter().partition(|attribute| attribute.path().is_ident("doc"));
    let inner = ItemFn {
        attrs: others.into_iter().cloned().collect(),
        vis: syn::Visibility::Inherited,
        ..function.clone()
    };
    let signature = signed(options, &quote!(#name), code, &reactive);
    Ok(quote! {
        #(#docs)*
        #vis fn #name() -> #reactive::Builder<
            impl #reactive::Build<Arguments = (#(#arguments,)*), Made = #made>
        > {
            #inner
            #reactive::builder(#reactive::Target::<#made>::new(#provides), #requires, #name)
                .signed(#signature)
        }
    })
}

/// The block with a signature, and a function `builder` of the type.
fn of_impl(options: &Options, mut block: ItemImpl, code: [u8; 32]) -> Result<TokenStream> {
    let reactive = crate_path::reactive_crate(options.krate.as_ref())?;
    let of_trait = block.trait_.as_ref().and_then(|(path, _)| path.segments.last());
    if of_trait.is_none_or(|segment| segment.ident != "Build") {
        return Err(Error::new_spanned(
            &block.self_ty,
            "`#[builder]` reads an `impl Build for X`: put it on that block",
        ));
    }
    let listed = block.items.iter().find_map(|item| match item {
        ImplItem::Type(ty) if ty.ident == "Arguments" => Some(&ty.ty),
        _ => None,
    });
    let Some(Type::Tuple(arguments)) = listed else {
        return Err(Error::new_spanned(
            &block.self_ty,
            "say what it is built from in this block: `type Arguments = (u64, String);`",
        ));
    };
    let arguments: Vec<Type> = arguments.elems.iter().cloned().collect();
    let requires = requires(options, &arguments, &reactive)?;
    let by_hand = block
        .items
        .iter()
        .any(|item| matches!(item, ImplItem::Fn(function) if function.sig.ident == "signature"));
    let subject = block.self_ty.clone();
    if !by_hand {
        let signature = signed(options, &quote!(#subject), code, &reactive);
        block.items.push(parse_quote! {
            fn signature(&self) -> ::core::option::Option<#reactive::generated::Signature> {
                use #reactive::generated::*;
                signed(#signature, Probe(self).probe(), ::core::mem::size_of::<Self>()).ok()
            }
        });
    }
    let provides = &options.provides;
    let (generics, _, clause) = block.generics.split_for_impl();
    Ok(quote! {
        #block

        impl #generics #subject #clause {
            /// The builder, with its target and its requirements, to be added to a graph.
            #[must_use]
            pub fn builder(self) -> #reactive::Builder<Self> {
                #reactive::builder_of(#provides, #requires, self)
            }
        }
    })
}

/// What stands for the code.
fn signed(
    options: &Options,
    subject: &TokenStream,
    code: [u8; 32],
    reactive: &TokenStream,
) -> TokenStream {
    let (version, uses) = (options.version.as_ref(), options.uses.as_slice());
    let known = Known { subject: subject.clone(), version, uses, code };
    known.expression(&quote!(#reactive::generated))
}

/// The requirements, each with the type of its argument; a starred one with those of its share.
fn requires(options: &Options, arguments: &[Type], reactive: &TokenStream) -> Result<TokenStream> {
    let names = &options.requires;
    let starred = |name: &&syn::LitStr| name.value().starts_with('*');
    let n_starred = names.iter().filter(starred).count();
    if n_starred > 1 {
        let second = names.iter().filter(starred).nth(1);
        return Err(Error::new_spanned(
            second,
            "of several starred requirements nothing says which takes how many arguments: add \
             the builder with `builder(…)` and `target.spread()`",
        ));
    }
    let n_plain = names.len() - n_starred;
    let fits = if n_starred == 1 { arguments.len() > n_plain } else { arguments.len() == n_plain };
    if !fits {
        return Err(Error::new_spanned(
            &options.provides,
            format!(
                "{} requirements are listed for {} arguments: each is one, and a starred one \
                 (\"*name\") takes the rest",
                names.len(),
                arguments.len()
            ),
        ));
    }
    let mut rest = arguments.iter();
    let mut parts = Vec::new();
    for name in names {
        let text = name.value();
        match text.strip_prefix('*') {
            None => {
                let argument = rest.next();
                parts.push(quote!(#reactive::Target::<#argument>::new(#name)));
            }
            Some(target) => {
                let share = rest.by_ref().take(arguments.len() - n_plain);
                parts.push(quote!(#reactive::Target::<(#(#share,)*)>::new(#target).spread()));
            }
        }
    }
    Ok(match &parts[..] {
        [only] => quote!(#only),
        _ => quote!((#(#parts),*)),
    })
}

fn argument_type(parameter: &FnArg) -> Result<Type> {
    match parameter {
        FnArg::Typed(typed) => match &*typed.ty {
            Type::Reference(reference) if reference.mutability.is_none() => {
                Ok((*reference.elem).clone())
            }
            other => Err(Error::new_spanned(other, "an artifact is read by reference: write `&T`")),
        },
        FnArg::Receiver(receiver) => {
            Err(Error::new_spanned(receiver, "a builder is a function, not a method"))
        }
    }
}

/// What a function makes: the type in `Result`, and in `Option` or `Vec` in that.
fn made(output: &ReturnType) -> Result<Type> {
    let ReturnType::Type(_, made) = output else { return Ok(parse_quote!(())) };
    let mut made: &Type = made;
    for wrappers in [&["Result"][..], &["Option", "Vec"]] {
        if let Some(segment) = last_segment(made)
            && wrappers.iter().any(|wrapper| segment.ident == wrapper)
            && let Some(inner) = argument(segment)
        {
            made = inner;
        }
    }
    match made {
        Type::ImplTrait(opaque) => Err(Error::new_spanned(
            opaque,
            "what is built has a type with a name: return a `Vec`, or add the builder with \
             `builder(…)`",
        )),
        made => Ok(made.clone()),
    }
}

#[cfg(test)]
mod tests;
