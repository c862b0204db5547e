//! Owns `Scratch`: a queue that lies in a temporary file. Refuses to outlive its process: what must
//! be there afterwards belongs into a [`Store`](crate::Store).

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// What is written and read at a time.
const BLOCK: usize = 64 << 10;
/// A record's length, before it.
const LENGTH: usize = size_of::<u32>();

/// A queue of byte strings of which all but a little lies in a temporary file, for what memory has
/// no room for. The file has no name and is gone with its owner, however that ends.
///
/// ```
/// let mut queue = selvedge_store::Scratch::new();
/// queue.push(b"first")?;
/// queue.push(b"second")?;
/// assert_eq!(queue.pop()?.as_deref(), Some(&b"first"[..]));
/// assert_eq!(queue.len(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Up to 64 KiB wait in memory at either end, and there is no file before the first of these is
/// full. What was read is given back to the file system when the queue is empty.
pub struct Scratch {
    file: Option<File>,
    bytes_max: u64,
    /// What is in the file and was not read: from here to there.
    read_to: u64,
    written_to: u64,
    /// Behind that in the queue, not written yet.
    tail: Vec<u8>,
    /// Before that in the queue, from here on.
    head: Vec<u8>,
    head_from: usize,
    len: u64,
}

/// What the file may weigh unless another limit is set.
const BYTES_MAX: u64 = 1 << 30;

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch::new()
    }
}

impl Scratch {
    /// An empty queue, whose file may grow to 1 GiB.
    #[must_use]
    pub fn new() -> Scratch {
        Scratch::with_bytes_max(BYTES_MAX)
    }

    /// An empty queue, whose file may grow to so many bytes.
    #[must_use]
    pub fn with_bytes_max(bytes_max: u64) -> Scratch {
        Scratch {
            file: None,
            bytes_max,
            read_to: 0,
            written_to: 0,
            tail: Vec::new(),
            head: Vec::new(),
            head_from: 0,
            len: 0,
        }
    }

    /// How many records wait.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a record behind the others.
    ///
    /// # Errors
    ///
    /// When there is no temporary file to be had, or no room in it; the record is not in the queue
    /// then, and those before it still are. A record of 4 GiB or more is refused.
    pub fn push(&mut self, record: &[u8]) -> io::Result<()> {
        let refused = |what: String| Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
        let Ok(length) = u32::try_from(record.len()) else {
            return refused("a record of a scratch queue is smaller than 4 GiB".to_owned());
        };
        let waiting = self.written_to + (self.tail.len() + LENGTH + record.len()) as u64;
        if waiting > self.bytes_max.max(BLOCK as u64) {
            let max = self.bytes_max;
            return refused(format!("a scratch queue may have {max} bytes, and they are used"));
        }
        let before = self.tail.len();
        self.tail.extend_from_slice(&length.to_le_bytes());
        self.tail.extend_from_slice(record);
        if self.tail.len() >= BLOCK
            && let Err(error) = self.write_tail()
        {
            self.tail.truncate(before);
            return Err(error);
        }
        self.len += 1;
        Ok(())
    }

    /// Takes the oldest record out.
    ///
    /// # Errors
    ///
    /// When the file can't be read.
    pub fn pop(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.len == 0 {
            return Ok(None);
        }
        self.fill(LENGTH)?;
        let length = self.head[self.head_from..].first_chunk().copied().unwrap_or_default();
        let length = u32::from_le_bytes(length) as usize;
        self.fill(LENGTH + length)?;
        let begin = self.head_from + LENGTH;
        let record = self.head[begin..begin + length].to_vec();
        self.head_from = begin + length;
        self.len -= 1;
        if self.len == 0 {
            self.give_back();
        }
        Ok(Some(record))
    }

    /// Has so many bytes ready to be taken out.
    fn fill(&mut self, n: usize) -> io::Result<()> {
        while self.head.len() - self.head_from < n {
            self.head.drain(..self.head_from);
            self.head_from = 0;
            let unread = usize::try_from(self.written_to - self.read_to).unwrap_or(BLOCK);
            if unread == 0 {
                self.head.append(&mut self.tail);
                continue;
            }
            let file = self.file.as_mut().expect("what was written lies in a file");
            let (begin, n_bytes) = (self.head.len(), unread.min(BLOCK));
            file.seek(SeekFrom::Start(self.read_to))?;
            self.head.resize(begin + n_bytes, 0);
            if let Err(error) = file.read_exact(&mut self.head[begin..]) {
                self.head.truncate(begin);
                return Err(error);
            }
            self.read_to += n_bytes as u64;
        }
        Ok(())
    }

    fn write_tail(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        file.seek(SeekFrom::Start(self.written_to))?;
        file.write_all(&self.tail)?;
        self.written_to += self.tail.len() as u64;
        self.tail.clear();
        Ok(())
    }

    fn give_back(&mut self) {
        (self.head_from, self.read_to, self.written_to) = (0, 0, 0);
        self.head.clear();
        if let Some(file) = &self.file {
            // A file that stays long is written over.
            let _ = file.set_len(0);
        }
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Does {
        Push(usize),
        Pop(usize),
    }

    fn does() -> impl Strategy<Value = Does> {
        prop_oneof![
            // Some are longer than a block.
            prop_oneof![0..40_usize, 1_000..9_000_usize, 60_000..140_000_usize]
                .prop_map(Does::Push),
            (1..12_usize).prop_map(Does::Pop),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn what_goes_in_comes_out_in_order(does in proptest::collection::vec(does(), 0..80)) {
            let (mut queue, mut model) = (Scratch::new(), VecDeque::new());
            for (does, n) in does.into_iter().zip(0_u8..) {
                match does {
                    Does::Push(length) => {
                        let record = vec![n; length];
                        queue.push(&record).expect("there is room");
                        model.push_back(record);
                    }
                    Does::Pop(times) => {
                        for _ in 0..times {
                            let popped = queue.pop().expect("it can be read");
                            prop_assert_eq!(popped, model.pop_front());
                        }
                    }
                }
                prop_assert_eq!(queue.len(), model.len() as u64);
            }
        }
    }

    #[test]
    fn a_full_queue_refuses_and_keeps_what_it_has() {
        let mut queue = Scratch::with_bytes_max(100_000);
        let record = vec![7; 30_000];
        for _ in 0..3 {
            queue.push(&record).expect("there is room");
        }
        let error = queue.push(&record).expect_err("there is none");
        let told = "a scratch queue may have 100000 bytes, and they are used";
        assert_eq!(error.to_string(), told);
        assert_eq!(queue.len(), 3);
        while let Some(popped) = queue.pop().expect("it can be read") {
            assert_eq!(popped, record);
        }
        // What was read makes room once all of it was.
        queue.push(&record).expect("there is room again");
    }
}
