//! Owns reading blocks: what is wanted of one is made, and the rest is passed over.

use std::time::Duration;

use selvedge_event::{Canceller, Code, Digest, Outcome, Signature, Text};

use super::{POSITION_MAX, Placed, VERSION};
use crate::record::{Input, Record, StepKind};
use crate::run::RunId;
use crate::segments::wire::{Malformed, Reader};
use crate::time::Timestamp;

/// Reads a block's records in order, as far as one wants.
#[derive(Debug)]
pub(crate) struct Records<'b> {
    tables: Tables<'b>,
    n_left: usize,
    next: u64,
    clock: u64,
    reader: Reader<'b>,
}

/// What records name by number. A question looks at one record of hundreds, so a thing is made when
/// the first record names it.
#[derive(Debug)]
struct Tables<'b> {
    runs: Vec<RunId>,
    texts: Vec<Lazy<&'b str, Text>>,
    signatures: Vec<Lazy<Signed, Signature>>,
}

#[derive(Debug)]
struct Lazy<S, T> {
    source: S,
    made: Option<T>,
}

/// A signature as it is written.
#[derive(Clone, Copy, Debug)]
struct Signed {
    code: SignedCode,
    constants: Option<Digest>,
}

#[derive(Clone, Copy, Debug)]
enum SignedCode {
    Hash(Digest),
    Version { subject: usize, version: usize },
}

impl<'b> Records<'b> {
    /// Reads a block's tables. The version is the caller's to look at first: a newer one is no
    /// damage.
    pub(crate) fn open(key: u64, bytes: &'b [u8]) -> Result<Records<'b>, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != VERSION {
            return Err(reader.malformed("version 1 of the format of blocks"));
        }
        let tables = Tables::read(&mut reader)?;
        let n_left = reader.count()?;
        Ok(Records { tables, n_left, next: key, clock: 0, reader })
    }

    /// The next record whose position is wanted. Others are not even put together.
    pub(crate) fn find(
        &mut self,
        mut wanted: impl FnMut(u64) -> bool,
    ) -> Option<Result<Placed, Malformed>> {
        while self.n_left > 0 {
            self.n_left -= 1;
            let read = self.position().and_then(|position| {
                if wanted(position) {
                    self.record().map(|record| Some(Placed { position, record }))
                } else {
                    self.skip().map(|()| None)
                }
            });
            match read {
                Ok(None) => {}
                Ok(Some(placed)) => return Some(Ok(placed)),
                Err(error) => {
                    (self.n_left, self.reader) = (0, Reader::new(&[]));
                    return Some(Err(error));
                }
            }
        }
        let rest = std::mem::replace(&mut self.reader, Reader::new(&[]));
        (!rest.is_at_end()).then(|| Err(rest.malformed("the end")))
    }

    fn position(&mut self) -> Result<u64, Malformed> {
        let gap = self.reader.number()?;
        let position = self.next.checked_add(gap).filter(|&position| position < POSITION_MAX);
        let position = position.ok_or_else(|| self.reader.malformed("a position"))?;
        self.next = position + 1;
        Ok(position)
    }

    fn record(&mut self) -> Result<Record, Malformed> {
        let Records { tables, reader, .. } = self;
        let run = tables.run(reader)?;
        let step = tables.text(reader)?;
        let kind = kind(reader)?;
        let signature = tables.signature(reader)?;
        let n_inputs = reader.count()?;
        let mut inputs = Vec::with_capacity(n_inputs);
        for _ in 0..n_inputs {
            let name = tables.text(reader)?;
            let step = tables.optional_text(reader)?;
            inputs.push(Input { name, step, digest: reader.digest()? });
        }
        let n_outputs = reader.count()?;
        let mut outputs = Vec::with_capacity(n_outputs);
        for _ in 0..n_outputs {
            outputs.push(reader.digest()?);
        }
        let outcome = outcome(reader)?;
        let reused_from = tables.optional_run(reader)?;
        let attempt = reader.small()?;
        self.clock = reader.difference(self.clock)?;
        let started_at = Timestamp::from_nanos(self.clock);
        let own_duration = Duration::from_nanos(reader.number()?);
        let worker = reader.optional()?;
        Ok(Record {
            run,
            step,
            kind,
            signature,
            inputs,
            outputs,
            outcome,
            reused_from,
            attempt,
            started_at,
            own_duration,
            worker,
        })
    }

    /// Passes over a record.
    fn skip(&mut self) -> Result<(), Malformed> {
        let reader = &mut self.reader;
        reader.number()?;
        reader.number()?;
        reader.byte()?;
        reader.number()?;
        for _ in 0..reader.count()? {
            reader.number()?;
            reader.number()?;
            reader.bytes(Digest::LEN)?;
        }
        for _ in 0..reader.count()? {
            reader.bytes(Digest::LEN)?;
        }
        match reader.byte()? {
            1..=3 => drop(reader.text()?),
            5 => drop(reader.byte()?),
            _ => {}
        }
        reader.number()?;
        reader.number()?;
        // Times are told as differences, so this one is needed.
        self.clock = reader.difference(self.clock)?;
        reader.number()?;
        reader.number()?;
        Ok(())
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Placed, Malformed>;

    /// Ends after the first error.
    fn next(&mut self) -> Option<Result<Placed, Malformed>> {
        self.find(|_| true)
    }
}

impl<'b> Tables<'b> {
    fn read(reader: &mut Reader<'b>) -> Result<Tables<'b>, Malformed> {
        let n_runs = reader.count()?;
        let mut runs = Vec::with_capacity(n_runs);
        for _ in 0..n_runs {
            runs.push(RunId::from_bytes(reader.array()?));
        }
        let n_texts = reader.count()?;
        let mut texts = Vec::with_capacity(n_texts);
        for _ in 0..n_texts {
            texts.push(Lazy { source: reader.text()?, made: None });
        }
        let n_signatures = reader.count()?;
        let mut signatures = Vec::with_capacity(n_signatures);
        for _ in 0..n_signatures {
            let code = match reader.byte()? {
                0 => SignedCode::Hash(reader.digest()?),
                1 => SignedCode::Version {
                    subject: place(n_texts, reader)?,
                    version: place(n_texts, reader)?,
                },
                _ => return Err(reader.malformed("a signature")),
            };
            let constants = match reader.byte()? {
                0 => None,
                1 => Some(reader.digest()?),
                _ => return Err(reader.malformed("constants, or none")),
            };
            signatures.push(Lazy { source: Signed { code, constants }, made: None });
        }
        Ok(Tables { runs, texts, signatures })
    }

    fn run(&self, reader: &mut Reader<'_>) -> Result<RunId, Malformed> {
        place(self.runs.len(), reader).map(|n| self.runs[n])
    }

    fn optional_run(&self, reader: &mut Reader<'_>) -> Result<Option<RunId>, Malformed> {
        let n = optional_place(self.runs.len(), reader)?;
        Ok(n.map(|n| self.runs[n]))
    }

    fn text(&mut self, reader: &mut Reader<'_>) -> Result<Text, Malformed> {
        place(self.texts.len(), reader).map(|n| self.text_at(n))
    }

    fn optional_text(&mut self, reader: &mut Reader<'_>) -> Result<Option<Text>, Malformed> {
        let n = optional_place(self.texts.len(), reader)?;
        Ok(n.map(|n| self.text_at(n)))
    }

    fn text_at(&mut self, n: usize) -> Text {
        let Lazy { source, made } = &mut self.texts[n];
        made.get_or_insert_with(|| Text::from(*source)).clone()
    }

    fn signature(&mut self, reader: &mut Reader<'_>) -> Result<Signature, Malformed> {
        let n = place(self.signatures.len(), reader)?;
        if let Some(made) = &self.signatures[n].made {
            return Ok(made.clone());
        }
        let Signed { code, constants } = self.signatures[n].source;
        let code = match code {
            SignedCode::Hash(digest) => Code::Hash(digest),
            SignedCode::Version { subject, version } => {
                Code::Version { subject: self.text_at(subject), version: self.text_at(version) }
            }
        };
        let signature = Signature::from_parts(code, constants);
        self.signatures[n].made = Some(signature.clone());
        Ok(signature)
    }
}

/// A number in a table of so many.
fn place(n: usize, reader: &mut Reader<'_>) -> Result<usize, Malformed> {
    let number = reader.number()?;
    let place = usize::try_from(number).ok().filter(|&place| place < n);
    place.ok_or_else(|| reader.malformed("a number in a table"))
}

fn optional_place(n: usize, reader: &mut Reader<'_>) -> Result<Option<usize>, Malformed> {
    let Some(number) = reader.optional()? else { return Ok(None) };
    let place = Some(number as usize).filter(|&place| place < n);
    place.map(Some).ok_or_else(|| reader.malformed("a number in a table, or none"))
}

fn kind(reader: &mut Reader<'_>) -> Result<StepKind, Malformed> {
    Ok(match reader.byte()? {
        0 => StepKind::Turn,
        1 => StepKind::Build,
        2 => StepKind::Node,
        3 => StepKind::Step,
        4 => StepKind::MapItem,
        _ => return Err(reader.malformed("a kind of step")),
    })
}

fn outcome(reader: &mut Reader<'_>) -> Result<Outcome, Malformed> {
    Ok(match reader.byte()? {
        0 => Outcome::Succeeded,
        number @ (1 | 2) => {
            Outcome::Failed { error: reader.text()?.to_owned(), panicked: number == 2 }
        }
        3 => Outcome::Skipped { reason: reader.text()?.to_owned() },
        4 => Outcome::TimedOut,
        5 => Outcome::Cancelled {
            by: match reader.byte()? {
                0 => Canceller::User,
                1 => Canceller::ClientClosed,
                2 => Canceller::Parent,
                3 => Canceller::Signal,
                _ => return Err(reader.malformed("who cancelled")),
            },
        },
        6 => Outcome::Suspended,
        7 => Outcome::Abandoned,
        _ => return Err(reader.malformed("an outcome")),
    })
}
