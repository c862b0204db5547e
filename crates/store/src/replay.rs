//! Owns reading the log back: which frames count, where it is torn, and where it is damaged.

use crate::damage::Damage;
use crate::disk::{Disk, Reading};
use crate::error::{StoreError, io_error};
use crate::frame::{self, Chain, Frame, FrameError, Frames};
use crate::log::{LogFile, LogFiles, Mark};

/// What was found at the end of the log, and on the way there.
#[derive(Debug)]
pub(crate) struct Replayed {
    /// The last frame.
    pub(crate) end: Mark,
    /// The frames behind the mark: they may not be durable, so they have to be written again.
    pub(crate) carried: Vec<u8>,
    /// The chain in front of those.
    pub(crate) carried_from: Mark,
    /// Bytes behind the last frame: what was being written when the process or the power went.
    pub(crate) n_cut_bytes: u64,
    /// What is missing or isn't what was written, of what was durable.
    pub(crate) damages: Vec<Damage>,
}

/// Reads the frames from a position on, each handed to `visit` once, in order.
///
/// Goes on behind damage, with what is sound there; whoever calls it looks at `damages`.
pub(crate) fn replay(
    disk: &dyn Disk,
    files: &LogFiles,
    from: u64,
    mark: Mark,
    visit: &mut dyn FnMut(Frame) -> Result<(), StoreError>,
) -> Result<Replayed, StoreError> {
    // What is behind the mark has to be read even if it was applied; and the frame at the mark, to
    // see that the log gets there.
    let begin = files.base.as_ref().map_or(1, |base| base.start);
    let first = from.min(mark.position.max(begin));
    let starts = files.segments.iter().skip(1).map(|segment| segment.start);
    let ends: Vec<u64> = starts.chain([u64::MAX]).collect();
    let segments: Vec<_> =
        files.segments.iter().zip(ends).filter(|&(_, end)| end > first).collect();
    let mut reader = Reader::new(mark, from, files, visit);
    // A log that begins later misses its beginning.
    reader.next = first.min(segments.first().map_or(first, |(segment, _)| segment.start));
    for (segment, end) in segments {
        reader.segment(disk, segment, end)?;
    }
    reader.finish()
}

/// Hands the records of a base to `visit`, frame by frame.
pub(crate) fn replay_base(
    disk: &dyn Disk,
    base: &LogFile,
    visit: &mut dyn FnMut(Frame) -> Result<(), StoreError>,
) -> Result<Vec<Damage>, StoreError> {
    let mut damages = Vec::new();
    let mut damage = |offset, what| {
        damages.push(Damage::Log { file: base.name.clone(), offset, what });
    };
    let mut frames = open(disk, base)?;
    match frames.header() {
        Ok(header) if header.start == base.start => {}
        Ok(_) => damage(0, "the file has another file's name"),
        Err(FrameError::Fault(fault)) => {
            damage(fault.offset, fault.what);
            frames.resync().map_err(|error| io_error("read", &base.name, error))?;
        }
        Err(FrameError::Io(error)) => return Err(io_error("read", &base.name, error)),
    }
    let (mut n_expected, mut is_ended) = (0, false);
    loop {
        let offset = frames.offset();
        match frames.next() {
            Ok(None) => break,
            Ok(Some(frame)) => {
                if frame.position != n_expected {
                    damage(offset, "frames before this one are missing");
                }
                n_expected = frame.position + 1;
                is_ended = frame.is_empty();
                visit(frame)?;
            }
            Err(FrameError::Fault(fault)) => {
                damage(fault.offset, fault.what);
                frames.resync().map_err(|error| io_error("read", &base.name, error))?;
            }
            Err(FrameError::Io(error)) => return Err(io_error("read", &base.name, error)),
        }
    }
    if !is_ended {
        damage(frames.offset(), "the end is missing");
    }
    Ok(damages)
}

fn open(disk: &dyn Disk, file: &LogFile) -> Result<Frames<Reading>, StoreError> {
    let opened = disk.open(&file.name).map_err(|error| io_error("open", &file.name, error))?;
    Ok(Frames::new(Reading::new(opened)))
}

/// Where reading has got to.
struct Reader<'v> {
    mark: Mark,
    /// Frames before it are read, but not visited.
    from: u64,
    last_start: u64,
    visit: &'v mut dyn FnMut(Frame) -> Result<(), StoreError>,
    /// The position of the next frame.
    next: u64,
    /// The chain before it; unknown at the beginning and behind damage.
    chain: Option<Chain>,
    found: Replayed,
}

impl<'v> Reader<'v> {
    fn new(
        mark: Mark,
        from: u64,
        files: &LogFiles,
        visit: &'v mut dyn FnMut(Frame) -> Result<(), StoreError>,
    ) -> Reader<'v> {
        let last_start = files.segments.last().map_or(0, |segment| segment.start);
        let found = Replayed {
            end: mark,
            carried: Vec::new(),
            carried_from: mark,
            n_cut_bytes: 0,
            damages: Vec::new(),
        };
        Reader { mark, from, last_start, visit, next: from, chain: None, found }
    }

    fn segment(&mut self, disk: &dyn Disk, segment: &LogFile, end: u64) -> Result<(), StoreError> {
        let failed = |error| io_error("read", &segment.name, error);
        let mut frames = open(disk, segment)?;
        match frames.header() {
            Ok(header) => {
                if header.start != segment.start {
                    self.damage(segment, 0, "the file has another file's name");
                }
                self.expect(segment, header.start, 0);
                if self.chain.is_some_and(|chain| chain != header.chain) {
                    self.damage(segment, 0, "what is before it isn't what was written");
                }
                self.next = header.start;
                self.chain = Some(header.chain);
            }
            Err(FrameError::Io(error)) => return Err(failed(error)),
            Err(FrameError::Fault(fault)) => {
                // A segment gets its name after its header is durable.
                self.damage(segment, fault.offset, fault.what);
                self.chain = None;
                frames.resync().map_err(failed)?;
            }
        }
        loop {
            let offset = frames.offset();
            match frames.next() {
                Ok(None) => return Ok(()),
                Ok(Some(frame)) if frame.position >= end => return Ok(()),
                Ok(Some(frame)) => self.frame(segment, offset, frame)?,
                Err(FrameError::Io(error)) => return Err(failed(error)),
                Err(FrameError::Fault(fault)) => {
                    if self.next >= end {
                        return Ok(());
                    }
                    if segment.start == self.last_start && self.next > self.mark.position {
                        // Frames behind it were never acknowledged: the one that waits for the
                        // device waits for all before it.
                        self.found.n_cut_bytes = segment.n_bytes.saturating_sub(fault.offset);
                        return Ok(());
                    }
                    self.damage(segment, fault.offset, fault.what);
                    self.chain = None;
                    frames.resync().map_err(failed)?;
                }
            }
        }
    }

    fn frame(&mut self, file: &LogFile, offset: u64, frame: Frame) -> Result<(), StoreError> {
        let position = frame.position;
        if position < self.next {
            self.damage(file, offset, "a frame is there twice");
            return Ok(());
        }
        self.expect(file, position, offset);
        let before = self.chain;
        // Behind damage it is not known.
        let chain = before.map(|before| frame::link(&before, &frame.hash));
        let is_marked = position == self.mark.position;
        if is_marked && chain.is_some_and(|chain| chain != self.mark.chain) {
            self.damage(file, offset, "what is up to here isn't what was written");
        }
        self.next = position + 1;
        self.chain = chain;
        self.found.end = Mark { position, chain: chain.unwrap_or_default() };
        if position > self.mark.position {
            if self.found.carried.is_empty() {
                let chain = before.unwrap_or_default();
                self.found.carried_from = Mark { position: position - 1, chain };
            }
            self.found.carried.extend_from_slice(&frame.bytes);
        }
        if position >= self.from {
            (self.visit)(frame)?;
        }
        Ok(())
    }

    /// Notes what is missing before a position.
    fn expect(&mut self, file: &LogFile, position: u64, offset: u64) {
        if position > self.next {
            self.damage(file, offset, "frames before this one are missing");
            self.chain = None;
        }
    }

    fn damage(&mut self, file: &LogFile, offset: u64, what: &'static str) {
        self.found.damages.push(Damage::Log { file: file.name.clone(), offset, what });
    }

    fn finish(mut self) -> Result<Replayed, StoreError> {
        if self.next <= self.mark.position {
            let to = self.mark.position;
            self.found.damages.push(Damage::LostTail { from: self.next, to });
        }
        Ok(self.found)
    }
}
