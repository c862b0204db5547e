//! Owns what an event can be asked whatever it holds, and the forms that hold it: a payload alone,
//! one that is shared, ones under another name, a dynamic value. Refuses to know where they lie.

use std::any::{Any, TypeId};
use std::sync::OnceLock;

use serde_json::Value;

use super::way::Way;
use crate::digest::Digest;
use crate::dynamic::Dynamic;
use crate::payload::Payload;
use crate::topic::{Key, Kind, Name};

/// What an event holds, whatever its payload. The answers that stand here are those of most forms.
pub(super) trait Packet: Any + Send + Sync {
    fn kind(&self) -> Kind;
    fn name(&self) -> Option<&Name> {
        None
    }
    fn key(&self) -> Option<Key>;
    fn extends_others(&self) -> bool {
        false
    }
    fn ancestors(&self) -> Vec<Kind> {
        Vec::new()
    }
    fn view(&self, _wanted: TypeId) -> Option<&dyn Any> {
        None
    }
    fn value(&self) -> Option<&Value> {
        None
    }
    fn way(&self) -> Option<Way> {
        None
    }
    fn payload_type(&self) -> Option<TypeId> {
        None
    }
    /// The memory of the form itself and of what it owns.
    fn bytes(&self) -> usize;
    fn encodable(&self) -> Option<&dyn erased_serde::Serialize>;
    /// Where the digest is kept, if there is a place for it.
    fn digest_cell(&self) -> Option<&OnceLock<Box<Digest>>> {
        None
    }
}

/// A payload and nothing else: what lies inline, and what the others are made of.
pub(super) struct Bare<T>(pub(super) T);

impl<T: Payload> Packet for Bare<T> {
    fn kind(&self) -> Kind {
        T::kind()
    }
    fn key(&self) -> Option<Key> {
        self.0.key()
    }
    fn extends_others(&self) -> bool {
        T::EXTENDS
    }
    fn ancestors(&self) -> Vec<Kind> {
        if T::EXTENDS { T::ancestors() } else { Vec::new() }
    }
    fn view(&self, wanted: TypeId) -> Option<&dyn Any> {
        if wanted == TypeId::of::<T>() {
            return Some(&self.0);
        }
        if T::EXTENDS { self.0.view(wanted) } else { None }
    }
    fn way(&self) -> Option<Way> {
        Some(Way::of::<T>())
    }
    fn payload_type(&self) -> Option<TypeId> {
        Some(TypeId::of::<T>())
    }
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.0.heap_bytes()
    }
    fn encodable(&self) -> Option<&dyn erased_serde::Serialize> {
        self.0.encodable()
    }
}

/// A payload under a static name: what lies inline if there is room for both. The payload comes
/// first, so that it is found where a bare one is.
#[repr(C)]
pub(super) struct Titled<T> {
    pub(super) bare: Bare<T>,
    pub(super) name: &'static Name,
}

impl<T: Payload> Packet for Titled<T> {
    fn kind(&self) -> Kind {
        self.bare.kind()
    }
    fn name(&self) -> Option<&Name> {
        Some(self.name)
    }
    fn key(&self) -> Option<Key> {
        self.bare.key()
    }
    fn extends_others(&self) -> bool {
        self.bare.extends_others()
    }
    fn ancestors(&self) -> Vec<Kind> {
        self.bare.ancestors()
    }
    fn view(&self, wanted: TypeId) -> Option<&dyn Any> {
        self.bare.view(wanted)
    }
    fn way(&self) -> Option<Way> {
        Some(Way::under::<T>(self.name))
    }
    fn payload_type(&self) -> Option<TypeId> {
        self.bare.payload_type()
    }
    fn bytes(&self) -> usize {
        size_of::<Self>() - size_of::<Bare<T>>() + self.bare.bytes()
    }
    fn encodable(&self) -> Option<&dyn erased_serde::Serialize> {
        self.bare.encodable()
    }
}

/// A payload on the heap, with a place for its digest.
pub(super) struct Kept<T> {
    digest: OnceLock<Box<Digest>>,
    bare: Bare<T>,
}

impl<T> Kept<T> {
    pub(super) fn new(payload: T) -> Kept<T> {
        Kept { digest: OnceLock::new(), bare: Bare(payload) }
    }

    #[inline]
    pub(super) fn payload(&self) -> &T {
        &self.bare.0
    }
}

impl<T: Payload> Packet for Kept<T> {
    fn kind(&self) -> Kind {
        self.bare.kind()
    }
    fn key(&self) -> Option<Key> {
        self.bare.key()
    }
    fn extends_others(&self) -> bool {
        self.bare.extends_others()
    }
    fn ancestors(&self) -> Vec<Kind> {
        self.bare.ancestors()
    }
    fn view(&self, wanted: TypeId) -> Option<&dyn Any> {
        self.bare.view(wanted)
    }
    fn way(&self) -> Option<Way> {
        self.bare.way()
    }
    fn payload_type(&self) -> Option<TypeId> {
        self.bare.payload_type()
    }
    fn bytes(&self) -> usize {
        size_of::<Self>() - size_of::<Bare<T>>() + self.bare.bytes()
    }
    fn encodable(&self) -> Option<&dyn erased_serde::Serialize> {
        self.bare.encodable()
    }
    fn digest_cell(&self) -> Option<&OnceLock<Box<Digest>>> {
        Some(&self.digest)
    }
}

/// A name that an event has instead of its kind's.
pub(super) enum Title {
    Own(Name),
    Static(&'static Name),
}

/// A shared payload under a name of its own, which decides who hears it.
pub(super) struct Renamed<T> {
    title: Title,
    kept: Kept<T>,
}

impl<T> Renamed<T> {
    pub(super) fn new(title: Title, payload: T) -> Renamed<T> {
        Renamed { title, kept: Kept::new(payload) }
    }

    #[inline]
    pub(super) fn payload(&self) -> &T {
        self.kept.payload()
    }
}

impl<T: Payload> Packet for Renamed<T> {
    fn kind(&self) -> Kind {
        self.kept.kind()
    }
    fn name(&self) -> Option<&Name> {
        match &self.title {
            Title::Own(name) => Some(name),
            Title::Static(name) => Some(name),
        }
    }
    fn key(&self) -> Option<Key> {
        self.kept.key()
    }
    fn extends_others(&self) -> bool {
        self.kept.extends_others()
    }
    fn ancestors(&self) -> Vec<Kind> {
        self.kept.ancestors()
    }
    fn view(&self, wanted: TypeId) -> Option<&dyn Any> {
        self.kept.view(wanted)
    }
    fn payload_type(&self) -> Option<TypeId> {
        self.kept.payload_type()
    }
    fn way(&self) -> Option<Way> {
        match self.title {
            Title::Own(_) => None,
            Title::Static(name) => Some(Way::under::<T>(name)),
        }
    }
    fn bytes(&self) -> usize {
        let elsewhere = match &self.title {
            Title::Own(name) => name.as_str().len(),
            Title::Static(_) => 0,
        };
        size_of::<Title>() + elsewhere + self.kept.bytes()
    }
    fn encodable(&self) -> Option<&dyn erased_serde::Serialize> {
        self.kept.encodable()
    }
    fn digest_cell(&self) -> Option<&OnceLock<Box<Digest>>> {
        self.kept.digest_cell()
    }
}

/// A value known only at run time.
pub(super) struct Loose {
    digest: OnceLock<Box<Digest>>,
    /// A tree is walked once, however often its size is asked for.
    heap_bytes: OnceLock<usize>,
    dynamic: Dynamic,
}

impl Loose {
    pub(super) fn new(dynamic: Dynamic) -> Loose {
        Loose { digest: OnceLock::new(), heap_bytes: OnceLock::new(), dynamic }
    }
}

impl Packet for Loose {
    fn kind(&self) -> Kind {
        self.dynamic.kind.clone()
    }
    fn name(&self) -> Option<&Name> {
        self.dynamic.name.as_ref()
    }
    fn key(&self) -> Option<Key> {
        self.dynamic.key.clone()
    }
    fn value(&self) -> Option<&Value> {
        Some(&self.dynamic.value)
    }
    fn bytes(&self) -> usize {
        let heap = || crate::dynamic::heap_bytes(&self.dynamic.value);
        size_of::<Self>() + *self.heap_bytes.get_or_init(heap)
    }
    fn encodable(&self) -> Option<&dyn erased_serde::Serialize> {
        Some(&self.dynamic.value)
    }
    fn digest_cell(&self) -> Option<&OnceLock<Box<Digest>>> {
        Some(&self.digest)
    }
}
