//! Owns the pattern `Event { kind, name, key, value }`, which looks at the envelope instead of the
//! payload. Literal kinds, names and keys become interests; whatever else is asked of them is
//! asked of every event.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, FieldPat, Lit, Member, Pat, PatIdent, PatStruct, Result};

use super::alternatives::{Alternative, Flat, Hears, bind, flatten, is_type_name};
use super::columns::{Cell, Columns};

/// Reads the pattern: one alternative per literal kind and literal key.
pub(super) fn read(
    bindings: &[&PatIdent],
    pattern: &PatStruct,
    columns: &mut Columns<'_>,
) -> Result<Vec<Alternative>> {
    let fields = Fields::read(pattern)?;
    let kinds = kind_choices(fields.kind, columns);
    let keys = key_choices(fields.key, columns);
    let names = literals(fields.name, text).unwrap_or_default();

    let mut shared: Vec<Cell> = Vec::new();
    if let Some(name) = fields.name.filter(|name| !matches!(name, Pat::Wild(_))) {
        shared.push(columns.name(name.to_token_stream()));
    }
    if let Some(value) = fields.value {
        shared.push(columns.value(&value.to_token_stream()));
    }
    if !bindings.is_empty() {
        shared.push(columns.event(bind(bindings, None)));
    }
    let irrefutable = fields.key.is_none()
        && fields.value.is_none()
        && [fields.kind, fields.name].into_iter().flatten().all(matches_anything);

    let mut alternatives = Vec::new();
    for kind in &kinds {
        for key in &keys {
            let cells = [&kind.cells, &key.cells, &shared].into_iter().flatten().cloned().collect();
            let hears = hears(kind, &names, key, columns.event_crate());
            alternatives.push(Alternative { cells, hears, irrefutable });
        }
    }
    Ok(alternatives)
}

/// The patterns of the fields that are there.
#[derive(Default)]
struct Fields<'p> {
    kind: Option<&'p Pat>,
    name: Option<&'p Pat>,
    key: Option<&'p Pat>,
    value: Option<&'p Pat>,
}

impl<'p> Fields<'p> {
    fn read(pattern: &'p PatStruct) -> Result<Fields<'p>> {
        let mut fields = Fields::default();
        for FieldPat { member, pat, .. } in &pattern.fields {
            let name = match member {
                Member::Named(name) => name.to_string(),
                Member::Unnamed(_) => String::new(),
            };
            let slot = match name.as_str() {
                "kind" => &mut fields.kind,
                "name" => &mut fields.name,
                "key" => &mut fields.key,
                "value" => &mut fields.value,
                _ => {
                    return Err(Error::new_spanned(
                        member,
                        "an event shows `kind`, `name`, `key` and `value` to a pattern; to look \
                         into the payload, name its type",
                    ));
                }
            };
            if slot.replace(&**pat).is_some() {
                return Err(Error::new_spanned(member, "this field is matched twice"));
            }
        }
        Ok(fields)
    }
}

/// One way in which a kind or a key may match: with a literal, or without.
struct Choice {
    cells: Vec<Cell>,
    literal: Option<TokenStream>,
}

fn kind_choices(pattern: Option<&Pat>, columns: &mut Columns<'_>) -> Vec<Choice> {
    let Some(literals) = literals(pattern, text) else {
        let pattern = pattern.filter(|kind| !matches!(kind, Pat::Wild(_)));
        let cells = pattern.map(|kind| columns.kind(kind.to_token_stream())).into_iter().collect();
        return vec![Choice { cells, literal: None }];
    };
    let choice = |Literal { bindings, value }| {
        let mut cells = vec![columns.is_kind(&value)];
        if !bindings.is_empty() {
            cells.push(columns.kind(bind(&bindings, None)));
        }
        Choice { cells, literal: Some(value) }
    };
    literals.into_iter().map(choice).collect()
}

fn key_choices(pattern: Option<&Pat>, columns: &mut Columns<'_>) -> Vec<Choice> {
    let event_crate = columns.event_crate();
    let Some(literals) = literals(pattern, |constant| key(constant, event_crate)) else {
        let cells = pattern.map(|key| columns.key(&key.to_token_stream())).into_iter().collect();
        return vec![Choice { cells, literal: None }];
    };
    let choice = |Literal { bindings, value }| {
        let mut cells = vec![columns.has_key(&value)];
        if !bindings.is_empty() {
            cells.push(columns.key(&bind(&bindings, None)));
        }
        Choice { cells, literal: Some(value) }
    };
    literals.into_iter().map(choice).collect()
}

/// The interests of one kind (or any), these names (or any) and one key (or any).
fn hears(kind: &Choice, names: &[Literal<'_>], key: &Choice, event_crate: &TokenStream) -> Hears {
    if kind.literal.is_none() && names.is_empty() && key.literal.is_none() {
        return Hears::Everything;
    }
    let base = match &kind.literal {
        Some(kind) => {
            quote!(#event_crate::Interest::kind(#event_crate::Kind::literal(#kind)))
        }
        None => quote!(#event_crate::Interest::any()),
    };
    let keyed = key.literal.as_ref().map(|key| quote!(.keyed(#key)));
    if names.is_empty() {
        return Hears::Topics(vec![quote!(#base #keyed)]);
    }
    let named = names.iter().map(|Literal { value: name, .. }| {
        quote!(#base.named(#event_crate::Name::literal(#name)) #keyed)
    });
    Hears::Topics(named.collect())
}

/// A literal or constant, with the `name @` in front of it.
struct Literal<'p> {
    bindings: Vec<&'p PatIdent>,
    value: TokenStream,
}

/// What stands where a literal may stand.
#[derive(Clone, Copy)]
enum Constant<'p> {
    Literal(&'p Lit),
    Path(&'p dyn ToTokens),
}

/// The literals of a pattern, if each of its alternatives is one.
fn literals<'p>(
    pattern: Option<&'p Pat>,
    read: impl Fn(Constant<'_>) -> Option<TokenStream>,
) -> Option<Vec<Literal<'p>>> {
    let literal = |Flat { bindings, pattern }: Flat<'p>| {
        let value = match pattern {
            Pat::Lit(literal) => read(Constant::Literal(&literal.lit)),
            Pat::Ident(name) if is_type_name(&name.ident) => read(Constant::Path(&name.ident)),
            Pat::Path(path) => read(Constant::Path(path)),
            _ => None,
        };
        value.map(|value| Literal { bindings, value })
    };
    flatten(pattern?).into_iter().map(literal).collect()
}

/// A constant as a `&'static str`.
fn text(constant: Constant<'_>) -> Option<TokenStream> {
    match constant {
        Constant::Literal(Lit::Str(text)) => Some(text.to_token_stream()),
        Constant::Literal(_) => None,
        Constant::Path(path) => Some(path.to_token_stream()),
    }
}

/// A constant as a `Key`.
fn key(constant: Constant<'_>, event_crate: &TokenStream) -> Option<TokenStream> {
    match constant {
        Constant::Literal(Lit::Str(text)) => {
            Some(quote!(#event_crate::Key::Text(#event_crate::Text::literal(#text))))
        }
        Constant::Literal(Lit::Int(number)) => Some(quote!(#event_crate::Key::Number(#number))),
        Constant::Literal(_) => None,
        Constant::Path(path) => Some(quote!(#event_crate::Key::from(#path))),
    }
}

fn matches_anything(pattern: &Pat) -> bool {
    match pattern {
        Pat::Wild(_) => true,
        Pat::Ident(name) => name.subpat.is_none() && !is_type_name(&name.ident),
        _ => false,
    }
}
