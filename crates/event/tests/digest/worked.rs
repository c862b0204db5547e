//! The worked examples of `docs/digest.md` are true.

use selvedge_event::Digest;
use selvedge_event::digest::{self, Canonical};
use serde::Serialize;

use super::{golden, reference};

const DOCUMENT: &str = include_str!("../../../../docs/digest.md");

/// The block that shows a value in both forms and its digest.
fn check<T: Serialize>(value: &T) {
    let encoding = digest::encode(value).expect("the value has an encoding");
    let digest = Digest::of(value).expect("the value has a digest");
    let (shown, message) = (wrapped(&encoding), wrapped(&reference::message(&encoding)));
    let block = format!("```text\nencoding {shown}\nmessage  {message}\ndigest   {digest}\n```");
    assert!(DOCUMENT.contains(&block), "not in docs/digest.md:\n{block}");
}

/// Bytes in hex, 24 to a line.
fn wrapped(bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| bytes.iter().map(|byte| format!(" {byte:02x}")).collect::<String>();
    bytes.chunks(24).map(line).collect::<Vec<_>>().join("\n         ")
}

#[test]
fn a_tuple() {
    check(&("tea", 3));
}

#[test]
fn a_struct() {
    check(&golden::order());
}

#[test]
fn a_map_with_a_long_value_and_a_set() {
    let text = |text: &str| Canonical::Str(text.to_owned());
    let set = Canonical::Set(vec![text("y"), text("x")]);
    check(&Canonical::Map(vec![(text("b"), text(&"z".repeat(100))), (text("a"), set)]));
}
