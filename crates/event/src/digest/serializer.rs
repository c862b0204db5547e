//! The serde side of the walk: which call becomes which bytes.
//!
//! Owns the scalars, the names and the marks on sequences; what has parts goes on in `compound`.
//! Refuses to look at buffers or hashes; those are `walker`'s.

use serde::{Serialize, Serializer};

use super::canonical::PART_NAMES;
use super::compound::{Entries, Items};
use super::error::{DigestError, DigestProblem, Segment};
use super::format::tag;
use super::set;
use super::walker::{Mark, Walker};

impl Walker {
    fn named(&mut self, tag: u8, name: &'static str, variant: Option<&'static str>) {
        self.put_tag(tag);
        self.put_str(name);
        if let Some(variant) = variant {
            self.put_str(variant);
        }
    }

    /// Takes what a `Some` or a newtype holds. The mark of a set goes through to it.
    fn nested<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), DigestError> {
        if self.mark != Some(Mark::Set) {
            self.refuse_mark()?;
        }
        self.enter()?;
        value.serialize(&mut *self)?;
        self.leave();
        Ok(())
    }

    /// Takes what a reserved newtype name wraps.
    fn marked<T: Serialize + ?Sized>(&mut self, mark: Mark, value: &T) -> Result<(), DigestError> {
        // A set marked twice is a set.
        if (self.mark, mark) != (Some(Mark::Set), Mark::Set) {
            self.refuse_mark()?;
        }
        self.mark = Some(mark);
        value.serialize(&mut *self)?;
        self.refuse_mark()
    }

    /// Refuses what can't be what a mark was meant for.
    pub(super) fn refuse_mark(&self) -> Result<(), DigestError> {
        if self.mark.is_some() { Err(DigestProblem::NotASequence.into()) } else { Ok(()) }
    }
}

/// The calls that put one integer.
macro_rules! integers {
    ($($call:ident($integer:ty) => $put:ident;)*) => {$(
        fn $call(self, number: $integer) -> Result<(), DigestError> {
            self.$put(number.into());
            Ok(())
        }
    )*};
}

impl<'w> Serializer for &'w mut Walker {
    type Ok = ();
    type Error = DigestError;
    type SerializeSeq = Items<'w>;
    type SerializeTuple = Items<'w>;
    type SerializeTupleStruct = Items<'w>;
    type SerializeTupleVariant = Items<'w>;
    type SerializeMap = Entries<'w>;
    type SerializeStruct = Entries<'w>;
    type SerializeStructVariant = Entries<'w>;

    integers! {
        serialize_i8(i8) => put_signed;
        serialize_i16(i16) => put_signed;
        serialize_i32(i32) => put_signed;
        serialize_i64(i64) => put_signed;
        serialize_i128(i128) => put_signed;
        serialize_u8(u8) => put_unsigned;
        serialize_u16(u16) => put_unsigned;
        serialize_u32(u32) => put_unsigned;
        serialize_u64(u64) => put_unsigned;
        serialize_u128(u128) => put_unsigned;
    }

    fn serialize_bool(self, truth: bool) -> Result<(), DigestError> {
        self.put_tag(if truth { tag::TRUE } else { tag::FALSE });
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Result<(), DigestError> {
        self.put_float(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<(), DigestError> {
        self.put_float(number)
    }

    fn serialize_char(self, char: char) -> Result<(), DigestError> {
        self.put_char(char);
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Result<(), DigestError> {
        self.put_str(text);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), DigestError> {
        self.put_block(tag::BYTES, bytes);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), DigestError> {
        // A set that isn't there needs no mark.
        if self.mark == Some(Mark::Set) {
            self.mark = None;
        }
        self.put_tag(tag::NONE);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), DigestError> {
        self.put_tag(tag::SOME);
        self.nested(value)
    }

    fn serialize_unit(self) -> Result<(), DigestError> {
        self.put_tag(tag::UNIT);
        Ok(())
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), DigestError> {
        self.named(tag::UNIT_STRUCT, name, None);
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), DigestError> {
        self.named(tag::UNIT_VARIANT, name, Some(variant));
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), DigestError> {
        // One comparison for the names of others: ours share a start no identifier has.
        if name.starts_with('$') {
            if name == set::NAME {
                return self.marked(Mark::Set, value);
            }
            if let Some((tag, _)) = PART_NAMES.iter().find(|(_, reserved)| *reserved == name) {
                let nested = matches!(*tag, tag::NEWTYPE_STRUCT | tag::NEWTYPE_VARIANT);
                self.put_tag(*tag);
                return self.marked(Mark::Parts { nested }, value);
            }
        }
        self.named(tag::NEWTYPE_STRUCT, name, None);
        self.nested(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), DigestError> {
        self.named(tag::NEWTYPE_VARIANT, name, Some(variant));
        self.nested(value).map_err(|error| error.within(Segment::Field(variant)))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items<'w>, DigestError> {
        self.items(len, None)
    }

    fn serialize_tuple(self, len: usize) -> Result<Items<'w>, DigestError> {
        self.items(Some(len), None)
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Items<'w>, DigestError> {
        self.refuse_mark()?;
        self.named(tag::TUPLE_STRUCT, name, None);
        self.items(Some(len), None)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Items<'w>, DigestError> {
        self.refuse_mark()?;
        self.named(tag::TUPLE_VARIANT, name, Some(variant));
        self.items(Some(len), Some(variant))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Entries<'w>, DigestError> {
        self.entries(len, None)
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Entries<'w>, DigestError> {
        self.named(tag::STRUCT, name, None);
        self.entries(Some(len), None)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Entries<'w>, DigestError> {
        self.named(tag::STRUCT_VARIANT, name, Some(variant));
        self.entries(Some(len), Some(variant))
    }
}
