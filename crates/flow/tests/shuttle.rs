//! A feed under schedules that `shuttle` picks: whoever puts events in is held up by nobody, tokens
//! wait for room and no longer, streams have no gaps, and everybody comes to an end.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p selvedge-flow --test shuttle --target-dir
//! target/shuttle` runs it; `SELVEDGE_SHUTTLE_ITERATIONS` says how often.

#![cfg(shuttle)]

use std::sync::Arc;

use selvedge_flow::{Events, Feed, Listen, OnFull, StreamError, TokenEnd};
use selvedge_sync::atomic::{AtomicBool, Ordering};
use selvedge_sync::thread::{JoinHandle, spawn};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

fn thread<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    spawn("shuttled", body).expect("there is room for a thread")
}

/// Reads to the end: the last number, without a gap before it.
fn read(events: Events<u32>) -> u64 {
    let mut last = 0;
    for told in events {
        match told {
            Ok(told) => {
                assert_eq!(told.seq, last + 1);
                last = told.seq;
            }
            Err(StreamError::Lagged { from_seq, .. }) => assert_eq!(from_seq, last + 1),
            Err(error) => panic!("{error}"),
        }
    }
    last
}

/// Two threads tell events and one tokens, which may be called off at some time. One listener reads
/// everything, one goes on the way, one may be too slow, one may miss what it likes.
fn telling(calls_off: bool) {
    let feed = Feed::new();
    let tight = Listen::new().queue_max(1);
    let (all, goes) = (feed.listen(&tight), feed.listen(&tight));
    let ends = feed.listen(&tight.clone().on_full(OnFull::End));
    let misses = feed.listen(&tight.on_full(OnFull::Miss));
    let called_off = Arc::new(AtomicBool::new(false));
    let tell = |n: u32| {
        let feed = feed.clone();
        thread(move || {
            assert!(feed.push(n).is_some(), "one of them reads to the end");
            feed.push_with(|| n);
        })
    };
    let tell = [tell(1), tell(2)];
    let tokens = {
        let (feed, called_off) = (feed.clone(), Arc::clone(&called_off));
        thread(move || {
            let push = || feed.push_token(9, || called_off.load(Ordering::Relaxed));
            (0..2).filter(|_| matches!(push(), TokenEnd::Told { .. })).count() as u64
        })
    };
    let leaves = thread(move || {
        let mut goes = goes;
        assert!(goes.next().is_some_and(|told| told.is_ok()));
    });
    let (reads, lags) = (thread(move || read(all)), thread(move || read(ends)));
    let loses = thread(move || {
        let mut misses = misses;
        let n = misses.by_ref().count() as u64;
        n + misses.n_missed()
    });
    if calls_off {
        let feed = feed.clone();
        thread(move || {
            called_off.store(true, Ordering::Relaxed);
            feed.nudge();
        });
    }
    for thread in tell.into_iter().chain([leaves]) {
        thread.join().expect("nobody panics");
    }
    let n_tokens = tokens.join().expect("nobody panics");
    assert!(calls_off || n_tokens == 2, "there was room at last");
    let n_told = 4 + n_tokens;
    drop(feed);
    assert_eq!(reads.join().expect("nobody panics"), n_told);
    assert!(lags.join().expect("nobody panics") <= n_told);
    assert_eq!(loses.join().expect("nobody panics"), n_told);
}

/// Nobody reads, and a token that waits for room is called off.
fn calling_off() {
    let feed = Feed::new();
    let unread = feed.listen(&Listen::new().queue_max(1));
    let called_off = Arc::new(AtomicBool::new(false));
    let tokens = {
        let (feed, called_off) = (feed.clone(), Arc::clone(&called_off));
        thread(move || [1, 2].map(|n| feed.push_token(n, || called_off.load(Ordering::Relaxed))))
    };
    called_off.store(true, Ordering::Relaxed);
    feed.nudge();
    let told = tokens.join().expect("nobody panics");
    assert_eq!(told, [TokenEnd::Told { seq: 1 }, TokenEnd::CalledOff]);
    drop(unread);
}

#[test]
fn whoever_tells_and_whoever_listens_come_to_an_end() {
    const DEPTH: usize = 4;
    let n = std::env::var("SELVEDGE_SHUTTLE_ITERATIONS")
        .map_or(200, |value| value.parse().expect("SELVEDGE_SHUTTLE_ITERATIONS is a number"));
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    for calls_off in [true, false] {
        let telling = move || telling(calls_off);
        Runner::new(RandomScheduler::new(n), config.clone()).run(telling);
        Runner::new(PctScheduler::new(DEPTH, n), config.clone()).run(telling);
    }
    Runner::new(RandomScheduler::new(n), config).run(calling_off);
}
