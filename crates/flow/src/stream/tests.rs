//! A feed and its listeners, with nothing in place of the lock, the threads and the file.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use selvedge_store::Scratch;
use selvedge_sync::{Condvar, Mutex};

use super::*;

/// From one thread to another, in order.
#[derive(Default)]
struct Channel<T> {
    waiting: Mutex<VecDeque<T>>,
    news: Condvar,
}

impl<T: Default> Channel<T> {
    fn new() -> Arc<Channel<T>> {
        Arc::default()
    }

    fn send(&self, thing: T) {
        self.waiting.lock().push_back(thing);
        self.news.notify_one();
    }

    fn receive(&self) -> T {
        let blocked = |waiting: &mut VecDeque<T>| waiting.is_empty();
        self.news.wait_while(self.waiting.lock(), blocked).pop_front().unwrap()
    }
}

fn listen(queue_max: usize, on_full: OnFull) -> Listen {
    Listen::new().queue_max(queue_max).on_full(on_full)
}

/// What a stream has told by now, and how it ended.
fn drained(events: &mut Events<u32>) -> String {
    let mut text = String::new();
    while let Some(told) = events.try_next() {
        match told {
            Ok(Told { seq, event }) => text += &format!("{seq}:{event} "),
            Err(error) => text += &format!("{error} "),
        }
    }
    text + if events.is_over() { "over" } else { "on" }
}

#[test]
fn whoever_comes_late_is_told_what_comes_after() {
    let feed = Feed::new();
    assert_eq!(feed.push(0), None);
    let mut first = feed.listen(&Listen::new());
    assert_eq!(feed.push(10), Some(1));
    let mut second = feed.listen(&Listen::new());
    feed.push_with(|| 20);
    assert_eq!(drained(&mut first), "1:10 2:20 on");
    assert_eq!(drained(&mut second), "2:20 on");
    drop(first);
    feed.push(30);
    drop(second);
    assert!(!feed.is_heard());
    feed.push_with(|| unreachable!("nobody listens"));
    let mut third = feed.listen(&Listen::new());
    feed.push(50);
    feed.close();
    assert_eq!(feed.push(60), None);
    assert_eq!(drained(&mut third), "4:50 over");
    assert_eq!(drained(&mut feed.listen(&Listen::new())), "over");
    assert!(!feed.is_heard());
}

#[test]
fn each_listener_is_full_in_its_own_way() {
    let feed = Feed::new();
    let all = [OnFull::Spill, OnFull::End, OnFull::Miss];
    let mut all = all.map(|on_full| feed.listen(&listen(2, on_full)));
    (1..=4).for_each(|n| assert_eq!(feed.push(n), Some(u64::from(n))));
    let told = all.each_mut().map(drained);
    feed.push(5);
    drop(feed);
    let then = all.each_mut().map(drained);
    let both: Vec<String> = told.iter().zip(then).map(|(a, b)| format!("{a} | {b}")).collect();
    assert_eq!(all[2].n_missed(), 2);
    insta::assert_snapshot!(both.join("\n"), @r"
    1:1 2:2 3:3 4:4 on | 5:5 over
    1:1 2:2 the listener is too far behind: nothing from event 3 on is told; read faster, raise `Listen::queue_max`, or let events spill over | over
    1:1 2:2 on | 5:5 over
    ");
}

/// Has room for so many.
struct Narrow(Scratch, u64);

impl Spill<u32> for Narrow {
    fn push(&mut self, told: &Told<u32>) -> io::Result<()> {
        if self.0.len() >= self.1 {
            return Err(io::Error::other("it is full"));
        }
        Spill::push(&mut self.0, told)
    }

    fn pop(&mut self) -> io::Result<Told<u32>> {
        let told: Told<u32> = Spill::pop(&mut self.0)?;
        if told.event == 13 { Err(io::Error::other("it is broken")) } else { Ok(told) }
    }
}

#[test]
fn a_spill_that_fails_ends_the_stream_and_nothing_else() {
    let told = |numbers: std::ops::Range<u32>| {
        let feed = Feed::new();
        let mut events = feed.listen_beside(&Listen::new().queue_max(1), narrow());
        let mut beside = feed.listen(&Listen::new());
        let n = numbers.len();
        numbers.for_each(|n| assert!(feed.push(n).is_some()));
        let told = drained(&mut events);
        assert_eq!(beside.by_ref().take(n).count(), n);
        told
    };
    fn narrow() -> Box<dyn Spill<u32>> {
        Box::new(Narrow(Scratch::new(), 2))
    }
    insta::assert_snapshot!(told(0..3), @"1:0 2:1 3:2 on");
    insta::assert_snapshot!(told(0..5), @"1:0 2:1 3:2 the listener is too far behind: nothing from event 4 on is told, since there is no room beside memory (it is full); read faster, raise `Listen::queue_max`, or let events spill over");
    insta::assert_snapshot!(told(12..15), @"1:12 the listener is too far behind: nothing from event 2 on is told, since what was spilled can't be read (it is broken); read faster, raise `Listen::queue_max`, or let events spill over");
}

#[test]
fn a_token_waits_for_room_and_not_for_who_went_or_was_called_off() {
    let feed = Feed::new();
    let mut events = feed.listen(&listen(1, OnFull::Spill));
    let lossy = feed.listen(&listen(1, OnFull::Miss));
    assert_eq!(feed.push_token(1, || false), TokenEnd::Told { seq: 1 });
    let called_off = Arc::new(selvedge_sync::atomic::AtomicBool::new(false));
    let pushes = |n: u32| {
        let (feed, called_off) = (feed.clone(), Arc::clone(&called_off));
        let looks = Channel::new();
        let looked = Arc::clone(&looks);
        let pushes = selvedge_sync::thread::spawn("pushes", move || {
            feed.push_token(n, || {
                // Asked when it is about to wait.
                looked.send(());
                called_off.load(selvedge_sync::atomic::Ordering::Relaxed)
            })
        });
        looks.receive();
        pushes.unwrap()
    };
    let waits = pushes(2);
    assert_eq!(events.next().unwrap().unwrap().event, 1);
    assert_eq!(waits.join().unwrap(), TokenEnd::Told { seq: 2 });
    let waits = pushes(3);
    called_off.store(true, selvedge_sync::atomic::Ordering::Relaxed);
    feed.nudge();
    assert_eq!(waits.join().unwrap(), TokenEnd::CalledOff);
    called_off.store(false, selvedge_sync::atomic::Ordering::Relaxed);
    let waits = pushes(4);
    drop(events);
    // The other one may miss it.
    assert_eq!(waits.join().unwrap(), TokenEnd::Told { seq: 3 });
    assert_eq!(lossy.n_missed(), 2);
    drop(lossy);
    assert_eq!(feed.push_token(5, || false), TokenEnd::Unheard);
}

#[test]
fn a_listener_that_panics_or_does_not_come_back_holds_nothing_up() {
    let feed = Feed::new();
    let narrow = listen(1, OnFull::Spill);
    let panics = feed.listen(&narrow).tell(|told: &Told<u32>| assert!(told.event < 3, "three"));
    let give = Channel::<()>::new();
    let take = Arc::clone(&give);
    let stuck = feed.listen(&narrow).tell(move |_: &Told<u32>| {
        take.receive();
    });
    let counts = feed.listen(&narrow).tell(|_: &Told<u32>| {});
    (1..=9).for_each(|n| assert!(feed.push(n).is_some()));
    drop(feed);
    let told = |telling: io::Result<Telling>, at_most| {
        format!("{:?}", telling.unwrap().join_within(at_most))
    };
    let hour = Duration::from_secs(3_600);
    let told = [told(panics, hour), told(counts, hour), told(stuck, Duration::ZERO)];
    give.send(());
    insta::assert_snapshot!(told.join("\n"), @r#"
    Heard { n_told: 2, n_missed: 0, end: Panicked { message: "three" } }
    Heard { n_told: 9, n_missed: 0, end: Over }
    Heard { n_told: 0, n_missed: 0, end: Late }
    "#);
}

#[test]
fn a_listener_that_lags_is_told_so() {
    struct Notes(Arc<Channel<String>>);
    impl Listener<u32> for Notes {
        fn event(&mut self, told: &Told<u32>) {
            self.0.send(format!("told {}", told.seq));
        }

        fn lagged(&mut self, error: &StreamError) {
            self.0.send(error.to_string());
        }

        fn over(&mut self) {
            unreachable!("it was not told everything");
        }
    }
    let feed = Feed::new();
    let events = feed.listen(&listen(2, OnFull::End));
    (1..=3).for_each(|n| assert!(feed.push(n).is_some()));
    let noted = Channel::new();
    let heard = events.tell(Notes(Arc::clone(&noted))).unwrap().join();
    assert_eq!(heard.n_told, 2);
    assert!(matches!(heard.end, HeardEnd::Lagged(StreamError::Lagged { from_seq: 3, .. })));
    assert_eq!([(); 3].map(|()| noted.receive())[..2], ["told 1", "told 2"]);
}

#[derive(Clone, Copy, Debug)]
enum Does {
    Push,
    Token,
    Read(u8),
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        3 => Just(Does::Push),
        1 => Just(Does::Token),
        3 => (0..5_u8).prop_map(Does::Read),
    ]
}

proptest! {
    /// Whatever the limit: all that was told comes, in order, without gaps; and where it is lost,
    /// the end says from where.
    #[test]
    fn streams_have_no_gaps(
        doings in proptest::collection::vec(does(), 0..60),
        queue_max in 1..5_usize,
        spills in any::<bool>(),
    ) {
        let on_full = if spills { OnFull::Spill } else { OnFull::End };
        let feed = Feed::new();
        let mut events = feed.listen(&listen(queue_max, on_full));
        let (mut n_told, mut seen, mut lagged) = (0, 0, None);
        let mut read = |events: &mut Events<u64>, n: usize| {
            for told in std::iter::from_fn(|| events.try_next()).take(n) {
                match told {
                    Ok(told) => {
                        seen += 1;
                        assert_eq!((told.seq, told.event), (seen, seen));
                    }
                    Err(StreamError::Lagged { from_seq, .. }) => {
                        assert_eq!(from_seq, seen + 1);
                        lagged = Some(from_seq);
                    }
                }
            }
            seen
        };
        for doing in doings {
            match doing {
                Does::Push => {
                    n_told += 1;
                    prop_assert_eq!(feed.push(n_told), Some(n_told));
                }
                Does::Token => {
                    if let TokenEnd::Told { seq } = feed.push_token(n_told + 1, || true) {
                        n_told += 1;
                        prop_assert_eq!(seq, n_told);
                    }
                }
                Does::Read(n) => {
                    read(&mut events, n.into());
                }
            }
        }
        drop(feed);
        let seen = read(&mut events, usize::MAX);
        prop_assert!(events.is_over());
        prop_assert_eq!(seen, lagged.map_or(n_told, |from_seq| from_seq - 1));
        prop_assert!(lagged.is_none() || !spills);
    }
}
