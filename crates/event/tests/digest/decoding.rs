//! What `decode` refuses, and at which byte.

use insta::assert_snapshot;
use selvedge_event::digest::{self, DecodeError};

/// The tree, or the error, that the bytes after the version byte give.
fn check(bytes: &[u8]) -> String {
    match digest::decode(&[&[digest::VERSION], bytes].concat()) {
        Ok(tree) => format!("{tree:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_version_comes_first() {
    assert_eq!(digest::decode(b""), Err(DecodeError::Truncated { offset: 0 }));
    assert_eq!(digest::decode(b"\x02\x01"), Err(DecodeError::Version { version: 2 }));
    assert_snapshot!(
        DecodeError::Version { version: 2 },
        @"version 2 at byte 0, only version 1 is known"
    );
}

#[test]
fn values_end_where_the_input_ends() {
    assert_snapshot!(check(b""), @"the input ends at byte 1, within a value");
    assert_snapshot!(check(b"\x01\x01"), @"the value ends at byte 2, cut off what follows");
    assert_snapshot!(check(b"\x0c\x01"), @"the input ends at byte 3, within a value");
    assert_snapshot!(check(b"\x06\x00\x00"), @"the input ends at byte 4, within a value");
    assert_snapshot!(check(b"\x08\x05abc"), @"the input ends at byte 6, within a value");
    assert_snapshot!(
        check(&[&[0x09], &[0xff; 18][..], &[0x03]].concat()),
        @"the input ends at byte 21, within a value"
    );
}

#[test]
fn tags_stand_only_where_they_can() {
    assert_snapshot!(check(b"\x00"), @"tag 0x00 at byte 1 can't stand there");
    assert_snapshot!(check(b"\x0f"), @"tag 0x0f at byte 1 can't stand there");
    assert_snapshot!(check(b"\x18"), @"tag 0x18 at byte 1 can't stand there");
    assert_snapshot!(check(b"\x0b\x00"), @"tag 0x00 at byte 2 can't stand there");
    // A map whose entry has no value, a struct whose name is a number, whose body is a sequence,
    // whose field's name is a number.
    assert_snapshot!(check(b"\x0e\x01\x00"), @"tag 0x00 at byte 3 can't stand there");
    assert_snapshot!(check(b"\x13\x04\x01\x0e\x00"), @"tag 0x04 at byte 2 can't stand there");
    assert_snapshot!(check(b"\x13\x08\x01S\x0c\x00"), @"tag 0x0c at byte 5 can't stand there");
    assert_snapshot!(
        check(b"\x13\x08\x01S\x0e\x04\x01\x01\x00"),
        @"tag 0x04 at byte 6 can't stand there"
    );
    assert_snapshot!(check(b"\x12\x08\x01S\x0d\x00"), @"tag 0x0d at byte 5 can't stand there");
}

#[test]
fn integers_are_shortest_and_in_range() {
    assert_snapshot!(check(b"\x04\x00"), @"Unsigned(0)");
    assert_snapshot!(
        check(b"\x04\x80\x00"),
        @"the integer at byte 2 is too large or not in its shortest form"
    );
    assert_snapshot!(
        check(b"\x08\x81\x00a"),
        @"the integer at byte 2 is too large or not in its shortest form"
    );
    let max = [&[0xff; 18][..], &[0x03]].concat();
    assert_snapshot!(
        check(&[&[0x04], &max[..]].concat()),
        @"Unsigned(340282366920938463463374607431768211455)"
    );
    assert_snapshot!(
        check(&[&[0x05], &max[..]].concat()),
        @"the integer at byte 2 is too large or not in its shortest form"
    );
    assert_snapshot!(
        check(&[&[0x04], &[0xff; 18][..], &[0x04]].concat()),
        @"the integer at byte 2 is too large or not in its shortest form"
    );
    assert_snapshot!(
        check(&[&[0x04], &[0xff; 18][..], &[0x83, 0x01]].concat()),
        @"the integer at byte 2 is too large or not in its shortest form"
    );
    assert_snapshot!(
        check(&[&[0x05], &[0xff; 18][..], &[0x01]].concat()),
        @"Signed(-170141183460469231731687303715884105728)"
    );
}

#[test]
fn scalars_are_checked() {
    assert_snapshot!(
        check(b"\x06\x7f\xf8\x00\x00\x00\x00\x00\x00"),
        @"the float at byte 2 is not finite"
    );
    assert_snapshot!(
        check(b"\x06\xff\xf0\x00\x00\x00\x00\x00\x00"),
        @"the float at byte 2 is not finite"
    );
    assert_snapshot!(check(b"\x06\x80\x00\x00\x00\x00\x00\x00\x00"), @"Float(-0.0)");
    assert_snapshot!(check(b"\x07\x80\xb0\x03"), @"the number at byte 2 is no character");
    assert_snapshot!(check(b"\x08\x03ab\xff"), @"the string holds a byte at 5 that is not UTF-8");
}

#[test]
fn entries_are_in_order() {
    assert_snapshot!(check(b"\x0d\x01\x02\x00"), @"Set([Unit, Bool(false)])");
    assert_snapshot!(
        check(b"\x0d\x02\x01\x00"),
        @"the entry at byte 3 is out of order or occurs twice"
    );
    assert_snapshot!(
        check(b"\x0d\x01\x01\x00"),
        @"the entry at byte 3 is out of order or occurs twice"
    );
    // Shorter keys come first, whatever they hold.
    assert_snapshot!(
        check(b"\x0e\x08\x01b\x01\x08\x02aa\x01\x00"),
        @r#"Map([(Str("b"), Unit), (Str("aa"), Unit)])"#
    );
    assert_snapshot!(
        check(b"\x0e\x08\x02aa\x01\x08\x01b\x01\x00"),
        @"the entry at byte 7 is out of order or occurs twice"
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| [&vec![0x0b; levels][..], &[0x01]].concat();
    assert!(check(&nested(digest::MAX_DEPTH)).starts_with("Some(Some("));
    assert_snapshot!(
        check(&nested(digest::MAX_DEPTH + 1)),
        @"the value at byte 130 is nested deeper than 128 levels"
    );
    // Whatever the containers are, the walk and the reader count alike.
    let names = b"\x15\x08\x01E\x08\x01V".repeat(digest::MAX_DEPTH);
    let tree = digest::decode(&[&[1], &names[..], &[1]].concat()).expect("deep, but not too deep");
    assert_eq!(digest::encode(&tree).map(|bytes| bytes.len()), Ok(names.len() + 2));
    let fields = b"\x13\x08\x01S\x0e\x08\x01f".repeat(digest::MAX_DEPTH);
    let ends = [0; digest::MAX_DEPTH];
    let tree = digest::decode(&[&[1], &fields[..], &[1], &ends].concat());
    let tree = tree.expect("deep, but not too deep");
    assert_eq!(digest::encode(&tree).map(|bytes| bytes.len()), Ok(fields.len() + 2 + ends.len()));
    assert_snapshot!(
        check(&b"\x13\x08\x01S\x0e\x08\x01f".repeat(digest::MAX_DEPTH + 1)),
        @"the value at byte 1030 is nested deeper than 128 levels"
    );
}

#[test]
fn every_error_tells_its_offset() {
    let cases: [(&[u8], DecodeError); 9] = [
        (b"\x01\x0c", DecodeError::Truncated { offset: 2 }),
        (b"\x01\x01\x01", DecodeError::Trailing { offset: 2 }),
        (b"\x02", DecodeError::Version { version: 2 }),
        (b"\x01\x0b\x0f", DecodeError::Tag { tag: 0x0f, offset: 2 }),
        (b"\x01\x04\x80\x00", DecodeError::Integer { offset: 2 }),
        (b"\x01\x06\x7f\xf0\x00\x00\x00\x00\x00\x00", DecodeError::NotFinite { offset: 2 }),
        (b"\x01\x07\x80\xb0\x03", DecodeError::NotAChar { offset: 2 }),
        (b"\x01\x08\x02a\xff", DecodeError::NotUtf8 { offset: 4 }),
        (b"\x01\x0d\x02\x01\x00", DecodeError::Unsorted { offset: 3 }),
    ];
    for (bytes, error) in cases {
        assert_eq!(digest::decode(bytes), Err(error));
        let offset = error.to_string().contains(&format!("byte {}", error.offset()));
        assert!(offset || matches!(error, DecodeError::NotUtf8 { .. }), "{error}");
    }
    let deep = [&[1], &[0x0b; 129][..]].concat();
    assert_eq!(digest::decode(&deep), Err(DecodeError::TooDeep { offset: 130 }));
}
