//! `ractor`: the handler is the actor's state, as its actors are immutable. Told with
//! `send_message`.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::directory::{Address, Directory};
use super::{Framework, Handler, Message, Running, tokio_host};

/// Ractor on a tokio runtime of `WORKERS`.
pub(crate) struct Ractor<const WORKERS: usize>;

struct Host(Arc<Directory<ActorRef<Message>>>);

impl Actor for Host {
    type Msg = Message;
    type State = Handler;
    type Arguments = Handler;

    async fn pre_start(
        &self,
        _: ActorRef<Message>,
        handler: Handler,
    ) -> Result<Handler, ActorProcessingErr> {
        Ok(handler)
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        handler: &mut Handler,
    ) -> Result<(), ActorProcessingErr> {
        handler(&*self.0, message);
        Ok(())
    }
}

impl Address for ActorRef<Message> {
    #[inline]
    fn tell(&self, message: Message) {
        self.send_message(message).expect("an actor receives until it is stopped");
    }
}

impl<const WORKERS: usize> Framework for Ractor<WORKERS> {
    fn start(handlers: Vec<Handler>) -> Running {
        tokio_host::start(WORKERS, async move |directory: &Arc<Directory<ActorRef<Message>>>| {
            let mut addresses = Vec::with_capacity(handlers.len());
            for handler in handlers {
                let host = Host(Arc::clone(directory));
                let spawned = Actor::spawn(None, host, handler).await;
                addresses.push(spawned.expect("`pre_start` cannot fail").0);
            }
            addresses
        })
    }
}
