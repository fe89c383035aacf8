//! One partition: its segments, who produced what last, and which transactions are open in it.

pub(crate) mod compaction;
pub(crate) mod producers;
pub(crate) mod transactions;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar};
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;

use crate::storage::batch::{Batch, Header, Marker, marker_of};
use crate::storage::records::find_time;
use crate::storage::segment::{Piece, Segment, segment_files};
use producers::{Producers, Verdict};
use transactions::{Aborted, Transactions};

/// A partition's records.
#[derive(Debug)]
pub(crate) struct Log {
    folder: Option<PathBuf>,
    roll: Roll,
    segments: Vec<Segment>,
    /// The first offset that may be read.
    start_offset: i64,
    /// The offset of the next record: also the high watermark, for there is one replica.
    next_offset: i64,
    producers: Producers,
    transactions: Transactions,
    /// The segments before this offset are compacted.
    compacted_before: i64,
    /// Fetches that wait for this partition to move.
    waiting: Vec<Arc<Condvar>>,
}

/// When a segment is closed and the next one begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roll {
    pub(crate) bytes: u64,
    pub(crate) after: Duration,
}

/// Which records a reader may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    ReadUncommitted,
    ReadCommitted,
}

impl From<i8> for Isolation {
    fn from(level: i8) -> Self {
        if level == 1 { Self::ReadCommitted } else { Self::ReadUncommitted }
    }
}

/// What a fetch finds.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) bounds: Bounds,
    pub(crate) aborted: Vec<Aborted>,
    pub(crate) size: usize,
    pub(crate) piece: Option<Piece>,
}

/// How far a partition reaches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) start: i64,
    pub(crate) last_stable: i64,
    pub(crate) end: i64,
}

impl Log {
    /// An empty log; with a folder it is kept in files there.
    pub(crate) fn new(folder: Option<PathBuf>, roll: Roll) -> Self {
        let first = Segment::new(0, folder.as_deref());
        Self {
            folder,
            roll,
            segments: vec![first],
            start_offset: 0,
            next_offset: 0,
            producers: Producers::default(),
            transactions: Transactions::default(),
            compacted_before: 0,
            waiting: Vec::new(),
        }
    }

    /// Reads the files back after a start.
    pub(crate) fn recover(&mut self) -> io::Result<()> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        let files = segment_files(&folder)?;
        let last = files.last().copied();
        let mut segments: Vec<Segment> = Vec::with_capacity(files.len());
        let mut end = 0;
        for base_offset in files {
            // It was merged into the one before it, by a broker that was killed before it could remove it.
            if base_offset < end {
                Segment::new(base_offset, Some(&folder)).remove();
                continue;
            }
            let (producers, transactions) = (&mut self.producers, &mut self.transactions);
            let next_offset = &mut self.next_offset;
            *next_offset = (*next_offset).max(base_offset);
            let is_last = last == Some(base_offset);
            let segment = Segment::recover(base_offset, &folder, is_last, |header, body| {
                producers.note(header);
                transactions.note(header, marker_of(body));
                end = header.next_offset();
            })?;
            *next_offset = (*next_offset).max(end);
            segments.push(segment);
        }
        self.start_offset =
            self.start_offset.max(segments.first().map_or(0, |first| first.base_offset));
        self.next_offset = self.next_offset.max(self.start_offset);
        if segments.is_empty() {
            segments.push(Segment::new(self.next_offset, Some(&folder)));
        }
        self.segments = segments;
        self.drop_segments();
        Ok(())
    }

    /// Changes when segments are closed.
    pub(crate) fn set_roll(&mut self, roll: Roll) {
        self.roll = roll;
    }

    /// Where the log is to begin so that it keeps what a topic's retention asks for: at a segment's beginning.
    pub(crate) fn retained_from(&self, not_before: Option<i64>, bytes: Option<u64>) -> i64 {
        let bounds = self.bounds();
        let mut size: u64 = self.segments.iter().map(|segment| segment.size).sum();
        let mut from = bounds.start;
        // The last segment stays: records come into it.
        for (segment, next) in self.segments.iter().zip(self.segments.iter().skip(1)) {
            let too_old = not_before.is_some_and(|time| segment.max_timestamp < time);
            let too_many = bytes.is_some_and(|bytes| size - segment.size >= bytes);
            if !(too_old || too_many) || next.base_offset > bounds.last_stable {
                break;
            }
            size -= segment.size;
            from = from.max(next.base_offset);
        }
        from
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let last_stable = self.transactions.first_open().unwrap_or(self.next_offset);
        Bounds { start: self.start_offset, last_stable, end: self.next_offset }
    }

    /// Appends what a producer sent; the offset of its first record.
    ///
    /// A batch that is here already is not appended again: its offset is the answer.
    pub(crate) fn append(&mut self, batch: Batch) -> Result<i64, ResponseError> {
        match self.producers.check(&batch.header)? {
            Verdict::Duplicate { base_offset } => Ok(base_offset),
            Verdict::New => self.write(batch, None),
        }
    }

    /// Ends a transaction in this partition. The record that says so takes an offset.
    pub(crate) fn end_transaction(
        &mut self,
        producer_id: i64,
        epoch: i16,
        marker: Marker,
        now: i64,
    ) -> Result<(), ResponseError> {
        self.write(Batch::marker(producer_id, epoch, marker, now), Some(marker)).map(drop)
    }

    /// Whether records of this producer wait for the end of a transaction.
    pub(crate) fn has_open_transaction(&self, producer_id: i64) -> bool {
        self.transactions.is_open(producer_id)
    }

    /// Up to `max_bytes` from `offset` on, and at least one batch if `at_least_one`.
    pub(crate) fn read(
        &mut self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
        isolation: Isolation,
    ) -> Result<Found, ResponseError> {
        let bounds = self.bounds();
        if offset < bounds.start || offset > bounds.end {
            return Err(ResponseError::OffsetOutOfRange);
        }
        let limit = match isolation {
            Isolation::ReadUncommitted => bounds.end,
            Isolation::ReadCommitted => bounds.last_stable,
        };
        let nothing = Found { bounds, aborted: Vec::new(), size: 0, piece: None };
        if offset >= limit || (max_bytes == 0 && !at_least_one) {
            return Ok(nothing);
        }
        let found = self.segment_from(offset).map_err(|error| failed("read", &error))?;
        let Some((segment, start, next_base)) = found else { return Ok(nothing) };
        let end = |segment: &mut Segment| {
            let visible = if limit < next_base { segment.position(limit)? } else { segment.size };
            io::Result::Ok(segment.boundary(start, start + max_bytes as u64)?.min(visible))
        };
        let end = end(segment).map_err(|error| failed("read", &error))?;
        let size = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
        if size == 0 || (size > max_bytes && !at_least_one) {
            return Ok(nothing);
        }
        let piece = segment.piece(start, end).map_err(|error| failed("read", &error))?;
        let aborted = match isolation {
            Isolation::ReadUncommitted => Vec::new(),
            Isolation::ReadCommitted => self.transactions.aborted(offset, limit),
        };
        Ok(Found { bounds, aborted, size, piece: Some(piece) })
    }

    /// The first record at or after `time`: its offset and timestamp.
    pub(crate) fn find_time(&mut self, time: i64) -> Result<Option<(i64, i64)>, ResponseError> {
        let start_offset = self.start_offset;
        for segment in self.segments.iter_mut().filter(|segment| segment.max_timestamp >= time) {
            let mut find = || {
                let start = segment.position(start_offset)?;
                segment.batch_at_time(start, time)
            };
            if let Some((header, batch)) = find().map_err(|error| failed("read", &error))? {
                let (offset, timestamp) = find_time(&header, &batch, time);
                return Ok(Some((offset.max(start_offset), timestamp)));
            }
        }
        Ok(None)
    }

    /// The record with the latest timestamp.
    pub(crate) fn find_latest(&mut self) -> Result<Option<(i64, i64)>, ResponseError> {
        match self.segments.iter().map(|segment| segment.max_timestamp).max() {
            Some(latest) if latest >= 0 => self.find_time(latest),
            _ => Ok(None),
        }
    }

    /// Forgets the records before `offset`, and the segments that then hold none.
    pub(crate) fn delete_before(&mut self, offset: i64) {
        self.start_offset = self.start_offset.max(offset);
        self.next_offset = self.next_offset.max(self.start_offset);
        self.transactions.forget_before(self.start_offset);
        self.drop_segments();
        self.wake();
    }

    /// Rings `bell` when this log moves.
    pub(crate) fn wait(&mut self, bell: &Arc<Condvar>) {
        self.waiting.push(Arc::clone(bell));
    }

    /// Undoes [`wait`](Self::wait).
    pub(crate) fn stop_waiting(&mut self, bell: &Arc<Condvar>) {
        self.waiting.retain(|other| !Arc::ptr_eq(bell, other));
    }

    /// Rings every bell.
    pub(crate) fn wake(&self) {
        self.waiting.iter().for_each(|bell| bell.notify_all());
    }

    /// Closes files that nobody has used since `time`.
    pub(crate) fn close_idle(&mut self, time: Instant) {
        self.segments.iter_mut().for_each(|segment| segment.close_idle(time));
    }

    fn write(&mut self, mut batch: Batch, marker: Option<Marker>) -> Result<i64, ResponseError> {
        let base_offset = self.next_offset;
        batch.place(base_offset);
        let header = batch.header;
        let active = self.active(&header);
        active.append(batch).map_err(|error| failed("write", &error))?;
        self.producers.note(&header);
        self.transactions.note(&header, marker);
        self.next_offset = header.next_offset();
        self.wake();
        Ok(base_offset)
    }

    /// The segment that takes the next batch.
    fn active(&mut self, header: &Header) -> &mut Segment {
        let is_full = |segment: &Segment| {
            let full = segment.size + header.size as u64 > self.roll.bytes;
            segment.size > 0 && (full || segment.begun.elapsed() >= self.roll.after)
        };
        // One look by value keeps the borrow of the last segment short.
        let roll = self.segments.last().is_none_or(is_full);
        if roll {
            self.segments.push(Segment::new(self.next_offset, self.folder.as_deref()));
        }
        #[expect(clippy::expect_used, reason = "the line above pushes one if there is none")]
        self.segments.last_mut().expect("a log has a segment")
    }

    /// The first segment with a batch that ends behind `offset`, that batch's position, and where the next segment
    /// begins. After compaction it need not be the one that `offset` was in.
    fn segment_from(&mut self, offset: i64) -> io::Result<Option<(&mut Segment, u64, i64)>> {
        let behind = self.segments.partition_point(|segment| segment.base_offset <= offset);
        for index in behind.saturating_sub(1)..self.segments.len() {
            let next_base = self.segments.get(index + 1).map_or(i64::MAX, |next| next.base_offset);
            let Some(segment) = self.segments.get_mut(index) else { break };
            let position = segment.position(offset)?;
            if position < segment.size {
                return Ok(self.segments.get_mut(index).map(|it| (it, position, next_base)));
            }
        }
        Ok(None)
    }

    fn drop_segments(&mut self) {
        let start = self.start_offset;
        let is_spent =
            self.segments.last().is_some_and(|last| last.size > 0) && start >= self.next_offset;
        if is_spent {
            self.segments.push(Segment::new(self.next_offset, self.folder.as_deref()));
        }
        let keep_from = self.segments.partition_point(|segment| segment.base_offset <= start);
        let spent: Vec<_> = self.segments.drain(..keep_from.saturating_sub(1)).collect();
        spent.into_iter().for_each(Segment::remove);
    }
}

/// Says loudly what the disk said, and what the client is told.
fn failed(what: &str, error: &io::Error) -> ResponseError {
    tracing::error!(%error, "cannot {what} a partition file; clients get KAFKA_STORAGE_ERROR");
    ResponseError::KafkaStorageError
}
