//! Owns `Records`: the values of a file one by one, for use without a pipeline.

use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::jsonl::decode;
use crate::jsonl::error::ReadError;
use crate::jsonl::input::Input;
use crate::jsonl::limits::Limits;

/// Reads the values of a file one by one, as strictly as a [`Source`](super::Source) does.
///
/// The file is opened when the first value is asked for. A line that has no value is an `Err`, and
/// the next item is that of the next line; after any other error the iterator ends.
///
/// ```
/// use selvedge_io::jsonl;
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("numbers.jsonl");
/// std::fs::write(&path, "1\n\"two\"\n3\n")?;
///
/// let (good, bad): (Vec<_>, Vec<_>) = jsonl::read::<u32>(&path).partition(Result::is_ok);
/// assert_eq!(good.len(), 2);
/// let error = bad[0].as_ref().unwrap_err().to_string();
/// assert!(error.ends_with("numbers.jsonl:2:5: invalid type: string \"two\" (expected u32)"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read<T: DeserializeOwned>(path: impl AsRef<Path>) -> Records<T> {
    Records {
        state: State::Unopened(path.as_ref().to_owned()),
        limits: Limits::default(),
        value: PhantomData,
    }
}

/// The values of a file, one by one. Made by [`read`].
pub struct Records<T> {
    state: State,
    limits: Limits,
    value: PhantomData<fn() -> T>,
}

enum State {
    Unopened(PathBuf),
    Open(Input),
    Over,
}

impl<T> Records<T> {
    /// The line of the item that was returned last, from 1; 0 before the first and after the end.
    #[must_use]
    pub fn line(&self) -> u64 {
        match &self.state {
            State::Open(input) => input.n_lines(),
            State::Unopened(_) | State::Over => 0,
        }
    }

    /// Reads under other limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Records<T> {
        self.limits = limits;
        self
    }
}

impl<T: DeserializeOwned> Iterator for Records<T> {
    type Item = Result<T, ReadError>;

    fn next(&mut self) -> Option<Result<T, ReadError>> {
        if let State::Unopened(path) = &self.state {
            match Input::open(path, self.limits.line_bytes_max) {
                Ok(input) => self.state = State::Open(input),
                Err(error) => {
                    self.state = State::Over;
                    return Some(Err(error));
                }
            }
        }
        let State::Open(input) = &mut self.state else { return None };
        match input.next_record() {
            Ok(Some(record)) => {
                Some(decode::typed(&record.line).map_err(|fault| record.malformed(fault)))
            }
            Ok(None) => {
                self.state = State::Over;
                None
            }
            Err(error) => {
                self.state = State::Over;
                Some(Err(error))
            }
        }
    }
}

impl<T: DeserializeOwned> std::iter::FusedIterator for Records<T> {}

impl<T> fmt::Debug for Records<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, lines) = match &self.state {
            State::Unopened(path) => (Some(path.as_path()), 0),
            State::Open(input) => (Some(input.path()), input.n_lines()),
            State::Over => (None, 0),
        };
        f.debug_struct("Records").field("path", &path).field("lines", &lines).finish()
    }
}
