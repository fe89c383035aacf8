//! One store in one file: a line of JSON that says what it is, the rows in the order of their keys, and a checksum over
//! all of it.

use super::*;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// The format; another one is refused.
const FORMAT: u32 = 1;
/// What a file begins with.
const NAME: &str = "faust-backup";
/// Stands where a key's length would, behind the last row.
const END: u32 = u32::MAX;
/// So many bytes of rows are written to a store at a time.
const BATCH: usize = 1 << 20;

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Header {
    file: String,
    format: u32,
    /// The table, under its name here.
    pub(crate) table: String,
    pub(crate) partition: u32,
    /// How many partitions the table has.
    pub(crate) partitions: u32,
    /// Whose rows these are, and how far they are.
    pub(crate) mark: Mark,
}

/// Why a file is not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BackupError {
    /// The disk.
    #[error("{}: {cause}", path.display())]
    Io { path: PathBuf, cause: std::io::Error },
    /// It is not a file that `backup` has written, or was changed since: take another one.
    #[error("{}: {cause}", path.display())]
    Damaged { path: PathBuf, cause: String },
    /// A store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Counts and sums up what passes through.
struct Summed<I> {
    inner: I,
    sum: u32,
}

impl<W: Write> Summed<W> {
    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.sum = crc32c::crc32c_append(self.sum, bytes);
        self.inner.write_all(bytes)
    }
}

impl<R: Read> Summed<R> {
    fn take<const N: usize>(&mut self) -> std::io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes)?;
        self.sum = crc32c::crc32c_append(self.sum, &bytes);
        Ok(bytes)
    }

    /// As many bytes as the file has, if it says that there are more.
    fn take_some(&mut self, len: u32) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.inner.by_ref().take(u64::from(len)).read_to_end(&mut bytes)?;
        if bytes.len() < len as usize {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.sum = crc32c::crc32c_append(self.sum, &bytes);
        Ok(bytes)
    }
}

/// Writes a store to a file, which is there when it is whole; how many rows there are. `None`: the store was never used.
pub(crate) fn backup(
    store: &dyn Store,
    table: &str,
    partition: u32,
    partitions: u32,
    path: &Path,
) -> Result<Option<u64>, BackupError> {
    let Some(mark) = store.mark()? else { return Ok(None) };
    let (table, file) = (table.to_string(), NAME.to_string());
    let header = Header { file, format: FORMAT, table, partition, partitions, mark };
    let part = path.with_extension("part");
    let io = |cause| BackupError::Io { path: part.clone(), cause };
    let mut out = Summed { inner: BufWriter::new(File::create(&part).map_err(io)?), sum: 0 };
    let mut line = serde_json::to_vec(&header).map_err(|error| io(error.into()))?;
    line.push(b'\n');
    out.put(&line).map_err(io)?;
    let (mut rows, mut failed) = (0u64, Ok(()));
    store.scan(&[], &mut |key, value| {
        let lengths = [(key.len() as u32).to_be_bytes(), (value.len() as u32).to_be_bytes()];
        failed = out
            .put(lengths.as_flattened())
            .and_then(|()| out.put(key))
            .and_then(|()| out.put(value));
        rows += 1;
        failed.is_ok()
    })?;
    failed.map_err(io)?;
    out.put(&END.to_be_bytes()).map_err(io)?;
    out.put(&rows.to_be_bytes()).map_err(io)?;
    let sum = out.sum.to_be_bytes();
    out.put(&sum).map_err(io)?;
    let file = out.inner.into_inner().map_err(|error| io(error.into_error()))?;
    file.sync_all().map_err(io)?;
    std::fs::rename(&part, path).map_err(io)?;
    Ok(Some(rows))
}

/// A file that is read.
pub(crate) struct Backup {
    pub(crate) header: Header,
    path: PathBuf,
    file: Summed<BufReader<File>>,
}

impl Backup {
    /// Opens a file and reads what it says of itself.
    pub(crate) fn open(path: &Path) -> Result<Self, BackupError> {
        let io = |cause| BackupError::Io { path: path.into(), cause };
        let damaged = |cause: String| BackupError::Damaged { path: path.into(), cause };
        let mut inner = BufReader::new(File::open(path).map_err(io)?);
        let mut line = Vec::new();
        // A file of another kind may have no lines.
        inner.by_ref().take(1 << 20).read_until(b'\n', &mut line).map_err(io)?;
        let header: Header = serde_json::from_slice(&line)
            .map_err(|error| damaged(format!("not a backup: {error}")))?;
        if header.file != NAME || header.format != FORMAT {
            let found = format!("{} of format {}", header.file, header.format);
            return Err(damaged(format!("this is {found}, and {NAME} of format {FORMAT} is read")));
        }
        let sum = crc32c::crc32c(&line);
        Ok(Self { header, path: path.into(), file: Summed { inner, sum } })
    }

    /// Reads it to its end, and says whether it is whole.
    pub(crate) fn verify(self) -> Result<(), BackupError> {
        self.each(&mut |_, _| Ok(())).map(|_| ())
    }

    /// Writes its rows to a new store, and with the last of them how far they are. Until then the store is nobody's: a
    /// start sets it aside.
    pub(crate) fn restore(self, store: &dyn Store) -> Result<u64, BackupError> {
        let mark = self.header.mark.clone();
        let nobody = Mark { owner: "a restore that was broken off".into(), ..Mark::default() };
        let mut rows: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut bytes = 0;
        let write = |rows: &mut Vec<(Vec<u8>, Vec<u8>)>, mark: &Mark| {
            let changes: Vec<_> = rows.iter().map(|(k, v)| (&k[..], Some(&v[..]))).collect();
            let added = changes.len() as i64;
            let written =
                store.write(&StoreBatch { rows: changes, added, remove_below: None }, mark);
            rows.clear();
            written
        };
        let all = self.each(&mut |key, value| {
            bytes += key.len() + value.len();
            rows.push((key, value));
            if bytes >= BATCH {
                bytes = 0;
                write(&mut rows, &nobody)?;
            }
            Ok(())
        })?;
        write(&mut rows, &mark)?;
        Ok(all)
    }

    fn each(
        mut self,
        row: &mut dyn FnMut(Vec<u8>, Vec<u8>) -> Result<(), StoreError>,
    ) -> Result<u64, BackupError> {
        let path = self.path.clone();
        let damaged =
            |cause: &str| BackupError::Damaged { path: path.clone(), cause: cause.into() };
        let read = |cause: std::io::Error| match cause.kind() {
            ErrorKind::UnexpectedEof => damaged("it ends too soon"),
            _ => BackupError::Io { path: path.clone(), cause },
        };
        let mut rows = 0u64;
        loop {
            let key = u32::from_be_bytes(self.file.take().map_err(read)?);
            if key == END {
                break;
            }
            let value = u32::from_be_bytes(self.file.take().map_err(read)?);
            let key = self.file.take_some(key).map_err(read)?;
            row(key, self.file.take_some(value).map_err(read)?)?;
            rows += 1;
        }
        let said = u64::from_be_bytes(self.file.take().map_err(read)?);
        let sum = self.file.sum;
        let whole = u32::from_be_bytes(self.file.take().map_err(read)?) == sum && said == rows;
        if whole { Ok(rows) } else { Err(damaged("its checksum is another one")) }
    }
}

#[cfg(test)]
mod tests {
    use super::memory::{Disk, MemoryStores};
    use super::*;

    fn filled() -> Arc<dyn Store> {
        let store = MemoryStores::new(Disk::default()).open("t", 3).unwrap();
        let keys: Vec<String> = (0..3_000).map(|n| format!("key {n:04}")).collect();
        let value = vec![7; 700];
        let rows: Vec<_> = keys.iter().map(|key| (key.as_bytes(), Some(&value[..]))).collect();
        let mark = Mark { owner: "app log".into(), changelog: 42, ..Mark::default() };
        store.write(&StoreBatch { added: 3_000, rows, remove_below: None }, &mark).unwrap();
        store
    }

    fn rows(store: &dyn Store) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut rows = Vec::new();
        store
            .scan(&[], &mut |key, value| {
                rows.push((key.to_vec(), value.to_vec()));
                true
            })
            .unwrap();
        rows
    }

    #[test]
    fn a_store_comes_back_as_it_was_with_how_far_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t-3.backup");
        let store = filled();
        assert_eq!(backup(&*store, "t", 3, 8, &path).unwrap(), Some(3_000));
        Backup::open(&path).unwrap().verify().unwrap();
        let other = MemoryStores::new(Disk::default()).open("t", 3).unwrap();
        let read = Backup::open(&path).unwrap();
        assert_eq!((read.header.partition, read.header.partitions), (3, 8));
        assert_eq!(read.restore(&*other).unwrap(), 3_000);
        assert_eq!(rows(&*other), rows(&*store));
        assert_eq!(other.mark().unwrap(), store.mark().unwrap());
    }

    #[test]
    fn a_file_with_any_byte_changed_or_cut_off_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t-3.backup");
        backup(&*filled(), "t", 3, 8, &path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let check = |bytes: &[u8], what: &str| {
            std::fs::write(&path, bytes).unwrap();
            let read = Backup::open(&path).and_then(Backup::verify);
            assert!(read.is_err(), "{what}");
        };
        for at in (0..whole.len()).step_by(whole.len() / 97) {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            check(&bytes, &format!("byte {at} is another"));
            check(&whole[..at], &format!("it ends at {at}"));
        }
        std::fs::write(&path, &whole).unwrap();
        Backup::open(&path).and_then(Backup::verify).unwrap();
    }

    #[test]
    fn a_store_whose_restore_was_broken_off_belongs_to_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t-3.backup");
        backup(&*filled(), "t", 3, 8, &path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let store = MemoryStores::new(Disk::default()).open("t", 3).unwrap();
        assert!(Backup::open(&path).unwrap().restore(&*store).is_err());
        assert_ne!(store.mark().unwrap().map(|mark| mark.owner), Some("app log".to_string()));
    }
}
