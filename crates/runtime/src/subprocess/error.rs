//! Owns what can go wrong with another program.

use std::fmt;
use std::io;
use std::time::Duration;

use thiserror::Error;

/// Why there is nothing to be had of another program.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SubprocessError {
    /// There is no such program.
    #[error("there is no program `{program}`{place}: install it, or name it by its path")]
    NotFound {
        /// What it was called.
        program: String,
        /// Where it was looked for.
        place: String,
    },
    /// The system would not start it.
    #[error("program `{program}` could not be started")]
    Start {
        /// Which.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// The system would not tell how it goes, or bring bytes from it.
    #[error("nothing more is heard of program `{program}`")]
    Io {
        /// Which.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// It ended with another status than zero.
    #[error("program `{program}` ended with status {code}{within}{told}")]
    Exited {
        /// Which.
        program: String,
        /// Its exit status.
        code: i32,
        /// The limit of memory, if it had one.
        within: String,
        /// What it wrote to its standard error.
        told: Told,
    },
    /// A signal ended it that was not ours.
    #[error("program `{program}` was ended by signal {signal}{within}{told}")]
    Killed {
        /// Which.
        program: String,
        /// The signal's number.
        signal: i32,
        /// The limit of memory, if it had one.
        within: String,
        /// What it wrote to its standard error.
        told: Told,
    },
    /// It took too long, and was killed.
    #[error("program `{program}` was killed: it took longer than {limit:?}{told}")]
    TimedOut {
        /// Which.
        program: String,
        /// How long it may take.
        limit: Duration,
        /// What it wrote to its standard error.
        told: Told,
    },
    /// It wrote more than it may, and was killed.
    #[error(
        "program `{program}` was killed: it wrote more than {max} bytes; raise `output_max`, or \
         have it write a file and tell its name"
    )]
    OutputTooLong {
        /// Which.
        program: String,
        /// How much it may write.
        max: usize,
    },
    /// It ended well without having read what it was given.
    #[error(
        "program `{program}` ended after {taken} of the {len} bytes that it was given: nobody \
         knows what its answer is of"
    )]
    InputUnread {
        /// Which.
        program: String,
        /// How many bytes it had taken, what lay ready in the pipe included.
        taken: usize,
        /// How many it was given.
        len: usize,
    },
    /// What it is to be given can't be written as JSON.
    #[error("what program `{program}` is to be given is no JSON")]
    Input {
        /// Which.
        program: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// What it wrote is no JSON, or not of the type that is wanted.
    #[error("program `{program}` answered {begins}, which can't be read: {source}{told}")]
    NotJson {
        /// Which.
        program: String,
        /// How its answer begins.
        begins: String,
        /// What is wrong with it.
        source: serde_json::Error,
        /// What it wrote to its standard error.
        told: Told,
    },
    /// It was killed because nobody needed it any more.
    #[error("program `{program}` was stopped: what it does is not needed any more")]
    Stopped {
        /// Which.
        program: String,
    },
}

/// The last of what a program wrote to its standard error: at most 4 KiB, control characters
/// replaced. Shown as the end of a sentence; nothing if it wrote nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told(String);

impl Told {
    pub(super) fn of(tail: &[u8]) -> Told {
        let text = String::from_utf8_lossy(tail);
        let shown = |letter: char| match letter {
            '\n' | '\t' => letter,
            letter if letter.is_control() => char::REPLACEMENT_CHARACTER,
            letter => letter,
        };
        Told(text.trim().chars().map(shown).collect())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "; it said: {}", self.0) }
    }
}

/// How bytes begin, for people.
pub(super) fn beginning(bytes: &[u8]) -> String {
    const SHOWN: usize = 60;
    if bytes.is_empty() {
        return "nothing".to_owned();
    }
    let cut = &bytes[..bytes.len().min(SHOWN)];
    let dots = if bytes.len() > SHOWN { "…" } else { "" };
    format!("{:?}{dots}", String::from_utf8_lossy(cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_can_be_shown() {
        let told = Told::of(b" \x1b[31mred\x1b[0m\nand \xff more\x07\n");
        insta::assert_snapshot!(told.to_string().escape_debug(), @r#"; it said: �[31mred�[0m\nand � more�"#);
        assert_eq!(Told::of(b"\n").to_string(), "");
        assert_eq!(beginning(b""), "nothing");
        assert_eq!(beginning(&[b'x'; 61]), format!("\"{}\"…", "x".repeat(60)));
    }
}
