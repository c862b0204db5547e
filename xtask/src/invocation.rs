//! One command to run: how it is started, and how it is written so that a reader can run it again.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// A program with its arguments, environment and directory.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    program: String,
    args: Vec<String>,
    envs: Vec<(String, String)>,
    dir: Option<PathBuf>,
}

/// Where a command's own output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sink {
    /// To our own standard output.
    Stdout,
    /// To standard error, because standard output is kept for JSON.
    Stderr,
}

impl Invocation {
    /// A program found on the search path.
    pub(crate) fn new(program: impl Into<String>) -> Self {
        Self { program: program.into(), args: Vec::new(), envs: Vec::new(), dir: None }
    }

    /// Cargo with these words, split at blanks.
    pub(crate) fn cargo(words: &str) -> Self {
        Self::new("cargo").args(words.split_whitespace())
    }

    /// Appends arguments.
    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets one environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.envs.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs in `dir` instead of the current directory.
    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.dir = Some(dir.to_owned());
        self
    }

    /// Runs to the end and fails, naming the command, unless it succeeds.
    pub(crate) fn run(&self, sink: Sink) -> Result<()> {
        let mut command = self.command();
        if sink == Sink::Stderr {
            command.stdout(Stdio::from(io::stderr()));
        }
        let status = command.status().with_context(|| format!("failed to start `{self}`"))?;
        if !status.success() {
            bail!("`{self}` failed ({status})");
        }
        Ok(())
    }

    /// Runs to the end with both outputs captured, whatever the exit status.
    pub(crate) fn capture(&self) -> Result<Output> {
        self.command().output().with_context(|| format!("failed to start `{self}`"))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        command.envs(self.envs.iter().map(|(name, value)| (name, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command
    }
}

/// As it would be typed in a shell.
impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.envs {
            write!(f, "{name}={} ", quoted(value))?;
        }
        f.write_str(&quoted(&self.program))?;
        for arg in &self.args {
            write!(f, " {}", quoted(arg))?;
        }
        Ok(())
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Invocation, Sink};

    #[test]
    fn reads_as_typed() {
        let invocation = Invocation::cargo("doc --no-deps").env("RUSTDOCFLAGS", "-D warnings");
        insta::assert_snapshot!(invocation, @"RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
        let awkward = Invocation::new("sh").args(["-c", "it's $1", ""]);
        insta::assert_snapshot!(awkward, @r"sh -c 'it'\''s $1' ''");
    }

    #[test]
    fn failure_names_the_command() {
        let invocation = Invocation::new("sh").args(["-c", "exit 3"]);
        let error = invocation.run(Sink::Stderr).expect_err("the command exits with 3");
        insta::assert_snapshot!(error, @"`sh -c 'exit 3'` failed (exit status: 3)");
    }
}
