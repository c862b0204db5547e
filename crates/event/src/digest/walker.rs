//! The one walk behind both forms: writes a value's canonical encoding and folds it where hashed.
//!
//! Owns the order of map entries and the nesting of hashes; the serde side is `serializer`. Refuses
//! to know about Rust types. Everything goes through one byte buffer, used as a stack:
//!
//! ```text
//! [scope content …][entry: key | value][entry: key | value …
//!  ^ scope.start    ^ Entry.start       ^ the open value's scope, when hashing
//! ```
//!
//! When hashing, every map value and every key has a scope of its own, which closes into at most
//! `1 + INLINE_MAX` bytes on the buffer; a scope that outgrows `SPILL_BYTES` moves its content into
//! a hasher. Keys and set elements are written in full inside their scope, because their siblings'
//! order depends on them and must be the same in both forms. A scope that may still have to reorder
//! what it holds is pinned: it doesn't spill.

use std::cell::RefCell;
use std::mem;

use blake3::Hasher;
use serde::Serialize;

use super::canonical::describe;
use super::error::{DigestError, DigestProblem};
use super::format::{HASHED, INLINE_MAX, KeyDigest, MAX_DEPTH, Role, VERSION, put_leb128, tag};

/// How much of a scope gathers before it goes to the hasher: as much as BLAKE3 hashes at its
/// widest, sixteen chunks at once.
const SPILL_BYTES: usize = 16 * 1024;

/// How much of its room a walk leaves to the next one on its thread.
const LEFT_BYTES_MAX: usize = 2 * SPILL_BYTES;
const LEFT_ENTRIES_MAX: usize = 256;

thread_local! {
    /// The room of the last walk that ended well. Most values are small: to allocate for each
    /// would cost as much as to hash it.
    static LEFT: RefCell<Option<Room>> = const { RefCell::new(None) };
}

/// What a walk writes into.
#[derive(Debug)]
struct Room {
    buf: Vec<u8>,
    /// The entries of all open maps and sets, innermost last.
    entries: Vec<Entry>,
    /// Where entries are put in order; empty in between.
    scratch: Vec<u8>,
}

impl Room {
    /// The room that was left, or a new one; a walk inside of a walk has one of its own.
    fn find() -> Room {
        // A thread that is ending has none any more.
        let left = LEFT.try_with(|left| left.borrow_mut().take());
        left.ok().flatten().unwrap_or_else(|| Room {
            buf: Vec::with_capacity(512),
            entries: Vec::with_capacity(16),
            scratch: Vec::new(),
        })
    }

    fn leave(mut self) {
        let fits = self.buf.capacity() <= LEFT_BYTES_MAX
            && self.scratch.capacity() <= LEFT_BYTES_MAX
            && self.entries.capacity() <= LEFT_ENTRIES_MAX;
        if fits {
            self.buf.clear();
            self.entries.clear();
            self.scratch.clear();
            // A thread that is ending needs none any more.
            let _ = LEFT.try_with(|left| left.replace(Some(self)));
        }
    }
}

/// The state of one walk. Dead after the first error.
#[derive(Debug)]
pub(super) struct Walker {
    room: Room,
    scope: Scope,
    depth: usize,
    /// Set by a reserved newtype name; meant for the very next call.
    pub(super) mark: Option<Mark>,
    /// An error went out, so nothing here is in order any more.
    pub(super) failed: bool,
}

/// What a reserved newtype name says about the sequence inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Its order doesn't count.
    Set,
    /// Its items are the parts of a named value whose tag is written already.
    Parts {
        /// Whether one of them is a value one level down.
        nested: bool,
    },
}

/// How maps and sets are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// Entries in full: what `encode` returns and what keys are identified by.
    Full,
    /// Entries as sub-digests: what values are hashed by.
    Folded,
}

/// Content that becomes one hash, or one inline run of bytes.
#[derive(Debug)]
struct Scope {
    /// Where its content starts on the buffer.
    start: usize,
    layout: Layout,
    role: Role,
    /// Whether its content has to stay on the buffer.
    pinned: bool,
    /// Holds the content that came before what is on the buffer.
    hasher: Option<Box<Hasher>>,
}

/// An entry on the buffer: the key in full (if the layout is full), its sub-digest, the value.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    key_end: usize,
    value_start: usize,
    end: usize,
}

/// An open map or set.
#[derive(Debug)]
pub(super) struct Sorting {
    /// Where its entries start on the buffer.
    start: usize,
    /// Where they start among all open entries.
    first: usize,
    /// Whether the scope was pinned before.
    was_pinned: bool,
}

impl Scope {
    fn new(start: usize, layout: Layout, role: Role) -> Self {
        Self { start, layout, role, pinned: false, hasher: None }
    }
}

impl Walker {
    /// A walk that ends in `into_root_hash`.
    pub(super) fn hashing() -> Self {
        Self::new(Scope::new(0, Layout::Folded, Role::Root))
    }

    /// A walk that ends in `into_bytes`.
    pub(super) fn writing() -> Self {
        Self::new(Scope { pinned: true, ..Scope::new(0, Layout::Full, Role::Root) })
    }

    fn new(scope: Scope) -> Self {
        let mut room = Room::find();
        room.buf.push(VERSION);
        Self { room, scope, depth: 0, mark: None, failed: false }
    }

    /// Takes a whole value.
    pub(super) fn walk<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), DigestError> {
        value.serialize(&mut *self)?;
        assert!(
            self.room.entries.is_empty() && self.depth == 0,
            "every map that was opened is closed"
        );
        Ok(())
    }

    pub(super) fn into_root_hash(mut self) -> [u8; 32] {
        assert_eq!(self.scope.role, Role::Root, "every scope that was opened is closed");
        let hash = Self::finish(&self.room.buf, &mut self.scope);
        self.room.leave();
        hash
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        assert_eq!(self.scope.layout, Layout::Full, "only a writing walk keeps its bytes");
        self.room.buf
    }

    /// Goes one level down.
    pub(super) fn enter(&mut self) -> Result<(), DigestError> {
        if self.depth == MAX_DEPTH {
            return Err(DigestProblem::TooDeep { max: MAX_DEPTH }.into());
        }
        self.depth += 1;
        Ok(())
    }

    /// Comes back up.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn put_tag(&mut self, tag: u8) {
        self.room.buf.push(tag);
        self.spill_if_full();
    }

    pub(super) fn put_unsigned(&mut self, number: u128) {
        self.room.buf.push(tag::UNSIGNED);
        put_leb128(&mut self.room.buf, number);
        self.spill_if_full();
    }

    pub(super) fn put_signed(&mut self, number: i128) {
        match u128::try_from(number) {
            Ok(number) => self.put_unsigned(number),
            Err(_) => {
                self.room.buf.push(tag::NEGATIVE);
                // `!n` is `-1 - n`, which no negative number takes out of range.
                put_leb128(&mut self.room.buf, (!number).unsigned_abs());
                self.spill_if_full();
            }
        }
    }

    pub(super) fn put_float(&mut self, number: f64) -> Result<(), DigestError> {
        if !number.is_finite() {
            return Err(DigestProblem::NotFinite { value: number }.into());
        }
        self.room.buf.push(tag::FLOAT);
        self.room.buf.extend_from_slice(&number.to_bits().to_be_bytes());
        self.spill_if_full();
        Ok(())
    }

    pub(super) fn put_char(&mut self, char: char) {
        self.room.buf.push(tag::CHAR);
        put_leb128(&mut self.room.buf, u32::from(char).into());
        self.spill_if_full();
    }

    pub(super) fn put_str(&mut self, text: &str) {
        self.put_block(tag::STR, text.as_bytes());
    }

    /// Puts a tag, a length and so many bytes.
    pub(super) fn put_block(&mut self, tag: u8, bytes: &[u8]) {
        self.room.buf.push(tag);
        put_leb128(&mut self.room.buf, bytes.len() as u128);
        if bytes.len() >= SPILL_BYTES && !self.scope.pinned {
            self.spill().update(bytes);
        } else {
            self.room.buf.extend_from_slice(bytes);
            self.spill_if_full();
        }
    }

    fn spill_if_full(&mut self) {
        if self.room.buf.len() - self.scope.start >= SPILL_BYTES && !self.scope.pinned {
            self.spill();
        }
    }

    /// Moves the innermost scope's content into its hasher.
    fn spill(&mut self) -> &mut Hasher {
        let scope = &mut self.scope;
        let hasher = scope.hasher.get_or_insert_with(|| Box::new(scope.role.hasher()));
        hasher.update(&self.room.buf[scope.start..]);
        self.room.buf.truncate(scope.start);
        hasher
    }

    fn finish(buf: &[u8], scope: &mut Scope) -> [u8; 32] {
        let rest = &buf[scope.start..];
        let hash = match &mut scope.hasher {
            Some(hasher) => hasher.update(rest).finalize(),
            None => scope.role.hasher().update(rest).finalize(),
        };
        *hash.as_bytes()
    }

    /// Opens a map or set whose tag is written.
    pub(super) fn begin_sorting(&mut self) -> Sorting {
        let was_pinned = self.scope.pinned;
        // With the folded layout, nothing is written to this scope before the entries are in order.
        self.scope.pinned |= self.scope.layout == Layout::Full;
        Sorting { start: self.room.buf.len(), first: self.room.entries.len(), was_pinned }
    }

    /// Takes a map key, or a set element, which then has no value.
    pub(super) fn entry_key<T>(&mut self, key: &T) -> Result<(), DigestError>
    where
        T: Serialize + ?Sized,
    {
        let start = self.room.buf.len();
        let mut key_end = start;
        match self.scope.layout {
            Layout::Folded => self.fold(Role::Key, Layout::Full, key)?,
            Layout::Full => {
                key.serialize(&mut *self)?;
                key_end = self.room.buf.len();
                self.put_key_digest(start);
            }
        }
        let value_start = self.room.buf.len();
        self.room.entries.push(Entry { start, key_end, value_start, end: value_start });
        Ok(())
    }

    /// Takes the value of the newest key.
    pub(super) fn entry_value<T>(&mut self, value: &T) -> Result<(), DigestError>
    where
        T: Serialize + ?Sized,
    {
        match self.scope.layout {
            Layout::Folded => self.fold(Role::Value, Layout::Folded, value)?,
            Layout::Full => value.serialize(&mut *self)?,
        }
        let end = self.room.buf.len();
        self.room.entries.last_mut().expect("a value comes after its key").end = end;
        Ok(())
    }

    /// Puts a value as its sub-digest.
    fn fold<T>(&mut self, role: Role, layout: Layout, value: &T) -> Result<(), DigestError>
    where
        T: Serialize + ?Sized,
    {
        let length_at = self.room.buf.len();
        self.room.buf.push(HASHED);
        let outer = mem::replace(&mut self.scope, Scope::new(length_at + 1, layout, role));
        value.serialize(&mut *self)?;
        let mut scope = mem::replace(&mut self.scope, outer);
        let length = self.room.buf.len() - scope.start;
        if scope.hasher.is_none() && length <= INLINE_MAX {
            self.room.buf[length_at] = length as u8;
        } else {
            let hash = Self::finish(&self.room.buf, &mut scope);
            self.room.buf.truncate(scope.start);
            self.room.buf.extend_from_slice(&hash);
        }
        Ok(())
    }

    /// Puts the sub-digest of a key that stands in full at the end of the buffer.
    fn put_key_digest(&mut self, start: usize) {
        match KeyDigest::of(&self.room.buf[start..]) {
            KeyDigest::Inline(length, _) => {
                self.room.buf.push(length as u8);
                self.room.buf.extend_from_within(start..start + length);
            }
            KeyDigest::Hashed(hash) => {
                self.room.buf.push(HASHED);
                self.room.buf.extend_from_slice(&hash);
            }
        }
    }

    /// Puts the entries in order and closes the map or set. A key that occurs twice is described
    /// in the error.
    pub(super) fn end_sorting(&mut self, sorting: &Sorting) -> Result<(), String> {
        let Self { room: Room { buf, entries, scratch }, scope, .. } = self;
        let open = &mut entries[sorting.first..];
        let key = |entry: &Entry| &buf[entry.key_end..entry.value_start];
        let in_order = open.windows(2).all(|pair| key(&pair[0]) < key(&pair[1]));
        if !in_order {
            open.sort_unstable_by(|left, right| key(left).cmp(key(right)));
            if let Some(pair) = open.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
                let Entry { start, key_end, .. } = pair[0];
                return Err(describe_key(&buf[start..key_end], key(&pair[0])));
            }
        }
        // Folded entries that came in order are what has to be written, where it has to be.
        if !(in_order && scope.layout == Layout::Folded) {
            for entry in &*open {
                scratch.extend_from_slice(&buf[entry.start..entry.key_end]);
                let rest = match scope.layout {
                    Layout::Full => entry.value_start,
                    Layout::Folded => entry.key_end,
                };
                scratch.extend_from_slice(&buf[rest..entry.end]);
            }
            buf.truncate(sorting.start);
            buf.append(scratch);
        }
        entries.truncate(sorting.first);
        scope.pinned = sorting.was_pinned;
        self.put_tag(tag::END);
        Ok(())
    }
}

/// Shows a key given in full, or else by its sub-digest.
fn describe_key(full: &[u8], key_digest: &[u8]) -> String {
    if !full.is_empty() {
        return describe(full);
    }
    match key_digest.split_first() {
        Some((&HASHED, _)) | None => format!("of more than {INLINE_MAX} bytes"),
        Some((_, inline)) => describe(inline),
    }
}
