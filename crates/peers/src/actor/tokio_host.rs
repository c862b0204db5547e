//! The tokio runtime under every tokio-based framework, on a thread of its own until it is stopped.

use std::sync::{Arc, mpsc};
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::Running;
use super::directory::{Address, Directory};

/// Spawns actors inside a runtime of `n_workers` and waits until all are there.
///
/// One worker means the current-thread flavour (peers named `_ct`), more the multi-thread one.
pub(super) fn start<A: Address>(
    n_workers: usize,
    spawn_all: impl AsyncFnOnce(&Arc<Directory<A>>) -> Vec<A> + Send + 'static,
) -> Running {
    let directory = Arc::<Directory<A>>::default();
    let (ready_sender, ready) = mpsc::channel();
    let (stop_sender, stopped) = oneshot::channel::<()>();
    let filled = Arc::clone(&directory);
    let host = thread::spawn(move || {
        // Dropping the runtime at the end of this closure drops every task and joins the workers.
        runtime(n_workers).block_on(async move {
            filled.fill(spawn_all(&filled).await);
            ready_sender.send(()).expect("`start` waits for this signal");
            // A dropped sender is the signal; so is the measuring thread's unwinding.
            let _ = stopped.await;
        });
    });
    ready.recv().expect("the thread that spawns the actors reaches its signal");
    let stop = move || {
        drop(stop_sender);
        host.join().expect("the thread that spawned the actors only waits");
    };
    Running { system: directory, stop: Box::new(stop) }
}

fn runtime(n_workers: usize) -> Runtime {
    let mut builder = match n_workers {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder
        .worker_threads(n_workers)
        .enable_all()
        .build()
        .expect("the system has threads and epoll")
}
