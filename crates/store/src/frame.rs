//! Owns the format of the log and of exports: a header, then frames, each a batch with its position
//! and its hash. `docs/store.md` describes it for whoever reads it without us.

use std::io;

use crate::batch::{BATCH_BYTES_MAX, Write};
use crate::error::RecordKey;

/// The version of the format; a higher one is refused.
pub(crate) const VERSION: u8 = 1;
const MAGIC: &[u8; 7] = b"SELVLOG";
pub(crate) const HEADER_LEN: usize = 64;

const FRAME_MAGIC: [u8; 4] = *b"\xf5sfr";
const FRAME_HEADER_LEN: usize = 24;
const HASH_LEN: usize = 32;
/// A batch at its limit, of writes as small as they can be.
const BODY_LEN_MAX: usize = 2 * BATCH_BYTES_MAX;

const PUT: u8 = 1;
const DELETE: u8 = 2;

/// Keys of the hashes: what one of them proves can't stand in for another.
const FRAME_KEY: &[u8; 32] = b"selvedge store: a frame, v1     ";
const CHAIN_KEY: &[u8; 32] = b"selvedge store: a chain, v1     ";
const SMALL_KEY: &[u8; 32] = b"selvedge store: a header, v1    ";

/// A hash over every frame from the first on.
pub(crate) type Chain = [u8; HASH_LEN];

/// The chain that goes on with a frame.
pub(crate) fn link(chain: &Chain, hash: &[u8; HASH_LEN]) -> Chain {
    let mut joined = [0; 2 * HASH_LEN];
    joined[..HASH_LEN].copy_from_slice(chain);
    joined[HASH_LEN..].copy_from_slice(hash);
    *blake3::keyed_hash(CHAIN_KEY, &joined).as_bytes()
}

/// The checksum of a header, or of any few bytes.
pub(crate) fn small_sum<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let hash = blake3::keyed_hash(SMALL_KEY, bytes);
    std::array::from_fn(|index| hash.as_bytes()[index])
}

/// The beginning of a file of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The position of the first frame; of a base, that of the first frame that isn't in it.
    pub(crate) start: u64,
    /// The chain before the first frame.
    pub(crate) chain: Chain,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..7].copy_from_slice(MAGIC);
        bytes[7] = VERSION;
        bytes[8..16].copy_from_slice(&self.start.to_le_bytes());
        bytes[16..48].copy_from_slice(&self.chain);
        let sum: [u8; 16] = small_sum(&bytes[..48]);
        bytes[48..].copy_from_slice(&sum);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Header, &'static str> {
        if bytes.len() < HEADER_LEN {
            return Err("the header is cut short");
        }
        let sum: [u8; 16] = small_sum(&bytes[..48]);
        if bytes[48..HEADER_LEN] != sum || bytes[..7] != *MAGIC {
            return Err("the header isn't what was written");
        }
        if bytes[7] > VERSION {
            return Err("the format is newer than this program");
        }
        Ok(Header { start: u64::from_le_bytes(array(&bytes[8..16])), chain: array(&bytes[16..48]) })
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the caller takes as many bytes as the field has")
}

/// Appends a frame; returns its hash.
pub(crate) fn encode(position: u64, writes: &[Write], out: &mut Vec<u8>) -> [u8; HASH_LEN] {
    let begin = out.len();
    out.extend_from_slice(&[0; FRAME_HEADER_LEN]);
    for Write { at, value } in writes {
        let (tag, value) = match value {
            Some(value) => (PUT, value.as_slice()),
            None => (DELETE, &[][..]),
        };
        // The limits of a batch were checked: each length fits its field.
        out.extend_from_slice(&[tag, at.namespace.len() as u8]);
        out.extend_from_slice(&(at.key.len() as u16).to_le_bytes());
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
        out.extend_from_slice(at.namespace.as_bytes());
        out.extend_from_slice(&at.key);
        out.extend_from_slice(value);
    }
    let n_body = (out.len() - begin - FRAME_HEADER_LEN) as u32;
    let header = &mut out[begin..begin + FRAME_HEADER_LEN];
    header[..4].copy_from_slice(&FRAME_MAGIC);
    header[4..8].copy_from_slice(&n_body.to_le_bytes());
    header[8..16].copy_from_slice(&position.to_le_bytes());
    let sum: [u8; 8] = small_sum(&header[..16]);
    header[16..].copy_from_slice(&sum);
    let hash = *blake3::keyed_hash(FRAME_KEY, &out[begin..]).as_bytes();
    out.extend_from_slice(&hash);
    hash
}

/// A frame that is what was written.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) position: u64,
    pub(crate) hash: [u8; HASH_LEN],
    /// The whole frame, as it can be copied into another file.
    pub(crate) bytes: Vec<u8>,
}

impl Frame {
    /// Whether no batch is in it: the end of a base or an export.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() == FRAME_HEADER_LEN + HASH_LEN
    }

    /// The batch in it. The hash was right, so only a writer with a bug makes this fail.
    pub(crate) fn writes(&self) -> Result<Vec<Write>, &'static str> {
        let mut rest = &self.bytes[FRAME_HEADER_LEN..self.bytes.len() - HASH_LEN];
        let mut writes = Vec::new();
        while !rest.is_empty() {
            let fields = take(&mut rest, 8)?;
            let (tag, n_namespace) = (fields[0], usize::from(fields[1]));
            let n_key = usize::from(u16::from_le_bytes(array(&fields[2..4])));
            let n_value = u32::from_le_bytes(array(&fields[4..8])) as usize;
            let namespace = std::str::from_utf8(take(&mut rest, n_namespace)?);
            let namespace = namespace.map_err(|_| "a namespace isn't text")?.to_owned();
            let key = take(&mut rest, n_key)?.to_vec();
            let value = take(&mut rest, n_value)?;
            let value = match tag {
                PUT => Some(value.to_vec()),
                DELETE => None,
                _ => return Err("a write is of no known kind"),
            };
            writes.push(Write { at: RecordKey { namespace, key }, value });
        }
        Ok(writes)
    }
}

fn take<'b>(rest: &mut &'b [u8], n_bytes: usize) -> Result<&'b [u8], &'static str> {
    let (taken, left) = rest.split_at_checked(n_bytes).ok_or("a write is cut short")?;
    *rest = left;
    Ok(taken)
}

/// A place in a file where no sound frame begins, though something is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) offset: u64,
    pub(crate) what: &'static str,
}

/// Why frames can't be read on.
#[derive(Debug)]
pub(crate) enum FrameError {
    Io(io::Error),
    Fault(Fault),
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        FrameError::Io(error)
    }
}

/// Reads frames one by one, holding one in memory.
#[derive(Debug)]
pub(crate) struct Frames<R> {
    source: R,
    /// What was read and not yet taken, from `taken` on.
    buffer: Vec<u8>,
    taken: usize,
    /// Where `buffer` begins in the file.
    offset: u64,
    is_at_end: bool,
}

/// Read from a file at once.
const CHUNK_LEN: usize = 256 << 10;

impl<R: io::Read> Frames<R> {
    pub(crate) fn new(source: R) -> Frames<R> {
        Frames { source, buffer: Vec::new(), taken: 0, offset: 0, is_at_end: false }
    }

    /// Where the next frame begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset + self.taken as u64
    }

    /// Reads the header, which comes first.
    pub(crate) fn header(&mut self) -> Result<Header, FrameError> {
        let available = self.fill(HEADER_LEN)?;
        let header = Header::decode(&self.buffer[self.taken..self.taken + available]);
        let header = header.map_err(|what| self.fault(what))?;
        self.taken += HEADER_LEN;
        Ok(header)
    }

    /// The next frame; nothing at the end. After a fault, [`resync`](Self::resync).
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let available = self.fill(FRAME_HEADER_LEN)?;
        if available == 0 {
            return Ok(None);
        }
        let n_body = self.body_len().map_err(|what| self.fault(what))?;
        let n_frame = FRAME_HEADER_LEN + n_body + HASH_LEN;
        if self.fill(n_frame)? < n_frame {
            return Err(self.fault("a frame is cut short"));
        }
        let bytes = &self.buffer[self.taken..self.taken + n_frame];
        let (covered, hash) = bytes.split_at(n_frame - HASH_LEN);
        if blake3::keyed_hash(FRAME_KEY, covered).as_bytes() != hash {
            return Err(self.fault("a frame isn't what was written"));
        }
        let frame = Frame {
            position: u64::from_le_bytes(array(&bytes[8..16])),
            hash: array(hash),
            bytes: bytes.to_vec(),
        };
        self.taken += n_frame;
        Ok(Some(frame))
    }

    /// Goes to the next place where a frame may begin, or to the end.
    pub(crate) fn resync(&mut self) -> io::Result<()> {
        loop {
            self.taken += 1;
            if self.fill(FRAME_HEADER_LEN)? < FRAME_HEADER_LEN {
                self.taken = self.buffer.len();
                return Ok(());
            }
            if self.body_len().is_ok() {
                return Ok(());
            }
        }
    }

    fn body_len(&self) -> Result<usize, &'static str> {
        let header = &self.buffer[self.taken..];
        if header.len() < FRAME_HEADER_LEN {
            return Err("a frame's header is cut short");
        }
        if header[..4] != FRAME_MAGIC {
            return Err("no frame begins here");
        }
        let sum: [u8; 8] = small_sum(&header[..16]);
        let n_body = u32::from_le_bytes(array(&header[4..8])) as usize;
        if header[16..FRAME_HEADER_LEN] != sum || n_body > BODY_LEN_MAX {
            return Err("a frame's header isn't what was written");
        }
        Ok(n_body)
    }

    fn fault(&self, what: &'static str) -> FrameError {
        FrameError::Fault(Fault { offset: self.offset(), what })
    }

    /// Has so many bytes in the buffer, or all that are left; returns how many, at most what was
    /// asked for.
    fn fill(&mut self, n_bytes: usize) -> io::Result<usize> {
        while self.buffer.len() - self.taken < n_bytes && !self.is_at_end {
            self.offset += self.taken as u64;
            self.buffer.drain(..self.taken);
            self.taken = 0;
            let begin = self.buffer.len();
            self.buffer.resize(begin + CHUNK_LEN.max(n_bytes - begin), 0);
            let n_read = match self.source.read(&mut self.buffer[begin..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    self.buffer.truncate(begin);
                    continue;
                }
                n_read => n_read?,
            };
            self.buffer.truncate(begin + n_read);
            self.is_at_end = n_read == 0;
        }
        Ok(n_bytes.min(self.buffer.len() - self.taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(key: &[u8], value: Option<&[u8]>) -> Write {
        Write { at: RecordKey::new("n", key), value: value.map(<[u8]>::to_vec) }
    }

    fn file() -> Vec<u8> {
        let mut bytes = Header { start: 5, chain: [0; 32] }.encode().to_vec();
        encode(5, &[write(b"a", Some(b"1")), write(b"b", None)], &mut bytes);
        encode(6, &[write(b"c", Some(&[7; 300]))], &mut bytes);
        bytes
    }

    /// Reads all that can be read: positions, and faults with where they are.
    fn read(bytes: &[u8]) -> String {
        let mut frames = Frames::new(bytes);
        let mut out = match frames.header() {
            Ok(header) => format!("from {}", header.start),
            Err(error) => return format!("{error:?}"),
        };
        loop {
            match frames.next() {
                Ok(None) => return out,
                Ok(Some(frame)) => out += &format!(", {}", frame.position),
                Err(FrameError::Fault(fault)) => {
                    out += &format!(", {} at {}", fault.what, fault.offset);
                    frames.resync().expect("a slice can be read");
                }
                Err(FrameError::Io(error)) => unreachable!("a slice can be read: {error}"),
            }
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = file();
        assert_eq!(read(&bytes), "from 5, 5, 6");
        let mut frames = Frames::new(&bytes[..]);
        frames.header().expect("it was written");
        let frame = frames.next().expect("it was written").expect("there are two");
        let writes = vec![write(b"a", Some(b"1")), write(b"b", None)];
        assert_eq!(frame.writes(), Ok(writes));
    }

    #[test]
    fn no_flipped_bit_and_no_cut_goes_unseen() {
        let bytes = file();
        for index in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[index] ^= 1 << bit;
                assert_ne!(read(&flipped), "from 5, 5, 6", "bit {bit} of byte {index}");
            }
            let seen = read(&bytes[..index]);
            let at_an_end = index == HEADER_LEN || index == HEADER_LEN + 24 + 21 + 32;
            assert!(at_an_end || seen.contains("short"), "{index}: {seen}");
        }
    }

    #[test]
    fn the_frames_behind_a_fault_are_found() {
        let mut bytes = file();
        bytes[HEADER_LEN + 30] ^= 1;
        insta::assert_snapshot!(read(&bytes), @"from 5, a frame isn't what was written at 64, 6");
        bytes[HEADER_LEN + 5] ^= 1;
        insta::assert_snapshot!(
            read(&bytes),
            @"from 5, a frame's header isn't what was written at 64, 6"
        );
        bytes[7] += 1;
        let sum: [u8; 16] = small_sum(&bytes[..48]);
        bytes[48..64].copy_from_slice(&sum);
        insta::assert_snapshot!(
            read(&bytes),
            @r#"Fault(Fault { offset: 0, what: "the format is newer than this program" })"#
        );
    }
}
