//! No framework: a tokio task per actor, looping over an unbounded `tokio::sync::mpsc` channel.

use std::sync::Arc;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::directory::{Address, Directory};
use super::{Framework, Handler, Message, Running, tokio_host};

/// Tasks on a runtime of `WORKERS`.
pub(crate) struct TokioTasks<const WORKERS: usize>;

type Sender = UnboundedSender<Message>;

impl Address for Sender {
    #[inline]
    fn tell(&self, message: Message) {
        self.send(message).expect("an actor receives until it is stopped");
    }
}

async fn run(
    mut handler: Handler,
    mut receiver: UnboundedReceiver<Message>,
    directory: Arc<Directory<Sender>>,
) {
    while let Some(message) = receiver.recv().await {
        handler(&*directory, message);
    }
}

impl<const WORKERS: usize> Framework for TokioTasks<WORKERS> {
    fn start(handlers: Vec<Handler>) -> Running {
        tokio_host::start(WORKERS, async move |directory: &Arc<Directory<Sender>>| {
            let spawn = |handler| {
                let (sender, receiver) = mpsc::unbounded_channel();
                tokio::spawn(run(handler, receiver, Arc::clone(directory)));
                sender
            };
            handlers.into_iter().map(spawn).collect()
        })
    }
}
