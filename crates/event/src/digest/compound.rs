//! Sequences, sets, tuples, maps and structs while their parts come in.
//!
//! Owns what a `Serialize` implementation may get wrong (lengths, pairing, going on after an error)
//! and the paths of errors. Refuses to look at buffers or hashes; those are `walker`'s.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::canonical::describe;
use super::error::{DigestError, DigestProblem, Segment};
use super::format::tag;
use super::walker::{Mark, Sorting, Walker};

/// An open sequence, set or tuple of any kind.
#[derive(Debug)]
pub(super) struct Items<'w> {
    walker: &'w mut Walker,
    shape: Shape,
    /// The enum variant it belongs to.
    variant: Option<&'static str>,
    announced: Option<usize>,
    found: usize,
}

#[derive(Debug)]
enum Shape {
    Seq,
    Set(Sorting),
    /// Of a named value; their level is its own, but for what a newtype holds.
    Parts {
        nested: bool,
    },
}

/// An open map or struct of any kind.
#[derive(Debug)]
pub(super) struct Entries<'w> {
    walker: &'w mut Walker,
    sorting: Sorting,
    /// The enum variant it belongs to.
    variant: Option<&'static str>,
    announced: Option<usize>,
    found: usize,
    /// A key came whose value is still to come.
    key_is_open: bool,
}

impl Walker {
    pub(super) fn items(
        &mut self,
        announced: Option<usize>,
        variant: Option<&'static str>,
    ) -> Result<Items<'_>, DigestError> {
        let shape = match self.mark.take() {
            Some(Mark::Parts { nested }) => {
                if nested {
                    self.enter()?;
                }
                Shape::Parts { nested }
            }
            Some(Mark::Set) => {
                self.enter()?;
                self.put_tag(tag::SET);
                Shape::Set(self.begin_sorting())
            }
            None => {
                self.enter()?;
                self.put_tag(tag::SEQ);
                Shape::Seq
            }
        };
        Ok(Items { walker: self, shape, variant, announced, found: 0 })
    }

    pub(super) fn entries(
        &mut self,
        announced: Option<usize>,
        variant: Option<&'static str>,
    ) -> Result<Entries<'_>, DigestError> {
        self.refuse_mark()?;
        self.enter()?;
        self.put_tag(tag::MAP);
        let sorting = self.begin_sorting();
        Ok(Entries { walker: self, sorting, variant, announced, found: 0, key_is_open: false })
    }

    /// Refuses to go on after an error.
    fn check_alive(&self) -> Result<(), DigestError> {
        if self.failed { Err(DigestProblem::ErrorDropped.into()) } else { Ok(()) }
    }

    /// Notes that an error is on its way out.
    fn fail(
        &mut self,
        error: DigestError,
        segment: Option<Segment>,
        variant: Option<&'static str>,
    ) -> DigestError {
        self.failed = true;
        let segments = segment.into_iter().chain(variant.map(Segment::Field));
        segments.fold(error, DigestError::within)
    }
}

fn check_length(announced: Option<usize>, found: usize) -> Result<(), DigestError> {
    match announced {
        Some(announced) if announced != found => {
            Err(DigestProblem::Length { announced, found }.into())
        }
        _ => Ok(()),
    }
}

impl Items<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), DigestError> {
        self.walker.check_alive()?;
        let walker = &mut *self.walker;
        let result = match self.shape {
            Shape::Set(_) => walker.entry_key(item),
            Shape::Seq | Shape::Parts { .. } => item.serialize(walker),
        };
        result.map_err(|error| {
            let segment = match self.shape {
                Shape::Parts { .. } => None,
                Shape::Seq | Shape::Set(_) => Some(Segment::Index(self.found)),
            };
            self.walker.fail(error, segment, self.variant)
        })?;
        self.found += 1;
        Ok(())
    }

    fn close(self) -> Result<(), DigestError> {
        let Self { walker, shape, variant, announced, found } = self;
        walker.check_alive()?;
        check_length(announced, found).map_err(|error| walker.fail(error, None, variant))?;
        match shape {
            Shape::Parts { nested: false } => return Ok(()),
            Shape::Parts { nested: true } => {}
            Shape::Seq => walker.put_tag(tag::END),
            Shape::Set(sorting) => walker.end_sorting(&sorting).map_err(|element| {
                let problem = DigestProblem::DuplicateElement { element };
                walker.fail(problem.into(), None, variant)
            })?,
        }
        walker.leave();
        Ok(())
    }
}

impl Entries<'_> {
    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), DigestError> {
        self.walker.check_alive()?;
        if self.key_is_open {
            return Err(self.walker.fail(DigestProblem::Unpaired.into(), None, self.variant));
        }
        self.walker.entry_key(key).map_err(|error| {
            self.walker.fail(error, Some(Segment::KeyItself(self.found)), self.variant)
        })?;
        self.key_is_open = true;
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
        segment: impl FnOnce() -> Segment,
    ) -> Result<(), DigestError> {
        self.walker.check_alive()?;
        if !self.key_is_open {
            return Err(self.walker.fail(DigestProblem::Unpaired.into(), None, self.variant));
        }
        self.walker
            .entry_value(value)
            .map_err(|error| self.walker.fail(error, Some(segment()), self.variant))?;
        self.key_is_open = false;
        self.found += 1;
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), DigestError> {
        self.key(name)?;
        self.value(value, || Segment::Field(name))
    }

    fn close(self) -> Result<(), DigestError> {
        let Self { walker, sorting, variant, announced, found, key_is_open } = self;
        walker.check_alive()?;
        if key_is_open {
            return Err(walker.fail(DigestProblem::Unpaired.into(), None, variant));
        }
        check_length(announced, found).map_err(|error| walker.fail(error, None, variant))?;
        walker.end_sorting(&sorting).map_err(|key| {
            walker.fail(DigestProblem::DuplicateKey { key }.into(), None, variant)
        })?;
        walker.leave();
        Ok(())
    }
}

/// The segment for the value under a map key.
fn key_segment<T: Serialize + ?Sized>(key: &T, index: usize) -> Segment {
    match super::encode(key) {
        Ok(bytes) => Segment::Key(describe(&bytes[1..])),
        Err(_) => Segment::Entry(index),
    }
}

/// The traits that serde wants for what is one thing here.
macro_rules! items {
    ($($trait:ident::$item:ident)*) => {$(
        impl $trait for Items<'_> {
            type Ok = ();
            type Error = DigestError;

            fn $item<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), DigestError> {
                self.item(item)
            }

            fn end(self) -> Result<(), DigestError> {
                self.close()
            }
        }
    )*};
}

items! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

impl SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = DigestError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), DigestError> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), DigestError> {
        let index = self.found;
        self.value(value, || Segment::Entry(index))
    }

    fn serialize_entry<K, V>(&mut self, key: &K, value: &V) -> Result<(), DigestError>
    where
        K: Serialize + ?Sized,
        V: Serialize + ?Sized,
    {
        self.key(key)?;
        let index = self.found;
        self.value(value, || key_segment(key, index))
    }

    fn end(self) -> Result<(), DigestError> {
        self.close()
    }
}

/// As `items`, for the two kinds of struct.
macro_rules! structs {
    ($($trait:ident)*) => {$(
        impl $trait for Entries<'_> {
            type Ok = ();
            type Error = DigestError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), DigestError> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), DigestError> {
                self.close()
            }
        }
    )*};
}

structs! {
    SerializeStruct
    SerializeStructVariant
}
