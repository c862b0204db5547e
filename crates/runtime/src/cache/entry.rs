//! Owns the form of a record in an archive: what a turn emitted, as JSON with a format's number.

use selvedge_event::codec::{CodecError, Codecs, Encoded};
use selvedge_event::{Digest, Event};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::memory::Emissions;

/// The number of the form that is written. Others are not read.
const FORMAT: u32 = 1;

/// What a turn emitted, in order.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    format: u32,
    emissions: Vec<Encoded>,
}

/// Why a record can't be read.
#[derive(Debug, Error)]
pub(super) enum EntryError {
    #[error("it is no record: {0}")]
    Malformed(serde_json::Error),
    #[error("it is written in format {found}, and this version reads format {FORMAT}")]
    Format { found: u32 },
    #[error("{0}")]
    Emission(CodecError),
}

impl Entry {
    pub(super) fn of<'e>(
        codecs: &Codecs,
        events: impl Iterator<Item = &'e Event>,
    ) -> Result<Entry, CodecError> {
        let emissions = events.map(|event| codecs.encode(event)).collect::<Result<_, _>>()?;
        Ok(Entry { format: FORMAT, emissions })
    }

    pub(super) fn digests(&self) -> impl Iterator<Item = Digest> {
        self.emissions.iter().map(Encoded::digest)
    }

    pub(super) fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("what is in it is JSON already")
    }

    /// What the bytes say was emitted.
    pub(super) fn read(bytes: &[u8], codecs: &Codecs) -> Result<Emissions, EntryError> {
        /// Read first: a later format may say the rest otherwise.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let Head { format } = serde_json::from_slice(bytes).map_err(EntryError::Malformed)?;
        if format != FORMAT {
            return Err(EntryError::Format { found: format });
        }
        let entry: Entry = serde_json::from_slice(bytes).map_err(EntryError::Malformed)?;
        let decoded = entry.emissions.iter().map(|encoded| codecs.decode(encoded));
        let events = decoded.collect::<Result<Vec<_>, _>>().map_err(EntryError::Emission)?;
        Ok(Emissions::new(events, entry.digests().collect()))
    }
}
