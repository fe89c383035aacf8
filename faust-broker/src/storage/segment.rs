//! A run of batches of one partition, in memory or in one append-only file.
//!
//! Only a sparse index stays in memory for a file: one [`Block`] for every few kilobytes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::batch::{Batch, Header, checksum_holds};
use super::walk::Walk;

/// A block is closed when it holds this many bytes.
const BLOCK_BYTES: u64 = 4096;
/// How much of a file is read at once while walking from header to header.
const WALK_BYTES: usize = 4096;
/// What the name of a draft ends in.
const DRAFT: &str = "draft";
const RECOVERY_BYTES: usize = 256 * 1024;

/// A run of batches: where it begins, and the latest timestamp in it.
#[derive(Debug, Clone, Copy)]
struct Block {
    base_offset: i64,
    position: u64,
    max_timestamp: i64,
}

/// Batches from `base_offset` on.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: i64,
    pub(crate) size: u64,
    pub(crate) max_timestamp: i64,
    /// When it was made or read back.
    pub(crate) begun: Instant,
    blocks: Vec<Block>,
    store: Store,
}

#[derive(Debug)]
enum Store {
    /// The batches in order, each with its position.
    Memory(Vec<(u64, Bytes)>),
    /// A file that is opened when it is needed and closed when it is idle.
    File { path: PathBuf, open: Option<(Arc<File>, Instant)> },
}

/// Bytes of a segment, to be fetched without holding the broker's lock.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    Memory(Vec<Bytes>),
    File { file: Arc<File>, position: u64, size: usize },
}

impl Piece {
    /// The bytes themselves.
    pub(crate) fn read(self) -> io::Result<Bytes> {
        match self {
            Self::Memory(mut batches) if batches.len() == 1 => {
                Ok(batches.pop().unwrap_or_default())
            }
            Self::Memory(batches) => {
                let mut bytes = BytesMut::with_capacity(batches.iter().map(Bytes::len).sum());
                batches.iter().for_each(|batch| bytes.extend_from_slice(batch));
                Ok(bytes.freeze())
            }
            Self::File { file, position, size } => {
                let mut bytes = vec![0; size];
                file.read_exact_at(&mut bytes, position)?;
                Ok(bytes.into())
            }
        }
    }
}

impl Segment {
    /// An empty segment; with a folder it becomes a file there at its first batch.
    pub(crate) fn new(base_offset: i64, folder: Option<&Path>) -> Self {
        let store = match folder {
            None => Store::Memory(Vec::new()),
            Some(folder) => Store::File { path: folder.join(file_name(base_offset)), open: None },
        };
        let begun = Instant::now();
        Self { base_offset, size: 0, max_timestamp: -1, begun, blocks: Vec::new(), store }
    }

    /// An empty segment that is to take the place of others: its file has another name until it does.
    pub(crate) fn draft(base_offset: i64, folder: Option<&Path>) -> io::Result<Self> {
        let mut draft = Self::new(base_offset, folder);
        if let Store::File { path, .. } = &mut draft.store {
            *path = path.with_extension(DRAFT);
            // What a killed broker left of an earlier one.
            remove(path)?;
            // It becomes a file even if nothing is to be in it.
            draft.file()?;
        }
        Ok(draft)
    }

    /// Puts a draft into the place of the segment with its base offset.
    pub(crate) fn install(&mut self) -> io::Result<()> {
        if let Store::File { path, .. } = &mut self.store {
            // A rename is all or nothing: a killed process leaves the old file or the new one.
            let place = path.with_extension("log");
            std::fs::rename(&*path, &place)?;
            *path = place;
        }
        Ok(())
    }

    /// Reads a file back and shows every batch to `visit`. A torn end is cut off the last file;
    /// anywhere else it is damage.
    pub(crate) fn recover(
        base_offset: i64,
        folder: &Path,
        is_last: bool,
        mut visit: impl FnMut(&Header, &Bytes),
    ) -> io::Result<Self> {
        let mut segment = Self::new(base_offset, Some(folder));
        let file = segment.file()?;
        let length = file.metadata()?.len();
        let mut next_offset = base_offset;
        let mut walk = Walk::new(RECOVERY_BYTES);
        while let Some(header) = segment.header(&mut walk, segment.size, length)? {
            let end = segment.size + header.size as u64;
            if end > length || header.base_offset < next_offset {
                break;
            }
            // A killed process tears only its last write, so only the last batch needs a look
            // inside; control batches are read for what they say.
            let body = if end == length || header.is_control() {
                segment.piece(segment.size, end)?.read()?
            } else {
                Bytes::new()
            };
            if end == length && !checksum_holds(&header, &body) {
                break;
            }
            visit(&header, &body);
            next_offset = header.next_offset();
            segment.note(&header);
        }
        if segment.size < length {
            if !is_last {
                let message =
                    format!("{} is damaged at byte {}", segment.path().display(), segment.size);
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            tracing::warn!(
                file = %segment.path().display(),
                bytes = length - segment.size,
                "cut the torn end of a partition file"
            );
            file.set_len(segment.size)?;
        }
        Ok(segment)
    }

    /// Appends a placed batch; when that fails nothing of it stays.
    pub(crate) fn append(&mut self, batch: Batch) -> io::Result<()> {
        let header = batch.header;
        let bytes = batch.into_bytes();
        if let Store::Memory(batches) = &mut self.store {
            batches.push((self.size, bytes));
        } else {
            let file = self.file()?;
            if let Err(error) = file.write_all_at(&bytes, self.size) {
                // What was written before the error must not be found by the next start. If
                // even this fails, the next append overwrites it.
                if let Err(cut) = file.set_len(self.size) {
                    tracing::error!(file = %self.path().display(), %cut, "cannot cut a failed write");
                }
                return Err(error);
            }
        }
        self.note(&header);
        Ok(())
    }

    /// The position of the first batch that ends behind `offset`.
    pub(crate) fn position(&mut self, offset: i64) -> io::Result<u64> {
        let mut position = self.block_of(|block| block.base_offset <= offset);
        let mut walk = Walk::new(WALK_BYTES);
        while let Some(header) = self.header(&mut walk, position, self.size)? {
            if header.next_offset() > offset {
                break;
            }
            position += header.size as u64;
        }
        Ok(position)
    }

    /// The largest batch boundary up to `limit` behind `start`, but at least one batch on.
    pub(crate) fn boundary(&mut self, start: u64, limit: u64) -> io::Result<u64> {
        if limit >= self.size {
            return Ok(self.size);
        }
        let end = self.block_of(|block| block.position <= limit);
        if end > start {
            return Ok(end);
        }
        let mut end = start;
        let mut walk = Walk::new(WALK_BYTES);
        while let Some(header) = self.header(&mut walk, end, self.size)? {
            let next = end + header.size as u64;
            if next > limit && end > start {
                break;
            }
            end = next;
        }
        Ok(end)
    }

    /// The batches between two boundaries.
    pub(crate) fn piece(&mut self, start: u64, end: u64) -> io::Result<Piece> {
        if let Store::Memory(batches) = &self.store {
            let first = batches.partition_point(|(position, _)| *position < start);
            let last = batches.partition_point(|(position, _)| *position < end);
            let batches = batches.get(first..last).unwrap_or_default();
            return Ok(Piece::Memory(batches.iter().map(|(_, batch)| batch.clone()).collect()));
        }
        let size = usize::try_from(end.saturating_sub(start)).map_err(io::Error::other)?;
        Ok(Piece::File { file: self.file()?, position: start, size })
    }

    /// The first batch at or behind `start` whose latest record is not before `time`.
    pub(crate) fn batch_at_time(
        &mut self,
        start: u64,
        time: i64,
    ) -> io::Result<Option<(Header, Bytes)>> {
        let from = self.blocks.partition_point(|block| block.position <= start).saturating_sub(1);
        let late = |block: &&Block| block.max_timestamp >= time;
        let blocks: Vec<u64> =
            self.blocks.iter().skip(from).filter(late).map(|block| block.position).collect();
        // A block is late by one of its batches, which may lie before `start`.
        for block in blocks {
            let mut position = block.max(start);
            let mut walk = Walk::new(WALK_BYTES);
            while let Some(header) = self.header(&mut walk, position, self.size)? {
                let end = position + header.size as u64;
                if header.max_timestamp >= time {
                    return Ok(Some((header, self.piece(position, end)?.read()?)));
                }
                position = end;
            }
        }
        Ok(None)
    }

    /// Closes the file if nobody has used it since `time`.
    pub(crate) fn close_idle(&mut self, time: Instant) {
        if let Store::File { open, .. } = &mut self.store
            && open.as_ref().is_some_and(|(_, used)| *used < time)
        {
            *open = None;
        }
    }

    /// Removes the file. Readers that hold it open finish undisturbed.
    pub(crate) fn remove(self) {
        if let Store::File { path, .. } = &self.store
            && let Err(error) = remove(path)
        {
            tracing::error!(file = %path.display(), %error, "cannot remove a deleted partition file");
        }
    }

    /// Writes the index entry for a batch that now ends the segment.
    fn note(&mut self, header: &Header) {
        match self.blocks.last_mut() {
            Some(block) if self.size - block.position < BLOCK_BYTES => {
                block.max_timestamp = block.max_timestamp.max(header.max_timestamp);
            }
            _ => self.blocks.push(Block {
                base_offset: header.base_offset,
                position: self.size,
                max_timestamp: header.max_timestamp,
            }),
        }
        self.max_timestamp = self.max_timestamp.max(header.max_timestamp);
        self.size += header.size as u64;
    }

    /// The start of the last block that satisfies `before`.
    fn block_of(&self, before: impl Fn(&Block) -> bool) -> u64 {
        let behind = self.blocks.partition_point(before);
        self.blocks.get(behind.saturating_sub(1)).map_or(0, |block| block.position)
    }

    /// The header at a batch boundary before `end`; `None` where no batch begins.
    fn header(&mut self, walk: &mut Walk, position: u64, end: u64) -> io::Result<Option<Header>> {
        if let Store::Memory(batches) = &self.store {
            let found = batches.binary_search_by_key(&position, |(at, _)| *at);
            let batch = found.ok().and_then(|index| batches.get(index));
            return Ok(batch.and_then(|(_, batch)| Header::parse(batch)));
        }
        let file = self.file()?;
        walk.header(&file, position, end)
    }

    fn file(&mut self) -> io::Result<Arc<File>> {
        match &mut self.store {
            Store::File { open: Some((file, used)), .. } => {
                *used = Instant::now();
                Ok(Arc::clone(file))
            }
            Store::File { path, open } => {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                let mut options = OpenOptions::new();
                let file =
                    options.read(true).write(true).create(true).truncate(false).open(path)?;
                let file = Arc::new(file);
                *open = Some((Arc::clone(&file), Instant::now()));
                Ok(file)
            }
            Store::Memory(_) => Err(io::Error::other("a segment in memory has no file")),
        }
    }

    fn path(&self) -> &Path {
        match &self.store {
            Store::File { path, .. } => path,
            Store::Memory(_) => Path::new(""),
        }
    }
}

/// Removes a file that may not be there.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Twenty digits, so that names sort as offsets do.
fn file_name(base_offset: i64) -> String {
    format!("{base_offset:020}.log")
}

/// The base offsets of the segment files in a folder, in order. Drafts go: nobody finishes them.
pub(crate) fn segment_files(folder: &Path) -> io::Result<Vec<i64>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut offsets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == DRAFT) {
            remove(&path)?;
            continue;
        }
        let name = path.file_name().unwrap_or_default();
        let digits = name.to_str().and_then(|name| name.strip_suffix(".log"));
        offsets.extend(digits.and_then(|digits| digits.parse::<i64>().ok()));
    }
    offsets.sort_unstable();
    Ok(offsets)
}
