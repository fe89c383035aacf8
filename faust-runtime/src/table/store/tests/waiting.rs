//! What writing behind adds.

use super::*;

#[test]
fn rows_that_wait_are_read_in_order_with_those_below_and_are_written_at_the_end() {
    let disk = Disk::default();
    let below = MemoryStores::new(disk.clone()).open("t", 0).unwrap();
    let before = [("b", Some("1")), ("d", Some("1")), ("e", Some("1"))];
    below.write(&put(&before, 3), &mark(3)).unwrap();
    let stores = behind(Arc::new(MemoryStores::new(disk)));
    let store = stores.open("t", 0).unwrap();
    store.write(&put(&[("a", Some("2")), ("d", None), ("e", Some("2"))], 0), &mark(6)).unwrap();
    store.write(&put(&[("f", Some("3")), ("e", Some("3"))], 1), &mark(8)).unwrap();
    let all = [("a", "2"), ("b", "1"), ("e", "3"), ("f", "3")];
    let all = all.map(|(k, v)| (k.to_string(), v.to_string()));
    assert_eq!(rows(&*store, b""), all);
    assert_eq!(rows(&*store, b"c"), all[2..]);
    assert_eq!((store.get(b"d").unwrap(), store.len()), (None, 4));
    assert_eq!(store.mark().unwrap().unwrap().changelog, 8);
    assert_eq!((below.len(), below.mark().unwrap().unwrap().changelog), (3, 3), "not yet");
    let mut first = None;
    store
        .scan(b"", &mut |key, _| {
            first = Some(key.to_vec());
            false
        })
        .unwrap();
    assert_eq!(first.as_deref(), Some(&b"a"[..]), "a scan ends when it is told to");
    drop((store, stores));
    assert_eq!(rows(&*below, b""), all);
    assert_eq!((below.len(), below.mark().unwrap().unwrap().changelog), (4, 8));
}

#[test]
fn a_store_that_is_closed_and_opened_again_has_the_rows_that_wait() {
    let stores = behind(Arc::new(MemoryStores::new(Disk::default())));
    let store = stores.open("t", 0).unwrap();
    store.write(&put(&[("a", Some("1"))], 1), &mark(1)).unwrap();
    drop(store);
    let store = stores.open("t", 0).unwrap();
    assert_eq!((rows(&*store, b"").len(), store.len()), (1, 1));
    assert_eq!(store.mark().unwrap().unwrap().changelog, 1);
}

#[test]
fn expired_rows_go_whether_they_wait_or_not() {
    let stores = behind(Arc::new(MemoryStores::new(Disk::default())));
    let store = stores.open("t", 0).unwrap();
    store
        .write(&put(&[("a", Some("1")), ("b", Some("1")), ("c", Some("1"))], 3), &mark(3))
        .unwrap();
    let gone = StoreBatch { remove_below: Some(b"c"), ..put(&[("d", Some("2"))], 1) };
    store.write(&gone, &mark(4)).unwrap();
    assert_eq!((rows(&*store, b"").len(), store.len()), (2, 2));
}

#[test]
fn more_than_fits_waits_for_the_disk_and_nothing_is_lost() {
    let disk = Disk::default();
    let stores = behind(Arc::new(MemoryStores::new(disk.clone())));
    let store = stores.open("t", 0).unwrap();
    let value = "x".repeat(1 << 20);
    for n in 0..100 {
        let key = n.to_string();
        store.write(&put(&[(&key, Some(&value))], 1), &mark(n)).unwrap();
    }
    drop((store, stores));
    assert_eq!(MemoryStores::new(disk).open("t", 0).unwrap().len(), 100);
}
