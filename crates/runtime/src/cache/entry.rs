//! Owns the form of a record in an archive: what a turn emitted, as JSON with a format's number.

use selvedge_event::codec::{CodecError, Codecs, Encoded};
use selvedge_event::{Digest, Event, Text};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::memory::Emissions;

/// The number of the form that is written. Later ones are not read; the one before had no origin.
const FORMAT: u32 = 2;
const FORMAT_MIN: u32 = 1;

/// What a turn emitted, in order.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    format: u32,
    /// What the run that recorded it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Text>,
    emissions: Vec<Encoded>,
}

/// Why a record can't be read.
#[derive(Debug, Error)]
pub(super) enum EntryError {
    #[error("it is no record: {0}")]
    Malformed(serde_json::Error),
    #[error("it is written in format {found}, and this version reads formats up to {FORMAT}")]
    Format { found: u32 },
    #[error("{0}")]
    Emission(CodecError),
}

impl Entry {
    pub(super) fn of<'e>(
        codecs: &Codecs,
        events: impl Iterator<Item = &'e Event>,
        origin: Option<Text>,
    ) -> Result<Entry, CodecError> {
        let emissions = events.map(|event| codecs.encode(event)).collect::<Result<_, _>>()?;
        Ok(Entry { format: FORMAT, origin, emissions })
    }

    pub(super) fn digests(&self) -> impl Iterator<Item = Digest> {
        self.emissions.iter().map(Encoded::digest)
    }

    pub(super) fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("what is in it is JSON already")
    }

    /// What the bytes say was emitted.
    pub(super) fn read(bytes: &[u8], codecs: &Codecs) -> Result<Emissions, EntryError> {
        /// A later format may say the rest otherwise, so this is read if that can't be.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let is_read = |format| (FORMAT_MIN..=FORMAT).contains(&format);
        let entry: Entry = match serde_json::from_slice(bytes) {
            Ok(Entry { format, .. }) if !is_read(format) => {
                return Err(EntryError::Format { found: format });
            }
            Ok(entry) => entry,
            Err(malformed) => match serde_json::from_slice(bytes) {
                Ok(Head { format }) if !is_read(format) => {
                    return Err(EntryError::Format { found: format });
                }
                Ok(Head { .. }) | Err(_) => return Err(EntryError::Malformed(malformed)),
            },
        };
        let decoded = entry.emissions.iter().map(|encoded| codecs.decode(encoded));
        let events = decoded.collect::<Result<Vec<_>, _>>().map_err(EntryError::Emission)?;
        // Of what they are now: one that was kept in an older version had another.
        let digests = events
            .iter()
            .map(|event| event.payload_digest().expect("it was brought back with one"));
        let digests = digests.collect();
        Ok(Emissions::new(events, digests, entry.origin))
    }
}
