//! `actix`: actors dealt round-robin to arbiters, each a thread; actix never migrates an actor.

use std::sync::{Arc, mpsc};
use std::thread;

use actix::{Actor, Addr, Arbiter, Context, System as ActixSystem};
use tokio::sync::oneshot;

use super::directory::{Address, Directory};
use super::{Framework, Handler, Message, Running};

/// Actix on `ARBITERS` arbiters.
pub(crate) struct Actix<const ARBITERS: usize>;

struct Host {
    handler: Handler,
    directory: Arc<Directory<Addr<Host>>>,
}

impl Actor for Host {
    type Context = Context<Self>;
}

struct Envelope(Message);

impl actix::Message for Envelope {
    type Result = ();
}

impl actix::Handler<Envelope> for Host {
    type Result = ();

    fn handle(&mut self, envelope: Envelope, _: &mut Context<Self>) {
        (self.handler)(&*self.directory, envelope.0);
    }
}

impl Address for Addr<Host> {
    #[inline]
    fn tell(&self, message: Message) {
        self.do_send(Envelope(message));
    }
}

impl<const ARBITERS: usize> Framework for Actix<ARBITERS> {
    fn start(handlers: Vec<Handler>) -> Running {
        let directory = Arc::<Directory<Addr<Host>>>::default();
        let (ready_sender, ready) = mpsc::channel();
        let (stop_sender, stopped) = oneshot::channel::<()>();
        let filled = Arc::clone(&directory);
        let host = thread::spawn(move || {
            ActixSystem::new().block_on(async move {
                let arbiters: Vec<_> = (0..ARBITERS).map(|_| Arbiter::new()).collect();
                let spawn = |(idx, handler): (usize, Handler)| {
                    let directory = Arc::clone(&filled);
                    let arbiter = arbiters[idx % ARBITERS].handle();
                    Host::start_in_arbiter(&arbiter, move |_| Host { handler, directory })
                };
                filled.fill(handlers.into_iter().enumerate().map(spawn).collect());
                ready_sender.send(()).expect("`start` waits for this signal");
                // A dropped sender is a signal too: the measuring thread is unwinding.
                let _ = stopped.await;
                for arbiter in arbiters {
                    arbiter.stop();
                    arbiter.join().expect("no handler panics but on a failed check");
                }
            });
        });
        ready.recv().expect("the thread that spawns the actors reaches its signal");
        let stop = move || {
            drop(stop_sender);
            host.join().expect("the thread that spawned the actors only waits");
        };
        Running { system: directory, stop: Box::new(stop) }
    }
}
