//! Owns `Run`: one run of a pipeline, from its start to its end, with who wanted it and why.
//! Decides nothing about when a run ends.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use selvedge_event::{Digest, Outcome, Text};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::ParseRunIdError;
use crate::time::Timestamp;

/// Names a run: 16 bytes, written as a UUID.
///
/// ```
/// use selvedge_lineage::{RunId, Timestamp};
/// let id = RunId::at(Timestamp::from_nanos(1_700_000_000_000_000_000), [7; 10]);
/// assert_eq!(id.to_string(), "018bcfe5-6800-7707-8707-070707070707");
/// assert_eq!(id.to_string().parse(), Ok(id));
/// assert_eq!(RunId::named("monday"), RunId::named("monday"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId([u8; RunId::LEN]);

impl RunId {
    /// Length in bytes.
    pub const LEN: usize = 16;

    /// An id of the time a run starts and bits that nobody else draws: a UUID of version 7
    /// (RFC 9562), so that ids ascend with time.
    #[must_use]
    pub fn at(start: Timestamp, random: [u8; 10]) -> RunId {
        let mut id = [0; RunId::LEN];
        let millis = (start.as_nanos() / 1_000_000).to_be_bytes();
        id[..6].copy_from_slice(&millis[2..]);
        id[6..].copy_from_slice(&random);
        RunId(id).marked(7)
    }

    /// An id of the time a run starts and bits drawn for it: the standard library's hashers are
    /// seeded by the system, differently each time.
    #[must_use]
    pub fn drawn(start: Timestamp) -> RunId {
        use std::hash::{BuildHasher, RandomState};
        let mut random = [0; 10];
        random[..8].copy_from_slice(&RandomState::new().hash_one(1_u8).to_be_bytes());
        random[8..].copy_from_slice(&RandomState::new().hash_one(2_u8).to_be_bytes()[..2]);
        RunId::at(start, random)
    }

    /// The id of a name that the user gave the run: a UUID of version 8, the name's BLAKE3.
    #[must_use]
    pub fn named(name: &str) -> RunId {
        let hash = blake3::derive_key("selvedge 2026 lineage run name", name.as_bytes());
        let mut id = [0; RunId::LEN];
        id.copy_from_slice(&hash[..RunId::LEN]);
        RunId(id).marked(8)
    }

    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; RunId::LEN]) -> RunId {
        RunId(bytes)
    }

    /// The id's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; RunId::LEN] {
        &self.0
    }

    /// Writes a UUID's version and variant in their places.
    fn marked(mut self, version: u8) -> RunId {
        self.0[6] = (version << 4) | (self.0[6] & 0x0f);
        self.0[8] = 0x80 | (self.0[8] & 0x3f);
        self
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, byte) in self.0.iter().enumerate() {
            let dash = if matches!(n, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RunId {
    type Err = ParseRunIdError;

    /// Reads what `Display` writes, in either case.
    fn from_str(text: &str) -> Result<RunId, ParseRunIdError> {
        let dashes_stand = |(n, c): (usize, char)| (c == '-') == matches!(n, 8 | 13 | 18 | 23);
        let digits: String = text.chars().filter(|&c| c != '-').collect();
        let well_formed = text.len() == 36
            && text.char_indices().all(dashes_stand)
            && digits.chars().all(|c| c.is_ascii_hexdigit());
        match u128::from_str_radix(&digits, 16) {
            Ok(bits) if well_formed => Ok(RunId(bits.to_be_bytes())),
            Ok(_) | Err(_) => Err(ParseRunIdError { found: text.to_owned() }),
        }
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RunId, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// One run of a pipeline.
///
/// Parameters are told by digest: their values are the content store's, so that erasing a value
/// leaves none behind here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Which run.
    pub id: RunId,
    /// What ran: the pipeline's name.
    pub pipeline: Text,
    /// When it began.
    pub started_at: Timestamp,
    /// How it ended, and when; none while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<RunEnd>,
    /// Who wanted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Text>,
    /// What set it off: a schedule, a file, a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Text>,
    /// The machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Text>,
    /// The user's own labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<Text, Text>,
    /// The parameters it was given, by digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<Text, Digest>,
    /// The run that this one was started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
    /// Whether a legal hold keeps it, and all of its values, from being removed or erased.
    #[serde(default)]
    pub held: bool,
}

/// How and when a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnd {
    /// How.
    pub outcome: Outcome,
    /// When; of a run that was found abandoned, when it was found.
    pub at: Timestamp,
}

impl Run {
    /// A run that begins, with nothing else told about it; every field can be set.
    pub fn new(id: RunId, pipeline: impl Into<Text>, started_at: Timestamp) -> Run {
        Run {
            id,
            pipeline: pipeline.into(),
            started_at,
            end: None,
            actor: None,
            trigger: None,
            host: None,
            tags: BTreeMap::new(),
            parameters: BTreeMap::new(),
            parent: None,
            held: false,
        }
    }

    /// Adds a label.
    #[must_use]
    pub fn tag(mut self, name: &str, value: &str) -> Run {
        self.tags.insert(Text::from(name), Text::from(value));
        self
    }

    /// Adds a parameter.
    #[must_use]
    pub fn parameter(mut self, name: &str, digest: Digest) -> Run {
        self.parameters.insert(Text::from(name), digest);
        self
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.end.as_ref().map_or(Status::Running, |end| Status::of(&end.outcome))
    }
}

/// Where a run or an execution stands, without the details that [`Outcome`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// It goes on. Only runs do: an execution is recorded when it has ended.
    Running,
    /// See [`Outcome::Succeeded`].
    Succeeded,
    /// See [`Outcome::Failed`].
    Failed,
    /// See [`Outcome::Skipped`].
    Skipped,
    /// See [`Outcome::TimedOut`].
    TimedOut,
    /// See [`Outcome::Cancelled`].
    Cancelled,
    /// See [`Outcome::Suspended`].
    Suspended,
    /// See [`Outcome::Abandoned`].
    Abandoned,
}

impl Status {
    /// The status that an outcome leads to.
    ///
    /// # Panics
    ///
    /// On an outcome that this version does not know; there is none.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Status {
        match outcome {
            Outcome::Succeeded => Status::Succeeded,
            Outcome::Failed { .. } => Status::Failed,
            Outcome::Skipped { .. } => Status::Skipped,
            Outcome::TimedOut => Status::TimedOut,
            Outcome::Cancelled { .. } => Status::Cancelled,
            Outcome::Suspended => Status::Suspended,
            Outcome::Abandoned => Status::Abandoned,
            other => unreachable!("{other:?} has no status: add it here with its variant"),
        }
    }

    /// One word, as it is serialized.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Succeeded => "succeeded",
            Status::Failed => "failed",
            Status::Skipped => "skipped",
            Status::TimedOut => "timed_out",
            Status::Cancelled => "cancelled",
            Status::Suspended => "suspended",
            Status::Abandoned => "abandoned",
        }
    }
}
