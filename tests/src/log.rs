//! Owns the log of a program that is to be killed at any point.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

/// Where it is told what happens, there and on standard output. A line that is written survives the
/// process.
#[derive(Clone, Debug)]
pub struct Log(Arc<File>);

impl Log {
    /// The file `log` in a folder, to go on with.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn open(dir: &Path) -> Result<Log> {
        let file = OpenOptions::new().create(true).append(true).open(dir.join("log"))?;
        Ok(Log(Arc::new(file)))
    }

    /// Tells one thing.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn tell(&self, what: &str, of: u64) -> Result<()> {
        let line = format!("{what} {of}\n");
        (&*self.0).write_all(line.as_bytes())?;
        let mut out = std::io::stdout().lock();
        out.write_all(line.as_bytes())?;
        Ok(out.flush()?)
    }
}
