//! `xtra`: unbounded mailboxes, told with `send(…).detach()` polled once, which is ready at once.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use xtra::{Actor, Context, Mailbox};

use super::directory::{Address, Directory};
use super::{Framework, Handler, Message, Running, tokio_host};

/// Xtra on a tokio runtime of `WORKERS`.
pub(crate) struct Xtra<const WORKERS: usize>;

struct Host {
    handler: Handler,
    directory: Arc<Directory<xtra::Address<Host>>>,
}

impl Actor for Host {
    type Stop = ();

    async fn stopped(self) {}
}

impl xtra::Handler<Message> for Host {
    type Return = ();

    async fn handle(&mut self, message: Message, _: &mut Context<Self>) {
        (self.handler)(&*self.directory, message);
    }
}

impl Address for xtra::Address<Host> {
    #[inline]
    fn tell(&self, message: Message) {
        let sending = pin!(self.send(message).detach());
        let mut context = TaskContext::from_waker(Waker::noop());
        let Poll::Ready(sent) = Future::poll(sending, &mut context) else {
            unreachable!("an unbounded mailbox takes a message at once")
        };
        // The receiver of an answer that nobody waits for.
        drop(sent.expect("an actor receives until it is stopped"));
    }
}

impl<const WORKERS: usize> Framework for Xtra<WORKERS> {
    fn start(handlers: Vec<Handler>) -> Running {
        tokio_host::start(WORKERS, async move |directory: &Arc<Directory<_>>| {
            let spawn = |handler| {
                let host = Host { handler, directory: Arc::clone(directory) };
                xtra::spawn_tokio(host, Mailbox::unbounded())
            };
            handlers.into_iter().map(spawn).collect()
        })
    }
}
