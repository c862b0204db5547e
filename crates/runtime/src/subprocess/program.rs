//! Owns what is said of a program before it runs: its arguments, its surroundings, its limits.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{SubprocessError, beginning};
use super::waiting::{Answer, Subprocess};

/// How long a program may take, unless it is told otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(3_600);
/// Bytes that a program may write, unless it is told otherwise.
const OUTPUT_MAX: usize = 64 << 20;

/// A program to be run: its arguments one by one, since there is no shell to take them apart.
///
/// It sees no variable of this process's environment but those that it is [given](Self::env) or
/// that are [kept](Self::keep_env). It has an hour and may write 64 MiB, unless it is told
/// otherwise; when it ends, or is not needed any more, all that it has started is killed too,
/// except for what has made itself a process group or session of its own. What a program wrote to
/// its standard error is part of the error, the last 4 KiB of it.
///
/// What is killed when this process is killed itself is the system's business: a program that was
/// left alone finds its standard output closed.
///
/// ```
/// use selvedge_runtime::subprocess::Program;
///
/// let sorted: Vec<u32> = Program::new("sh")
///     .args(["-c", "tr -d '[]' | tr , '\\n' | sort -n | paste -sd, | sed 's/.*/[&]/'"])
///     .keep_env("PATH")
///     .call(&[30, 4, 10])?;
/// assert_eq!(sorted, [4, 10, 30]);
/// # Ok::<(), selvedge_runtime::subprocess::SubprocessError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use = "a program does nothing until it is run"]
pub struct Program {
    pub(super) program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    kept: Vec<OsString>,
    dir: Option<PathBuf>,
    pub(super) time_limit: Duration,
    pub(super) output_max: usize,
    pub(super) memory_max: Option<u64>,
}

impl Program {
    /// A program by its path, or by a name that is looked for in `PATH`: the program's own, if it
    /// has one, or else this process's.
    pub fn new(program: impl Into<OsString>) -> Program {
        Program {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            kept: Vec::new(),
            dir: None,
            time_limit: TIME_LIMIT,
            output_max: OUTPUT_MAX,
            memory_max: None,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Program {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Program {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Program {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Lets it see a variable of this process's environment, if there is one of that name.
    pub fn keep_env(mut self, name: impl Into<OsString>) -> Program {
        self.kept.push(name.into());
        self
    }

    /// The directory in which it starts; this process's, unless it is set.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Program {
        self.dir = Some(dir.into());
        self
    }

    /// How long it may take, an hour unless it is set: then it is killed. By the machine's clock,
    /// in simulations too.
    pub fn time_limit(mut self, limit: Duration) -> Program {
        self.time_limit = limit;
        self
    }

    /// How many bytes it may write to its standard output, 64 MiB unless it is set: then it is
    /// killed.
    pub fn output_max(mut self, bytes: usize) -> Program {
        self.output_max = bytes;
        self
    }

    /// How much address space it may have, in bytes; and each process that it starts may have as
    /// much. More is refused to it by the system, and most programs end at that. There is no limit
    /// unless it is set.
    ///
    /// The limit is set by `/bin/sh` (`ulimit -v`), which then becomes the program: it holds from
    /// its first instruction on. Where the system has no such limit, macOS for one, the program
    /// does not run.
    pub fn memory_max(mut self, bytes: u64) -> Program {
        self.memory_max = Some(bytes);
        self
    }

    /// The program and its arguments.
    pub fn argv(&self) -> impl Iterator<Item = &OsStr> {
        std::iter::once(&self.program).chain(&self.args).map(OsString::as_os_str)
    }

    /// Runs it to its end, with these bytes on its standard input; what it writes to its standard
    /// output. The thread that calls this waits: not one that others need.
    ///
    /// # Errors
    ///
    /// [`SubprocessError`]: it could not be started, did not end with status zero, or went beyond
    /// its limits.
    pub fn run(&self, input: Vec<u8>) -> Result<Vec<u8>, SubprocessError> {
        self.start(input)?.wait().map(|answer| answer.output)
    }

    /// The same in JSON.
    ///
    /// # Errors
    ///
    /// Likewise, and when it answers something else than one value of the type.
    pub fn call<I, O>(&self, input: &I) -> Result<O, SubprocessError>
    where
        I: Serialize + ?Sized,
        O: DeserializeOwned,
    {
        let input = serde_json::to_vec(input)
            .map_err(|source| SubprocessError::Input { program: self.name(), source })?;
        let Answer { output, told } = self.start(input)?.wait()?;
        serde_json::from_slice(&output).map_err(|source| SubprocessError::NotJson {
            program: self.name(),
            begins: beginning(&output),
            source,
            told,
        })
    }

    /// Starts it, with these bytes on its standard input.
    ///
    /// # Errors
    ///
    /// [`SubprocessError`], when it could not be started.
    pub fn start(&self, input: Vec<u8>) -> Result<Subprocess, SubprocessError> {
        Subprocess::start(self, input)
    }

    /// What it is called in errors. Arguments may hold what is not to be shown.
    pub(super) fn name(&self) -> String {
        self.program.to_string_lossy().into_owned()
    }

    /// What is said of its limit of memory where it has ended.
    pub(super) fn within(&self) -> String {
        match self.memory_max {
            None => String::new(),
            Some(bytes) => format!(", limited to {bytes} bytes of memory"),
        }
    }

    /// The same for the system. All but its standard input.
    pub(super) fn command(&self) -> Result<Command, SubprocessError> {
        let program = self.resolve()?;
        let mut command = match self.memory_max {
            None => Command::new(program),
            Some(bytes) => {
                let mut command = Command::new("/bin/sh");
                // What follows the text are `$0`, `$1`, …: never read as code.
                command.args(["-c", r#"ulimit -v "$1" && shift && exec "$@""#, "selvedge"]);
                command.arg((bytes / 1024).to_string()).arg(program);
                command
            }
        };
        command.args(&self.args).env_clear().process_group(0);
        for name in &self.kept {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    /// Where it lies: looked for here, so that it does not depend on who starts it.
    fn resolve(&self) -> Result<PathBuf, SubprocessError> {
        let missing = |place| SubprocessError::NotFound { program: self.name(), place };
        if self.program.as_bytes().contains(&b'/') {
            let absolute = std::path::absolute(&self.program);
            let found = absolute.ok().filter(|path| is_program(path));
            return found.ok_or_else(|| missing(String::new()));
        }
        let own = self.env.iter().rev().find(|(name, _)| name == "PATH");
        let path = own.map(|(_, value)| value.clone()).or_else(|| std::env::var_os("PATH"));
        let path = path.unwrap_or_default();
        let mut places = std::env::split_paths(&path).map(|place| place.join(&self.program));
        let found = places.find(|path| path.is_absolute() && is_program(path));
        found.ok_or_else(|| missing(format!(" in `{}`", path.to_string_lossy())))
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

impl fmt::Debug for Program {
    /// Without arguments and values of variables, which may hold what is not to be shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name).chain(&self.kept).collect();
        f.debug_struct("Program")
            .field("program", &self.program)
            .field("n_args", &self.args.len())
            .field("env", &names)
            .finish_non_exhaustive()
    }
}
