//! What stores on disk do when the disk fails them.

use super::*;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

on_each! {
    {
        a_store_without_rows_is_not_on_disk,
        damaged_files_never_stop_the_start,
        a_missing_file_never_stops_the_start,
        damage_that_is_found_in_use_is_set_aside_at_the_next_start,
        of_what_was_set_aside_only_the_newest_is_kept,
        a_disk_that_is_full_is_told_from_damage,
    }
    fjall = FJALL;
    #[cfg(feature = "rocksdb")] rocksdb = ROCKSDB;
}

#[cfg(feature = "rocksdb")]
on_each! {
    {
        a_flipped_bit_is_found,
    }
    flipped = ROCKSDB;
}

fn a_store_without_rows_is_not_on_disk(open: Open) {
    let place = Place::new(open);
    let stores = place.open();
    let store = stores.open("t", 7).unwrap();
    assert_eq!((store.get(b"a").unwrap(), store.mark().unwrap(), store.len()), (None, None, 0));
    assert!(keys(&*store).is_empty() && stores.partitions("t").is_empty());
    store.write(&put(&[("a", Some("1"))], 1), &mark(1)).unwrap();
    assert_eq!((keys(&*store).len(), stores.partitions("t")), (1, [7].into()));
}

/// A hundred rows, a batch each, in two starts: some are in the journal, some in files that were written from it.
fn write_something(place: &Place) {
    for half in [0..50, 50..100] {
        let (_stores, store) = place.one();
        for n in half {
            let key = format!("{n:02}");
            store.write(&put(&[(&key, Some(&"value".repeat(50)))], 1), &mark(n)).unwrap();
        }
    }
}

/// Whether the rows are exactly those up to the mark.
fn is_whole(store: &dyn Store) -> Result<(), StoreError> {
    let known = store.mark()?.map_or(0, |mark| mark.changelog + 1);
    let mut rows = 0;
    store.scan(b"", &mut |key, value| {
        assert_eq!((key, value), (format!("{rows:02}").as_bytes(), "value".repeat(50).as_bytes()));
        rows += 1;
        true
    })?;
    assert_eq!((rows, store.len()), (known, known as u64));
    Ok(())
}

fn damaged_files_never_stop_the_start(open: Open) {
    damage_each_file(open, |content| content.truncate(content.len() / 2));
    damage_each_file(open, |content| {
        content.truncate(content.len() / 2);
        content.extend(b"\0garbage\xff");
    });
}

/// Not for fjall, whose journal has no checksum of a batch's number.
#[cfg(feature = "rocksdb")]
fn a_flipped_bit_is_found(open: Open) {
    for place in 1..8 {
        damage_each_file(open, |content| {
            let at = content.len() * place / 8;
            content.get_mut(at).into_iter().for_each(|byte| *byte ^= 1);
        });
    }
}

fn a_missing_file_never_stops_the_start(open: Open) {
    let whole = Place::new(open);
    write_something(&whole);
    for file in files(whole.folder.path()) {
        let place = Place::new(open);
        copy(whole.folder.path(), place.folder.path());
        fs::remove_file(place.folder.path().join(&file)).unwrap();
        place.one();
    }
}

/// One file after the other, each in a copy of its own.
fn damage_each_file(open: Open, damage: impl Fn(&mut Vec<u8>)) {
    let whole = Place::new(open);
    write_something(&whole);
    is_whole(&*whole.one().1).unwrap();
    for file in files(whole.folder.path()) {
        let place = Place::new(open);
        copy(whole.folder.path(), place.folder.path());
        let victim = place.folder.path().join(&file);
        let mut content = fs::read(&victim).unwrap();
        damage(&mut content);
        fs::write(&victim, content).unwrap();
        // What is not readable any more is told from what is: its mark is behind, or not there.
        println!("{}", file.display());
        let found = place.open().open("t", 0).and_then(|store| is_whole(&*store));
        if let Err(error) = found {
            assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
            let (_stores, store) = place.one();
            assert_eq!((store.mark().unwrap(), keys(&*store).len()), (None, 0));
        }
    }
}

fn damage_that_is_found_in_use_is_set_aside_at_the_next_start(open: Open) {
    let place = Place::new(open);
    write_something(&place);
    let folder = place.folder.path().join("stores");
    let found = disk::found(&folder, &"a block is not what was written");
    assert!(matches!(found, StoreError::Damaged { .. }), "{found}");
    let (stores, store) = place.one();
    assert_eq!((store.mark().unwrap(), store.len()), (None, 0), "the changelog has everything");
    store.write(&put(&[("a", Some("1"))], 1), &mark(3)).unwrap();
    drop((store, stores));
    assert_eq!(at(&*place.one().1), Some(3), "once");
    let names = fs::read_dir(place.folder.path()).unwrap();
    let aside = names.filter(|entry| entry.as_ref().unwrap().path() != folder);
    assert_eq!(aside.count(), 1, "what was found is kept");
}

fn of_what_was_set_aside_only_the_newest_is_kept(open: Open) {
    let place = Place::new(open);
    write_something(&place);
    let folder = place.folder.path().join("stores");
    for damage in ["first", "second", "third"] {
        disk::found(&folder, &damage);
        place.one();
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let entries = fs::read_dir(place.folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let aside: Vec<_> = entries.filter(|path| *path != folder).collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(fs::read_to_string(aside[0].join("DAMAGED")).unwrap(), "third");
}

/// In a process whose files may not become larger than a megabyte: that answers like a full disk, and harms nobody.
fn a_disk_that_is_full_is_told_from_damage(open: Open) {
    const FOLDER: &str = "FAUST_TEST_FULL_DISK";
    if let Some(folder) = std::env::var_os(FOLDER) {
        return fill(open, Path::new(&folder));
    }
    let place = Place::new(open);
    let limited = Command::new("sh")
        .args(["-c", r#"trap '' XFSZ; ulimit -f 2048; exec "$0" --exact "$1" --nocapture"#])
        .arg(std::env::current_exe().unwrap())
        .arg(std::thread::current().name().unwrap())
        .env(FOLDER, place.folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&limited.stdout);
    assert!(limited.status.success() && said.contains("1 passed"), "{limited:?}");
    // There is room again.
    let (_stores, store) = place.one();
    let known = at(&*store).map_or(0, |at| at + 1);
    assert_eq!((keys(&*store).len() as Offset, store.len()), (known, known as u64));
    store.write(&put(&[("more", Some("1"))], 1), &mark(known)).unwrap();
}

fn fill(open: Open, folder: &Path) {
    let refused = |open: Open| -> Result<(), StoreError> {
        let store = open(folder, &Disk::default())?.open("t", 0)?;
        for n in 0..10_000 {
            // Hardly to be compressed.
            let value: String =
                (n..n + 20_000).map(|n| char::from(b'a' + (n * n % 26) as u8)).collect();
            store.write(&put(&[(&format!("{n:04}"), Some(&value))], 1), &mark(n))?;
        }
        Ok(())
    };
    let error = refused(open).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("make room") && said.contains("stores"), "{said}");
}

/// The files in a folder and below it.
fn files(root: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(root).unwrap().into()),
            }
        }
    }
    found
}

pub(super) fn copy(from: &Path, to: &Path) {
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
