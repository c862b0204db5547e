//! Owns the step from a line to a value, and the exact place and reason when there is no such
//! step. Pure: knows neither files nor policies.

use serde::de::{DeserializeOwned, DeserializeSeed};
use serde_json::Value;
use serde_json::error::Category;

use crate::jsonl::error::Reason;
use crate::jsonl::limits::DEPTH_MAX;
use crate::jsonl::line::Line;
use crate::jsonl::value::StrictValue;

/// Why a line has no value, and at which of its bytes this shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// From 0. It is the first byte of a character, or that of invalid UTF-8.
    pub(crate) at: usize,
    pub(crate) reason: Reason,
}

/// Reads the line as a `T`.
pub(crate) fn typed<T: DeserializeOwned>(line: &Line<'_>) -> Result<T, Fault> {
    let text = text(line)?;
    serde_json::from_str(text).map_err(|error| fault(text, &error, std::any::type_name::<T>()))
}

/// Reads the line as any JSON value in which no key appears twice.
pub(crate) fn dynamic(line: &Line<'_>) -> Result<Value, Fault> {
    let text = text(line)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    StrictValue
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| fault(text, &error, "any JSON value"))
}

/// The column, from 1 and in characters, of the byte `at`.
pub(crate) fn column(bytes: &[u8], at: usize) -> u64 {
    let is_start = |byte: &&u8| **byte & 0b1100_0000 != 0b1000_0000;
    bytes[..at.min(bytes.len())].iter().filter(is_start).count() as u64 + 1
}

/// The line as text. Checked as a whole: `serde_json` would not look into strings it ignores.
fn text<'a>(line: &Line<'a>) -> Result<&'a str, Fault> {
    if let Some(seen) = line.cut {
        let line_bytes_max = line.bytes.len();
        return Err(Fault { at: line_bytes_max, reason: Reason::TooLong { seen, line_bytes_max } });
    }
    std::str::from_utf8(line.bytes).map_err(|error| {
        let at = error.valid_up_to();
        Fault { at, reason: Reason::InvalidUtf8 { byte: line.bytes[at] } }
    })
}

fn fault(text: &str, error: &serde_json::Error, wanted: &str) -> Fault {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let problem = message.strip_suffix(&place).unwrap_or(&message);
    // Columns count bytes up to the offending one and including it, but for control characters in
    // strings that are passed over: there it is the one before.
    let at = error.column().saturating_sub(1).min(text.len());
    let is_before = problem.starts_with("control character")
        && text.as_bytes().get(at).is_some_and(|byte| *byte >= b' ');
    let at = text.floor_char_boundary(at + usize::from(is_before));
    // `serde_json` stops at a NUL at the latest; to call it by its name costs nothing here.
    let reason = match text.as_bytes().get(at) {
        Some(0) => Reason::Nul,
        _ => reason(error.classify(), problem, &text[at..], wanted),
    };
    Fault { at, reason }
}

/// Sorts out one of `serde_json`'s messages.
fn reason(category: Category, problem: &str, found: &str, wanted: &str) -> Reason {
    if problem == "recursion limit exceeded" {
        return Reason::TooDeep { depth_max: DEPTH_MAX };
    }
    let (problem, expected) = if let Some(expected) = problem.strip_prefix("expected ") {
        let found = found.chars().next().map_or("nothing".to_owned(), |found| format!("{found:?}"));
        let expected = match expected {
            "value" => "a JSON value",
            "ident" => "`true`, `false` or `null`",
            other => other,
        };
        (format!("unexpected {found}"), expected)
    } else if let Some((problem, expected)) = problem.rsplit_once(", expected ") {
        (problem.to_owned(), expected)
    } else if category == Category::Data {
        (problem.to_owned(), wanted)
    } else {
        (problem.to_owned(), "one whole JSON value on the line")
    };
    let expected = expected.to_owned();
    match category {
        Category::Data => Reason::Mismatch { problem, expected },
        Category::Io | Category::Syntax | Category::Eof => Reason::NotJson { problem, expected },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use insta::assert_snapshot;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Order {
        id: u32,
        #[serde(default)]
        price: f64,
    }

    fn line(bytes: &[u8]) -> Line<'_> {
        Line { number: 1, offset: 0, bytes, cut: None }
    }

    fn trace<T: std::fmt::Debug>(bytes: &[u8], decoded: Result<T, Fault>) -> String {
        match decoded {
            Ok(value) => format!("{value:?}"),
            Err(Fault { at, reason }) => format!("{}: {reason}", column(bytes, at)),
        }
    }

    fn check_order(bytes: impl AsRef<[u8]>) -> String {
        trace(bytes.as_ref(), typed::<Order>(&line(bytes.as_ref())))
    }

    fn check_any(bytes: impl AsRef<[u8]>) -> String {
        trace(bytes.as_ref(), dynamic(&line(bytes.as_ref())))
    }

    #[test]
    fn a_typed_line_says_what_is_wrong_and_where() {
        assert_snapshot!(check_order(r#"{"id":7,"price":1.5}"#), @"Order { id: 7, price: 1.5 }");
        assert_snapshot!(check_order(r#"{"id":"7"}"#), @r#"9: invalid type: string "7" (expected u32)"#);
        assert_snapshot!(check_order(r#"{"price":1}"#), @"11: missing field `id` (expected selvedge_io::jsonl::decode::tests::Order)");
        assert_snapshot!(check_order(r#"{"id":7,"id":8}"#), @"12: duplicate field `id` (expected selvedge_io::jsonl::decode::tests::Order)");
        assert_snapshot!(check_order(r#"{"id":-1}"#), @"8: invalid value: integer `-1` (expected u32)");
        assert_snapshot!(check_order("[]x"), @"2: invalid length 0 (expected struct Order with 2 elements)");
        assert_snapshot!(check_order("not json"), @"2: unexpected 'o' (expected `true`, `false` or `null`)");
        assert_snapshot!(check_order(r#"{"id":7"#), @"7: EOF while parsing an object (expected one whole JSON value on the line)");
        assert_snapshot!(check_order(r#"{"id":7} {}"#), @"10: trailing characters (expected one whole JSON value on the line)");
        assert_snapshot!(check_order(r#"{"id":7 "price":1}"#), @r#"9: unexpected '"' (expected `,` or `}`)"#);
        assert_snapshot!(check_order(r#"{"id":7,"price":1e999}"#), @"21: number out of range (expected one whole JSON value on the line)");
        assert_snapshot!(check_order(r#"{"id":7,"price":NaN}"#), @"17: unexpected 'N' (expected a JSON value)");
    }

    #[test]
    fn columns_count_characters() {
        assert_snapshot!(check_order(r#"{"ключ":"ёж","id":x}"#), @"19: unexpected 'x' (expected a JSON value)");
        assert_snapshot!(check_order("é"), @"1: unexpected 'é' (expected a JSON value)");
    }

    #[test]
    fn bytes_that_are_no_text_are_found_wherever_they_are() {
        assert_snapshot!(check_order(b"{\"id\":7,\"ignored\":\"\xC3\xA9\xFF\"}"), @"21: invalid UTF-8 at byte 0xff (expected UTF-8 text)");
        assert_snapshot!(check_order(b"{\"id\":7,\"ignored\":\"\xE2\x82"), @"20: invalid UTF-8 at byte 0xe2 (expected UTF-8 text)");
        assert_snapshot!(check_order(b"{\"id\":7,\"ignored\":\"a\0b\"}"), @"21: a NUL byte (expected text: was the file written to the end?)");
        assert_snapshot!(check_order("{\"id\":7,\"ignored\":\"é\t\"}"), @r"21: control character (\u0000-\u001F) found while parsing a string (expected one whole JSON value on the line)");
        assert_snapshot!(check_any("{\"a\":\"é\t\"}"), @r"8: control character (\u0000-\u001F) found while parsing a string (expected one whole JSON value on the line)");
        assert_snapshot!(check_order(b"{\"id\":\0 7}"), @"7: a NUL byte (expected text: was the file written to the end?)");
        assert_snapshot!(check_order(b"\0\0\0"), @"1: a NUL byte (expected text: was the file written to the end?)");
        // The first problem on the line is the one that is told.
        assert_snapshot!(check_order(b"{\"id\":\"7\",\"ignored\":\0}"), @r#"9: invalid type: string "7" (expected u32)"#);
    }

    #[test]
    fn any_value_keeps_all_it_holds_or_is_refused() {
        assert_snapshot!(check_any(r#"{"b":[1,-1,1.5,true,null,"x"],"a":{}}"#), @r#"Object {"a": Object {}, "b": Array [Number(1), Number(-1), Number(1.5), Bool(true), Null, String("x")]}"#);
        assert_snapshot!(check_any(r#"{"a":1,"b":{"c":1, "c" : 2}}"#), @"23: duplicate key `c` (expected each key once)");
        assert_snapshot!(check_any(r#"{"a":1,"\u0061":2}"#), @"15: duplicate key `a` (expected each key once)");
        assert_snapshot!(check_any(r#"["\ud800"]"#), @"9: unexpected end of hex escape (expected one whole JSON value on the line)");
        assert_snapshot!(check_any("[1,]"), @"4: trailing comma (expected one whole JSON value on the line)");
        assert_snapshot!(check_any("1 2"), @"3: trailing characters (expected one whole JSON value on the line)");
        assert_snapshot!(check_any("18446744073709551615"), @"Number(18446744073709551615)");
        assert_snapshot!(check_any("18446744073709551616"), @"Number(1.8446744073709552e+19)");
    }

    #[test]
    fn reasons_can_be_told_apart_by_code() {
        let reason = |bytes: &[u8]| typed::<u32>(&line(bytes)).expect_err("a fault").reason;
        assert!(matches!(reason(b"\xFF"), Reason::InvalidUtf8 { byte: 0xFF }));
        assert!(matches!(reason(b"1\0"), Reason::Nul));
        assert!(matches!(reason(b"1,"), Reason::NotJson { .. }));
        assert!(matches!(reason(b"1.5"), Reason::Mismatch { .. }));
        let cut = Line { cut: Some(9), ..line(b"1") };
        let reason = dynamic(&cut).expect_err("a fault").reason;
        assert!(matches!(reason, Reason::TooLong { seen: 9, line_bytes_max: 1 }));
        let reason = dynamic(&line(&[b'['; 200])).expect_err("a fault").reason;
        assert!(matches!(reason, Reason::TooDeep { depth_max: DEPTH_MAX }));
    }

    #[test]
    fn depth_has_a_limit() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let depth_max = DEPTH_MAX as usize;
        assert!(dynamic(&line(nested(depth_max).as_bytes())).is_ok());
        assert_snapshot!(check_any(nested(depth_max + 1)), @"128: nested too deep (expected at most 127 levels)");
        assert_snapshot!(check_any("[".repeat(1_000_000)), @"128: nested too deep (expected at most 127 levels)");
        assert_snapshot!(check_any("{\"a\":".repeat(1_000_000)), @"636: nested too deep (expected at most 127 levels)");
        // What is ignored costs no stack.
        let ignored = format!(r#"{{"id":7,"ignored":{}}}"#, nested(1_000_000));
        assert_snapshot!(check_order(ignored), @"Order { id: 7, price: 0.0 }");
    }

    #[test]
    fn a_line_over_the_limit_is_not_looked_at() {
        let cut = Line { number: 1, offset: 0, bytes: b"{\"id\"", cut: Some(7) };
        assert_snapshot!(trace(cut.bytes, dynamic(&cut)), @"6: a line of 7 bytes or more (expected at most 5: raise `line_bytes_max` if such lines are meant)");
        assert_snapshot!(trace(cut.bytes, typed::<BTreeMap<String, u8>>(&cut)), @"6: a line of 7 bytes or more (expected at most 5: raise `line_bytes_max` if such lines are meant)");
    }

    proptest::proptest! {
        #[test]
        fn numbers_and_texts_survive(id: u32, price in proptest::num::f64::NORMAL, text: String) {
            let order = Order { id, price };
            let json = serde_json::to_string(&order)?;
            proptest::prop_assert_eq!(typed::<Order>(&line(json.as_bytes())), Ok(order));
            let json = serde_json::to_string(&text)?;
            proptest::prop_assert_eq!(dynamic(&line(json.as_bytes())), Ok(Value::from(text)));
        }
    }
}
