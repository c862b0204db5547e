//! Owns what goes into a program and what comes out of it: a piece at a time, as there is room and
//! as it is there, never waiting.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{ChildStderr, ChildStdout};

use super::error::Told;

/// Bytes that are read at a time.
const PIECE: usize = 64 << 10;
/// Bytes of standard error that are kept.
const TOLD_MAX: usize = 4 << 10;
/// Pieces that may lie in a pipe at the end: more than the largest pipe holds.
const LAST_PIECES: usize = 64;

/// What a program is given.
pub(super) struct Input {
    /// Closed when all is written, or nobody reads it.
    pipe: Option<PipeWriter>,
    bytes: Vec<u8>,
    pub(super) taken: usize,
}

impl Input {
    /// What is given, as far as there is room for it in the pipe, and the pipe's other end. It lies
    /// there before the program begins: a program that does not read a little input, since it needs
    /// none, ends as well as one that does.
    pub(super) fn laid_ready(bytes: Vec<u8>) -> io::Result<(Input, PipeReader)> {
        let (reader, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&writer, true)?;
        let mut input = Input { pipe: Some(writer), bytes, taken: 0 };
        input.feed()?;
        Ok((input, reader))
    }

    /// Writes as much as there is room for.
    pub(super) fn feed(&mut self) -> io::Result<()> {
        while let (Some(pipe), rest @ [_, ..]) = (&mut self.pipe, &self.bytes[self.taken..]) {
            match pipe.write(rest) {
                Ok(n) => self.taken += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // It takes no more: whether that is well is told when it has ended.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
                Err(error) => return Err(error),
            }
        }
        self.pipe = None;
        Ok(())
    }

    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// What comes of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Some(usize),
    /// Nothing at the moment.
    None,
    /// Nothing more.
    End,
}

fn read_piece(pipe: &mut impl Read, piece: &mut [u8]) -> io::Result<Piece> {
    loop {
        match pipe.read(piece) {
            Ok(0) => return Ok(Piece::End),
            Ok(n) => return Ok(Piece::Some(n)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Piece::None),
            Err(error) => return Err(error),
        }
    }
}

/// What a program writes.
pub(super) struct Output {
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Option<ChildStderr>,
    pub(super) written: Vec<u8>,
    max: usize,
    tail: Tail,
    piece: Box<[u8]>,
}

/// Whether a program has written more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    Within,
    TooMuch,
}

impl Output {
    pub(super) fn new(
        stdout: Option<ChildStdout>,
        stderr: Option<ChildStderr>,
        max: usize,
    ) -> io::Result<Output> {
        let pipes = stdout.as_ref().map(AsFd::as_fd).into_iter();
        for pipe in pipes.chain(stderr.as_ref().map(AsFd::as_fd)) {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        let (written, tail) = (Vec::new(), Tail::default());
        Ok(Output { stdout, stderr, written, max, tail, piece: vec![0; PIECE].into() })
    }

    /// Reads a piece of what it answers; whether there may be more of it now.
    pub(super) fn hear(&mut self) -> io::Result<(Amount, bool)> {
        let Some(pipe) = &mut self.stdout else { return Ok((Amount::Within, false)) };
        match read_piece(pipe, &mut self.piece)? {
            Piece::Some(n) if self.written.len() + n > self.max => Ok((Amount::TooMuch, false)),
            Piece::Some(n) => {
                self.written.extend_from_slice(&self.piece[..n]);
                Ok((Amount::Within, true))
            }
            Piece::None => Ok((Amount::Within, false)),
            Piece::End => {
                self.stdout = None;
                Ok((Amount::Within, false))
            }
        }
    }

    /// Reads a piece of what it says; whether there may be more of it now.
    pub(super) fn hear_told(&mut self) -> io::Result<bool> {
        let Some(pipe) = &mut self.stderr else { return Ok(false) };
        match read_piece(pipe, &mut self.piece)? {
            Piece::Some(n) => {
                self.tail.add(&self.piece[..n]);
                Ok(true)
            }
            Piece::None => Ok(false),
            Piece::End => {
                self.stderr = None;
                Ok(false)
            }
        }
    }

    /// Reads what it has left in the pipes. Bounded: what it has started may still be writing.
    pub(super) fn hear_the_rest(&mut self) -> io::Result<Amount> {
        for _ in 0..LAST_PIECES {
            if !self.hear_told()? {
                break;
            }
        }
        loop {
            match self.hear()? {
                (Amount::Within, true) => {}
                (amount, _) => return Ok(amount),
            }
        }
    }

    pub(super) fn told(&self) -> Told {
        Told::of(&self.tail.0)
    }
}

/// The end of what is written: where programs say what went wrong.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn add(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(TOLD_MAX)..];
        let over = (self.0.len() + bytes.len()).saturating_sub(TOLD_MAX);
        self.0.drain(..over);
        self.0.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::any;
    use proptest::{prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn a_tail_is_the_end_of_all_that_came(
            lengths in proptest::collection::vec(0..TOLD_MAX * 2, 0..6),
            seed in any::<u8>(),
        ) {
            let (mut tail, mut all) = (Tail::default(), Vec::new());
            for (n, length) in lengths.into_iter().enumerate() {
                let bytes = vec![seed.wrapping_add(n as u8); length];
                tail.add(&bytes);
                all.extend(bytes);
            }
            prop_assert_eq!(&tail.0[..], &all[all.len().saturating_sub(TOLD_MAX)..]);
        }
    }
}
