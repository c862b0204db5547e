//! Owns opening a durable store: what the last session left is judged, the engine is brought up to
//! the log or made anew from it, and damage is handled as the caller wants.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::core::{Core, Limits, engine_error, engine_writes, leak};
use crate::damage::Damage;
use crate::disk::{Disk, read_whole, write_whole};
use crate::engine::{Backend, Engine, POSITION_KEY, guarded};
use crate::error::{StoreError, io_error};
use crate::frame::{Chain, Frame, Frames, Header};
use crate::log::{self, Log, LogFiles, Mark, MarkFile, write_segment};
use crate::replay::{self, Replayed, replay, replay_base};
use crate::session::{Session, Trust};

const FORMAT: &str = "format";
const FORMAT_WORDS: &str = "selvedge-store ";
const FORMAT_VERSION: u64 = 1;
const QUARANTINE: &str = "quarantine";

/// Bytes of frames that are applied to the engine at once.
const APPLY_BYTES: usize = 1 << 20;

/// What to do with a store of which something durable is missing or isn't what was written, so that
/// it can't be made whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnDamage {
    /// Don't open it.
    #[default]
    Refuse,
    /// Open it, to read what is left. A record may have the value that it had before a batch that
    /// is lost.
    ReadOnly,
    /// Give the damaged part up: what is left is the store from now on. The damaged files are moved
    /// into `quarantine`.
    Repair,
}

/// What had to be done when a store was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// The engine was made anew from the log: it was new, damaged, another one's, or the power may
    /// have gone.
    pub is_rebuilt: bool,
    /// Batches of the log that the engine didn't have yet.
    pub n_replayed: u64,
    /// Bytes at the end of the log that were being written when the process or the power went.
    pub n_cut_bytes: u64,
    /// What was given up, or can't be read.
    pub damages: Vec<Damage>,
}

/// An engine as the last session left it, and the position up to which it is.
type Trusted = (Box<dyn Engine>, u64);

/// Everything an open store is made of.
pub(crate) struct Place<'p> {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) engine_dir: &'p Path,
    pub(crate) backend: &'p dyn Backend,
    pub(crate) session: Arc<Session>,
}

/// Writes the version of the format, or refuses one that isn't ours.
pub(crate) fn check_format(disk: &dyn Disk) -> Result<(), StoreError> {
    let bytes = read_whole(disk, FORMAT).map_err(|error| io_error("read", FORMAT, error))?;
    let foreign = |reason| StoreError::Foreign { name: FORMAT.to_owned(), reason };
    let Some(bytes) = bytes else {
        let text = format!("{FORMAT_WORDS}{FORMAT_VERSION}\n");
        let written = write_whole(disk, ".", FORMAT, text.as_bytes());
        return written.map_err(|error| io_error("write", FORMAT, error));
    };
    let text = String::from_utf8(bytes).map_err(|_| foreign("it isn't text"))?;
    let version = text.trim().strip_prefix(FORMAT_WORDS.trim_end()).map(str::trim);
    match version.and_then(|version| version.parse().ok()) {
        None => Err(foreign("it doesn't begin as ours do")),
        Some(found) if found > FORMAT_VERSION => {
            let (name, known) = (FORMAT.to_owned(), FORMAT_VERSION);
            Err(StoreError::Newer { name, found, known })
        }
        Some(_) => Ok(()),
    }
}

/// Brings engine and log to one state.
pub(crate) fn open(
    place: Place<'_>,
    limits: Limits,
    on_damage: OnDamage,
) -> Result<(Core, Opened), StoreError> {
    // Dropped after the engine: it notes what the engine's files are.
    let _session = Arc::clone(&place.session);
    let disk = &*place.disk;
    disk.create_dir(log::DIR).map_err(|error| io_error("create", log::DIR, error))?;
    let files = LogFiles::list(disk)?;
    let (engine, trusted_next): (Arc<dyn Engine>, _) = match place.trusted_engine(&files)? {
        Some((engine, next)) => (engine.into(), Some(next)),
        None => (place.new_engine()?.into(), None),
    };
    let brought_up = bring_up(place, limits, on_damage, files, &engine, trusted_next);
    if !matches!(brought_up, Ok(_) | Err(StoreError::Damaged { .. })) {
        leak(&engine);
    }
    brought_up
}

fn bring_up(
    place: Place<'_>,
    limits: Limits,
    on_damage: OnDamage,
    mut files: LogFiles,
    engine: &Arc<dyn Engine>,
    trusted_next: Option<u64>,
) -> Result<(Core, Opened), StoreError> {
    let disk = Arc::clone(&place.disk);
    let (mark_file, mark, mut damages) = open_mark(&*disk, &files)?;
    let mut opened = Opened { is_rebuilt: trusted_next.is_none(), ..Opened::default() };
    let name = place.backend.name();
    let mut applier = Applier { engine: &**engine, name, frames: Vec::new(), n_bytes: 0, next: 0 };
    if opened.is_rebuilt
        && let Some(base) = &files.base
    {
        damages.extend(replay_base(&*disk, base, &mut |frame| applier.push(frame, false))?);
        applier.flush()?;
    }
    let from = trusted_next.unwrap_or(files.base.as_ref().map_or(1, |base| base.start));
    let mut n_replayed = 0;
    let found = replay(&*disk, &files, from, mark, &mut |frame| {
        n_replayed += 1;
        applier.push(frame, true)
    })?;
    damages.extend(found.damages.iter().cloned());
    let log_next = found.end.position + 1;
    let next = trusted_next.unwrap_or_default().max(log_next).max(mark.position + 1);
    if next > log_next && found.damages.is_empty() {
        damages.push(Damage::LostTail { from: log_next, to: next - 1 });
    }
    applier.finish(next)?;
    if !damages.is_empty() && on_damage == OnDamage::Refuse {
        if trusted_next.is_some() {
            // It may have what the log has lost.
            place.session.set_closing(next);
        }
        return Err(StoreError::Damaged { damages });
    }
    opened.n_replayed = n_replayed;
    opened.n_cut_bytes = found.n_cut_bytes;
    opened.damages = damages;
    if opened.damages.is_empty() {
        files.remove_obsolete(&*disk)?;
        carry_over(&*disk, &mut files, &found)?;
    }
    let end = Mark { position: next - 1, chain: found.end.chain };
    place.finish(Arc::clone(engine), limits, files, mark_file, end, opened, on_damage)
}

/// The mark; one that can't be read is damage, unless nothing was ever written.
fn open_mark(
    disk: &dyn Disk,
    files: &LogFiles,
) -> Result<(MarkFile, Mark, Vec<Damage>), StoreError> {
    let mut damages = Vec::new();
    let (mut file, found) = MarkFile::open(disk)?;
    let is_new = files.base.is_none() && files.segments.is_empty();
    let mut mark = match found.flatten() {
        Some(mark) => mark,
        None => {
            if !is_new {
                damages.push(Damage::Mark);
            } else {
                // Durable before there is a log that it could be missed for.
                file.write(&Mark::default())?;
                file.sync()?;
                disk.sync_dir(".").map_err(|error| io_error("sync", ".", error))?;
            }
            Mark::default()
        }
    };
    // A base has its name after all before it was durable; the mark may be older.
    if let Some(point) = base_point(disk, files)?.filter(|point| point.position > mark.position) {
        mark = point;
    }
    Ok((file, mark, damages))
}

/// The frame up to which the base is, if its header can be read.
fn base_point(disk: &dyn Disk, files: &LogFiles) -> Result<Option<Mark>, StoreError> {
    let Some(base) = &files.base else { return Ok(None) };
    let file = disk.open(&base.name).map_err(|error| io_error("open", &base.name, error))?;
    let header = Frames::new(crate::disk::Reading::new(file)).header();
    Ok(header
        .ok()
        .map(|header| Mark { position: header.start.saturating_sub(1), chain: header.chain }))
}

/// Writes the frames behind the mark again: if the device failed them once, the system may have
/// forgotten that they are not on it.
fn carry_over(disk: &dyn Disk, files: &mut LogFiles, found: &Replayed) -> Result<(), StoreError> {
    if found.carried.is_empty() {
        return Ok(());
    }
    let Mark { position, chain } = found.carried_from;
    let header = Header { start: position + 1, chain };
    let (_, segment) = write_segment(disk, &header, &found.carried)?;
    files.segments.retain(|other| other.start < segment.start);
    files.segments.push(segment);
    Ok(())
}

impl Place<'_> {
    /// The engine, if it can be trusted.
    fn trusted_engine(&self, files: &LogFiles) -> Result<Option<Trusted>, StoreError> {
        let trust = self.session.trust()?;
        if trust == Trust::Nothing {
            return Ok(None);
        }
        self.session.note_open()?;
        let opened = guarded(|| {
            let mut engine = self.backend.open(self.engine_dir)?;
            let is_sound = trust != Trust::Killed || engine.is_sound()?;
            let next = if is_sound { engine.get(POSITION_KEY)? } else { None };
            Ok((engine, next))
        });
        let Ok((engine, Some(next))) = opened else { return Ok(None) };
        let Ok(next) = next.try_into().map(u64::from_le_bytes) else { return Ok(None) };
        let begin = files.base.as_ref().map_or(1, |base| base.start);
        let is_as_closed = match trust {
            Trust::Whole { next: closed } => next == closed,
            Trust::Killed | Trust::Nothing => true,
        };
        Ok((next >= begin && is_as_closed).then_some((engine, next)))
    }

    fn new_engine(&self) -> Result<Box<dyn Engine>, StoreError> {
        self.session.distrust()?;
        match fs::remove_dir_all(self.engine_dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let name = self.engine_dir.display().to_string();
                return Err(io_error("remove", &name, error));
            }
            _ => {}
        }
        let name = self.backend.name();
        guarded(|| self.backend.open(self.engine_dir))
            .map_err(|error| engine_error(name, "open", &error))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of an open store, each made above")]
    fn finish(
        self,
        engine: Arc<dyn Engine>,
        limits: Limits,
        files: LogFiles,
        mut mark_file: MarkFile,
        end: Mark,
        opened: Opened,
        on_damage: OnDamage,
    ) -> Result<(Core, Opened), StoreError> {
        let is_sound = opened.damages.is_empty();
        if is_sound {
            mark_file.write(&end)?;
            mark_file.sync()?;
            self.session.note_open()?;
        }
        let name = self.backend.name();
        // Behind damage no chain is known: a repaired log begins a new one.
        let end = if is_sound { end } else { Mark { chain: Chain::default(), ..end } };
        let disk = self.disk;
        let log = Log::new(Arc::clone(&disk), files, end, mark_file);
        let core = Core::new(engine, name, log, self.session, limits);
        if !is_sound && on_damage == OnDamage::Repair {
            core.repair(&*disk)?;
        } else if let Some(damage) = opened.damages.first() {
            core.refuse_writes(format!("it is damaged: {damage}"));
        }
        Ok((core, opened))
    }
}

impl Core {
    /// Makes what is in the engine the store: a base of it takes the place of the log, which goes
    /// into quarantine.
    fn repair(&self, disk: &dyn Disk) -> Result<(), StoreError> {
        let mut log = self.log.lock();
        let base = self.write_base_file(log.next_header())?;
        disk.create_dir(QUARANTINE).map_err(|error| io_error("create", QUARANTINE, error))?;
        let files = std::mem::take(&mut log.files);
        let old = files.segments.into_iter().chain(files.base).map(|file| file.name);
        let old: Vec<String> = old.chain(files.obsolete).collect();
        let put = || {
            let unfinished = format!("{}{}", base.name, crate::disk::UNFINISHED);
            disk.rename(&unfinished, &base.name)?;
            disk.sync_dir(log::DIR)?;
            for name in old.iter().filter(|name| **name != base.name) {
                let (_, file) = name.split_once('/').unwrap_or(("", name));
                disk.rename(name, &format!("{QUARANTINE}/{file}"))?;
            }
            disk.sync_dir(QUARANTINE)?;
            disk.sync_dir(".")?;
            disk.sync_dir(log::DIR)
        };
        put().map_err(|error| io_error("replace", log::DIR, error))?;
        log.files.base = Some(base);
        log.restart_mark()?;
        self.session.note_open()
    }
}

/// Collects frames and applies them to an engine.
struct Applier<'e> {
    engine: &'e dyn Engine,
    name: &'static str,
    frames: Vec<Frame>,
    n_bytes: usize,
    /// The position up to which the engine is; 0 as long as it has part of a base.
    next: u64,
}

impl Applier<'_> {
    fn push(&mut self, frame: Frame, is_of_log: bool) -> Result<(), StoreError> {
        if is_of_log {
            self.next = frame.position + 1;
        }
        self.n_bytes += frame.bytes.len();
        self.frames.push(frame);
        if self.n_bytes >= APPLY_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.n_bytes = 0;
        let mut writes = Vec::new();
        for frame in self.frames.drain(..) {
            let frame_writes = frame.writes();
            let foreign = |reason| StoreError::Foreign { name: log::DIR.to_owned(), reason };
            writes.extend(frame_writes.map_err(foreign)?);
        }
        let writes = engine_writes(writes.into_iter(), self.next);
        guarded(|| self.engine.apply(writes))
            .map_err(|error| engine_error(self.name, "write", &error))
    }

    /// The engine is complete.
    fn finish(mut self, next: u64) -> Result<(), StoreError> {
        self.next = next;
        self.flush()?;
        guarded(|| self.engine.hand_over())
            .map_err(|error| engine_error(self.name, "hand over", &error))
    }
}

/// Reads the whole log again, as if the engine were to be made anew.
pub(crate) fn verify_log(
    disk: &dyn Disk,
    files: &LogFiles,
    mark: Mark,
) -> Result<Vec<Damage>, StoreError> {
    let mut damages = Vec::new();
    if let Some(base) = &files.base {
        damages.extend(replay_base(disk, base, &mut |_| Ok(()))?);
    }
    let from = files.base.as_ref().map_or(1, |base| base.start);
    damages.extend(replay::replay(disk, files, from, mark, &mut |_| Ok(()))?.damages);
    Ok(damages)
}
