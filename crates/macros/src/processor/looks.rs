//! Owns the looks at the event that the macro can't read, and how to write them so that it can.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::Parser;
use syn::{Error, Expr, Ident, Macro, Pat, Token, UnOp};

/// How an expression in front of a pattern shows the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// `event`.
    Plain,
    /// `*event`, `&event`, `event.clone()`.
    Disguised,
    /// `(event, state)`.
    InTuple,
}

/// How `expr` shows the event to a pattern, if it does.
pub(super) fn look(expr: &Expr, event: &Ident) -> Option<Look> {
    match expr {
        Expr::Path(path) => path.path.is_ident(event).then_some(Look::Plain),
        Expr::Paren(paren) => look(&paren.expr, event),
        Expr::Group(group) => look(&group.expr, event),
        Expr::Reference(reference) => disguised(&reference.expr, event),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Deref(_)) => disguised(&unary.expr, event),
        Expr::MethodCall(call) => {
            let same = ["clone", "to_owned", "as_ref", "borrow", "deref"];
            let is_same = same.iter().any(|same| call.method == same) && call.args.is_empty();
            if is_same { disguised(&call.receiver, event) } else { None }
        }
        Expr::Tuple(tuple) => {
            tuple.elems.iter().any(|part| look(part, event).is_some()).then_some(Look::InTuple)
        }
        Expr::Array(array) => {
            array.elems.iter().any(|part| look(part, event).is_some()).then_some(Look::InTuple)
        }
        _ => None,
    }
}

fn disguised(expr: &Expr, event: &Ident) -> Option<Look> {
    match look(expr, event)? {
        Look::Plain => Some(Look::Disguised),
        other => Some(other),
    }
}

/// `match *event` and `match (event, state)`.
pub(super) fn match_error(look: Look, scrutinee: &Expr, event: &Ident) -> Error {
    let message = match look {
        Look::InTuple => format!(
            "`#[processor]` can't read the event inside of something else: write `match {event} \
             {{ … }}`, and look at the rest in its guards or inside its arms"
        ),
        Look::Plain | Look::Disguised => format!(
            "write `match {event} {{ … }}`: its arms see the payload by reference, so there is \
             nothing to dereference or to clone"
        ),
    };
    Error::new_spanned(scrutinee, message)
}

/// `if let … = event` and `while let … = event`.
pub(super) fn let_error(pattern: &Pat, whole: &dyn ToTokens, event: &Ident) -> Error {
    let pattern = pattern.to_token_stream();
    Error::new_spanned(
        whole.to_token_stream(),
        format!(
            "`#[processor]` reads `match {event}` only: write `match {event} {{ {pattern} => … \
             }}`, which needs no other arm where its value is not used, and `_ => …` for an `else`"
        ),
    )
}

/// `let … = event else { … }`.
pub(super) fn let_else_error(pattern: &Pat, event: &Ident) -> Error {
    let shown = pattern.to_token_stream();
    Error::new_spanned(
        pattern,
        format!(
            "`#[processor]` reads `match {event}` only: write `match {event} {{ {shown} => …, \
             #[unmatched] _ => return Ok(()) }}`"
        ),
    )
}

/// What the tokens of a macro call do with the event.
pub(super) enum InMacro {
    Nothing,
    /// The event is handed to whatever the macro makes of it.
    PassedOn(TokenTree),
    Misuse(Error),
}

/// Looks for the event in a macro call. Macros are opaque: only `matches!` is understood, in order
/// to refuse it.
pub(super) fn in_macro(call: &Macro, event: &Ident) -> InMacro {
    let name = call.path.segments.last().map(|name| name.ident.to_string()).unwrap_or_default();
    if ["matches", "assert_matches", "debug_assert_matches"].contains(&name.as_str())
        && let Some(pattern) = matched_pattern(&call.tokens, event)
    {
        return InMacro::Misuse(Error::new_spanned(
            call,
            format!(
                "`#[processor]` reads `match {event}` only: write `match {event} {{ {pattern} => \
                 true, #[unmatched] _ => false }}`"
            ),
        ));
    }
    match mention(call.tokens.clone(), event) {
        None => InMacro::Nothing,
        Some(Mention { token, matched: false }) => InMacro::PassedOn(token),
        Some(Mention { token, matched: true }) => InMacro::Misuse(Error::new_spanned(
            token,
            format!("`#[processor]` can't read inside `{name}!`: move the `match` out of it"),
        )),
    }
}

/// The pattern of `matches!(event, pattern)`.
fn matched_pattern(tokens: &TokenStream, event: &Ident) -> Option<TokenStream> {
    let parser = |input: syn::parse::ParseStream<'_>| {
        let scrutinee: Expr = input.parse()?;
        input.parse::<Token![,]>()?;
        Ok((scrutinee, input.parse::<TokenStream>()?))
    };
    let (scrutinee, pattern) = parser.parse2(tokens.clone()).ok()?;
    look(&scrutinee, event).map(|_| pattern)
}

/// Where tokens mention the event, and whether as what a `match` looks at.
struct Mention {
    token: TokenTree,
    matched: bool,
}

fn mention(tokens: TokenStream, event: &Ident) -> Option<Mention> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let punct = |index: usize| match tokens.get(index) {
        Some(TokenTree::Punct(punct)) => Some(punct.as_char()),
        _ => None,
    };
    let mut found = None;
    for (index, token) in tokens.iter().enumerate() {
        let mention = match token {
            TokenTree::Group(group) => mention(group.stream(), event),
            TokenTree::Literal(literal) => shows(&literal.to_string(), &event.to_string())
                .then(|| Mention { token: token.clone(), matched: false }),
            TokenTree::Ident(ident) if ident == event => {
                let before = index.checked_sub(1);
                let is_member = before.and_then(punct) == Some('.')
                    && before.and_then(|before| before.checked_sub(1)).and_then(punct) != Some('.');
                let names_something = match punct(index + 1) {
                    Some(':') => true,
                    Some('=') => !matches!(punct(index + 2), Some('=' | '>')),
                    _ => false,
                };
                let matched = matches!(
                    before.map(|before| &tokens[before]),
                    Some(TokenTree::Ident(keyword)) if keyword == "match"
                );
                (!is_member && !names_something).then(|| Mention { token: token.clone(), matched })
            }
            _ => None,
        };
        match mention {
            Some(Mention { matched: true, .. }) => return mention,
            other => found = found.or(other),
        }
    }
    found
}

/// Whether a format string captures the event: `"{event}"` or `"{event:?}"`.
fn shows(literal: &str, event: &str) -> bool {
    let text = literal.replace("{{", "");
    literal.starts_with(['"', 'r'])
        && text.split('{').skip(1).any(|after| {
            after.strip_prefix(event).is_some_and(|rest| rest.trim_start().starts_with(['}', ':']))
        })
}
