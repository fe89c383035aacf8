//! The format on disk, which outlives the program.

use super::*;

/// What an earlier version has written: two rows and their mark, in fjall.
fn fixture() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let stores = folder.path().join("stores");
    let source =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/table/store/tests/fixture/fjall-0");
    on_disk::copy(&source, &stores);
    // What git does not keep, or what is not worth keeping: empty ones, and the zeros behind what a journal holds.
    std::fs::File::create(stores.join("lock")).unwrap();
    std::fs::create_dir_all(stores.join("keyspaces/1/tables")).unwrap();
    let journal = std::fs::File::options().write(true).open(stores.join("0.jnl"));
    journal.unwrap().set_len(64 << 20).unwrap();
    folder
}

#[test]
fn the_first_format_is_read() {
    let folder = fixture();
    let stores = FJALL(folder.path(), &Disk::default()).unwrap();
    let store = stores.open("counts", 3).unwrap();
    let mark = store.mark().unwrap().unwrap();
    assert_eq!((mark.format, mark.at), (0, 0), "neither was there then");
    assert_eq!((mark.owner.as_str(), mark.changelog), ("app app-counts-changelog", 17));
    let (source, offset, metadata) = &mark.sources[0];
    assert_eq!((source.as_str(), *offset), ("words/3", 40));
    let of = crate::kafka::TopicPartition::new("words", 3);
    let commit = crate::kafka::Committed { offset: 40, metadata: metadata.clone() };
    let metadata = crate::commit::Metadata::decode(&of, &commit).unwrap().unwrap();
    assert_eq!((metadata.by.as_str(), metadata.epoch, metadata.cut), ("app-w-0", 2, 9));
    let progress = &metadata.agents["count"];
    assert!(progress.is_done(39) && !progress.is_done(41) && progress.is_done(43));
    assert_eq!(rows(&*store, b""), [("amen".into(), "3".into()), ("light".into(), "11".into())]);
    assert_eq!(store.len(), 2);
}

#[test]
fn what_is_written_says_its_format() {
    let folder = tempfile::tempdir().unwrap();
    let store = FJALL(folder.path(), &Disk::default()).unwrap().open("t", 0).unwrap();
    store.write(&put(&[("a", Some("1"))], 1), &mark(1)).unwrap();
    assert_eq!(store.mark().unwrap().unwrap().format, 1);
}

#[test]
fn a_newer_format_is_refused_and_not_taken_for_damage() {
    // Whatever else it may say.
    let error =
        disk::decode(br#"{"v":2,"owner":7,"more":true}"#, Path::new("data/stores")).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 2, .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("data/stores has format 2") && said.contains("newer version"), "{said}");
}
