//! The digest once more, written from `docs/digest.md` alone: slow, recursive, over encoded bytes.
//!
//! Shares nothing with the crate. That it agrees with `Digest::of` says that the document is right
//! and that both forms of a value belong together.

use selvedge_event::Digest;

/// The digest of the value that `encoded` (with its version byte) stands for.
pub(crate) fn digest(encoded: &[u8]) -> Digest {
    Digest::from_bytes(blake3::derive_key("selvedge digest v1 root", &message(encoded)))
}

/// What is hashed to give the digest.
pub(crate) fn message(encoded: &[u8]) -> Vec<u8> {
    let mut message = vec![encoded[0]];
    let rest = fold(&encoded[1..], &mut message);
    assert!(rest.is_empty(), "bytes after the value");
    message
}

/// Appends the folded form of the first value in `bytes`; returns what follows the value.
fn fold<'a>(bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let (tag, rest) = (bytes[0], &bytes[1..]);
    match tag {
        0x0e => {
            out.push(tag);
            fold_entries(rest, out)
        }
        0x0b => {
            out.push(tag);
            fold(rest, out)
        }
        0x0c => {
            out.push(tag);
            fold_items(rest, out)
        }
        0x0d => {
            out.push(tag);
            fold_elements(rest, out)
        }
        0x11..=0x13 | 0x15..=0x17 => {
            let names = if tag < 0x14 { 1 } else { 2 };
            let mut body = rest;
            for _ in 0..names {
                body = skip(body);
            }
            out.extend_from_slice(&bytes[..bytes.len() - body.len()]);
            fold(body, out)
        }
        _ => {
            let rest = skip(bytes);
            out.extend_from_slice(&bytes[..bytes.len() - rest.len()]);
            rest
        }
    }
}

fn fold_items<'a>(mut bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    while bytes[0] != 0 {
        bytes = fold(bytes, out);
    }
    out.push(0);
    &bytes[1..]
}

fn fold_elements<'a>(mut bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    while bytes[0] != 0 {
        let rest = skip(bytes);
        sub_digest("key", &bytes[..bytes.len() - rest.len()], out);
        bytes = rest;
    }
    out.push(0);
    &bytes[1..]
}

fn fold_entries<'a>(mut bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    while bytes[0] != 0 {
        let rest = skip(bytes);
        sub_digest("key", &bytes[..bytes.len() - rest.len()], out);
        let mut folded = Vec::new();
        bytes = fold(rest, &mut folded);
        sub_digest("value", &folded, out);
    }
    out.push(0);
    &bytes[1..]
}

fn sub_digest(role: &str, content: &[u8], out: &mut Vec<u8>) {
    if content.len() <= 96 {
        out.push(content.len() as u8);
        out.extend_from_slice(content);
    } else {
        out.push(0xff);
        out.extend(blake3::derive_key(&format!("selvedge digest v1 {role}"), content));
    }
}

/// Passes over the first value in `bytes`.
fn skip(bytes: &[u8]) -> &[u8] {
    let rest = &bytes[1..];
    match bytes[0] {
        0x01..=0x03 | 0x0a => rest,
        0x04 | 0x05 | 0x07 => skip_integer(rest).1,
        0x06 => &rest[8..],
        0x08 | 0x09 => {
            let (length, rest) = skip_integer(rest);
            &rest[length..]
        }
        0x0b => skip(rest),
        0x0c..=0x0e => {
            let mut rest = rest;
            while rest[0] != 0 {
                rest = skip(rest);
            }
            &rest[1..]
        }
        0x10 => skip(rest),
        0x11..=0x14 => skip(skip(rest)),
        0x15..=0x17 => skip(skip(skip(rest))),
        tag => panic!("no value starts with {tag:#04x}"),
    }
}

fn skip_integer(bytes: &[u8]) -> (usize, &[u8]) {
    let last = bytes.iter().position(|byte| byte & 0x80 == 0).expect("an integer ends");
    let number = bytes[..=last]
        .iter()
        .rev()
        .fold(0u128, |number, byte| number << 7 | u128::from(byte & 0x7f));
    // Only lengths are looked at; they fit.
    (number as usize, &bytes[last + 1..])
}
