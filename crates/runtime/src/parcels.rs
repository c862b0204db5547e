//! Owns the sorting of published events by recipient, so that a mailbox is locked once per batch
//! and not once per event.

use std::collections::VecDeque;

use crate::envelope::Envelope;
use crate::ready::OwnerIdx;

/// How many recipients are sorted at a time; a power of two.
const N_PARCELS: usize = 64;

/// Open parcels, found by the recipient's low bits. When two recipients share a place, all that is
/// open is sent first: order between one sender and one recipient is kept, and so is the order in
/// which recipients were first addressed, which equals start in.
#[derive(Debug)]
pub(crate) struct Parcels {
    open: Vec<Parcel>,
    /// Places that hold something, in order of their opening.
    used: Vec<u8>,
}

#[derive(Debug, Default)]
struct Parcel {
    to: OwnerIdx,
    mail: VecDeque<Envelope>,
}

impl Default for Parcels {
    fn default() -> Parcels {
        Parcels { open: (0..N_PARCELS).map(|_| Parcel::default()).collect(), used: Vec::new() }
    }
}

impl Parcels {
    /// Adds events, one at least, for a recipient; if another's parcel is in the way, sends all.
    #[inline]
    pub(crate) fn add(
        &mut self,
        to: OwnerIdx,
        envelopes: impl IntoIterator<Item = Envelope>,
        mut send: impl FnMut(OwnerIdx, &mut VecDeque<Envelope>),
    ) {
        let place = to as usize % N_PARCELS;
        if !self.open[place].mail.is_empty() && self.open[place].to != to {
            self.send_all(&mut send);
        }
        let parcel = &mut self.open[place];
        if parcel.mail.is_empty() {
            self.used.push(u8::try_from(place).expect("there are fewer places than that"));
        }
        parcel.to = to;
        parcel.mail.extend(envelopes);
    }

    /// Sends all that is left, in order of opening. `send` empties what it is given.
    pub(crate) fn send_all(&mut self, mut send: impl FnMut(OwnerIdx, &mut VecDeque<Envelope>)) {
        for place in self.used.drain(..) {
            let parcel = &mut self.open[place as usize];
            send(parcel.to, &mut parcel.mail);
        }
    }
}

#[cfg(test)]
mod tests {
    use selvedge_event::{Dynamic, Event};

    use super::*;
    use crate::envelope::Origin;

    #[test]
    fn recipients_are_sent_to_in_the_order_in_which_they_were_addressed() {
        let far = u32::try_from(N_PARCELS).expect("a small number");
        let mut parcels = Parcels::default();
        let mut sent: Vec<(OwnerIdx, i64)> = Vec::new();
        let mut send = |to: OwnerIdx, mail: &mut VecDeque<Envelope>| {
            for envelope in mail.drain(..) {
                let value = envelope.event.value().and_then(serde_json::Value::as_i64);
                sent.push((to, value.expect("the test sends numbers")));
            }
        };
        for (n, to) in [2, 1, 1, 1 + far, 2, 1].into_iter().enumerate() {
            let event = Event::new(Dynamic::new("n", n));
            parcels.add(to, [Envelope { event, origin: Origin::inside() }], &mut send);
        }
        parcels.send_all(&mut send);
        assert_eq!(sent, [(2, 0), (1, 1), (1, 2), (1 + far, 3), (2, 4), (1, 5)]);
    }
}
