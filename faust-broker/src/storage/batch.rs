//! A record batch (magic 2), kept as the producer sent it. The broker reads its header, writes
//! its place in the log, and never looks inside a compressed one.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;

/// Bytes before the first record.
pub(crate) const HEADER_BYTES: usize = 61;
/// Bytes before the ones that `batch_length` counts: base offset and the length itself.
const LENGTH_END: usize = 12;
/// The checksum covers everything from the attributes on.
pub(super) const ATTRIBUTES_AT: usize = 21;
pub(super) const BASE_TIMESTAMP_AT: usize = 27;
const CHECKSUM_AT: usize = 17;
pub(super) const MAX_TIMESTAMP_AT: usize = 35;
pub(super) const COUNT_AT: usize = 57;
const LENGTH_AT: usize = 8;

const COMPRESSION: i16 = 0b111;
const LZ4: i16 = 3;
const LOG_APPEND_TIME: i16 = 0b1000;
const TRANSACTIONAL: i16 = 0b1_0000;
const CONTROL: i16 = 0b10_0000;
/// The base timestamp is the delete horizon: see `rewrite`.
const DELETE_HORIZON: i16 = 0b100_0000;

/// How a transaction ended, as its control record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    Abort,
    Commit,
}

/// The fixed part of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) base_offset: i64,
    /// Size of the whole batch, this header included.
    pub(crate) size: usize,
    magic: i8,
    checksum: u32,
    attributes: i16,
    last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    count: i32,
}

impl Header {
    /// Reads a header; `None` if these bytes cannot begin a batch.
    pub(crate) fn parse(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() < HEADER_BYTES {
            return None;
        }
        let base_offset = bytes.get_i64();
        let length = usize::try_from(bytes.get_i32()).ok()?;
        let _leader_epoch = bytes.get_i32();
        let header = Self {
            base_offset,
            size: length.checked_add(LENGTH_END)?,
            magic: bytes.get_i8(),
            checksum: bytes.get_u32(),
            attributes: bytes.get_i16(),
            last_offset_delta: bytes.get_i32(),
            base_timestamp: bytes.get_i64(),
            max_timestamp: bytes.get_i64(),
            producer_id: bytes.get_i64(),
            producer_epoch: bytes.get_i16(),
            base_sequence: bytes.get_i32(),
            count: bytes.get_i32(),
        };
        let sound =
            header.size >= HEADER_BYTES && header.magic == 2 && header.last_offset_delta >= 0;
        sound.then_some(header)
    }

    /// The first offset behind this batch.
    pub(crate) fn next_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta) + 1
    }

    /// The sequence number of the last record; numbers start again at 0 after `i32::MAX`.
    pub(crate) fn last_sequence(&self) -> i32 {
        let last = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        i32::try_from(last % (i64::from(i32::MAX) + 1)).unwrap_or(i32::MAX)
    }

    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    pub(crate) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.attributes & COMPRESSION != 0
    }

    pub(crate) fn is_lz4(&self) -> bool {
        self.attributes & COMPRESSION == LZ4
    }

    /// From when on compaction may remove the tombstones of the batch, or its end of a transaction.
    pub(crate) fn delete_horizon(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON != 0).then_some(self.base_timestamp)
    }

    /// The attributes of the batch when it is not compressed any more.
    pub(super) fn plain_attributes(&self, has_horizon: bool) -> i16 {
        let rest = self.attributes & !COMPRESSION;
        if has_horizon { rest | DELETE_HORIZON } else { rest }
    }

    pub(crate) fn has_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }
}

/// One batch with a header that was checked.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) header: Header,
    bytes: BytesMut,
}

impl Batch {
    /// Checks what a producer sent for one partition, which must be exactly one batch.
    pub(crate) fn check(records: &[u8]) -> Result<Self, ResponseError> {
        // Older formats carry their magic at the same place.
        if records.get(16).is_some_and(|&magic| magic < 2) {
            return Err(ResponseError::UnsupportedForMessageFormat);
        }
        let header = Header::parse(records).ok_or(ResponseError::CorruptMessage)?;
        if header.size != records.len() {
            return Err(ResponseError::InvalidRecord);
        }
        if !checksum_holds(&header, records) {
            return Err(ResponseError::CorruptMessage);
        }
        let idempotent = header.producer_id >= 0;
        let numbered = header.producer_epoch >= 0 && header.base_sequence >= 0;
        if header.count != header.last_offset_delta.saturating_add(1)
            || header.is_control()
            || (idempotent && !numbered)
            || (header.is_transactional() && !idempotent)
        {
            return Err(ResponseError::InvalidRecord);
        }
        Ok(Self { header, bytes: BytesMut::from(records) })
    }

    /// A batch out of its bytes, whose length and checksum are made to fit.
    pub(crate) fn sealed(mut bytes: BytesMut) -> Option<Self> {
        let length = i32::try_from(bytes.len().checked_sub(LENGTH_END)?).ok()?;
        put_at(&mut bytes, LENGTH_AT, &length.to_be_bytes());
        let checksum = crc32c::crc32c(bytes.get(ATTRIBUTES_AT..)?);
        put_at(&mut bytes, CHECKSUM_AT, &checksum.to_be_bytes());
        Some(Self { header: Header::parse(&bytes)?, bytes })
    }

    /// The control batch that ends a transaction in one partition.
    pub(crate) fn marker(producer_id: i64, epoch: i16, marker: Marker, now: i64) -> Self {
        let attributes = TRANSACTIONAL | CONTROL;
        let mut record = BytesMut::with_capacity(16);
        record.put_i8(0); // attributes
        put_small_varint(&mut record, 0); // timestamp delta
        put_small_varint(&mut record, 0); // offset delta
        put_small_varint(&mut record, 4); // key: version, type
        record.put_i16(0);
        record.put_i16(i16::from(marker == Marker::Commit));
        put_small_varint(&mut record, 6); // value: version, coordinator epoch
        record.put_i16(0);
        record.put_i32(0);
        put_small_varint(&mut record, 0); // headers

        let mut covered = BytesMut::with_capacity(64);
        covered.put_i16(attributes);
        covered.put_i32(0);
        covered.put_i64(now);
        covered.put_i64(now);
        covered.put_i64(producer_id);
        covered.put_i16(epoch);
        covered.put_i32(-1);
        covered.put_i32(1);
        put_small_varint(&mut covered, i8::try_from(record.len()).unwrap_or(i8::MAX));
        covered.extend_from_slice(&record);

        let size = ATTRIBUTES_AT + covered.len();
        let checksum = crc32c::crc32c(&covered);
        let mut bytes = BytesMut::with_capacity(size);
        bytes.put_i64(0);
        bytes.put_i32(i32::try_from(size - LENGTH_END).unwrap_or(i32::MAX));
        bytes.put_i32(0);
        bytes.put_i8(2);
        bytes.put_u32(checksum);
        bytes.extend_from_slice(&covered);
        let header = Header {
            base_offset: 0,
            size,
            magic: 2,
            checksum,
            attributes,
            last_offset_delta: 0,
            base_timestamp: now,
            max_timestamp: now,
            producer_id,
            producer_epoch: epoch,
            base_sequence: -1,
            count: 1,
        };
        Self { header, bytes }
    }

    /// Gives every record the broker's time instead of the producer's.
    pub(crate) fn stamp(&mut self, now: i64) {
        self.header.attributes |= LOG_APPEND_TIME;
        self.header.max_timestamp = now;
        put_at(&mut self.bytes, ATTRIBUTES_AT, &self.header.attributes.to_be_bytes());
        put_at(&mut self.bytes, MAX_TIMESTAMP_AT, &now.to_be_bytes());
        self.header.checksum = crc32c::crc32c(self.bytes.get(ATTRIBUTES_AT..).unwrap_or_default());
        put_at(&mut self.bytes, CHECKSUM_AT, &self.header.checksum.to_be_bytes());
    }

    /// Gives the batch its place in a log. Neither field is covered by the checksum.
    pub(crate) fn place(&mut self, base_offset: i64) {
        self.header.base_offset = base_offset;
        put_at(&mut self.bytes, 0, &base_offset.to_be_bytes());
        put_at(&mut self.bytes, LENGTH_END, &0i32.to_be_bytes()); // leader epoch
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes.freeze()
    }
}

/// Whether the checksum in `header` is that of `batch`.
pub(crate) fn checksum_holds(header: &Header, batch: &[u8]) -> bool {
    batch.get(ATTRIBUTES_AT..).is_some_and(|covered| crc32c::crc32c(covered) == header.checksum)
}

/// What a control batch says; `None` for anything that is not an end of a transaction.
pub(crate) fn marker_of(batch: &[u8]) -> Option<Marker> {
    // Length, attributes, two deltas and the key's length, a byte each: see `Batch::marker`.
    let mut key = batch.get(HEADER_BYTES + 5..HEADER_BYTES + 9)?;
    let _version = key.get_i16();
    match key.get_i16() {
        0 => Some(Marker::Abort),
        1 => Some(Marker::Commit),
        _ => None,
    }
}

/// A zigzag varint that fits in one byte: 0 to 63.
fn put_small_varint(out: &mut BytesMut, value: i8) {
    out.put_i8(value << 1);
}

/// Overwrites bytes of a batch whose length was checked.
pub(super) fn put_at(bytes: &mut BytesMut, at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_a_sound_batch_and_says_how_the_transaction_ended() {
        for marker in [Marker::Abort, Marker::Commit] {
            let mut batch = Batch::marker(7, 3, marker, 1_000);
            batch.place(42);
            let header = Header::parse(&batch.bytes).unwrap();
            assert_eq!((header.base_offset, header.next_offset()), (42, 43));
            assert_eq!((header.producer_id, header.producer_epoch), (7, 3));
            assert_eq!(header.size, batch.bytes.len());
            assert!(header.is_control() && header.is_transactional());
            assert!(checksum_holds(&header, &batch.bytes));
            assert_eq!(marker_of(&batch.bytes), Some(marker));
        }
    }

    #[test]
    fn sequences_start_again_at_zero_after_the_largest() {
        let mut header = Batch::marker(1, 0, Marker::Commit, 0).header;
        header.base_sequence = i32::MAX;
        header.last_offset_delta = 2;
        assert_eq!(header.last_sequence(), 1);
    }
}
