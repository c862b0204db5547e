//! Owns the meaning of a pattern over the event: which topics it asks for, and what it wants of
//! which column. One alternative of an or-pattern at a time.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, Ident, Pat, PatIdent, Path, Result};

use super::columns::{Cell, Columns};
use super::envelope;

/// One alternative of an arm.
pub(super) struct Alternative {
    pub(super) cells: Vec<Cell>,
    pub(super) hears: Hears,
    /// Whether every event matches, guards aside.
    pub(super) irrefutable: bool,
}

/// Which events an alternative asks for.
pub(super) enum Hears {
    /// Those of these interests, each an expression.
    Topics(Vec<TokenStream>),
    Everything,
}

/// Reads an arm's pattern, without its guard.
pub(super) fn read(pattern: &Pat, columns: &mut Columns<'_>) -> Result<Vec<Alternative>> {
    let mut alternatives = Vec::new();
    for Flat { bindings, pattern } in flatten(pattern) {
        match pattern {
            Pat::Wild(_) => alternatives.push(everything(&bindings, columns)),
            Pat::Ident(name) if !is_type_name(&name.ident) => {
                let mut bindings = bindings;
                bindings.push(name);
                alternatives.push(everything(&bindings, columns));
            }
            Pat::Struct(dynamic) if is_event(&dynamic.path) => {
                alternatives.extend(envelope::read(&bindings, dynamic, columns)?);
            }
            _ => {
                let (ty, inside) = payload_type(pattern)?;
                let event_crate = columns.event_crate();
                let interest = quote!(#event_crate::Interest::of::<#ty>());
                let cell = columns.payload(&ty, &bind(&bindings, inside));
                alternatives.push(Alternative {
                    cells: vec![cell],
                    hears: Hears::Topics(vec![interest]),
                    irrefutable: false,
                });
            }
        }
    }
    Ok(alternatives)
}

/// One case of an or-pattern, with the `name @` in front of it.
pub(super) struct Flat<'p> {
    pub(super) bindings: Vec<&'p PatIdent>,
    pub(super) pattern: &'p Pat,
}

/// Takes or-patterns apart; `x @ (A | B)` is `x @ A | x @ B`.
pub(super) fn flatten(pattern: &Pat) -> Vec<Flat<'_>> {
    match pattern {
        Pat::Or(or) => or.cases.iter().flat_map(flatten).collect(),
        Pat::Paren(paren) => flatten(&paren.pat),
        Pat::Ident(name) if name.subpat.is_some() => {
            let inside = name.subpat.as_ref().map(|(_, inside)| flatten(inside));
            let mut flat = inside.unwrap_or_default();
            flat.iter_mut().for_each(|flat| flat.bindings.insert(0, name));
            flat
        }
        _ => vec![Flat { bindings: Vec::new(), pattern }],
    }
}

/// `outer @ inner @ pattern`, as far as there is any of it.
pub(super) fn bind(bindings: &[&PatIdent], pattern: Option<TokenStream>) -> TokenStream {
    let mut parts: Vec<TokenStream> = bindings
        .iter()
        .map(|PatIdent { by_ref, mutability, ident, .. }| quote!(#by_ref #mutability #ident))
        .collect();
    parts.extend(pattern);
    if parts.is_empty() { quote!(_) } else { quote!(#(#parts)@*) }
}

fn everything(bindings: &[&PatIdent], columns: &mut Columns<'_>) -> Alternative {
    let cells = match bindings {
        [] => Vec::new(),
        bindings => vec![columns.event(bind(bindings, None))],
    };
    Alternative { cells, hears: Hears::Everything, irrefutable: true }
}

/// Whether a name in a pattern is a type's, or a constant's, rather than a binding's.
pub(super) fn is_type_name(ident: &Ident) -> bool {
    ident.to_string().starts_with(char::is_uppercase)
}

/// Whether the pattern looks at the envelope instead of the payload.
fn is_event(path: &Path) -> bool {
    path.segments.last().is_some_and(|last| last.ident == "Event")
}

/// The payload type that a pattern names, and what it wants of the payload beyond its type.
fn payload_type(pattern: &Pat) -> Result<(Path, Option<TokenStream>)> {
    let (path, qualified) = match pattern {
        Pat::Ident(name) => (Path::from(name.ident.clone()), false),
        Pat::Path(pattern) => (pattern.path.clone(), pattern.qself.is_some()),
        Pat::Struct(pattern) => (pattern.path.clone(), pattern.qself.is_some()),
        Pat::TupleStruct(pattern) => (pattern.path.clone(), pattern.qself.is_some()),
        Pat::Reference(reference) => {
            let inside = reference.pat.to_token_stream();
            return Err(Error::new_spanned(
                pattern,
                format!("the arms see the payload by reference already: write `{inside}`"),
            ));
        }
        Pat::Tuple(_) => {
            return Err(Error::new_spanned(
                pattern,
                "an event is not a tuple: each arm names one event, as in `Start { who } => …`",
            ));
        }
        _ => {
            return Err(Error::new_spanned(
                pattern,
                "this names no event: an arm is a payload type's pattern (`Start { who }`), \
                 `Event { name: \"start\", .. }`, a name for the event, or `_`",
            ));
        }
    };
    if qualified {
        return Err(Error::new_spanned(pattern, "name the payload's type by a plain path"));
    }
    if is_event(&path) {
        return Err(Error::new_spanned(
            pattern,
            "`Event` names no event in particular: write `Event { name: \"start\", .. }`, a \
             payload type, or `_`",
        ));
    }
    let shape_matters = !matches!(pattern, Pat::Ident(_) | Pat::Path(_));
    match enum_of(&path) {
        Some(enumeration) => Ok((enumeration, Some(pattern.to_token_stream()))),
        None => Ok((path, shape_matters.then(|| pattern.to_token_stream()))),
    }
}

/// The enum, if the path is that of one of its variants.
fn enum_of(path: &Path) -> Option<Path> {
    let mut parent = path.clone();
    parent.segments.pop()?;
    parent.segments.pop_punct();
    is_type_name(&parent.segments.last()?.ident).then_some(parent)
}
