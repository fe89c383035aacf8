//! Looking inside a batch, at single records.

use std::borrow::Cow;
use std::io::Read;

use bytes::{BufMut, BytesMut};

use super::batch::{HEADER_BYTES, Header};

/// A record, as far as the broker looks into it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    attributes: u8,
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) is_tombstone: bool,
    /// Key, value and headers as they stand.
    rest: &'a [u8],
}

impl<'a> Record<'a> {
    /// Steps over one record.
    fn next(bytes: &mut &'a [u8]) -> Option<Self> {
        let length = usize::try_from(get_varint(bytes)?).ok()?;
        let (mut record, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        let (&attributes, after) = record.split_first()?;
        record = after;
        let timestamp_delta = get_varint(&mut record)?;
        let offset_delta = get_varint(&mut record)?;
        let rest = record;
        let key = get_bytes(&mut record)?;
        let is_tombstone = get_varint(&mut record)? < 0;
        Some(Self { attributes, timestamp_delta, offset_delta, key, is_tombstone, rest })
    }

    /// Writes it as part of a batch whose base timestamp is `earlier` by so many milliseconds.
    pub(super) fn put(&self, out: &mut BytesMut, earlier: i64) {
        let mut record = BytesMut::with_capacity(self.rest.len() + 24);
        record.put_u8(self.attributes);
        put_varint(&mut record, self.timestamp_delta.saturating_add(earlier));
        put_varint(&mut record, self.offset_delta);
        record.extend_from_slice(self.rest);
        put_varint(out, i64::try_from(record.len()).unwrap_or(i64::MAX));
        out.extend_from_slice(&record);
    }
}

/// The records in bytes that are not compressed.
pub(crate) fn records(mut bytes: &[u8]) -> impl Iterator<Item = Record<'_>> {
    std::iter::from_fn(move || Record::next(&mut bytes))
}

/// The bytes of a batch's records in the clear; `None` where they cannot be had.
///
/// LZ4 is what our own clients use. Batches with other compressions are opaque to the broker.
pub(crate) fn plain<'a>(header: &Header, batch: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let bytes = batch.get(HEADER_BYTES..)?;
    if !header.is_compressed() {
        return Some(Cow::Borrowed(bytes));
    }
    if !header.is_lz4() {
        return None;
    }
    let mut plain = Vec::new();
    lz4_flex::frame::FrameDecoder::new(bytes).read_to_end(&mut plain).ok()?;
    Some(Cow::Owned(plain))
}

/// The first record of `batch` at or after `time`: its offset and timestamp.
///
/// Inside a compressed batch the records are out of sight. Then the batch's first record stands
/// for it: a reader who starts there sees a few records too many, never one too few.
pub(crate) fn find_time(header: &Header, batch: &[u8], time: i64) -> (i64, i64) {
    if header.has_log_append_time() {
        return (header.base_offset, header.max_timestamp);
    }
    if header.is_compressed() {
        return (header.base_offset, header.base_timestamp);
    }
    for record in records(batch.get(HEADER_BYTES..).unwrap_or_default()) {
        let timestamp = header.base_timestamp.saturating_add(record.timestamp_delta);
        if timestamp >= time {
            return (header.base_offset.saturating_add(record.offset_delta), timestamp);
        }
    }
    (header.base_offset, header.base_timestamp)
}

/// A length and as many bytes; a length below zero is null.
fn get_bytes<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let Ok(length) = usize::try_from(get_varint(bytes)?) else { return Some(None) };
    let (found, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(Some(found))
}

/// A zigzag varint of up to ten bytes.
fn get_varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    None
}

fn put_varint(out: &mut BytesMut, value: i64) {
    let mut rest = (value << 1 ^ value >> 63).cast_unsigned();
    while rest >= 0x80 {
        out.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_were_written() {
        for value in [0, 1, -1, 63, -64, 64, 300, -300, i64::MAX, i64::MIN] {
            let mut bytes = BytesMut::new();
            put_varint(&mut bytes, value);
            assert_eq!(get_varint(&mut &bytes[..]), Some(value));
        }
    }
}
