//! Which edits keep a code hash and which lose it.

use std::fmt::Write;

use insta::assert_snapshot;

use super::hash;

fn hex(code: &str) -> String {
    let tokens = code.parse().expect("the test's code is made of tokens");
    hash(tokens).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a string can't fail");
        hex
    })
}

/// Holds each pair of codes against whether they should hash alike.
fn check(alike: bool, pairs: &[(&str, &str)]) {
    for (one, other) in pairs {
        assert_eq!(hex(one) == hex(other), alike, "{one} and {other}");
    }
}

#[test]
fn layout_and_comments_do_not_count() {
    let pairs = [
        ("fn f(){a}", "fn f ( )\n{\n\ta\n}"),
        ("a /* one */ b", "a // two\n b"),
        ("/// Doc.\nfn f() {}", "fn f() {}"),
        ("#[doc(hidden)] fn f() {}", "fn f() {}"),
        ("{ //! Doc.\n a }", "{ a }"),
        ("Vec<Vec<u8>>", "Vec<Vec<u8> >"),
        ("x: Vec<u8>=y", "x: Vec<u8> = y"),
        ("Vec<<T as X>::Y>", "Vec< <T as X>::Y >"),
        ("a--b", "a - -b"),
        ("a=&b", "a = &b"),
        ("|x|-1", "|x| - 1"),
        ("&'a str", "& 'a str"),
        ("x<-1", "x < -1"),
    ];
    check(true, &pairs);
}

#[test]
fn code_counts() {
    let pairs = [
        ("a", "b"),
        ("a b", "b a"),
        ("ab", "a b"),
        ("(a)", "[a]"),
        ("(a) b", "(a b)"),
        ("\"a\"", "a"),
        ("1", "1_u8"),
        ("a && b", "a & &b"),
        ("a || b", "a | | b"),
        ("a..=b", "a.. =b"),
        ("#[inline] fn f() {}", "fn f() {}"),
        ("#[unmatched] _ => {}", "_ => {}"),
        ("r#type", "type"),
    ];
    check(false, &pairs);
}

/// Every cache made with an older format is lost when this hash changes.
#[test]
fn the_format_is_what_it_was() {
    let code = r#"impl P for X { fn f(&self) -> u8 { self.0 += 1; "a"; 'c'; &&x..=y<<2 } }"#;
    assert_snapshot!(hex(code), @"09fa35fc55f2e8324e972209e2e6f1593f0fdcd6fb839eaa14f4161b89641e9d");
    assert_snapshot!(hex(""), @"d084418192fb296da8fc382167bf0e1ae315947aa4dd5d19377bb64ded160fbf");
}
