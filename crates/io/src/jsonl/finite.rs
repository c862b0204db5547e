//! Owns the search for numbers that JSON has no word for. `serde_json` writes `null` for NaN and
//! infinities without a word; this serializer writes nothing and stops at the first of them.

use std::fmt;

use serde::ser::{self, Serialize, Serializer};

/// Where in the value the first NaN or infinite number stands, as `field.list[3].key`; `the value`
/// when it is the value itself.
pub(crate) fn first_non_finite<T: Serialize + ?Sized>(value: &T) -> Option<String> {
    let path = match value.serialize(Search) {
        Err(Found::NotFinite { path }) => path,
        // Whoever asks has serialized the value before, and heard about other problems then.
        Ok(()) | Err(Found::Other) => return None,
    };
    let path = path.strip_prefix('.').unwrap_or(&path);
    Some(if path.is_empty() { "the value".to_owned() } else { path.to_owned() })
}

struct Search;

#[derive(Debug)]
enum Found {
    NotFinite { path: String },
    Other,
}

impl Found {
    /// The same, seen from outside.
    fn within(self, step: impl fmt::Display) -> Found {
        match self {
            Found::NotFinite { path } => Found::NotFinite { path: format!("{step}{path}") },
            Found::Other => Found::Other,
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number that is not finite")
    }
}

impl std::error::Error for Found {}

impl ser::Error for Found {
    fn custom<T: fmt::Display>(_message: T) -> Found {
        Found::Other
    }
}

fn check(number: f64) -> Result<(), Found> {
    if number.is_finite() { Ok(()) } else { Err(Found::NotFinite { path: String::new() }) }
}

macro_rules! nothing_to_find {
    ($($method:ident($($type:ty),*)),* $(,)?) => {
        $(fn $method(self, $(_: $type),*) -> Result<(), Found> {
            Ok(())
        })*
    };
}

impl Serializer for Search {
    type Ok = ();
    type Error = Found;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Entries;

    nothing_to_find! {
        serialize_bool(bool), serialize_char(char), serialize_str(&str), serialize_bytes(&[u8]),
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64),
        serialize_i128(i128), serialize_u128(u128), serialize_none(), serialize_unit(),
        serialize_unit_struct(&'static str),
        serialize_unit_variant(&'static str, u32, &'static str),
    }

    fn serialize_f32(self, number: f32) -> Result<(), Found> {
        check(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<(), Found> {
        check(number)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Found> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Found> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Found> {
        value.serialize(self).map_err(|found| found.within(format_args!(".{variant}")))
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Items, Found> {
        Ok(Items(0))
    }

    fn serialize_tuple(self, _len: usize) -> Result<Items, Found> {
        Ok(Items(0))
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Items, Found> {
        Ok(Items(0))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Items, Found> {
        Ok(Items(0))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Entries, Found> {
        Ok(Entries)
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Entries, Found> {
        Ok(Entries)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Entries, Found> {
        Ok(Entries)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _value: &T) -> Result<(), Found> {
        Ok(())
    }
}

/// The items of an array; counts them.
struct Items(usize);

impl Items {
    fn search<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Found> {
        let index = self.0;
        self.0 += 1;
        item.serialize(Search).map_err(|found| found.within(format_args!("[{index}]")))
    }
}

macro_rules! array {
    ($($family:ident::$method:ident),* $(,)?) => {
        $(impl ser::$family for Items {
            type Ok = ();
            type Error = Found;
            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Found> {
                self.search(item)
            }
            fn end(self) -> Result<(), Found> {
                Ok(())
            }
        })*
    };
}

array! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

/// The entries of an object.
struct Entries;

macro_rules! object {
    ($($family:ident),* $(,)?) => {
        $(impl ser::$family for Entries {
            type Ok = ();
            type Error = Found;
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Found> {
                value.serialize(Search).map_err(|found| found.within(format_args!(".{key}")))
            }
            fn end(self) -> Result<(), Found> {
                Ok(())
            }
        })*
    };
}

object!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Entries {
    type Ok = ();
    type Error = Found;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, _key: &T) -> Result<(), Found> {
        // `serde_json` itself refuses keys that are not finite.
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Found> {
        value.serialize(Search).map_err(|found| found.within("[?]"))
    }

    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), Found> {
        value.serialize(Search).map_err(|found| {
            let key = serde_json::to_string(key).unwrap_or_else(|_| "?".to_owned());
            found.within(format_args!(".{}", key.trim_matches('"')))
        })
    }

    fn end(self) -> Result<(), Found> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use insta::assert_snapshot;
    use proptest::prelude::*;
    use serde::Serialize;

    use super::first_non_finite;

    #[derive(Clone, Debug, Serialize)]
    enum Shape {
        Point,
        Circle(f64),
        Line(f32, f32),
        Box { width: f64, height: Option<f64> },
    }

    #[derive(Clone, Debug, Serialize)]
    struct Drawing {
        shapes: Vec<Shape>,
        scales: BTreeMap<u8, f64>,
        #[serde(flatten)]
        rest: BTreeMap<String, (f64,)>,
    }

    fn check<T: Serialize>(value: T) -> String {
        first_non_finite(&value).unwrap_or_else(|| "all finite".to_owned())
    }

    #[test]
    fn the_first_number_that_is_not_finite_is_found() {
        assert_snapshot!(check(1.0), @"all finite");
        assert_snapshot!(check(f64::NAN), @"the value");
        assert_snapshot!(check(f32::INFINITY), @"the value");
        assert_snapshot!(check([Some(1.0), None, Some(f64::NEG_INFINITY)]), @"[2]");
        assert_snapshot!(check(Shape::Circle(f64::NAN)), @"Circle");
        assert_snapshot!(check(Shape::Line(0.0, f32::NAN)), @"[1]");
        let shapes = vec![Shape::Point, Shape::Box { width: 1.0, height: Some(f64::INFINITY) }];
        let mut drawing = Drawing { shapes, scales: BTreeMap::new(), rest: BTreeMap::new() };
        assert_snapshot!(check(&drawing), @"shapes[1].height");
        drawing.shapes.clear();
        drawing.scales.insert(3, f64::NAN);
        assert_snapshot!(check(&drawing), @"scales.3");
        drawing.scales.clear();
        drawing.rest.insert("x".to_owned(), (f64::NAN,));
        assert_snapshot!(check(&drawing), @"x[0]");
    }

    fn shape() -> impl Strategy<Value = Shape> {
        let number =
            || prop_oneof![8 => any::<f64>(), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)];
        prop_oneof![
            Just(Shape::Point),
            number().prop_map(Shape::Circle),
            (any::<f32>(), any::<f32>()).prop_map(|(from, to)| Shape::Line(from, to)),
            (number(), proptest::option::of(number()))
                .prop_map(|(width, height)| Shape::Box { width, height }),
        ]
    }

    proptest! {
        /// What is written as `null` although it is a number shows in the debug print.
        #[test]
        fn a_number_is_found_if_and_only_if_there_is_one(
            shapes in proptest::collection::vec(shape(), 0..4),
        ) {
            let printed = format!("{shapes:?}");
            let expected = printed.contains("NaN") || printed.contains("inf");
            prop_assert_eq!(first_non_finite(&shapes).is_some(), expected);
        }
    }
}
