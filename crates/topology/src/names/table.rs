//! Owns interned texts: each once in one buffer, known by a dense number.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Texts by number and numbers by text. Nothing is ever taken out.
///
/// The hash is seeded, since names may come from files; what is seen of a table does not depend on
/// the seed.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameTable {
    /// All texts, one after the other.
    buffer: String,
    /// Where each of them ends.
    ends: Vec<u32>,
    by_text: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl NameTable {
    pub(crate) fn reserve(&mut self, n_texts: usize) {
        let hasher = &self.hasher;
        let (ends, buffer) = (&self.ends, &self.buffer);
        self.by_text.reserve(n_texts, |&id| hasher.hash_one(text_at(buffer, ends, id)));
        self.ends.reserve(n_texts);
    }

    /// The number of a text, a new one if it is not known yet. `None` if that would take the buffer
    /// over `bytes_max`.
    pub(crate) fn intern(&mut self, text: &str, bytes_max: u32) -> Option<u32> {
        let hash = self.hasher.hash_one(text);
        let (ends, buffer, hasher) = (&self.ends, &self.buffer, &self.hasher);
        if let Some(&id) = self.by_text.find(hash, |&id| text_at(buffer, ends, id) == text) {
            return Some(id);
        }
        let end = u32::try_from(self.buffer.len() + text.len()).ok()?;
        let id = u32::try_from(self.ends.len()).ok()?;
        if end > bytes_max || id == u32::MAX {
            return None;
        }
        self.by_text.insert_unique(hash, id, |&id| hasher.hash_one(text_at(buffer, ends, id)));
        self.buffer.push_str(text);
        self.ends.push(end);
        Some(id)
    }

    pub(crate) fn find(&self, text: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(text);
        self.by_text.find(hash, |&id| self.text(id) == text).copied()
    }

    pub(crate) fn text(&self, id: u32) -> &str {
        text_at(&self.buffer, &self.ends, id)
    }

    /// Gives back what growth has taken in advance.
    pub(crate) fn shrink(&mut self) {
        self.buffer.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

fn text_at<'t>(buffer: &'t str, ends: &[u32], id: u32) -> &'t str {
    let id = id as usize;
    let begin = if id == 0 { 0 } else { ends[id - 1] as usize };
    &buffer[begin..ends[id] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_number() {
        let mut table = NameTable::default();
        let ids: Vec<_> =
            ["a", "", "ü", "a", ""].iter().map(|text| table.intern(text, 100)).collect();
        assert_eq!(ids, [Some(0), Some(1), Some(2), Some(0), Some(1)]);
        assert_eq!((table.text(0), table.text(1), table.text(2)), ("a", "", "ü"));
        assert_eq!((table.find("ü"), table.find("b")), (Some(2), None));
    }

    #[test]
    fn the_buffer_has_a_limit() {
        let mut table = NameTable::default();
        assert_eq!(table.intern("four", 7), Some(0));
        assert_eq!(table.intern("more", 7), None);
        assert_eq!(table.intern("four", 7), Some(0));
    }
}
