//! Owns the lock that keeps a store to one handle in one process.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use selvedge_sync::{Clock, thread};

use crate::error::{StoreError, io_error};

const LOCK: &str = "lock";
/// How long whoever has just taken the lock may take to write down who it is.
const PID_WAIT_MAX: Duration = Duration::from_millis(500);

/// Held as long as it lives. The system lets go of it when the process is gone, however it went, so
/// a lock left behind is nobody's.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Closing the file would not do: a process that another thread is just starting has it open,
    /// too, until it becomes another program.
    fn drop(&mut self) {
        // What can't be unlocked goes with its last file.
        let _ = self.file.unlock();
    }
}

impl Lock {
    pub(crate) fn take(dir: &Path) -> Result<Lock, StoreError> {
        let path = dir.join(LOCK);
        let failed = |doing| move |error| io_error(doing, LOCK, error);
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = owner(&mut file).unwrap_or_default();
                return Err(StoreError::Locked { path: dir.to_owned(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock")(error)),
        }
        let write = || {
            file.set_len(0)?;
            writeln!(file, "{}", std::process::id())
        };
        let mut write = write;
        write().map_err(failed("write"))?;
        Ok(Lock { file })
    }
}

/// Who says that it has the lock.
fn owner(file: &mut File) -> Option<u32> {
    let clock = Clock::real();
    loop {
        let mut text = String::new();
        file.rewind().ok()?;
        // A lock that is being taken may hold anything.
        let read = file.read_to_string(&mut text);
        if let (Ok(_), Some(Ok(pid))) = (read, text.strip_suffix('\n').map(str::parse)) {
            return Some(pid);
        }
        if clock.now() >= PID_WAIT_MAX {
            return None;
        }
        thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lets_go_has_let_go_though_the_file_is_open_elsewhere() {
        let dir = tempfile::tempdir().expect("there is room for a folder");
        let lock = Lock::take(dir.path()).expect("nobody has it");
        let refused = Lock::take(dir.path()).expect_err("it is taken");
        assert!(matches!(refused, StoreError::Locked { pid, .. } if pid == std::process::id()));
        // As a process has it that was forked and is not another program yet.
        let inherited = lock.file.try_clone().expect("there is room for a file");
        drop(lock);
        Lock::take(dir.path()).expect("nobody has it any more");
        drop(inherited);
    }
}
