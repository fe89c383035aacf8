//! What every store does; and what only a disk does.

use super::behind::BehindStores;
use super::fjall::FjallStores;
use super::memory::{Disk, MemoryStores};
use super::*;
use std::fs;
use std::path::{Path, PathBuf};

fn rows(store: &dyn Store, from: &[u8]) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    store
        .scan(from, &mut |key, value| {
            rows.push((text(key), text(value)));
            true
        })
        .unwrap();
    rows
}

fn mark(changelog: Offset) -> Mark {
    Mark { owner: "app".into(), changelog, ..Mark::default() }
}

/// Runs on each kind of store.
fn check(stores: &dyn Stores) {
    let store = stores.open("t", 0).unwrap();
    assert_eq!((store.mark().unwrap(), store.len()), (None, 0), "a new store");
    let put = |rows: Vec<(&'static [u8], Option<&'static [u8]>)>, added| StoreBatch {
        rows,
        added,
        remove_below: None,
    };
    store
        .write(&put(vec![(b"b", Some(b"2")), (b"a", Some(b"1")), (b"", Some(b"0"))], 3), &mark(5))
        .unwrap();
    store
        .write(&put(vec![(b"b", Some(b"22")), (b"a", None), (b"c", Some(b"3"))], 0), &mark(9))
        .unwrap();
    assert_eq!(store.get(b"b").unwrap().as_deref(), Some(&b"22"[..]));
    assert_eq!(store.get(b"a").unwrap(), None);
    assert_eq!(store.get(b"").unwrap().as_deref(), Some(&b"0"[..]), "an empty key is a key");
    let all = [("", "0"), ("b", "22"), ("c", "3")].map(|(k, v)| (k.to_string(), v.to_string()));
    assert_eq!(rows(&*store, b""), all);
    assert_eq!(rows(&*store, b"b\0"), all[2..]);
    let known = store.mark().unwrap().unwrap();
    assert_eq!((known.changelog, store.len()), (9, 3));
    let expired = StoreBatch { remove_below: Some(b"c"), ..StoreBatch::default() };
    store.write(&expired, &mark(10)).unwrap();
    assert_eq!((rows(&*store, b""), store.len()), (all[2..].to_vec(), 1));
    drop(store);
    let again = stores.open("t", 0).unwrap();
    assert_eq!(
        (again.len(), again.mark().unwrap().unwrap().changelog),
        (1, 10),
        "it is still there"
    );
    assert_eq!(stores.open("t", 1).unwrap().len(), 0, "another partition is another store");
    drop(again);
    stores.set_aside("t", 0).unwrap();
    let new = stores.open("t", 0).unwrap();
    assert_eq!((new.mark().unwrap(), new.len()), (None, 0), "what was set aside is out of the way");
}

#[test]
fn memory_does_what_every_store_does() {
    check(&MemoryStores::new(Disk::default()));
}

#[test]
fn fjall_does_what_every_store_does() {
    let folder = tempfile::tempdir().unwrap();
    check(&FjallStores::open(&folder.path().join("stores")).unwrap());
}

#[test]
fn a_store_without_rows_is_not_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let stores = FjallStores::open(&folder.path().join("stores")).unwrap();
    let store = stores.open("t", 7).unwrap();
    assert_eq!((store.get(b"a").unwrap(), store.mark().unwrap(), store.len()), (None, None, 0));
    assert!(rows(&*store, b"").is_empty() && stores.partitions("t").is_empty());
    store.write(&put(&[("a", Some("1"))], 1), &mark(1)).unwrap();
    assert_eq!((rows(&*store, b"").len(), stores.partitions("t")), (1, [7].into()));
}

#[test]
fn a_store_that_is_written_behind_does_what_every_store_does() {
    let disk = Disk::default();
    check(&BehindStores::new(Arc::new(MemoryStores::new(disk))).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let fjall = FjallStores::open(&folder.path().join("stores")).unwrap();
    check(&BehindStores::new(Arc::new(fjall)).unwrap());
}

fn put<'a>(rows: &[(&'a str, Option<&'a str>)], added: i64) -> StoreBatch<'a> {
    let rows = rows.iter().map(|(k, v)| (k.as_bytes(), v.map(str::as_bytes))).collect();
    StoreBatch { rows, added, remove_below: None }
}

#[test]
fn rows_that_wait_are_read_in_order_with_those_below_and_are_written_at_the_end() {
    let disk = Disk::default();
    let below = MemoryStores::new(disk.clone()).open("t", 0).unwrap();
    let before = [("b", Some("1")), ("d", Some("1")), ("e", Some("1"))];
    below.write(&put(&before, 3), &mark(3)).unwrap();
    let stores = BehindStores::new(Arc::new(MemoryStores::new(disk))).unwrap();
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
    let stores = BehindStores::new(Arc::new(MemoryStores::new(Disk::default()))).unwrap();
    let store = stores.open("t", 0).unwrap();
    store.write(&put(&[("a", Some("1"))], 1), &mark(1)).unwrap();
    drop(store);
    let store = stores.open("t", 0).unwrap();
    assert_eq!((rows(&*store, b"").len(), store.len()), (1, 1));
    assert_eq!(store.mark().unwrap().unwrap().changelog, 1);
}

#[test]
fn expired_rows_go_whether_they_wait_or_not() {
    let stores = BehindStores::new(Arc::new(MemoryStores::new(Disk::default()))).unwrap();
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
    let stores = BehindStores::new(Arc::new(MemoryStores::new(disk.clone()))).unwrap();
    let store = stores.open("t", 0).unwrap();
    let value = "x".repeat(1 << 20);
    for n in 0..100 {
        let key = n.to_string();
        store.write(&put(&[(&key, Some(&value))], 1), &mark(n)).unwrap();
    }
    drop((store, stores));
    assert_eq!(MemoryStores::new(disk).open("t", 0).unwrap().len(), 100);
}

fn write_something(path: &Path) {
    let stores = FjallStores::open(path).unwrap();
    let store = stores.open("t", 0).unwrap();
    for n in 0..100 {
        let key = format!("key {n}");
        let rows = vec![(key.as_bytes(), Some(&b"value"[..]))];
        store.write(&StoreBatch { rows, added: 1, remove_below: None }, &mark(n)).unwrap();
    }
}

#[test]
fn rows_and_their_mark_are_there_after_the_process_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stores");
    write_something(&path);
    let store = FjallStores::open(&path).unwrap().open("t", 0).unwrap();
    assert_eq!((store.len(), store.mark().unwrap().unwrap().changelog), (100, 99));
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn damaged_files_never_stop_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    write_something(&whole);
    let mut all = Vec::new();
    files(&whole, &mut all);
    for (number, file) in all.iter().enumerate() {
        for (kind, damage) in [("torn", None), ("overwritten", Some(b"\0garbage\xff".as_slice()))] {
            let path = folder.path().join(format!("{kind}-{number}"));
            copy(&whole, &path);
            let victim = path.join(file.strip_prefix(&whole).unwrap());
            let mut content = fs::read(&victim).unwrap();
            let half = content.len() / 2;
            content.truncate(half);
            content.extend(damage.into_iter().flatten());
            fs::write(&victim, content).unwrap();
            let stores = FjallStores::open(&path).unwrap();
            // What is not readable any more is told from what is: its mark is behind, or not there.
            let store = stores.open("t", 0).unwrap();
            let mark = store.mark().unwrap().map_or(0, |mark| mark.changelog);
            assert!(mark <= 99 && store.len() <= 100, "{}", victim.display());
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}
