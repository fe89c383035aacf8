//! Each step of a record's path by itself, in time: `cargo bench -p faust-benches`.

#![allow(clippy::expect_used, reason = "a benchmark fails by panicking")]

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use faust::bench::{Cached, CommitText, Rows, Workers, partition_for};
use faust::{App, Guarantee, Key, Record};
use faust_benches::steps::{self, Number, Run, Sent};
use faust_benches::words::Words;
use faust_benches::{Direct, Shuffle};

fn main() {
    divan::main();
}

/// Bytes ↔ values.
mod codec {
    use super::*;

    const VALUE: &[u8] = br#"{"word":"abcdefg"}"#;

    #[divan::bench]
    fn decode_key_only() -> steps::Key<'static> {
        <steps::Key<'_> as Record>::decode(black_box(Some(b"abcdefg")), black_box(Some(VALUE)))
            .expect("a record")
    }

    #[divan::bench]
    fn decode_json() -> steps::Json<'static> {
        <steps::Json<'_> as Record>::decode(black_box(None), black_box(Some(VALUE)))
            .expect("a record")
    }

    #[divan::bench]
    fn decode_json_owned() -> steps::Owned {
        <steps::Owned as Record>::decode(black_box(None), black_box(Some(VALUE))).expect("a record")
    }

    #[divan::bench]
    fn encode_record(bencher: Bencher<'_, '_>) {
        let (record, mut out) = (Sent { word: "abcdefg", count: 12_345 }, Vec::new());
        bencher.bench_local(|| {
            out.clear();
            black_box(&record).encode_key(&mut out).expect("a key");
            black_box(&record).encode_value(&mut out).expect("a value");
            out.len()
        });
    }

    fn key<K: Key>(bencher: Bencher<'_, '_>, key: &K) {
        let mut out = Vec::new();
        bencher.bench_local(|| {
            out.clear();
            black_box(key).encode(&mut out).expect("a key");
            K::decode(black_box(&out)).expect("a key")
        });
    }

    #[divan::bench]
    fn key_string(bencher: Bencher<'_, '_>) {
        key(bencher, &"abcdefg".to_string());
    }

    #[divan::bench]
    fn key_number(bencher: Bencher<'_, '_>) {
        key(bencher, &1_234_567u64);
    }

    #[divan::bench]
    fn key_tuple(bencher: Bencher<'_, '_>) {
        key(bencher, &("abcdefg".to_string(), 1_234_567u64));
    }

    #[divan::bench(args = [7, 36])]
    fn partition_of_a_key(bencher: Bencher<'_, '_>, length: usize) {
        let key = vec![b'k'; length];
        bencher.bench_local(|| partition_for(black_box(&key), black_box(500)));
    }
}

/// A table's rows: 5,000 of them, all in the cache.
mod table {
    use super::*;

    const KEYS: usize = 5_000;

    /// A cache that holds the rows of all words, and a run of words.
    fn cached() -> (Cached<Number>, Vec<String>) {
        let (cache, mut words) = (Cached::new().expect("a cache"), Words::new(KEYS));
        for word in words.all() {
            cache.update(word, |value| *value = Some(1)).expect("a row");
        }
        cache.cut().expect("a cut");
        (cache, (0..10_000).map(|_| words.draw().to_string()).collect())
    }

    #[divan::bench]
    fn hit(bencher: Bencher<'_, '_>) {
        let (cache, words) = cached();
        bencher.counter(ItemsCount::new(words.len())).bench_local(|| {
            let read = |word| cache.read(word, |value| value.copied()).expect("a row");
            words.iter().filter_map(read).sum::<u64>()
        });
    }

    #[divan::bench]
    fn update_and_settle(bencher: Bencher<'_, '_>) {
        let (cache, words) = cached();
        bencher.counter(ItemsCount::new(words.len())).bench_local(|| {
            for word in &words {
                cache.update(word, |value| *value.get_or_insert(0) += 1).expect("a row");
            }
        });
    }

    #[divan::bench]
    fn encode_a_cut(bencher: Bencher<'_, '_>) {
        let (cache, _) = cached();
        let words = Words::new(KEYS);
        let write_all = || {
            for word in words.all() {
                cache.update(word, |value| *value.get_or_insert(0) += 1).expect("a row");
            }
        };
        bencher
            .counter(ItemsCount::new(KEYS))
            .with_inputs(write_all)
            .bench_local_values(|()| assert_eq!(cache.cut().expect("a cut"), KEYS));
    }
}

/// A store's batch of 5,000 rows, and its reads.
mod store {
    use super::*;

    #[cfg(not(feature = "rocksdb"))]
    const STORES: [&str; 2] = ["fjall", "memory"];
    #[cfg(feature = "rocksdb")]
    const STORES: [&str; 3] = ["fjall", "memory", "rocksdb"];

    type Row = (Vec<u8>, Vec<u8>);

    fn open(kind: &str) -> (Rows, tempfile::TempDir, Vec<Row>) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = match kind {
            "fjall" => Rows::fjall(folder.path()),
            #[cfg(feature = "rocksdb")]
            "rocksdb" => Rows::rocksdb(folder.path()),
            _ => Rows::memory(),
        };
        let row = |word: &String| (word.as_bytes().to_vec(), b"12345".to_vec());
        let rows: Vec<Row> = Words::new(5_000).all().iter().map(row).collect();
        let store = store.expect("a store");
        store.write(&rows).expect("a batch");
        (store, folder, rows)
    }

    #[divan::bench(args = STORES, sample_count = 50)]
    fn batch(bencher: Bencher<'_, '_>, kind: &str) {
        let (store, _folder, rows) = open(kind);
        bencher
            .counter(ItemsCount::new(rows.len()))
            .bench_local(|| store.write(&rows).expect("a batch"));
    }

    #[divan::bench(args = STORES)]
    fn get(bencher: Bencher<'_, '_>, kind: &str) {
        let (store, _folder, rows) = open(kind);
        let mut next = rows.iter().cycle();
        bencher.bench_local(|| next.next().map(|(key, _)| store.get(key).expect("a row")));
    }
}

/// What happens once a cut or once a rebalance.
mod group {
    use super::*;

    #[divan::bench(args = [0, 64])]
    fn encode_metadata(bencher: Bencher<'_, '_>, ranges: i64) {
        let text = CommitText::new(ranges);
        bencher.bench_local(|| black_box(&text).encode());
    }

    #[divan::bench(args = [0, 64])]
    fn decode_metadata(bencher: Bencher<'_, '_>, ranges: i64) {
        let text = CommitText::new(ranges).encode();
        bencher.bench_local(|| CommitText::decode(black_box(&text)).expect("metadata"));
    }

    #[divan::bench]
    fn assign_500_partitions_to_19_of_20_workers(bencher: Bencher<'_, '_>) {
        let workers = Workers::losing_one::<Direct>(500, 20).expect("workers");
        assert_eq!(workers.assign(), 500);
        bencher.bench_local(|| workers.assign());
    }
}

/// Whole events, through the engine on a broker in memory. Apart by one step each: see `steps.rs`.
mod events {
    use super::*;

    const RECORDS: usize = 20_000;
    const GUARANTEES: [Guarantee; 2] = [Guarantee::AtLeastOnce, Guarantee::ExactlyOnce];

    fn run<A: App>(bencher: Bencher<'_, '_>, guarantee: Guarantee, keyed: bool) {
        let started = Run::new::<A>(guarantee, 1_000, keyed);
        let run = std::cell::RefCell::new(started.expect("an app"));
        bencher
            .counter(ItemsCount::new(RECORDS))
            .with_inputs(|| run.borrow_mut().fill(RECORDS).expect("records"))
            .bench_local_values(|()| run.borrow().drain().expect("an end"));
    }

    macro_rules! events {
        ($($name:ident $app:ty, $keyed:expr;)*) => {
            $(#[divan::bench(args = GUARANTEES, sample_count = 20, sample_size = 1)]
            fn $name(bencher: Bencher<'_, '_>, guarantee: &Guarantee) {
                run::<$app>(bencher, *guarantee, $keyed);
            })*
        };
    }

    events! {
        once steps::Once, true;
        twice steps::Twice, true;
        parse steps::Parse, true;
        own steps::Own, true;
        update steps::Update, true;
        send steps::Send, true;
        latest steps::Latest, true;
        direct Direct, true;
        shuffle Shuffle, false;
    }
}
