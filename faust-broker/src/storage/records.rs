//! Looking for a record's time inside a batch.

use super::batch::{HEADER_BYTES, Header};

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
    let mut rest = batch.get(HEADER_BYTES..).unwrap_or_default();
    while let Some((offset_delta, timestamp_delta)) = next_record(&mut rest) {
        let timestamp = header.base_timestamp.saturating_add(timestamp_delta);
        if timestamp >= time {
            return (header.base_offset.saturating_add(offset_delta), timestamp);
        }
    }
    (header.base_offset, header.base_timestamp)
}

/// Steps over one record; its offset and timestamp deltas.
fn next_record(bytes: &mut &[u8]) -> Option<(i64, i64)> {
    let length = usize::try_from(get_varint(bytes)?).ok()?;
    let (mut record, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    record = record.get(1..)?; // attributes
    let timestamp_delta = get_varint(&mut record)?;
    let offset_delta = get_varint(&mut record)?;
    Some((offset_delta, timestamp_delta))
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
