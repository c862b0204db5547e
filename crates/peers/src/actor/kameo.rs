//! `kameo`: unbounded mailboxes, told with `tell(…).try_send()`.
//!
//! Its default features stay on, `tracing` among them, which costs a look at the current span per
//! tell.

use std::convert::Infallible;
use std::sync::Arc;

use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::mailbox;
use kameo::message::Context;

use super::directory::{Address, Directory};
use super::{Framework, Handler, Message, Running, tokio_host};

/// Kameo on a tokio runtime of `WORKERS`.
pub(crate) struct Kameo<const WORKERS: usize>;

struct Host {
    handler: Handler,
    directory: Arc<Directory<ActorRef<Host>>>,
}

impl Actor for Host {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(host: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(host)
    }
}

impl kameo::message::Message<Message> for Host {
    type Reply = ();

    async fn handle(&mut self, message: Message, _: &mut Context<Self, ()>) {
        (self.handler)(&*self.directory, message);
    }
}

impl Address for ActorRef<Host> {
    #[inline]
    fn tell(&self, message: Message) {
        let told = ActorRef::tell(self, message).try_send();
        told.expect("an actor receives until it is stopped");
    }
}

impl<const WORKERS: usize> Framework for Kameo<WORKERS> {
    fn start(handlers: Vec<Handler>) -> Running {
        tokio_host::start(WORKERS, async move |directory: &Arc<Directory<ActorRef<Host>>>| {
            let spawn = |handler| {
                let host = Host { handler, directory: Arc::clone(directory) };
                Host::spawn_with_mailbox(host, mailbox::unbounded())
            };
            handlers.into_iter().map(spawn).collect()
        })
    }
}
