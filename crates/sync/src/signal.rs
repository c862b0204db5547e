//! Owns the watch for SIGINT and SIGTERM. Acts only while someone watches: a library must not take
//! a process's signals without being asked.

use std::io;

/// A request from outside to end the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// SIGINT: someone pressed Ctrl-C.
    Interrupt,
    /// SIGTERM: someone, or the system, wants the process gone.
    Terminate,
}

impl Signal {
    /// The status a process exits with by convention when this ended it: 128 and the number.
    #[must_use]
    pub const fn exit_status(self) -> u8 {
        match self {
            Signal::Interrupt => 128 + 2,
            Signal::Terminate => 128 + 15,
        }
    }
}

/// Calls `on_signal`, on a thread of its own, for each signal until the watch is dropped.
///
/// # Errors
///
/// The system's, when the handlers or the thread can't be installed; `Unsupported` where there are
/// no such signals.
///
/// ```
/// let watch = selvedge_sync::signal::watch(|signal| eprintln!("{signal:?}"))?;
/// drop(watch); // Signals do again what they did before.
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn watch(on_signal: impl FnMut(Signal) + Send + 'static) -> io::Result<Watch> {
    imp::watch(on_signal)
}

pub use imp::Watch;

#[cfg(unix)]
mod imp {
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex, OnceLock, PoisonError};
    use std::thread::JoinHandle;

    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag::register_conditional_default;
    use signal_hook::iterator::{Handle, Signals};

    use super::Signal;

    /// Keeps watching until dropped.
    #[derive(Debug)]
    pub struct Watch {
        handle: Handle,
        thread: Option<JoinHandle<()>>,
    }

    /// A handler can't be uninstalled, only be told to do what the system would have done. This
    /// tells it so whenever nobody watches. (A handler reads the flag: no lock of ours would do.)
    struct Unwatched {
        flag: Arc<AtomicBool>,
        n_watches: Mutex<usize>,
    }

    fn unwatched() -> io::Result<&'static Unwatched> {
        static UNWATCHED: OnceLock<Unwatched> = OnceLock::new();
        static INSTALLING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(unwatched) = UNWATCHED.get() {
            return Ok(unwatched);
        }
        let flag = Arc::new(AtomicBool::new(true));
        register_conditional_default(SIGINT, Arc::clone(&flag))?;
        register_conditional_default(SIGTERM, Arc::clone(&flag))?;
        Ok(UNWATCHED.get_or_init(|| Unwatched { flag, n_watches: Mutex::new(0) }))
    }

    impl Unwatched {
        fn count(&self, change: impl FnOnce(usize) -> usize) {
            let mut n = self.n_watches.lock().unwrap_or_else(PoisonError::into_inner);
            *n = change(*n);
            self.flag.store(*n == 0, Ordering::SeqCst);
        }
    }

    pub(super) fn watch(mut on_signal: impl FnMut(Signal) + Send + 'static) -> io::Result<Watch> {
        let unwatched = unwatched()?;
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let handle = signals.handle();
        // A standard thread also under a model checker: it waits in the kernel, out of its sight.
        let thread =
            std::thread::Builder::new().name("selvedge-signals".into()).spawn(move || {
                for number in signals.forever() {
                    on_signal(if number == SIGINT { Signal::Interrupt } else { Signal::Terminate });
                }
            })?;
        unwatched.count(|n| n + 1);
        Ok(Watch { handle, thread: Some(thread) })
    }

    impl Drop for Watch {
        fn drop(&mut self) {
            if let Ok(unwatched) = unwatched() {
                unwatched.count(|n| n - 1);
            }
            self.handle.close();
            if let Some(thread) = self.thread.take() {
                // A panic in the callback has been printed by its thread; there is no one to tell.
                let _ = thread.join();
            }
        }
    }
}

#[cfg(not(unix))]
mod imp {
    use std::io;

    use super::Signal;

    /// Keeps watching until dropped.
    #[derive(Debug)]
    pub struct Watch {}

    pub(super) fn watch(_: impl FnMut(Signal) + Send + 'static) -> io::Result<Watch> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "signals are watched on unix only"))
    }
}
