//! Owns a program that runs: the wait for its end, what ends it before, and that nothing of it is
//! left.
//!
//! One thread waits on the pipes, on the time and on a word: that it has exited, which a thread of
//! its own hears from the system, or that it is not needed any more. Nobody waits on a pipe alone,
//! since what the program has started may hold it open for ever.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use selvedge_sync::Clock;
use selvedge_sync::atomic::{AtomicBool, Ordering};
use selvedge_sync::thread::{self, JoinHandle};

use super::error::{SubprocessError, Told};
use super::program::Program;
use super::streams::{Amount, Input, Output};

/// A program that runs. Dropping it kills it, and all that it has started.
pub struct Subprocess {
    program: Program,
    process: Process,
    clock: Clock,
    input: Input,
    output: Output,
    wakes: UnixStream,
    shared: Arc<Shared>,
}

/// What others reach of it.
struct Shared {
    /// Relaxed: who sets it wakes the one who waits.
    stopped: AtomicBool,
    exited: AtomicBool,
    waker: UnixStream,
}

impl Shared {
    fn wake(&self) {
        // If it is full of words, one of them will do.
        let _ = (&self.waker).write(&[1]);
    }
}

/// Stops a program that somebody waits for, from any thread. Clones stop the same one.
///
/// ```
/// use selvedge_runtime::subprocess::{Program, SubprocessError};
///
/// let endless = Program::new("tail").args(["-f", "/dev/null"]).start(Vec::new())?;
/// endless.stopper().stop();
/// assert!(matches!(endless.wait(), Err(SubprocessError::Stopped { .. })));
/// # Ok::<(), SubprocessError>(())
/// ```
#[derive(Clone)]
pub struct Stopper(Arc<Shared>);

impl Stopper {
    /// Has it killed, unless it has ended. Never waits.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
        self.0.wake();
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper").finish_non_exhaustive()
    }
}

/// What a program that ended well has written.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer {
    /// To its standard output.
    pub output: Vec<u8>,
    /// To its standard error: the last of it.
    pub told: Told,
}

/// Why the wait is over.
enum End {
    Exited,
    Stopped,
    TimedOut,
    TooMuch,
}

impl Subprocess {
    pub(super) fn start(program: &Program, input: Vec<u8>) -> Result<Subprocess, SubprocessError> {
        let failed = |source| SubprocessError::Start { program: program.name(), source };
        let mut command = program.command()?;
        let (wakes, waker) = UnixStream::pair().map_err(failed)?;
        wakes.set_nonblocking(true).and(waker.set_nonblocking(true)).map_err(failed)?;
        let (stopped, exited) = (AtomicBool::new(false), AtomicBool::new(false));
        let shared = Arc::new(Shared { stopped, exited, waker });
        let (input, reader) = Input::laid_ready(input).map_err(failed)?;
        let child = command.stdin(reader).spawn().map_err(failed)?;
        // It holds the other end of the program's input, which would never be broken.
        drop(command);
        let mut process = Process { child, waits: None, reaped: false };
        let (stdout, stderr) = (process.child.stdout.take(), process.child.stderr.take());
        let output = Output::new(stdout, stderr, program.output_max).map_err(failed)?;
        process.watch(&shared).map_err(failed)?;
        let (program, clock) = (program.clone(), Clock::real());
        Ok(Subprocess { program, process, clock, input, output, wakes, shared })
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.child.id()
    }

    /// What stops it while somebody waits for it.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.shared))
    }

    /// Waits for its end. Whatever it has started, and has not waited for itself, is killed then.
    ///
    /// # Errors
    ///
    /// [`SubprocessError`]: it did not end with status zero, went beyond its limits, was stopped,
    /// or did not read what it was given.
    pub fn wait(mut self) -> Result<Answer, SubprocessError> {
        let end = self.converse();
        self.process.kill();
        let heard = match end {
            Ok(End::Exited) => self.output.hear_the_rest(),
            _ => Ok(Amount::Within),
        };
        let status = self.process.reap();
        let program = self.program.name();
        let failed = |source| SubprocessError::Io { program: self.program.name(), source };
        let told = self.output.told();
        let end = match (end.map_err(failed)?, heard.map_err(failed)?) {
            (End::Exited, Amount::TooMuch) => End::TooMuch,
            (end, _) => end,
        };
        match end {
            End::Exited => self.judge(status.map_err(failed)?, told),
            End::Stopped => Err(SubprocessError::Stopped { program }),
            End::TimedOut => {
                let limit = self.program.time_limit;
                Err(SubprocessError::TimedOut { program, limit, told })
            }
            End::TooMuch => {
                let max = self.program.output_max;
                Err(SubprocessError::OutputTooLong { program, max })
            }
        }
    }

    /// What it has come to by itself.
    fn judge(&mut self, status: ExitStatus, told: Told) -> Result<Answer, SubprocessError> {
        let (program, within) = (self.program.name(), self.program.within());
        match (status.code(), status.signal()) {
            (Some(0), _) => {}
            (Some(code), _) => {
                return Err(SubprocessError::Exited { program, code, within, told });
            }
            (None, signal) => {
                let signal = signal.unwrap_or_default();
                return Err(SubprocessError::Killed { program, signal, within, told });
            }
        }
        let (taken, len) = (self.input.taken, self.input.len());
        if taken < len {
            return Err(SubprocessError::InputUnread { program, taken, len });
        }
        Ok(Answer { output: std::mem::take(&mut self.output.written), told })
    }

    /// Gives and hears until something ends it.
    fn converse(&mut self) -> io::Result<End> {
        loop {
            if self.shared.stopped.load(Ordering::Relaxed) {
                return Ok(End::Stopped);
            }
            // Acquire is not needed: what it has written is in the pipes.
            if self.shared.exited.load(Ordering::Relaxed) {
                return Ok(End::Exited);
            }
            let left = self.program.time_limit.saturating_sub(self.clock.now());
            if left.is_zero() {
                return Ok(End::TimedOut);
            }
            self.await_something(left)?;
            // A word is forgotten before what it tells is looked at.
            let mut words = [0; 64];
            let _ = (&self.wakes).read(&mut words);
            self.input.feed()?;
            if self.output.hear()?.0 == Amount::TooMuch {
                return Ok(End::TooMuch);
            }
            self.output.hear_told()?;
        }
    }

    /// Waits until there is something to do, at most so long.
    fn await_something(&self, at_most: Duration) -> io::Result<()> {
        let reads = PollFlags::IN;
        let mut awaited = vec![PollFd::new(&self.wakes, reads)];
        let (stdout, stderr) = (&self.output.stdout, &self.output.stderr);
        awaited.extend(stdout.as_ref().map(|pipe| PollFd::new(pipe, reads)));
        awaited.extend(stderr.as_ref().map(|pipe| PollFd::new(pipe, reads)));
        let input = self.input.fd();
        awaited.extend(input.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::OUT)));
        // What no number holds is longer than anybody waits.
        let timeout = Timespec::try_from(at_most).ok();
        match poll(&mut awaited, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl fmt::Debug for Subprocess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subprocess")
            .field("program", &self.program)
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

/// The process, which leads a group. Reaped once, after the group was killed.
struct Process {
    child: Child,
    /// Who waits for its exit; `None` before, and when it is reaped.
    waits: Option<JoinHandle<()>>,
    reaped: bool,
}

impl Process {
    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(self.child.id().try_into().ok()?)
    }

    /// Has its exit told, without reaping it.
    fn watch(&mut self, shared: &Arc<Shared>) -> io::Result<()> {
        let (Some(pid), shared) = (self.pid(), Arc::clone(shared)) else { return Ok(()) };
        let waits = move || {
            let how = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while matches!(waitid(WaitId::Pid(pid), how), Err(Errno::INTR)) {}
            shared.exited.store(true, Ordering::Relaxed);
            shared.wake();
        };
        self.waits = Some(thread::spawn("selvedge-wait", waits)?);
        Ok(())
    }

    /// Kills it and all that it has started. It is not reaped: its number is nobody else's.
    fn kill(&self) {
        if let Some(pid) = self.pid() {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    /// Waits for its end, which is near: it has exited, or was killed.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        if let Some(waits) = self.waits.take() {
            let _ = waits.join();
        }
        self.reaped = true;
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill();
            let _ = self.reap();
        }
    }
}
