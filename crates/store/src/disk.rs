//! Owns the few file operations that durability rests on, behind a trait, so that tests can record
//! them, fail them and lose power between any two of them.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A directory in which a store keeps what must not be lost. Names are relative to it, with `/`.
///
/// What is promised of an implementation is what systems promise: data is durable after
/// [`DiskFile::sync`], a name after [`sync_dir`](Disk::sync_dir) of its directory; before that any
/// part may be there or not after the power was lost.
pub trait Disk: Send + Sync + Debug {
    /// Makes a directory, if it isn't there.
    ///
    /// # Errors
    ///
    /// The system's.
    fn create_dir(&self, dir: &str) -> io::Result<()>;

    /// Makes an empty file, replacing what is there.
    ///
    /// # Errors
    ///
    /// The system's.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file that is there, to read and to write it.
    ///
    /// # Errors
    ///
    /// The system's; `NotFound` if it isn't there.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, replacing what is there, at once.
    ///
    /// # Errors
    ///
    /// The system's.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file; one that isn't there is removed already.
    ///
    /// # Errors
    ///
    /// The system's.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of the files and directories in a directory, sorted; none if it isn't there.
    ///
    /// # Errors
    ///
    /// The system's.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    ///
    /// The system's.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;

    /// Names the time for which unsynced data is safe from all but the system's end: equal at two
    /// moments only if the system has run from one to the other. Nothing if that can't be told.
    fn boot(&self) -> Option<String>;
}

/// An open file of a [`Disk`].
pub trait DiskFile: Send + Sync + Debug {
    /// Reads up to a buffer's length from an offset; 0 at the end.
    ///
    /// # Errors
    ///
    /// The system's.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of the bytes at an offset.
    ///
    /// # Errors
    ///
    /// The system's; some of the bytes may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes what was written durable.
    ///
    /// # Errors
    ///
    /// The system's. What was written since the last success may be lost, and calling it again
    /// proves nothing.
    fn sync(&self) -> io::Result<()>;

    /// Length in bytes.
    ///
    /// # Errors
    ///
    /// The system's.
    fn n_bytes(&self) -> io::Result<u64>;
}

/// The file system.
#[derive(Clone, Debug)]
pub struct OsDisk {
    root: PathBuf,
}

impl OsDisk {
    /// A directory, made if it isn't there, for its owner alone.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn new(root: &Path) -> io::Result<OsDisk> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let is_new = !root.exists();
        builder.recursive(true).create(root)?;
        // Its name has to be durable too.
        if is_new && let Some(parent) = root.canonicalize()?.parent() {
            sync_path(parent)?;
        }
        Ok(OsDisk { root: root.to_owned() })
    }
}

impl Disk for OsDisk {
    fn create_dir(&self, dir: &str) -> io::Result<()> {
        fs::create_dir_all(self.root.join(dir))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let path = self.root.join(name);
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Box::new(OsFile(options.open(path)?)))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let path = self.root.join(name);
        Ok(Box::new(OsFile(File::options().read(true).write(true).open(path)?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.root.join(from), self.root.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.root.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.root.join(dir)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            // Ours are ASCII; a name that isn't text is somebody else's.
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        sync_path(&self.root.join(dir))
    }

    fn boot(&self) -> Option<String> {
        fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
    }
}

/// Makes a file, or the names in a directory, durable.
pub(crate) fn sync_path(path: &Path) -> io::Result<()> {
    // Elsewhere a directory can't be opened, and names are made durable with the file.
    if cfg!(unix) || path.is_file() {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}

#[derive(Debug)]
struct OsFile(File);

impl DiskFile for OsFile {
    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.0, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.0, buffer, offset)
    }

    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.0, bytes, offset)
    }

    #[cfg(windows)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut n_written = 0;
        while n_written < bytes.len() {
            let at = offset + n_written as u64;
            let rest = &bytes[n_written..];
            match std::os::windows::fs::FileExt::seek_write(&self.0, rest, at)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => n_written += n,
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn n_bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

/// Writes a small file so that it is there whole or not at all, and durable on return.
pub(crate) fn write_whole(disk: &dyn Disk, dir: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let path = if dir == "." { name.to_owned() } else { format!("{dir}/{name}") };
    let unfinished = format!("{path}{UNFINISHED}");
    let file = disk.create(&unfinished)?;
    file.write_at(bytes, 0)?;
    file.sync()?;
    disk.rename(&unfinished, &path)?;
    disk.sync_dir(dir)
}

/// Reads all of a file; nothing if it isn't there.
pub(crate) fn read_whole(disk: &dyn Disk, name: &str) -> io::Result<Option<Vec<u8>>> {
    let file = match disk.open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut Reading::new(file), &mut bytes)?;
    Ok(Some(bytes))
}

/// What the names of files end in that are being written; found at open, they are removed.
pub(crate) const UNFINISHED: &str = ".unfinished";

/// Reads a file from its beginning to its end.
#[derive(Debug)]
pub(crate) struct Reading {
    file: Box<dyn DiskFile>,
    offset: u64,
}

impl Reading {
    pub(crate) fn new(file: Box<dyn DiskFile>) -> Reading {
        Reading { file, offset: 0 }
    }
}

impl io::Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_read = self.file.read_at(buffer, self.offset)?;
        self.offset += n_read as u64;
        Ok(n_read)
    }
}
