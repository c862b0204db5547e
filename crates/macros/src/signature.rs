//! Owns the hash of code: BLAKE3 over a token stream, blind to whitespace and comments.
//!
//! The format, version 1, is BLAKE3 in key-derivation mode (context [`CONTEXT`], which holds the
//! version) over the tokens in order. A token is a tag byte, its text's length as a little-endian
//! `u32`, and its text; a group is its opening delimiter as a token, its contents, and its closing
//! one. Documentation attributes are left out, as comments are.
//!
//! Adjacent punctuation is one token where Rust reads it as one operator, so that `a && b` and
//! `a & &b` differ. A `<` or `>` begins no operator here, since `Vec<Vec<u8>>` and
//! `Vec<Vec<u8> >` are the same code, and a shift with a space inside is none. Where spacing can't
//! be told from meaning (`&&x` and `& &x`, a double reference) the hashes differ: a cached value is
//! lost, never mistaken for another.

mod known;
mod signed;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

pub(crate) use known::{Known, check_uses, read_uses};
pub(crate) use signed::expand as expand_signed;

/// Separates these hashes from every other use of BLAKE3; its version changes with the format.
const CONTEXT: &str = "selvedge code signature v1";

/// What Rust reads as one operator, longest first; those that begin with `<` or `>` are left out.
const OPERATORS: [&str; 18] = [
    "..=", "...", "::", "->", "=>", "==", "!=", "&&", "||", "..", "+=", "-=", "*=", "/=", "%=",
    "^=", "&=", "|=",
];

/// Hashes code.
pub(crate) fn hash(code: TokenStream) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hash_stream(&mut hasher, code);
    hasher.finalize().into()
}

fn hash_stream(hasher: &mut blake3::Hasher, tokens: TokenStream) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut rest = tokens.as_slice();
    let mut run = String::new();
    while let [token, after @ ..] = rest {
        rest = after;
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' && documents(after) > 0 => {
                rest = &after[documents(after)..];
            }
            TokenTree::Punct(punct) => {
                run.push(punct.as_char());
                let goes_on = matches!(after.first(), Some(TokenTree::Punct(_)));
                if punct.spacing() == Spacing::Alone || !goes_on {
                    hash_operators(hasher, &run);
                    run.clear();
                }
            }
            TokenTree::Ident(ident) => hash_token(hasher, b'i', &ident.to_string()),
            TokenTree::Literal(literal) => hash_token(hasher, b'l', &literal.to_string()),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                hash_token(hasher, b'o', open);
                hash_stream(hasher, group.stream());
                hash_token(hasher, b'c', close);
            }
        }
    }
}

/// Cuts a run of adjacent punctuation into operators, as Rust would: the longest first.
fn hash_operators(hasher: &mut blake3::Hasher, mut run: &str) {
    while let Some(first) = run.chars().next() {
        let operator = OPERATORS.iter().find(|operator| run.starts_with(**operator));
        let length = operator.map_or(first.len_utf8(), |operator| operator.len());
        let (operator, rest) = run.split_at(length);
        hash_token(hasher, b'p', operator);
        run = rest;
    }
}

fn hash_token(hasher: &mut blake3::Hasher, tag: u8, text: &str) {
    let length = u32::try_from(text.len()).expect("rustc refuses files of 4 GiB");
    hasher.update(&[tag]).update(&length.to_le_bytes()).update(text.as_bytes());
}

/// How many tokens after a `#` make it a documentation attribute: 1 for `[doc …]`, 2 for
/// `![doc …]`, and 0 if it is none.
fn documents(after: &[TokenTree]) -> usize {
    let (group, length) = match after {
        [TokenTree::Punct(bang), TokenTree::Group(group), ..] if bang.as_char() == '!' => {
            (group, 2)
        }
        [TokenTree::Group(group), ..] => (group, 1),
        _ => return 0,
    };
    let first = group.stream().into_iter().next();
    match first {
        Some(TokenTree::Ident(ident))
            if ident == "doc" && group.delimiter() == Delimiter::Bracket =>
        {
            length
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
