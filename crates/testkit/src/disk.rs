//! Owns `SimDisk`: a disk in memory that remembers every operation, fails when told to, and can be
//! had as it would be after the power was lost at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use selvedge_store::{Disk, DiskFile};
use selvedge_sync::Mutex;
use selvedge_sync::random::Rng;

/// What a device writes at once.
const SECTOR_LEN: usize = 512;

/// What becomes of writes, and of new names, that nobody had waited for when the power went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of them are lost.
    Dropped,
    /// One of them is there up to a sector within it; those before it are there, those behind it
    /// not.
    Torn,
    /// Any sectors of any of them are there, others not; of the names any beginning.
    Reordered,
    /// All are there.
    Nothing,
}

/// A failure of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Every write and new file fails from then on, half of the first one being written.
    Full,
    /// One wait for the device fails, and what it was for is forgotten, as systems do.
    Sync,
}

/// Files in memory, as a store sees them and as a device has them. Clones are one disk.
///
/// ```
/// use selvedge_store::Disk;
/// use selvedge_testkit::{Loss, SimDisk};
///
/// let disk = SimDisk::new();
/// disk.create("file")?.write_at(b"lost", 0)?;
/// let after = disk.after_power_loss(disk.n_ops(), Loss::Dropped, 0);
/// assert!(after.open("file").is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What was there when the disk was made: all of it durable.
    first: Image,
    ops: Vec<Op>,
    now: Image,
    n_files: usize,
    n_boots: u64,
    failure: Option<(usize, Failure)>,
    is_full: bool,
}

/// Files by number, so that a name can move from one to another.
#[derive(Clone, Debug, Default)]
struct Image {
    names: BTreeMap<String, usize>,
    files: BTreeMap<usize, Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Op {
    Create { name: String, file: usize },
    Write { file: usize, offset: usize, bytes: Vec<u8> },
    Sync { file: usize },
    Rename { from: String, to: String },
    Remove { name: String },
    SyncDir { dir: String },
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    /// Operations so far that changed something or waited for the device.
    #[must_use]
    pub fn n_ops(&self) -> usize {
        self.0.lock().ops.len()
    }

    /// Has the operation with this number fail, counted from 0.
    pub fn fail_at(&self, op: usize, failure: Failure) {
        self.0.lock().failure = Some((op, failure));
    }

    /// Makes room on a full disk.
    pub fn make_room(&self) {
        let mut state = self.0.lock();
        (state.failure, state.is_full) = (None, false);
    }

    /// Flips a bit of a file, counted from its first; nothing if it has none.
    pub fn flip(&self, name: &str, bit: u64) {
        self.damage(name, |bytes| {
            if let Some(n_bits) = (bytes.len() as u64 * 8).checked_sub(1) {
                let bit = bit % (n_bits + 1);
                bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
            }
        });
    }

    /// Changes a file's bytes behind everybody's back; nothing happens if there is no such file.
    pub fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.0.lock();
        if let Some(file) = state.now.names.get(name).copied() {
            state.now.files.get_mut(&file).map(change);
        }
    }

    /// The names of all files.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.lock().now.names.keys().cloned().collect()
    }

    /// The disk after the process was killed: everything is there, durable or not, and the system
    /// went on.
    #[must_use]
    pub fn after_kill(&self) -> SimDisk {
        let state = self.0.lock();
        SimDisk::with(state.now.clone(), state.n_boots)
    }

    /// The disk after the power was lost when so many operations were done. What was lost is drawn
    /// from the seed.
    #[must_use]
    pub fn after_power_loss(&self, n_ops: usize, loss: Loss, seed: u64) -> SimDisk {
        let state = self.0.lock();
        let image = state.first.clone().after(&state.ops[..n_ops], loss, &mut Rng::seeded(seed));
        SimDisk::with(image, state.n_boots + 1)
    }

    fn with(image: Image, n_boots: u64) -> SimDisk {
        let n_files = image.files.keys().last().map_or(0, |last| last + 1);
        let state =
            State { first: image.clone(), now: image, n_files, n_boots, ..State::default() };
        SimDisk(Arc::new(Mutex::new(state)))
    }

    /// Does an operation, unless it is to fail.
    fn run(&self, op: Op) -> io::Result<()> {
        let mut state = self.0.lock();
        let failure = state.failure.filter(|(at, _)| *at == state.ops.len());
        let needs_room = matches!(op, Op::Create { .. } | Op::Write { .. });
        match failure {
            Some((_, Failure::Full)) => state.is_full = true,
            Some((_, Failure::Sync)) if let Op::Sync { file } = &op => {
                state.failure = None;
                state.forget(*file);
                return Err(io::Error::other("the device failed"));
            }
            // It waits for the next one.
            Some((at, Failure::Sync)) => state.failure = Some((at + 1, Failure::Sync)),
            None => {}
        }
        if state.is_full && needs_room {
            if let Op::Write { file, offset, mut bytes } = op {
                bytes.truncate(bytes.len() / 2);
                state.apply(Op::Write { file, offset, bytes });
                // Counted as the same operation, were it to succeed.
                state.failure = None;
            }
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.apply(op);
        Ok(())
    }
}

impl State {
    fn apply(&mut self, op: Op) {
        self.now.apply(&op);
        self.ops.push(op);
    }

    /// Undoes what was written to a file since it was last durable.
    fn forget(&mut self, file: usize) {
        let is_of = |op: &Op| matches!(op, Op::Write { file: of, .. } if *of == file);
        let last =
            self.ops.iter().rposition(|op| matches!(op, Op::Sync { file: of } if *of == file));
        let last = last.map_or(0, |last| last + 1);
        let kept: Vec<Op> = self.ops[..last].iter().filter(|op| is_of(op)).cloned().collect();
        let mut image = Image::default();
        image.files.insert(file, self.first.files.get(&file).cloned().unwrap_or_default());
        kept.iter().for_each(|op| image.apply(op));
        self.now.files.extend(image.files);
        let mut index = 0;
        self.ops.retain(|op| {
            index += 1;
            index <= last || !is_of(op)
        });
    }
}

fn dir_of(name: &str) -> &str {
    name.rsplit_once('/').map_or(".", |(dir, _)| dir)
}

impl Image {
    fn apply(&mut self, op: &Op) {
        match op {
            Op::Create { name, file } => {
                self.names.insert(name.clone(), *file);
                self.files.entry(*file).or_default();
            }
            Op::Write { file, offset, bytes } => {
                let content = self.files.entry(*file).or_default();
                let end = offset + bytes.len();
                content.resize(content.len().max(end), 0);
                content[*offset..end].copy_from_slice(bytes);
            }
            Op::Rename { from, to } => {
                if let Some(file) = self.names.remove(from) {
                    self.names.insert(to.clone(), file);
                }
            }
            Op::Remove { name } => drop(self.names.remove(name)),
            Op::Sync { .. } | Op::SyncDir { .. } => {}
        }
    }

    /// What a device has: what was waited for, and of the rest what the loss leaves.
    fn after(mut self, ops: &[Op], loss: Loss, rng: &mut Rng) -> Image {
        let (mut files, mut dirs) = (BTreeMap::new(), BTreeMap::new());
        for (index, op) in ops.iter().enumerate() {
            match op {
                Op::Sync { file } => drop(files.insert(*file, index)),
                Op::SyncDir { dir } => drop(dirs.insert(dir.clone(), index)),
                _ => {}
            }
        }
        let is_durable = |index: usize, op: &Op| match op {
            Op::Write { file, .. } => files.get(file).is_some_and(|&synced| index < synced),
            Op::Create { name, .. } | Op::Remove { name } | Op::Rename { to: name, .. } => {
                dirs.get(dir_of(name)).is_some_and(|&synced| index < synced)
            }
            Op::Sync { .. } | Op::SyncDir { .. } => true,
        };
        let pending: Vec<usize> =
            (0..ops.len()).filter(|&index| !is_durable(index, &ops[index])).collect();
        let is_name = |index: &&usize| !matches!(ops[**index], Op::Write { .. });
        let n_names = pending.iter().filter(is_name).count() as u64;
        let n_kept_names = rng.below(n_names + 1);
        let last = rng.below(pending.len() as u64 + 1) as usize;
        let (mut n_seen, mut n_seen_names) = (0, 0);
        for (index, op) in ops.iter().enumerate() {
            if is_durable(index, op) {
                self.apply(op);
                continue;
            }
            n_seen += 1;
            n_seen_names += u64::from(is_name(&&index));
            match (loss, op) {
                (Loss::Dropped, _) => {}
                (Loss::Nothing, _) => self.apply(op),
                (Loss::Torn, _) if n_seen < last => self.apply(op),
                (Loss::Torn, Op::Write { file, offset, bytes }) if n_seen == last => {
                    let n_sectors = bytes.len().div_ceil(SECTOR_LEN) as u64;
                    let n_bytes = rng.below(n_sectors + 1) as usize * SECTOR_LEN;
                    let bytes = bytes[..n_bytes.min(bytes.len())].to_vec();
                    self.apply(&Op::Write { file: *file, offset: *offset, bytes });
                }
                (Loss::Torn, _) => {}
                (Loss::Reordered, Op::Write { file, offset, bytes }) => {
                    for (sector, bytes) in bytes.chunks(SECTOR_LEN).enumerate() {
                        if rng.below(2) == 0 {
                            let offset = offset + sector * SECTOR_LEN;
                            let bytes = bytes.to_vec();
                            self.apply(&Op::Write { file: *file, offset, bytes });
                        }
                    }
                }
                (Loss::Reordered, _) if n_seen_names <= n_kept_names => self.apply(op),
                (Loss::Reordered, _) => {}
            }
        }
        let named: BTreeSet<usize> = self.names.values().copied().collect();
        self.files.retain(|file, _| named.contains(file));
        self
    }
}

impl Disk for SimDisk {
    fn create_dir(&self, _dir: &str) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = {
            let mut state = self.0.lock();
            state.n_files += 1;
            state.n_files - 1
        };
        self.run(Op::Create { name: name.to_owned(), file })?;
        Ok(Box::new(SimFile { disk: self.clone(), file }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.0.lock().now.names.get(name).copied();
        let file = file.ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimFile { disk: self.clone(), file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.run(Op::Rename { from: from.to_owned(), to: to.to_owned() })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        if self.0.lock().now.names.contains_key(name) {
            self.run(Op::Remove { name: name.to_owned() })?;
        }
        Ok(())
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let state = self.0.lock();
        let names = state.now.names.keys().filter(|name| dir_of(name) == dir);
        Ok(names.map(|name| name.rsplit('/').next().unwrap_or(name).to_owned()).collect())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.run(Op::SyncDir { dir: dir.to_owned() })
    }

    fn boot(&self) -> Option<String> {
        Some(self.0.lock().n_boots.to_string())
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: usize,
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.0.lock();
        let content = state.now.files.get(&self.file).map_or(&[][..], Vec::as_slice);
        let rest = content.get(offset as usize..).unwrap_or_default();
        let n_read = rest.len().min(buffer.len());
        buffer[..n_read].copy_from_slice(&rest[..n_read]);
        Ok(n_read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = offset as usize;
        self.disk.run(Op::Write { file: self.file, offset, bytes: bytes.to_vec() })
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.run(Op::Sync { file: self.file })
    }

    fn n_bytes(&self) -> io::Result<u64> {
        let state = self.disk.0.lock();
        Ok(state.now.files.get(&self.file).map_or(0, |content| content.len() as u64))
    }
}
