//! What every store does.

use super::*;

on_each! {
    {
        rows_are_written_replaced_and_removed,
        an_empty_key_and_an_empty_value_are_a_row,
        a_scan_is_in_the_order_of_keys_from_a_key_on_until_it_is_told_to_end,
        expired_rows_go_and_are_counted,
        rows_can_come_while_others_expire,
        rows_and_their_mark_are_there_when_the_stores_are_opened_again,
        what_is_set_aside_is_out_of_the_way_for_good,
        each_partition_of_each_table_is_a_store,
        large_values_come_back_whole,
        rows_are_read_while_others_are_written,
        what_is_loaded_and_what_is_written_follow_each_other,
    }
    memory = MEMORY;
    fjall = FJALL;
    #[cfg(feature = "rocksdb")] rocksdb = ROCKSDB;
    behind = BEHIND;
}

fn rows_are_written_replaced_and_removed(open: Open) {
    let place = Place::new(open);
    let (_stores, store) = place.one();
    assert_eq!((store.mark().unwrap(), store.len()), (None, 0), "a new store");
    assert_eq!((store.get(b"a").unwrap(), rows(&*store, b"")), (None, vec![]));
    store.write(&put(&[("b", Some("2")), ("a", Some("1"))], 2), &mark(5)).unwrap();
    let known = Mark { sources: vec![("in/0".into(), 7, "metadata".into())], ..mark(9) };
    let batch = put(&[("b", Some("22")), ("a", None), ("c", Some("3"))], 0);
    store.write(&batch, &known).unwrap();
    assert_eq!(store.get(b"b").unwrap().as_deref(), Some(&b"22"[..]));
    assert_eq!(store.get(b"a").unwrap(), None);
    assert_eq!((keys(&*store), store.len()), (vec!["b".into(), "c".into()], 2));
    let read = store.mark().unwrap().unwrap();
    assert_eq!((read.owner, read.changelog, read.sources), ("app".into(), 9, known.sources));
    store.write(&StoreBatch::default(), &mark(12)).unwrap();
    assert_eq!((at(&*store), store.len()), (Some(12), 2), "a mark may come by itself");
}

fn an_empty_key_and_an_empty_value_are_a_row(open: Open) {
    let place = Place::new(open);
    let (_stores, store) = place.one();
    store.write(&put(&[("", Some("0")), ("a", Some(""))], 2), &mark(1)).unwrap();
    assert_eq!(store.get(b"").unwrap().as_deref(), Some(&b"0"[..]));
    assert_eq!(store.get(b"a").unwrap().as_deref(), Some(&b""[..]));
    assert_eq!(keys(&*store), ["", "a"]);
    store.write(&put(&[("", None)], -1), &mark(2)).unwrap();
    assert_eq!((keys(&*store), store.len()), (vec!["a".into()], 1));
}

fn a_scan_is_in_the_order_of_keys_from_a_key_on_until_it_is_told_to_end(open: Open) {
    let place = Place::new(open);
    let (_stores, store) = place.one();
    let all: [&[u8]; 6] = [b"\0", b"\0\0", b"a", b"b", b"b\0", b"\xff\xff"];
    let rows = all.iter().rev().map(|key| (*key, Some(&b"1"[..]))).collect();
    store.write(&StoreBatch { rows, added: 6, remove_below: None }, &mark(1)).unwrap();
    let scan = |from: &[u8], most: usize| {
        let mut found = Vec::new();
        store
            .scan(from, &mut |key, _| {
                found.push(key.to_vec());
                found.len() < most
            })
            .unwrap();
        found
    };
    assert_eq!(scan(b"", 9), all);
    assert_eq!(scan(b"b", 9), all[3..], "from a key that is there");
    assert_eq!(scan(b"aa", 9), all[3..], "from one that is not");
    assert_eq!(scan(b"\0\0", 2), all[1..3]);
    assert!(scan(b"\xff\xff\0", 9).is_empty());
}

fn expired_rows_go_and_are_counted(open: Open) {
    let place = Place::new(open);
    let (stores, store) = place.one();
    let expire = |below: &'static [u8], at| {
        let batch = StoreBatch { remove_below: Some(below), ..StoreBatch::default() };
        store.write(&batch, &mark(at)).unwrap();
        (keys(&*store).concat(), store.len())
    };
    assert_eq!(expire(b"z", 1), (String::new(), 0), "of no rows");
    let row = |key| (key, Some("1"));
    store.write(&put(&["", "a", "b", "c", "d"].map(row), 5), &mark(2)).unwrap();
    assert_eq!(expire(b"", 3), ("abcd".into(), 5), "nothing is below the empty key");
    assert_eq!(expire(b"b", 4), ("bcd".into(), 3));
    assert_eq!(expire(b"b", 5), ("bcd".into(), 3), "again");
    assert_eq!(expire(b"c\0", 6), ("d".into(), 1), "below a key that is not there");
    assert_eq!((store.get(b"c").unwrap(), at(&*store)), (None, Some(6)));
    drop((store, stores));
    let (_stores, store) = place.one();
    assert_eq!((keys(&*store), store.len()), (vec!["d".into()], 1), "for good");
}

fn rows_can_come_while_others_expire(open: Open) {
    let place = Place::new(open);
    let (_stores, store) = place.one();
    let row = |key| (key, Some("1"));
    store.write(&put(&["a", "b", "c", "d"].map(row), 4), &mark(1)).unwrap();
    let batch = put(&[("c", Some("2")), ("d", None), ("e", Some("2"))], 0);
    store.write(&StoreBatch { remove_below: Some(b"c"), ..batch }, &mark(2)).unwrap();
    let left = [("c", "2"), ("e", "2")].map(|(k, v)| (k.to_string(), v.to_string()));
    assert_eq!((rows(&*store, b""), store.len()), (left.to_vec(), 2));
    // What has expired may come back, as another row of the same key.
    store.write(&put(&[("a", Some("3"))], 1), &mark(3)).unwrap();
    assert_eq!((keys(&*store).concat(), store.len()), ("ace".into(), 3));
}

fn rows_and_their_mark_are_there_when_the_stores_are_opened_again(open: Open) {
    let place = Place::new(open);
    for n in 0..5 {
        let (_stores, store) = place.one();
        let before = (n > 0).then_some(n - 1);
        assert_eq!((store.len(), at(&*store)), (n as u64, before));
        let key = n.to_string();
        store.write(&put(&[(&key, Some("1"))], 1), &mark(n)).unwrap();
    }
    assert_eq!(keys(&*place.open().open("t", 0).unwrap()), ["0", "1", "2", "3", "4"]);
}

fn what_is_set_aside_is_out_of_the_way_for_good(open: Open) {
    let place = Place::new(open);
    let mut stores = place.open();
    stores.set_aside("t", 0).unwrap();
    for n in 1..4 {
        let store = stores.open("t", 0).unwrap();
        assert_eq!((store.mark().unwrap(), store.len(), keys(&*store).len()), (None, 0, 0));
        store.write(&put(&[("a", Some("1"))], 1), &mark(n)).unwrap();
        let other = stores.open("t", 1).unwrap();
        other.write(&put(&[("a", Some("1"))], 0), &mark(n)).unwrap();
        drop((store, other));
        stores.set_aside("t", 0).unwrap();
        drop(stores);
        stores = place.open();
        assert_eq!(at(&*stores.open("t", 1).unwrap()), Some(n), "others stay");
    }
}

fn each_partition_of_each_table_is_a_store(open: Open) {
    let place = Place::new(open);
    let stores = place.open();
    let all = || ["t", "t/1", "t2"].into_iter().flat_map(|t| (0..30).map(move |n| (t, n)));
    for (table, partition) in all() {
        let store = stores.open(table, partition).unwrap();
        let value = format!("{table} {partition}");
        store.write(&put(&[("a", Some(&value))], 1), &mark(partition.into())).unwrap();
    }
    drop(stores);
    let stores = place.open();
    for (table, partition) in all() {
        let store = stores.open(table, partition).unwrap();
        let value = format!("{table} {partition}");
        assert_eq!(rows(&*store, b""), [("a".to_string(), value)]);
        assert_eq!((store.len(), at(&*store)), (1, Some(partition.into())));
    }
    assert_eq!(stores.partitions("t"), (0..30).collect());
    assert!(stores.partitions("t3").is_empty());
}

fn large_values_come_back_whole(open: Open) {
    let place = Place::new(open);
    let value = |n: usize| format!("{n} ").repeat(n << 17);
    let (stores, store) = place.one();
    for n in 1..10 {
        let key = n.to_string().repeat(n * 100);
        store.write(&put(&[(&key, Some(&value(n)))], 1), &mark(1)).unwrap();
    }
    drop((store, stores));
    let (_stores, store) = place.one();
    let found = rows(&*store, b"");
    assert_eq!((found.len(), store.len()), (9, 9));
    assert!(found.into_iter().zip(1..).all(|((_, found), n)| found == value(n)));
}

/// Rows are read by pages and asks while a cut is written: what a batch replaces is there before and after.
fn rows_are_read_while_others_are_written(open: Open) {
    let place = Place::new(open);
    let (_stores, store) = place.one();
    store.write(&put(&[("a", Some("0")), ("b", Some("0"))], 2), &mark(0)).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 1..300 {
                let value = n.to_string();
                store
                    .write(&put(&[("a", Some(&value)), ("b", Some(&value))], 0), &mark(n))
                    .unwrap();
            }
        });
        let mut last = 0;
        while !writer.is_finished() {
            let value = store.get(b"a").unwrap().unwrap();
            let value: u32 = str::from_utf8(&value).unwrap().parse().unwrap();
            assert!(value >= last, "it goes forward");
            last = value;
            assert_eq!(keys(&*store), ["a", "b"]);
        }
    });
    assert_eq!((store.len(), at(&*store)), (2, Some(299)));
}

/// The newest of a key counts, whichever way it came, also when the stores are opened again in between.
fn what_is_loaded_and_what_is_written_follow_each_other(open: Open) {
    let place = Place::new(open);
    let mut model = std::collections::BTreeMap::new();
    let mut stores = place.one();
    for round in 0..40u64 {
        let number = |n: u64| (n * 31 + round * 17) % 97;
        let mut batch: std::collections::BTreeMap<String, Option<String>> = Default::default();
        for n in 0..20 {
            let value = (n % 3 > 0).then(|| format!("{round}"));
            batch.insert(format!("{:02}", number(n)), value);
        }
        let before = model.len() as i64;
        for (key, value) in &batch {
            match value {
                Some(value) => model.insert(key.clone(), value.clone()),
                None => model.remove(key),
            };
        }
        let rows: Vec<_> = batch.iter().map(|(k, v)| (k.as_str(), v.as_deref())).collect();
        let batch = put(&rows, model.len() as i64 - before);
        match round % 3 {
            0 => stores.1.load(&batch, &mark(round as Offset)).unwrap(),
            _ => stores.1.write(&batch, &mark(round as Offset)).unwrap(),
        }
        if round % 5 == 4 {
            drop(stores);
            stores = place.one();
        }
        let expected: Vec<_> = model.clone().into_iter().collect();
        assert_eq!(super::rows(&*stores.1, b""), expected, "round {round}");
        assert_eq!((at(&*stores.1), stores.1.len()), (Some(round as Offset), model.len() as u64));
    }
}
