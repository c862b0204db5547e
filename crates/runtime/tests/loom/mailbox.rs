//! The raw modules of the mailbox and its protocol, without what the runtime puts into them.

#[path = "../../src/mailbox/cell.rs"]
pub(crate) mod cell;
#[path = "../../src/mailbox/chain.rs"]
pub(crate) mod chain;
#[path = "../../src/mailbox/protocol.rs"]
mod protocol;

pub(crate) use protocol::{Effect, Signal, Status};
