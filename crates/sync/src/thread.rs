//! Owns the ways to make threads and to wait on a core.

use std::any::Any;

#[cfg(loom)]
use loom::thread as imp;
#[cfg(shuttle)]
use shuttle::thread as imp;
#[cfg(not(any(loom, shuttle)))]
use std::thread as imp;

pub use imp::{JoinHandle, ThreadId, current, yield_now};

/// Starts a thread under a name that debuggers and panics show.
///
/// # Errors
///
/// The system's, when it has no room for another thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    imp::Builder::new().name(name.to_owned()).spawn(body)
}

/// Whether this thread is unwinding from a panic.
#[must_use]
pub fn is_panicking() -> bool {
    std::thread::panicking()
}

/// What a call that may have panicked returned, or the panic.
pub type Caught<T> = std::thread::Result<T>;

/// What a panic said: most are texts.
#[must_use]
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

/// How many threads can run at once here; 1 if the system won't say.
#[must_use]
pub fn available_parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Tells the core that this is a spin loop. Under a model checker it yields, or the thread spun
/// for might never be scheduled.
#[inline]
pub fn spin_hint() {
    #[cfg(not(any(loom, shuttle)))]
    std::hint::spin_loop();
    #[cfg(any(loom, shuttle))]
    imp::yield_now();
}
