//! Records of one partition that are queued together.

use std::{
    ffi::{c_int, c_void},
    ptr,
};

use rdkafka_sys as sys;

use super::{deliveries::Ticket, send::Sender};
use crate::{Deliveries, Record, SendError, TopicHandle};

/// `FAUST_PARCEL` of `shim/produce.c`.
const PARCEL: usize = 64;

/// `struct faust_record` of `shim/produce.c`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Contents {
    key: *const c_void,
    value: *const c_void,
    key_len: usize,
    value_len: usize,
    timestamp: i64,
}

unsafe extern "C" {
    fn faust_produce(
        topic: *mut sys::rd_kafka_topic_t,
        partition: c_int,
        records: *const Contents,
        count: usize,
        opaque: *mut c_void,
    ) -> usize;
}

impl Contents {
    const NONE: Self =
        Self { key: ptr::null(), value: ptr::null(), key_len: 0, value_len: 0, timestamp: 0 };

    fn of(record: &Record<'_>) -> Self {
        let part = |bytes: Option<&[u8]>| {
            bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr().cast(), bytes.len()))
        };
        let ((key, key_len), (value, value_len)) = (part(record.key), part(record.value));
        Self { key, value, key_len, value_len, timestamp: record.native_timestamp() }
    }
}

impl Sender {
    /// Queues records in their order, until one is refused; then how many were queued, and why no more.
    pub(super) fn send_all(
        &self,
        topic: &TopicHandle,
        records: &[Record<'_>],
        deliveries: Option<(&Deliveries, u32)>,
    ) -> Result<(), (usize, SendError)> {
        let mut sent = 0;
        while let Some((first, others)) = records.get(sent..).and_then(<[_]>::split_first) {
            let alike = |record: &&Record<'_>| {
                record.partition == first.partition && record.headers.is_empty()
            };
            let run = match first.headers {
                [] => 1 + others.iter().take(PARCEL - 1).take_while(alike).count(),
                _ => 0,
            };
            let end = sent + run.max(1);
            let parcel = records.get(sent..sent + run).unwrap_or_default();
            sent += self.send_parcel(topic, parcel, deliveries).map_err(|error| (sent, error))?;
            // What is left of it is sent one by one: that says what is wrong, or succeeds.
            for record in records.get(sent..end).unwrap_or_default() {
                self.send(topic, record, deliveries).map_err(|error| (sent, error))?;
                sent += 1;
            }
        }
        Ok(())
    }

    /// Queues records of one partition that have no headers; how many of them. A single one is not worth it.
    fn send_parcel(
        &self,
        topic: &TopicHandle,
        records: &[Record<'_>],
        deliveries: Option<(&Deliveries, u32)>,
    ) -> Result<usize, SendError> {
        let Some(first) = records.first().filter(|_| records.len() > 1 && self.owns(topic)) else {
            return Ok(0);
        };
        let mut parcel = [Contents::NONE; PARCEL];
        for (contents, record) in parcel.iter_mut().zip(records) {
            *contents = Contents::of(record);
        }
        let count = records.len().min(PARCEL);
        let tickets = match deliveries {
            None => None,
            Some((deliveries, slot)) => Some(deliveries.tickets(slot, count as u32)?),
        };
        let opaque = tickets.as_ref().map_or(ptr::null_mut(), Ticket::opaque);
        // SAFETY: client and topic are alive and belong together; the first `count` entries point to what the records
        // borrow, which is copied before the call returns. Each record that is taken has a ticket, which is librdkafka's
        // from here on; the others are withdrawn below.
        let taken =
            unsafe { faust_produce(topic.ptr(), first.partition, parcel.as_ptr(), count, opaque) };
        if let Some(tickets) = tickets {
            tickets.withdraw((count - taken) as u32);
        }
        Ok(taken)
    }
}
