//! Owns exports: all records of a store as one stream of frames, the same for every backend.

use std::io;

use crate::batch::{Batch, Durability, VALUE_BYTES_MAX, Write};
use crate::error::{RecordKey, StoreError, io_error};
use crate::frame::{self, Frame, FrameError, Frames, Header};
use crate::scan::Scan;
use crate::store::{Read, Store};

/// Bytes of records after which a frame is full.
const FRAME_BYTES: usize = 256 << 10;
/// What the stream is called in messages.
const STREAM: &str = "the exported stream";

/// Writes every record to a stream that [`import`] reads into a store of any backend. Export a
/// snapshot to have one moment of the store. Returns how many records there were.
///
/// # Errors
///
/// A record that is damaged or can't be read, or the stream's own.
///
/// ```
/// use selvedge_store::{Durability, Memory, Read, Store, export, import};
///
/// let (from, to) = (Memory::new(), Memory::new());
/// from.put("n", b"key", b"value", Durability::Sync)?;
/// let mut stream = Vec::new();
/// export(&*from.snapshot()?, &mut stream)?;
/// assert_eq!(import(&to, &stream[..])?, 1);
/// assert_eq!(to.get("n", b"key")?, Some(b"value".to_vec()));
/// # Ok::<(), selvedge_store::StoreError>(())
/// ```
pub fn export<R: Read + ?Sized>(from: &R, mut to: impl io::Write) -> Result<u64, StoreError> {
    let failed = |error| io_error("write", STREAM, error);
    let header = Header { start: 0, chain: [0; 32] };
    to.write_all(&header.encode()).map_err(failed)?;
    let n_records = write_frames(from, &mut |bytes| to.write_all(bytes).map_err(failed))?;
    to.flush().map_err(failed)?;
    Ok(n_records)
}

/// Writes all records as frames, and one without any at the end.
pub(crate) fn write_frames<R: Read + ?Sized>(
    from: &R,
    write: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let (mut writes, mut n_bytes, mut buffer) = (Vec::new(), 0, Vec::new());
    let (mut position, mut n_records) = (0, 0);
    let mut frame = |writes: &[Write]| {
        buffer.clear();
        frame::encode(position, writes, &mut buffer);
        position += 1;
        write(&buffer)
    };
    for namespace in from.namespaces()? {
        for entry in from.scan(Scan::all(&namespace)) {
            let entry = entry?;
            n_records += 1;
            n_bytes += entry.key.len() + entry.value.len();
            let at = RecordKey { namespace: namespace.clone(), key: entry.key };
            writes.push(Write { at, value: Some(entry.value) });
            if n_bytes >= FRAME_BYTES {
                frame(&writes)?;
                writes.clear();
                n_bytes = 0;
            }
        }
    }
    if !writes.is_empty() {
        frame(&writes)?;
    }
    frame(&[])?;
    Ok(n_records)
}

/// Writes the records of an exported stream to a store, durable on return, beside what is there.
/// Returns how many there were.
///
/// # Errors
///
/// A stream that isn't an export's, was cut short or isn't what was written; what the store
/// refuses. Records before the error have been written by then: import into an empty store.
pub fn import<S: Store + ?Sized>(to: &S, from: impl io::Read) -> Result<u64, StoreError> {
    let mut frames = Frames::new(from);
    let header = frames.header().map_err(failed)?;
    if header.start != 0 {
        return Err(foreign("it is a part of a store's log"));
    }
    let (mut position, mut n_records) = (0, 0);
    loop {
        let Some(frame) = frames.next().map_err(failed)? else {
            return Err(foreign("it is cut short"));
        };
        if frame.position != position {
            return Err(foreign("a part of it is missing"));
        }
        position += 1;
        let writes = writes(&frame)?;
        if writes.is_empty() {
            to.flush()?;
            return Ok(n_records);
        }
        n_records += writes.len() as u64;
        let mut batch = Batch::new();
        for write in writes {
            batch.push(write.at, write.value);
            // A frame holds one value over its size at most.
            debug_assert!(batch.n_bytes() <= FRAME_BYTES + 2 * VALUE_BYTES_MAX, "frames are small");
        }
        to.commit(batch, Durability::None)?;
    }
}

fn writes(frame: &Frame) -> Result<Vec<Write>, StoreError> {
    frame.writes().map_err(foreign)
}

fn failed(error: FrameError) -> StoreError {
    match error {
        FrameError::Io(error) => io_error("read", STREAM, error),
        FrameError::Fault(fault) => foreign(fault.what),
    }
}

fn foreign(reason: &'static str) -> StoreError {
    StoreError::Foreign { name: STREAM.to_owned(), reason }
}
