//! Owns the sheet on which notes wait for whoever reads them: notes in order, and apart from them
//! what recorded turns told, which is larger than a note may be. Nothing is allocated for either
//! once a sheet has grown: sheets are filled again and again.

use selvedge_event::{Topic, Wants};

use super::notes::Note;
use crate::ready::OwnerIdx;
use crate::recorded::Taken;

/// What a recorded processor's turn did, if it succeeded. Its note says where among others.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) owner: OwnerIdx,
    pub(super) attempt: u32,
    pub(super) topic: Topic,
    pub(super) taken: Taken,
}

/// Notes in order.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    notes: Vec<Note>,
    /// One for each `Note::Recorded`, in the same order.
    told: Vec<Told>,
}

impl Sheet {
    pub(super) fn push(&mut self, note: Note) {
        self.notes.push(note);
    }

    pub(super) fn push_told(&mut self, told: Told) {
        self.notes.push(Note::Recorded);
        self.told.push(told);
    }

    pub(super) fn len(&self) -> usize {
        self.notes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    pub(super) fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// How many notes it has had room for: what it keeps when it is cleared.
    pub(super) fn capacity(&self) -> usize {
        self.notes.capacity().max(self.told.capacity())
    }

    pub(super) fn clear(&mut self) {
        self.notes.clear();
        self.told.clear();
    }

    /// Takes all that another one has.
    pub(super) fn append(&mut self, other: &mut Sheet) {
        self.notes.append(&mut other.notes);
        self.told.append(&mut other.told);
    }

    /// Copies what is wanted of another one.
    pub(super) fn extend_wanted(&mut self, other: &Sheet, wants: Wants) {
        self.notes.extend(other.notes.iter().filter(|note| note.is_wanted(wants)).cloned());
        if wants.contains(Wants::RECORDED) {
            self.told.extend_from_slice(&other.told);
        }
    }

    /// Takes everything off it.
    pub(super) fn drain(
        &mut self,
    ) -> (impl Iterator<Item = Note> + '_, impl Iterator<Item = Told> + '_) {
        (self.notes.drain(..), self.told.drain(..))
    }
}

impl From<Note> for Sheet {
    fn from(note: Note) -> Sheet {
        Sheet { notes: vec![note], told: Vec::new() }
    }
}
