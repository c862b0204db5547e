//! What a rendezvous makes of streams, beside what lists make of them.

use std::collections::VecDeque;

use insta::assert_snapshot;
use proptest::prelude::*;
use selvedge_store::{Durability, Memory, Store};

use super::*;

type Pair = (Side<char>, Side<char>);

fn no_time() -> Duration {
    Duration::ZERO
}

/// Feeds `1a` (key 1 on the left) and `2>x` (key 2 on the right), and ends: a line each.
fn trace(options: Options, script: &str) -> String {
    let mut join = Rendezvous::<u32, Pair>::new(2, options).unwrap();
    let mut lines = String::new();
    for step in script.split(' ') {
        let mut rows = Vec::new();
        let mut out = |row| rows.push(row);
        let item = step.chars().last().expect("a step is not empty");
        let key = step[..1].parse().expect("a key is a digit");
        let result = if step.contains('>') {
            join.offer::<1>(key, item, no_time, &mut out)
        } else {
            join.offer::<0>(key, item, no_time, &mut out)
        };
        lines += &match result {
            Ok(()) => format!("{step} {rows:?}\n"),
            Err(error) => format!("{step} {error}\n"),
        };
    }
    let mut rows = Vec::new();
    join.finish(&mut |row| rows.push(row)).unwrap();
    lines + &format!("$ {rows:?}")
}

#[test]
fn tuples_come_when_they_are_complete() {
    assert_snapshot!(trace(Options::new(), "1a 2b 2>x 1>y 3c"), @r"
    1a []
    2b []
    2>x [('b', 'x')]
    1>y [('a', 'y')]
    3c []
    $ []
    ");
    assert_snapshot!(trace(Options::new().joining(Joining::Outer), "1a 2>x 3c 3>z"), @r"
    1a []
    2>x []
    3c []
    3>z [('c', 'z')]
    $ [(Some('a'), None), (None, Some('x'))]
    ");
}

#[test]
fn the_oldest_key_gives_way() {
    let options = Options::new().evict_above(2).unwrap();
    let counts = options.counts();
    assert_snapshot!(trace(options, "1a 2b 3c 1>x 2>y"), @r"
    1a []
    2b []
    3c []
    1>x []
    2>y []
    $ []
    ");
    assert_eq!((counts.evicted.count(), counts.left.count()), (3, 2));
    let options = Options::new().evict_above(1).unwrap().joining(Joining::Outer);
    assert_snapshot!(trace(options, "1a 2b"), @r"
    1a []
    2b [(Some('a'), None)]
    $ [(Some('b'), None)]
    ");
}

#[test]
fn duplicates_overwrite_are_rejected_or_wait() {
    let options = Options::new();
    let counts = options.counts();
    assert_snapshot!(trace(options, "1a 1b 1>x"), @r"
    1a []
    1b []
    1>x [('b', 'x')]
    $ []
    ");
    assert_eq!(counts.overwritten.count(), 1);
    assert_snapshot!(trace(Options::new().duplicates(Duplicates::Reject), "1a 1b 1>x"), @r"
    1a []
    1b stream 0 has brought key 1 before, and duplicates are rejected
    1>x [('a', 'x')]
    $ []
    ");
    assert_snapshot!(trace(Options::new().duplicates(Duplicates::Queue), "1a 1b 1>x 1>y 1>z"), @r"
    1a []
    1b []
    1>x [('a', 'x')]
    1>y [('b', 'y')]
    1>z []
    $ []
    ");
}

#[test]
fn what_cant_be_is_refused() {
    let new = |n| Rendezvous::<u8, Vec<Side<u8>>>::new(n, Options::new()).map(drop);
    assert!(matches!(new(0), Err(RendezvousError::Zero { .. })));
    let pair = Rendezvous::<u8, Pair>::new(3, Options::new()).unwrap_err();
    assert!(matches!(pair, RendezvousError::Streams { n_keys: 2, n_streams: 3 }));
    assert_snapshot!(pair, @"2 key functions for 3 streams, use one for each");
    let options = || Options::new().spill(Arc::new(Memory::new()), "keys", 1).unwrap();
    let error = Rendezvous::<u8, Pair>::new(2, options()).unwrap_err();
    assert!(matches!(error, RendezvousError::NotSerializable));
    let mut full = Rendezvous::<u8, Pair>::new(2, Options::new().pending_max(1).unwrap()).unwrap();
    full.offer::<0>(1, 'a', no_time, &mut |_| ()).unwrap();
    let error = full.offer::<0>(2, 'b', no_time, &mut |_| ()).unwrap_err();
    assert!(matches!(error, RendezvousError::Full { limit: 1 }));
    assert_snapshot!(error, @"1 keys wait for their counterparts already, raise pending_max, evict the oldest, or give them a time to live");
    assert!(matches!(Options::new().pending_max(0), Err(RendezvousError::Zero { .. })));
}

#[test]
fn a_queue_has_an_end() {
    let options = Options::new().duplicates(Duplicates::Queue);
    let mut join = Rendezvous::<u8, (Side<()>, Side<()>)>::new(2, options).unwrap();
    for _ in 0..QUEUED_MAX {
        join.offer::<0>(1, (), no_time, &mut |_| ()).unwrap();
    }
    let error = join.offer::<0>(1, (), no_time, &mut |_| ()).unwrap_err();
    assert!(matches!(error, RendezvousError::Queue { .. }));
    assert_snapshot!(error, @"65536 items of stream 0 wait under key 1 already");
}

#[test]
fn any_hashable_key_and_up_to_four_streams() {
    type Key = Option<(u8, String)>;
    type Four = (Side<u8>, Side<char>, Side<bool>, Side<&'static str>);
    let mut join = Rendezvous::<Key, Four>::new(4, Options::new()).unwrap();
    let mut rows = Vec::new();
    let mut out = |row| rows.push(row);
    for key in [None, Some((1, "a".to_owned()))] {
        join.offer::<3>(key.clone(), "d", no_time, &mut out).unwrap();
        join.offer::<0>(key.clone(), 1, no_time, &mut out).unwrap();
        join.offer::<2>(key.clone(), true, no_time, &mut out).unwrap();
        join.offer::<1>(key, 'b', no_time, &mut out).unwrap();
    }
    assert_snapshot!(format!("{rows:?}"), @r#"[(1, 'b', true, "d"), (1, 'b', true, "d")]"#);
    let mut alone = Rendezvous::<(), (Side<u8>,)>::new(1, Options::new()).unwrap();
    let mut rows = Vec::new();
    alone.offer::<0>((), 7, no_time, &mut |row| rows.push(row)).unwrap();
    alone.offer::<0>((), 8, no_time, &mut |row| rows.push(row)).unwrap();
    assert_eq!(rows, [Row::Complete((7,)), Row::Complete((8,))]);
    assert_eq!(alone.n_pending(), 0);
}

#[test]
fn orphans_can_be_cleared() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let options = Options::new().spill(Arc::clone(&store), "keys", 2).unwrap();
    let counts = options.counts();
    let mut join = Rendezvous::<u32, Pair>::spilling(2, options).unwrap();
    for key in 0..5 {
        join.offer::<0>(key, 'a', no_time, &mut |_| ()).unwrap();
    }
    assert_eq!((join.n_pending(), counts.spilled.count()), (5, 3));
    assert_eq!(join.clear_orphans().unwrap(), 5);
    assert_eq!((join.n_pending(), join.clear_orphans().unwrap()), (0, 0));
    assert_eq!(store.scan(selvedge_store::Scan::all("keys")).count(), 0);
    let mut rows = Vec::new();
    join.offer::<1>(0, 'b', no_time, &mut |row| rows.push(row)).unwrap();
    assert_eq!(rows, []);
}

#[test]
fn a_record_that_cant_be_read_is_named() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let options = Options::new().spill(Arc::clone(&store), "keys", 1).unwrap();
    let mut join = Rendezvous::<u32, Pair>::spilling(2, options).unwrap();
    join.offer::<0>(1, 'a', no_time, &mut |_| ()).unwrap();
    join.offer::<0>(2, 'a', no_time, &mut |_| ()).unwrap();
    let key = selvedge_event::Digest::of(&1_u32).unwrap();
    store.put("keys", key.as_bytes(), b"[nonsense", Durability::None).unwrap();
    let error = join.offer::<1>(1, 'b', no_time, &mut |_| ()).unwrap_err();
    assert!(matches!(error, RendezvousError::Record(_)));
    let options = Options::new().spill(store, &"x".repeat(300), 1).unwrap();
    let error = Rendezvous::<u32, Pair>::spilling(2, options).unwrap_err();
    assert!(matches!(error, RendezvousError::Store(_)));
}

#[test]
fn a_key_without_a_digest_stays_out_of_the_store() {
    /// Says the same key of a map twice, which has no digest.
    #[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
    struct Twice(u8);
    impl serde::Serialize for Twice {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([(1, self.0), (1, self.0)])
        }
    }
    let options = Options::new().spill(Arc::new(Memory::new()), "keys", 1).unwrap();
    let mut join = Rendezvous::<Twice, Pair>::spilling(2, options).unwrap();
    join.offer::<0>(Twice(1), 'a', no_time, &mut |_| ()).unwrap();
    let error = join.offer::<0>(Twice(2), 'b', no_time, &mut |_| ()).unwrap_err();
    assert!(matches!(error, RendezvousError::NoDigest(_)));
    // The one that waits still does.
    let mut rows = Vec::new();
    join.offer::<1>(Twice(1), 'x', no_time, &mut |row| rows.push(row)).unwrap();
    assert_eq!(rows, [Row::Complete(('a', 'x'))]);
}

/// A join that keeps everything in one list.
struct Naive {
    n_streams: usize,
    options: Options,
    waiting: Vec<(u8, Vec<VecDeque<u32>>, Duration)>,
}

impl Naive {
    fn offer(
        &mut self,
        key: u8,
        stream: usize,
        item: u32,
        now: Duration,
        rows: &mut Vec<Vec<Option<u32>>>,
    ) -> bool {
        self.expire(now, rows);
        if self.n_streams == 1 {
            rows.push(vec![Some(item)]);
            return true;
        }
        let at = match self.waiting.iter().position(|(other, ..)| *other == key) {
            Some(at) => at,
            None => {
                match self.options.orphans {
                    Orphans::Wait(max) if self.waiting.len() >= max.get() => return false,
                    Orphans::Evict(max) if self.waiting.len() >= max.get() => {
                        let gone = self.waiting.remove(0);
                        self.let_go(gone.1, rows);
                    }
                    _ => {}
                }
                self.waiting.push((key, vec![VecDeque::new(); self.n_streams], now));
                self.waiting.len() - 1
            }
        };
        let sides = &mut self.waiting[at].1;
        if !sides[stream].is_empty() {
            match self.options.duplicates {
                Duplicates::Overwrite => sides[stream].clear(),
                Duplicates::Reject => return false,
                Duplicates::Queue => {}
            }
        }
        sides[stream].push_back(item);
        if sides.iter().all(|side| !side.is_empty()) {
            rows.push(sides.iter_mut().map(VecDeque::pop_front).collect());
        }
        if sides.iter().all(VecDeque::is_empty) {
            self.waiting.remove(at);
        }
        true
    }

    fn expire(&mut self, now: Duration, rows: &mut Vec<Vec<Option<u32>>>) {
        let Some(time_to_live) = self.options.time_to_live else { return };
        while self.waiting.first().is_some_and(|(_, _, born)| *born + time_to_live <= now) {
            let gone = self.waiting.remove(0);
            self.let_go(gone.1, rows);
        }
    }

    fn let_go(&self, mut sides: Vec<VecDeque<u32>>, rows: &mut Vec<Vec<Option<u32>>>) {
        while self.options.joining == Joining::Outer && sides.iter().any(|side| !side.is_empty()) {
            rows.push(sides.iter_mut().map(VecDeque::pop_front).collect());
        }
    }
}

fn options() -> impl Strategy<Value = Options> {
    let orphans = prop_oneof![
        Just(Options::new()),
        (1_usize..6).prop_map(|n| Options::new().pending_max(n).unwrap()),
        (1_usize..6).prop_map(|n| Options::new().evict_above(n).unwrap()),
    ];
    let duplicates =
        prop_oneof![Just(Duplicates::Overwrite), Just(Duplicates::Reject), Just(Duplicates::Queue)];
    let joining = prop_oneof![Just(Joining::Inner), Just(Joining::Outer)];
    let time = prop::option::of((1_u64..30).prop_map(Duration::from_secs));
    (orphans, duplicates, joining, time).prop_map(|(options, duplicates, joining, time)| {
        let options = options.duplicates(duplicates).joining(joining);
        time.into_iter().fold(options, Options::time_to_live)
    })
}

fn widened(row: Row<Vec<Side<u32>>>) -> Vec<Option<u32>> {
    match row {
        Row::Complete(row) => row.into_iter().map(Some).collect(),
        Row::Partial(row) => row,
    }
}

type Steps = Vec<(u8, usize, u64)>;

fn steps(n_streams: usize) -> impl Strategy<Value = Steps> {
    prop::collection::vec((0_u8..12, 0..n_streams, 0_u64..4), 0..150)
}

proptest! {
    #[test]
    fn it_joins_as_a_list_does(
        (n_streams, steps) in (1_usize..5).prop_flat_map(|n| (Just(n), steps(n))),
        options in options(),
    ) {
        let mut naive = Naive { n_streams, options: options.clone(), waiting: Vec::new() };
        let mut join = Rendezvous::<u8, Vec<Side<u32>>>::new(n_streams, options).unwrap();
        let (mut expected, mut rows, mut now) = (Vec::new(), Vec::new(), Duration::ZERO);
        for (item, (key, stream, pause)) in (0_u32..).zip(steps) {
            now += Duration::from_secs(pause);
            let taken = naive.offer(key, stream, item, now, &mut expected);
            let out = &mut |row| rows.push(widened(row));
            let result = join.offer_to(key, stream, item, || now, |sides| &mut sides[stream], out);
            prop_assert_eq!(result.is_ok(), taken, "{:?}", result);
            prop_assert_eq!(&rows, &expected);
            prop_assert_eq!(join.n_pending(), naive.waiting.len());
        }
        for (_, sides, _) in std::mem::take(&mut naive.waiting) {
            naive.let_go(sides, &mut expected);
        }
        join.finish(&mut |row| rows.push(widened(row))).unwrap();
        prop_assert_eq!(rows, expected);
    }

    #[test]
    fn what_is_in_the_store_meets_as_if_it_were_in_memory(
        (n_streams, steps) in (2_usize..5).prop_flat_map(|n| (Just(n), steps(n))),
        in_memory_max in 1_usize..6,
    ) {
        let options = || Options::new().joining(Joining::Outer).duplicates(Duplicates::Queue);
        let store: Arc<dyn Store> = Arc::new(Memory::new());
        let spilled = options().spill(Arc::clone(&store), "keys", in_memory_max).unwrap();
        let mut join = Rendezvous::<u8, Vec<Side<u32>>>::spilling(n_streams, spilled).unwrap();
        let mut naive = Naive { n_streams, options: options(), waiting: Vec::new() };
        let (mut expected, mut rows) = (Vec::new(), Vec::new());
        for (item, (key, stream, _)) in (0_u32..).zip(steps) {
            naive.offer(key, stream, item, Duration::ZERO, &mut expected);
            let out = &mut |row| rows.push(widened(row));
            join.offer_to(key, stream, item, no_time, |sides| &mut sides[stream], out).unwrap();
            prop_assert!(join.pending.len() <= in_memory_max);
        }
        prop_assert_eq!(&rows, &expected);
        for (_, sides, _) in std::mem::take(&mut naive.waiting) {
            naive.let_go(sides, &mut expected);
        }
        join.finish(&mut |row| rows.push(widened(row))).unwrap();
        rows.sort();
        expected.sort();
        prop_assert_eq!(rows, expected);
        prop_assert_eq!(store.scan(selvedge_store::Scan::all("keys")).count(), 0);
    }

    #[test]
    fn shards_join_what_one_does(steps in steps(2), n_shards in 1_usize..5) {
        let joined = |n: usize| {
            let new = |_| {
                let options = Options::new().duplicates(Duplicates::Queue);
                Rendezvous::<u8, Vec<Side<u32>>>::new(2, options).unwrap()
            };
            let mut shards: Vec<_> = (0..n).map(new).collect();
            let mut rows = Vec::new();
            for (item, &(key, stream, _)) in (0_u32..).zip(&steps) {
                let out = &mut |row| rows.push((key, widened(row)));
                shards[shard_of(&key, n)]
                    .offer_to(key, stream, item, no_time, |sides| &mut sides[stream], out)
                    .unwrap();
            }
            rows
        };
        prop_assert_eq!(joined(n_shards), joined(1));
    }
}
