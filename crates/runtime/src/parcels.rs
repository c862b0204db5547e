//! Owns the sorting of published events by recipient, so that a mailbox is posted to once per
//! batch and not once per event.

use selvedge_event::Event;

use crate::log::STRETCH_MAX;
use crate::mailbox::parcel::{Mail, Parcel, Stock};
use crate::origin::Origin;
use crate::outbox::Deliver;
use crate::ready::OwnerIdx;

/// How many recipients are sorted at a time; a power of two.
const N_PLACES: usize = 64;

/// Open parcels, found by the recipient's low bits. When two recipients share a place, all that is
/// open is sent first: order between one sender and one recipient is kept, and so is the order in
/// which recipients were first addressed, which equals start in.
#[derive(Debug)]
pub(crate) struct Parcels {
    open: Vec<Open>,
    /// Places that hold something, in order of their opening.
    used: Vec<u8>,
}

#[derive(Debug, Default)]
struct Open {
    to: OwnerIdx,
    parcel: Parcel,
}

impl Default for Parcels {
    fn default() -> Parcels {
        Parcels { open: (0..N_PLACES).map(|_| Open::default()).collect(), used: Vec::new() }
    }
}

impl Parcels {
    /// Adds events, one at least, for a recipient; if another's parcel is in the way, sends all.
    #[inline]
    pub(crate) fn add(
        &mut self,
        to: OwnerIdx,
        origin: &Origin,
        mail: Mail,
        bytes: usize,
        stock: &mut Stock,
        send: &mut impl Deliver,
    ) {
        let place = to as usize % N_PLACES;
        let open = &mut self.open[place];
        let is_used = open.parcel.mail.len() > 0;
        if is_used && open.to != to {
            self.send_all(stock, send);
        } else if is_used {
            let mail = match join(open, origin, mail, bytes, stock) {
                Ok(()) => return,
                Err(mail) => mail,
            };
            // What is open is older, and of another sort.
            send.deliver(to, std::mem::take(&mut open.parcel), stock);
            open.parcel = Parcel { origin: origin.clone(), mail, heap_bytes: bytes };
            return;
        }
        let parcel = Parcel { origin: origin.clone(), mail, heap_bytes: bytes };
        self.open[place] = Open { to, parcel };
        self.used.push(u8::try_from(place).expect("there are fewer places than that"));
    }

    /// Sends all that is left, in order of opening.
    pub(crate) fn send_all(&mut self, stock: &mut Stock, send: &mut impl Deliver) {
        for place in self.used.drain(..) {
            let open = &mut self.open[place as usize];
            send.deliver(open.to, std::mem::take(&mut open.parcel), stock);
        }
    }
}

/// Adds events to an open parcel, if they may travel in it.
#[inline]
fn join(
    open: &mut Open,
    origin: &Origin,
    mail: Mail,
    bytes: usize,
    stock: &mut Stock,
) -> Result<(), Mail> {
    let parcel = &mut open.parcel;
    if !parcel.origin.is(origin) || parcel.mail.len() + mail.len() > STRETCH_MAX {
        return Err(mail);
    }
    let shares = |mail: &Mail| matches!(mail, Mail::Shared(_) | Mail::Again(_));
    if shares(&parcel.mail) || shares(&mail) {
        return Err(mail);
    }
    if let Mail::One(_) = parcel.mail
        && let Mail::One(first) = std::mem::replace(&mut parcel.mail, Mail::Many(stock.vector()))
    {
        push(&mut parcel.mail, first);
    }
    match mail {
        Mail::One(event) => push(&mut parcel.mail, event),
        Mail::Many(mut more) => {
            if let Mail::Many(events) = &mut parcel.mail {
                events.append(&mut more);
            }
            stock.put_back_vector(more);
        }
        Mail::Shared(_) | Mail::Again(_) => unreachable!("looked at above"),
    }
    parcel.heap_bytes += bytes;
    Ok(())
}

fn push(mail: &mut Mail, event: Event) {
    match mail {
        Mail::Many(events) => events.push(event),
        _ => unreachable!("made so by the caller"),
    }
}

#[cfg(test)]
mod tests {
    use selvedge_event::{Dynamic, Event};

    use super::*;
    use crate::origin::Descent;

    #[derive(Default)]
    struct Sent(Vec<(OwnerIdx, Vec<i64>)>);

    impl Deliver for Sent {
        fn deliver(&mut self, to: OwnerIdx, parcel: Parcel, _: &mut Stock) {
            let number = |event: &Event| event.value().and_then(serde_json::Value::as_i64);
            let numbers = parcel.mail.as_slice().iter().filter_map(number);
            self.0.push((to, numbers.collect()));
        }
    }

    fn sorted(events: impl IntoIterator<Item = (OwnerIdx, Descent)>) -> Vec<(OwnerIdx, Vec<i64>)> {
        let (mut parcels, mut sent, mut stock): (Parcels, Sent, Stock) = Default::default();
        for (n, (to, descent)) in events.into_iter().enumerate() {
            let mail = Mail::One(Event::new(Dynamic::new("n", n)));
            let origin = Origin { descent, question: None };
            parcels.add(to, &origin, mail, 0, &mut stock, &mut sent);
        }
        parcels.send_all(&mut stock, &mut sent);
        sent.0
    }

    #[test]
    fn recipients_are_sent_to_in_the_order_in_which_they_were_addressed() {
        let far = 1 + u32::try_from(N_PLACES).expect("a small number");
        let sent = sorted([2, 1, 1, far, 2, 1].map(|to| (to, Descent::Inside)));
        let expected = [(2, vec![0]), (1, vec![1, 2]), (far, vec![3]), (2, vec![4]), (1, vec![5])];
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_parcel_has_one_origin() {
        let (inside, outside) = (Descent::Inside, Descent::Outside);
        let sent = sorted([(1, inside), (1, inside), (2, inside), (1, outside), (1, inside)]);
        assert_eq!(sent, [(1, vec![0, 1]), (1, vec![3]), (1, vec![4]), (2, vec![2])]);
    }
}
