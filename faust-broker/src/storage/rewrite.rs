//! A batch again, with fewer records: what compaction leaves of it.

use bytes::BytesMut;

use super::batch::{
    ATTRIBUTES_AT, BASE_TIMESTAMP_AT, Batch, COUNT_AT, HEADER_BYTES, Header, MAX_TIMESTAMP_AT,
    put_at,
};
use super::records::Record;

/// A batch with some of its records, not compressed. Offsets, times and the producer's numbers stay.
///
/// Its delete horizon is the time from which on its tombstones may go. As on Kafka, it takes the place of the base
/// timestamp, and a bit in the attributes says so.
pub(crate) fn with_records(
    header: &Header,
    batch: &[u8],
    kept: &[Record<'_>],
    horizon: Option<i64>,
) -> Option<Batch> {
    let horizon = horizon.or(header.delete_horizon());
    let base_timestamp = horizon.unwrap_or(header.base_timestamp);
    let mut bytes = BytesMut::from(batch.get(..HEADER_BYTES)?);
    let earlier = header.base_timestamp.saturating_sub(base_timestamp);
    kept.iter().for_each(|record| record.put(&mut bytes, earlier));
    let times = kept.iter().map(|record| header.base_timestamp + record.timestamp_delta);
    let max_timestamp = match times.max() {
        Some(latest) if !header.has_log_append_time() => latest,
        _ => header.max_timestamp,
    };
    let attributes = header.plain_attributes(horizon.is_some());
    put_at(&mut bytes, ATTRIBUTES_AT, &attributes.to_be_bytes());
    put_at(&mut bytes, BASE_TIMESTAMP_AT, &base_timestamp.to_be_bytes());
    put_at(&mut bytes, MAX_TIMESTAMP_AT, &max_timestamp.to_be_bytes());
    put_at(&mut bytes, COUNT_AT, &i32::try_from(kept.len()).ok()?.to_be_bytes());
    Batch::sealed(bytes)
}

/// The end of a transaction again, with a time from which on it may go.
pub(crate) fn with_horizon(batch: &[u8], header: &Header, horizon: i64) -> Option<Batch> {
    let mut bytes = BytesMut::from(batch);
    let attributes = header.plain_attributes(true);
    put_at(&mut bytes, ATTRIBUTES_AT, &attributes.to_be_bytes());
    put_at(&mut bytes, BASE_TIMESTAMP_AT, &horizon.to_be_bytes());
    Batch::sealed(bytes)
}
