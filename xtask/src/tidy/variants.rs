//! Every way to fail is shown by a test: each variant of a public error must appear in one, by name
//! or by message.

use super::source::{Source, leading_word, matching, words};
use super::{Finding, Rule};

/// A variant, where it stands, and the longest fixed piece of its message.
#[derive(Debug)]
struct Variant<'s> {
    name: &'s str,
    offset: usize,
    message: Option<&'s str>,
}

/// A shorter piece of a message could stand in a test by chance.
const MESSAGE_MIN: usize = 10;

pub(super) fn check(sources: &[Source], findings: &mut Vec<Finding>) {
    let tested: String = sources.iter().map(test_text).collect();
    for source in sources {
        if !source.path.starts_with("crates/") || source.path.starts_with("crates/peers/") {
            continue;
        }
        for (name, variants) in error_enums(source) {
            for variant in variants {
                let named = words(&tested, variant.name).next().is_some();
                let told = variant.message.is_some_and(|message| tested.contains(message));
                if !named && !told {
                    let what = format!("no test shows {name}::{}", variant.name);
                    let line = source.line(variant.offset);
                    let instead = "use a test that provokes it and snapshots it";
                    findings.push(Finding::new(Rule::Variant, &source.path, line, what, instead));
                }
            }
        }
    }
}

/// The code and literals that only tests compile.
fn test_text(source: &Source) -> String {
    let mut text = String::new();
    let mut offset = 0;
    for line in source.uncommented.split_inclusive('\n') {
        let first = line.len() - line.trim_start().len();
        if source.is_test(offset + first) {
            text.push_str(line);
        }
        offset += line.len();
    }
    text
}

/// The public error enums of a file: those that derive `Error`, and in `error.rs` those named for
/// it.
fn error_enums(source: &Source) -> Vec<(&str, Vec<Variant<'_>>)> {
    let code = source.code.as_str();
    let mut enums = Vec::new();
    for offset in source.words("enum") {
        let name = leading_word(code[offset + 4..].trim_start());
        let before = code[..offset].trim_end();
        let start = code[..offset].rfind([';', '{', '}']).map_or(0, |at| at + 1);
        let derives = code[start..offset].split_once("derive(");
        let derived = derives.is_some_and(|(_, list)| words(list, "Error").next().is_some());
        let called = name.ends_with("Error") || name.ends_with("Reason");
        let in_error = source.path.ends_with("/error.rs");
        let Some(open) = code[offset..].find('{').map(|at| offset + at) else { continue };
        if before.ends_with("pub") && (derived || (called && in_error)) {
            enums.push((name, variants(source, open)));
        }
    }
    enums
}

fn variants(source: &Source, open: usize) -> Vec<Variant<'_>> {
    let code = source.code.as_str();
    let end = matching(code, open);
    let mut variants = Vec::new();
    let (mut at, mut attributes) = (open + 1, open + 1);
    while at < end {
        match code.as_bytes()[at] {
            b'#' => at = matching(code, at),
            b'(' | b'[' | b'{' => at = matching(code, at),
            b',' => {
                at += 1;
                attributes = at;
            }
            byte if byte.is_ascii_alphabetic() => {
                let name = leading_word(&code[at..]);
                let message = message(&source.uncommented[attributes..at]);
                variants.push(Variant { name, offset: at, message });
                at += code[at..].find([',', '{', '(', '=']).unwrap_or(code.len() - at);
                // What stands after `=` is a number.
                if code.as_bytes().get(at) == Some(&b'=') {
                    at += code[at..].find(',').unwrap_or(code.len() - at);
                }
            }
            _ => at += 1,
        }
    }
    variants
}

/// The longest piece between placeholders of an `#[error("…")]`.
fn message(attributes: &str) -> Option<&str> {
    let (_, rest) = attributes.split_once("error(")?;
    let (_, rest) = rest.split_once('"')?;
    let text = &rest[..rest.rfind('"')?];
    let pieces = text.split(['{', '\\', '\n', '"']).map(|piece| match piece.split_once('}') {
        Some((_, after)) => after,
        None => piece,
    });
    let longest = pieces.max_by_key(|piece| piece.len())?;
    (longest.trim().len() >= MESSAGE_MIN).then_some(longest.trim())
}
