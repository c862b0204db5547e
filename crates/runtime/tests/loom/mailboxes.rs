//! Models of the mailbox: whoever is told to make it ready does so by taking its turns at once,
//! which adds no ordering between threads that the mailbox doesn't give.

use loom::alloc::Track;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread::spawn;

use crate::check;
use crate::mailbox::cell::{Cell, Claim, Release};
use crate::mailbox::chain::{Chain, Node};
use crate::mailbox::{Effect, Signal, Status};

/// Loom reports it when it is lost, and when its body is read before it can be seen.
struct Letter {
    from: usize,
    seq: u32,
    body: UnsafeCell<u32>,
    whole: Track<()>,
}

struct Owned {
    /// Loom reports it when two touch it at once, or one before it sees what the other did.
    touched: UnsafeCell<()>,
    seen: Vec<(usize, u32)>,
}

type Mailbox = Cell<Owned, Letter>;

fn mailbox() -> Arc<Mailbox> {
    Arc::new(Cell::new(Owned { touched: UnsafeCell::new(()), seen: Vec::new() }))
}

fn letter(from: usize, seq: u32) -> Box<Node<Letter>> {
    let body = UnsafeCell::new(0);
    body.with_mut(|_| ());
    Node::new(Letter { from, seq, body, whole: Track::new(()) })
}

/// Reads letters on behalf of whoever has the mailbox.
fn read(claim: &mut Claim<'_, Owned, Letter>, mail: Chain<Letter>) {
    let mut letters = open(mail);
    claim.touched.with_mut(|_| ());
    claim.seen.append(&mut letters);
}

fn open(mut mail: Chain<Letter>) -> Vec<(usize, u32)> {
    let letters = std::iter::from_fn(|| mail.pop_front());
    letters
        .map(|node| {
            node.item.body.with_mut(|_| ());
            (node.item.from, node.item.seq)
        })
        .collect()
}

const FREE: Release = Release::Free { has_mail: false, pulling: false };

/// Takes turns as long as this thread, and nobody else, is told to.
fn serve(mailbox: &Mailbox, mut effect: Effect) {
    while let Effect::Enqueue | Effect::Promote = effect {
        let claimed = mailbox.try_claim(Signal::Claimed);
        let (mut claim, mail) = claimed.expect("who is told to make it ready finds it so");
        read(&mut claim, mail);
        effect = claim.release(FREE);
    }
}

fn post_all(mailbox: &Mailbox, from: usize, n_letters: u32) {
    for seq in 0..n_letters {
        serve(mailbox, mailbox.post(letter(from, seq)));
    }
}

/// What was read, when the mailbox is at rest.
fn seen(mailbox: &Mailbox) -> Vec<(usize, u32)> {
    assert_eq!(mailbox.status(), Status::Idle);
    let mut claim = mailbox.try_claim_idle().expect("it is idle");
    read(&mut claim, Chain::default());
    let seen = std::mem::take(&mut claim.seen);
    assert_eq!(claim.release(FREE), Effect::Nothing, "no mail is left behind");
    seen
}

/// Every letter of these senders is there once, and each sender's are in order.
fn assert_complete(seen: &[(usize, u32)], sent: &[(usize, u32)]) {
    assert_eq!(seen.len(), sent.iter().map(|&(_, n)| n as usize).sum::<usize>(), "{seen:?}");
    for &(sender, n) in sent {
        let theirs = seen.iter().filter(|(from, _)| *from == sender).map(|&(_, seq)| seq);
        assert!(theirs.eq(0..n), "{seen:?}");
    }
}

#[test]
fn every_letter_has_one_turn_in_its_senders_order() {
    check(|| {
        let mailbox = mailbox();
        let (first, second) = (Arc::clone(&mailbox), Arc::clone(&mailbox));
        let threads =
            [spawn(move || post_all(&first, 1, 2)), spawn(move || post_all(&second, 2, 1))];
        post_all(&mailbox, 0, 1);
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_complete(&seen(&mailbox), &[(0, 1), (1, 2), (2, 1)]);
    });
}

#[test]
fn two_senders_keep_a_mailbox_busy() {
    check(|| {
        let mailbox = mailbox();
        let other = Arc::clone(&mailbox);
        let thread = spawn(move || post_all(&other, 1, 3));
        post_all(&mailbox, 0, 3);
        thread.join().expect("no panic");
        assert_complete(&seen(&mailbox), &[(0, 3), (1, 3)]);
    });
}

#[test]
fn who_finds_it_idle_has_it_alone() {
    check(|| {
        let mailbox = mailbox();
        let (posts, claims) = (Arc::clone(&mailbox), Arc::clone(&mailbox));
        let posts = spawn(move || post_all(&posts, 1, 2));
        let claims = spawn(move || {
            if let Some(mut claim) = claims.try_claim_idle() {
                read(&mut claim, Chain::default());
                serve(&claims, claim.release(FREE));
            }
        });
        if let Some((mut claim, mail)) = mailbox.try_claim(Signal::ClaimedIfIdle) {
            assert!(mail.is_empty(), "an idle mailbox has no mail");
            read(&mut claim, mail);
            serve(&mailbox, claim.release(FREE));
        }
        posts.join().expect("no panic");
        claims.join().expect("no panic");
        assert_complete(&seen(&mailbox), &[(1, 2)]);
    });
}

#[test]
fn mail_overtakes_a_pull() {
    check(|| {
        let mailbox = mailbox();
        let claim = mailbox.try_claim_idle().expect("it is idle");
        let waits = Release::Free { has_mail: false, pulling: true };
        assert_eq!(claim.release(waits), Effect::EnqueuePull);
        let (pulls, posts) = (Arc::clone(&mailbox), Arc::clone(&mailbox));
        let pulls = spawn(move || {
            let claimed = pulls.try_claim(Signal::ClaimedToPull);
            let was_pulled = claimed.is_some();
            if let Some((mut claim, mail)) = claimed {
                assert!(mail.is_empty(), "mail doesn't wait for room");
                read(&mut claim, mail);
                serve(&pulls, claim.release(FREE));
            }
            was_pulled
        });
        let posts = spawn(move || {
            let effect = posts.post(letter(1, 0));
            serve(&posts, effect);
            effect == Effect::Promote
        });
        post_all(&mailbox, 0, 1);
        let was_pulled = pulls.join().expect("no panic");
        let was_promoted = posts.join().expect("no panic");
        assert!(!(was_pulled && was_promoted), "one of the two has it");
        assert_complete(&seen(&mailbox), &[(0, 1), (1, 1)]);
    });
}

#[test]
fn what_is_given_up_is_given_up_once() {
    check(|| {
        let mailbox = mailbox();
        let (posts, abandons) = (Arc::clone(&mailbox), Arc::clone(&mailbox));
        let posts = spawn(move || {
            for seq in 0..2 {
                let mut effect = posts.post(letter(1, seq));
                while effect == Effect::Enqueue
                    && let Some((mut claim, mail)) = posts.try_claim(Signal::Claimed)
                {
                    read(&mut claim, mail);
                    effect = claim.release(FREE);
                }
            }
        });
        let abandons = spawn(move || match abandons.try_claim(Signal::GivenUp) {
            Some((mut claim, mail)) => {
                let given_up = open(mail);
                read(&mut claim, Chain::default());
                claim.release(FREE);
                given_up
            }
            None => open(abandons.take_posted()),
        });
        let mut all = Vec::new();
        if let Some((mut claim, mail)) = mailbox.try_claim(Signal::Seized) {
            all.extend(open(mail));
            read(&mut claim, Chain::default());
            claim.release(FREE);
        }
        posts.join().expect("no panic");
        all.extend(abandons.join().expect("no panic"));
        all.extend(open(mailbox.take_posted()));
        let (mut claim, _) = mailbox.try_claim(Signal::Seized).expect("nobody has it");
        read(&mut claim, Chain::default());
        all.append(&mut claim.seen);
        all.sort_unstable();
        assert_eq!(all, [(1, 0), (1, 1)]);
    });
}

#[test]
fn what_is_posted_is_taken_by_one() {
    check(|| {
        let mailbox = mailbox();
        let claim = mailbox.try_claim_idle().expect("it is idle");
        let (posts, takes) = (Arc::clone(&mailbox), Arc::clone(&mailbox));
        let posts = spawn(move || {
            (0..2).for_each(|seq| assert_eq!(posts.post(letter(1, seq)), Effect::Nothing));
        });
        let takes = spawn(move || {
            let mut taken = open(takes.take_posted());
            taken.extend(open(takes.take_posted()));
            taken
        });
        assert_eq!(mailbox.post(letter(0, 0)), Effect::Nothing);
        let mine = open(mailbox.take_posted());
        posts.join().expect("no panic");
        let mut all = takes.join().expect("no panic");
        let in_order = all.iter().filter(|(from, _)| *from == 1).is_sorted();
        assert!(in_order, "{all:?}");
        all.extend(mine);
        all.extend(open(mailbox.take_posted()));
        all.sort_unstable();
        assert_eq!(all, [(0, 0), (1, 0), (1, 1)]);
        claim.release(FREE);
    });
}

#[test]
fn a_held_mailbox_keeps_what_comes_meanwhile() {
    check(|| {
        let mailbox = mailbox();
        let mut claim = mailbox.try_claim_idle().expect("it is idle");
        let posts = Arc::clone(&mailbox);
        let posts = spawn(move || post_all(&posts, 1, 2));
        read(&mut claim, Chain::default());
        assert_eq!(claim.release(Release::Held), Effect::Nothing);
        serve(&mailbox, Effect::Enqueue);
        posts.join().expect("no panic");
        assert_complete(&seen(&mailbox), &[(1, 2)]);
    });
}

#[test]
fn a_mailbox_that_goes_takes_its_mail_along() {
    check(|| {
        let mailbox = mailbox();
        let other = Arc::clone(&mailbox);
        let thread = spawn(move || other.post(letter(1, 0)));
        mailbox.post(letter(0, 0));
        thread.join().expect("no panic");
        // Loom reports every letter that is left.
        drop(mailbox);
    });
}
