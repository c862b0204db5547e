//! Owns what a builder keeps of its results in the pipeline's store: in the order in which they
//! were built, by number, each with the digest of the input that it was built from. Refuses to know
//! when they are brought back: that is the builder's node's.

use anyhow::{Context as _, anyhow};
use selvedge_event::{Digest, Name, Text};
use selvedge_runtime::{Context, Journal, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::artifact::{self, Artifact};
use crate::replays::Span;

/// The number of the form that is written. Others are not read.
const FORMAT: u32 = 1;

/// How artifacts become bytes, and artifacts again.
pub(crate) struct Codec<T> {
    write: fn(&T) -> serde_json::Result<Box<RawValue>>,
    read: fn(&str) -> serde_json::Result<T>,
    digest: fn(&T) -> Result<Digest>,
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Codec<T> {
        *self
    }
}

impl<T> Copy for Codec<T> {}

impl<T: Artifact> Codec<T> {
    /// The digest of an artifact, if it has one.
    pub(crate) fn digest(&self, artifact: &T) -> Option<Digest> {
        (self.digest)(artifact).ok()
    }

    /// The record of a build: what from, and what came of it.
    pub(crate) fn record<'t>(
        &self,
        journal: &Journal,
        input: Digest,
        made: impl Iterator<Item = &'t T>,
    ) -> Result<Vec<u8>> {
        let keep = |value: &T| {
            let digest = (self.digest)(value)?;
            Ok(Kept { digest, value: (self.write)(value)? })
        };
        let made = made.map(keep).collect::<Result<_>>();
        let made = made.context("what was built can't be persisted")?;
        let origin = journal.origin().cloned();
        Ok(serde_json::to_vec(&Record { format: FORMAT, input, origin, made })?)
    }
}

impl<T: Artifact + Serialize + DeserializeOwned> Codec<T> {
    pub(crate) fn new() -> Codec<T> {
        Codec {
            write: |artifact| serde_json::value::to_raw_value(artifact),
            read: |json| serde_json::from_str(json),
            digest: |artifact| Ok(Digest::of(artifact)?),
        }
    }
}

/// One build: what from, and what came of it.
#[derive(Serialize, Deserialize)]
struct Record {
    format: u32,
    input: Digest,
    /// What the run is called that built it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Text>,
    made: Vec<Kept>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    digest: Digest,
    value: Box<RawValue>,
}

/// What a build was made from, by its record; `None` if that means nothing.
pub(crate) fn input(record: &[u8]) -> Option<Digest> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
        input: Digest,
    }
    let Head { format, input } = serde_json::from_slice(record).ok()?;
    (format == FORMAT).then_some(input)
}

/// A build that is brought back.
pub(crate) struct Brought<T> {
    pub(crate) input: Digest,
    pub(crate) made: Vec<T>,
    pub(crate) outputs: Vec<Digest>,
    pub(crate) origin: Option<Text>,
}

/// The results of a builder that outlive the run.
pub(crate) struct Shelf<T> {
    pub(crate) journal: Journal,
    codec: Codec<T>,
    /// The number of the next build.
    next: u64,
    /// What was read and is not brought back yet, the last first.
    page: Vec<(Vec<u8>, Vec<u8>)>,
    /// The key that was read last.
    last: Option<Vec<u8>>,
    is_read: bool,
}

/// Builds that are read at a time.
const PAGE: usize = 256;

impl<T: Artifact> Shelf<T> {
    pub(crate) fn new(journal: Journal, codec: Codec<T>) -> Shelf<T> {
        Shelf { journal, codec, next: 0, page: Vec::new(), last: None, is_read: false }
    }

    /// The next build that was kept in an earlier run, until there is none left.
    pub(crate) fn bring_back(&mut self) -> Result<Option<Brought<T>>> {
        loop {
            let Some((key, bytes)) = self.page.pop() else {
                if self.is_read {
                    return Ok(None);
                }
                self.read_page()?;
                continue;
            };
            if let Some(number) = key.first_chunk::<8>() {
                self.next = self.next.max(u64::from_be_bytes(*number).saturating_add(1));
            }
            match self.understand(&bytes) {
                Ok(brought) => return Ok(Some(brought)),
                Err(error) => self.journal.not_understood(&key, format!("{error:#}"))?,
            }
        }
    }

    /// How many builds were kept, in earlier runs and in this one; those of this run that fail to
    /// be written are numbered too.
    pub(crate) fn n_kept(&self) -> u64 {
        self.next
    }

    /// What came of the next build of these that can be read, to be told again.
    pub(crate) fn read_next(&self, span: &mut Span) -> Result<Option<Vec<T>>> {
        while span.next < span.end {
            let before = span.next.checked_sub(1).map(u64::to_be_bytes);
            let key = before.as_ref().map(<[u8; 8]>::as_slice);
            let Some((key, bytes)) = self.journal.read_after(key, 1)?.pop() else { break };
            let Some(number) = key.first_chunk::<8>().map(|number| u64::from_be_bytes(*number))
            else {
                break;
            };
            if number >= span.end {
                break;
            }
            span.next = number + 1;
            match self.understand(&bytes) {
                Ok(brought) => return Ok(Some(brought.made)),
                Err(error) => self.journal.not_understood(&key, format!("{error:#}"))?,
            }
        }
        Ok(None)
    }

    fn read_page(&mut self) -> Result {
        self.page = self.journal.read_after(self.last.as_deref(), PAGE)?;
        self.is_read = self.page.len() < PAGE;
        if let Some((last, _)) = self.page.last() {
            self.last = Some(last.clone());
        }
        self.page.reverse();
        Ok(())
    }

    fn understand(&self, bytes: &[u8]) -> Result<Brought<T>> {
        /// Read first: a later format may say the rest otherwise.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let Head { format } = serde_json::from_slice(bytes).context("it is no record")?;
        if format != FORMAT {
            return Err(anyhow!(
                "it is written in format {format}, and this version reads format {FORMAT}"
            ));
        }
        let Record { input, origin, made, .. } =
            serde_json::from_slice(bytes).context("it is no record")?;
        let bring = |kept: Kept| {
            let value = (self.codec.read)(kept.value.get()).context("its type has changed")?;
            let found = (self.codec.digest)(&value)?;
            if found != kept.digest {
                return Err(anyhow!(
                    "what comes back is {found}, but was written as {}: the bytes are damaged, or \
                     the type doesn't read what it writes",
                    kept.digest
                ));
            }
            Ok(value)
        };
        let outputs = made.iter().map(|kept| kept.digest).collect();
        let made = made.into_iter().map(bring).collect::<Result<_>>()?;
        Ok(Brought { input, made, outputs, origin })
    }

    /// Keeps what the turn that is being taken has emitted of a target.
    pub(crate) fn keep(
        &mut self,
        cx: &mut Context<'_>,
        target: &'static Name,
        input: Digest,
    ) -> Result {
        let way = Some(artifact::way::<T>(target));
        let artifacts = cx.emitted().filter(|event| event.way() == way);
        let made = artifacts.filter_map(artifact::read::<T>);
        let record = self.codec.record(&self.journal, input, made)?;
        cx.keep(&self.journal, &self.next.to_be_bytes(), record)
    }

    /// The turn that kept something is over, and has succeeded.
    pub(crate) fn note_kept(&mut self) {
        self.next += 1;
    }
}
