//! Owns the log: segments of frames that are appended to, and the mark of how far they are durable.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use selvedge_sync::Clock;

use crate::batch::Write;
use crate::disk::{Disk, DiskFile, UNFINISHED};
use crate::error::{StoreError, io_error};
use crate::frame::{self, Chain, HEADER_LEN, Header};

/// The directory of segments and bases.
pub(crate) const DIR: &str = "log";
const SEGMENT: &str = ".segment";
const BASE: &str = ".base";

/// A file of frames: a segment, or a base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogFile {
    pub(crate) name: String,
    /// The position of a segment's first frame; of the first frame that isn't in a base.
    pub(crate) start: u64,
    pub(crate) n_bytes: u64,
}

/// What lies in the directory of the log.
#[derive(Debug, Default)]
pub(crate) struct LogFiles {
    /// The newest.
    pub(crate) base: Option<LogFile>,
    /// Ascending. A segment ends where the next one begins, even if it goes on in the file.
    pub(crate) segments: Vec<LogFile>,
    /// What a crash left behind.
    pub(crate) obsolete: Vec<String>,
}

impl LogFiles {
    pub(crate) fn list(disk: &dyn Disk) -> Result<LogFiles, StoreError> {
        let mut files = LogFiles::default();
        for file in disk.list(DIR).map_err(|error| io_error("list", DIR, error))? {
            let name = format!("{DIR}/{file}");
            let start = |suffix| file.strip_suffix(suffix).and_then(|start| start.parse().ok());
            let sized = |start| -> Result<LogFile, StoreError> {
                let n_bytes = disk.open(&name).and_then(|file| file.n_bytes());
                let n_bytes = n_bytes.map_err(|error| io_error("open", &name, error))?;
                Ok(LogFile { name: name.clone(), start, n_bytes })
            };
            if let Some(start) = start(SEGMENT) {
                files.segments.push(sized(start)?);
            } else if let Some(start) = start(BASE) {
                // Names sort as their numbers do: the last one is the newest.
                files.obsolete.extend(files.base.replace(sized(start)?).map(|base| base.name));
            } else if file.ends_with(UNFINISHED) {
                files.obsolete.push(name);
            }
        }
        if let Some(base) = &files.base {
            let obsolete = files.segments.iter().filter(|segment| segment.start < base.start);
            files.obsolete.extend(obsolete.map(|segment| segment.name.clone()));
            files.segments.retain(|segment| segment.start >= base.start);
        }
        Ok(files)
    }

    pub(crate) fn n_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.n_bytes).sum()
    }

    pub(crate) fn remove_obsolete(&mut self, disk: &dyn Disk) -> Result<(), StoreError> {
        for name in self.obsolete.drain(..) {
            disk.remove(&name).map_err(|error| io_error("remove", &name, error))?;
        }
        Ok(())
    }
}

pub(crate) fn segment_name(start: u64) -> String {
    format!("{DIR}/{start:020}{SEGMENT}")
}

pub(crate) fn base_name(start: u64) -> String {
    format!("{DIR}/{start:020}{BASE}")
}

/// How far the log is known to be durable, and what it was up to there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The position of the last frame; 0 if there was none.
    pub(crate) position: u64,
    pub(crate) chain: Chain,
}

const MARK: &str = "mark";
/// What a device writes at once. The two slots are written in turn, so one is always whole.
const SLOT_LEN: usize = 512;
/// The mark is written with every group, and made durable this often. (And when the store is
/// flushed or closed.) It proves what was lost from a file that lay around; not being younger than
/// the log is all it needs for that.
const MARK_SYNC_EVERY: Duration = Duration::from_secs(1);

/// The file that keeps the mark.
#[derive(Debug)]
pub(crate) struct MarkFile {
    file: Box<dyn DiskFile>,
    slot: u64,
    clock: Clock,
    synced_at: Duration,
}

impl MarkFile {
    /// Opens the file, or makes it; nothing if there was none, an error if it can't be read.
    pub(crate) fn open(disk: &dyn Disk) -> Result<(MarkFile, Option<Option<Mark>>), StoreError> {
        let (file, mark) = match disk.open(MARK) {
            Ok(file) => {
                let mut bytes = [0; 2 * SLOT_LEN];
                let n_read = file.read_at(&mut bytes, 0);
                let n_read = n_read.map_err(|error| io_error("read", MARK, error))?;
                (file, Some(newest(&bytes[..n_read])))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (disk.create(MARK).map_err(|error| io_error("create", MARK, error))?, None)
            }
            Err(error) => return Err(io_error("open", MARK, error)),
        };
        let clock = Clock::real();
        let synced_at = clock.now();
        let slot = match mark {
            Some(Some((_, slot))) => 1 - slot,
            _ => 0,
        };
        let mark = mark.map(|newest| newest.map(|(mark, _)| mark));
        Ok((MarkFile { file, slot, clock, synced_at }, mark))
    }

    /// Notes that the log is durable up to here.
    pub(crate) fn write(&mut self, mark: &Mark) -> Result<(), StoreError> {
        let mut bytes = [0; SLOT_LEN];
        bytes[..8].copy_from_slice(&mark.position.to_le_bytes());
        bytes[8..40].copy_from_slice(&mark.chain);
        let sum: [u8; 16] = frame::small_sum(&bytes[..40]);
        bytes[40..56].copy_from_slice(&sum);
        let written = self.file.write_at(&bytes, self.slot * SLOT_LEN as u64);
        written.map_err(|error| io_error("write", MARK, error))?;
        self.slot = 1 - self.slot;
        if self.clock.now().saturating_sub(self.synced_at) >= MARK_SYNC_EVERY {
            self.sync()?;
        }
        Ok(())
    }

    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        self.synced_at = self.clock.now();
        self.file.sync().map_err(|error| io_error("sync", MARK, error))
    }
}

/// The newer of the two slots that is whole.
fn newest(bytes: &[u8]) -> Option<(Mark, u64)> {
    let slots = bytes.chunks_exact(SLOT_LEN).zip(0..);
    let marks = slots.filter_map(|(slot, index)| {
        let sum: [u8; 16] = frame::small_sum(&slot[..40]);
        let position = u64::from_le_bytes(slot[..8].try_into().ok()?);
        let chain = slot[8..40].try_into().ok()?;
        (slot[40..56] == sum).then_some((Mark { position, chain }, index))
    });
    marks.max_by_key(|(mark, _)| mark.position)
}

/// The log as it is written.
#[derive(Debug)]
pub(crate) struct Log {
    disk: Arc<dyn Disk>,
    pub(crate) files: LogFiles,
    /// The open segment, if a frame was written to it.
    active: Option<Box<dyn DiskFile>>,
    /// The last frame written.
    end: Mark,
    /// The last one known to be durable.
    durable: u64,
    mark: MarkFile,
    buffer: Vec<u8>,
}

impl Log {
    /// Goes on behind a frame: the next one begins a new segment.
    pub(crate) fn new(disk: Arc<dyn Disk>, files: LogFiles, end: Mark, mark: MarkFile) -> Log {
        let durable = end.position;
        Log { disk, files, active: None, end, durable, mark, buffer: Vec::new() }
    }

    /// The position of the next frame.
    pub(crate) fn next(&self) -> u64 {
        self.end.position + 1
    }

    /// Where a segment that begins now does.
    pub(crate) fn next_header(&self) -> Header {
        Header { start: self.next(), chain: self.end.chain }
    }

    pub(crate) fn end(&self) -> Mark {
        self.end
    }

    /// Hands batches to the system, a frame each.
    pub(crate) fn append<'b>(
        &mut self,
        batches: impl Iterator<Item = &'b [Write]>,
    ) -> Result<(), StoreError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut end = self.end;
        for writes in batches {
            end.position += 1;
            let hash = frame::encode(end.position, writes, &mut buffer);
            end.chain = frame::link(&end.chain, &hash);
        }
        let written = self.write(&buffer);
        buffer.shrink_to(BUFFER_KEPT_MAX);
        self.buffer = buffer;
        written?;
        self.end = end;
        Ok(())
    }

    fn write(&mut self, frames: &[u8]) -> Result<(), StoreError> {
        if frames.is_empty() {
            return Ok(());
        }
        if self.active.is_none() {
            self.active = Some(self.begin_segment()?);
        }
        let (Some(file), Some(segment)) = (&self.active, self.files.segments.last_mut()) else {
            unreachable!("a segment that was begun is the last one")
        };
        let written = file.write_at(frames, segment.n_bytes);
        written.map_err(|error| io_error("append to", &segment.name, error))?;
        segment.n_bytes += frames.len() as u64;
        Ok(())
    }

    /// Makes the file of a segment and its name durable. One of the same start, of which no frame
    /// counted, is replaced.
    fn begin_segment(&mut self) -> Result<Box<dyn DiskFile>, StoreError> {
        let header = self.next_header();
        let (file, segment) = write_segment(&*self.disk, &header, &[])?;
        self.files.segments.retain(|other| other.name != segment.name);
        self.files.segments.push(segment);
        Ok(file)
    }

    /// Waits until everything written is durable, and moves the mark there.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        if self.durable == self.end.position {
            return Ok(());
        }
        if let (Some(file), Some(segment)) = (&self.active, self.files.segments.last()) {
            file.sync().map_err(|error| io_error("sync", &segment.name, error))?;
        }
        self.durable = self.end.position;
        self.mark.write(&self.end)
    }

    /// Makes the mark durable too.
    pub(crate) fn sync_mark(&mut self) -> Result<(), StoreError> {
        self.mark.sync()
    }

    /// Ends the segment if it is large enough; the next frame begins another.
    pub(crate) fn rotate(&mut self, segment_bytes: u64) -> Result<bool, StoreError> {
        let is_full = self.files.segments.last().is_some_and(|last| last.n_bytes >= segment_bytes);
        if !is_full || self.active.is_none() {
            return Ok(false);
        }
        self.end_segment()?;
        Ok(true)
    }

    pub(crate) fn end_segment(&mut self) -> Result<(), StoreError> {
        self.sync()?;
        self.sync_mark()?;
        self.active = None;
        Ok(())
    }

    /// Writes the mark where the log ends, whatever was there.
    pub(crate) fn restart_mark(&mut self) -> Result<(), StoreError> {
        self.mark.write(&self.end)?;
        // Twice: the other slot may hold a later position, of what was given up.
        self.mark.write(&self.end)?;
        self.mark.sync()
    }

    /// Puts a base in the place of the segments before it.
    pub(crate) fn rebase(&mut self, base: LogFile) -> Result<(), StoreError> {
        if self.files.base.as_ref().is_some_and(|newer| newer.start > base.start) {
            self.files.obsolete.push(base.name);
            return self.files.remove_obsolete(&*self.disk);
        }
        let is_before = |segment: &LogFile| segment.start < base.start;
        let obsolete = self.files.segments.extract_if(.., |segment| is_before(segment));
        let obsolete: Vec<LogFile> = obsolete.collect();
        let obsolete = obsolete.into_iter().chain(self.files.base.replace(base));
        self.files.obsolete.extend(obsolete.map(|file| file.name));
        self.files.remove_obsolete(&*self.disk)
    }
}

/// A buffer that one large batch made stays no larger than this.
const BUFFER_KEPT_MAX: usize = 4 << 20;

/// Writes a segment so that it is there whole or not at all, and durable on return.
pub(crate) fn write_segment(
    disk: &dyn Disk,
    header: &Header,
    frames: &[u8],
) -> Result<(Box<dyn DiskFile>, LogFile), StoreError> {
    let name = segment_name(header.start);
    let unfinished = format!("{name}{UNFINISHED}");
    let write = || {
        let file = disk.create(&unfinished)?;
        file.write_at(&header.encode(), 0)?;
        file.write_at(frames, HEADER_LEN as u64)?;
        file.sync()?;
        disk.rename(&unfinished, &name)?;
        disk.sync_dir(DIR)?;
        Ok(file)
    };
    let file = write().map_err(|error| io_error("begin", &name, error))?;
    let n_bytes = (HEADER_LEN + frames.len()) as u64;
    Ok((file, LogFile { name, start: header.start, n_bytes }))
}
