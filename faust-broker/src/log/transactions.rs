//! The transactions in one partition: which are open, and which were aborted where.

use std::collections::HashMap;
use std::ops::Range;

use crate::storage::batch::{Header, Marker};

/// A transaction whose records a committed reader must skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    /// The offset of the marker.
    last_offset: i64,
}

/// What a partition knows of its transactions. All of it follows from the batches in the log.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    /// Producer → offset of its first record in the open transaction.
    open: HashMap<i64, i64>,
    /// In the order of their markers.
    aborted: Vec<Aborted>,
}

impl Transactions {
    /// Learns from a batch that is in the log.
    pub(crate) fn note(&mut self, header: &Header, marker: Option<Marker>) {
        if !header.is_transactional() {
            return;
        }
        let producer_id = header.producer_id;
        if !header.is_control() {
            self.open.entry(producer_id).or_insert(header.base_offset);
        } else if let Some(marker) = marker
            && let Some(first_offset) = self.open.remove(&producer_id)
            && marker == Marker::Abort
        {
            let last_offset = header.base_offset;
            self.aborted.push(Aborted { producer_id, first_offset, last_offset });
        }
    }

    /// Where the earliest open transaction begins: the last stable offset, if there is one.
    pub(crate) fn first_open(&self) -> Option<i64> {
        self.open.values().min().copied()
    }

    pub(crate) fn is_open(&self, producer_id: i64) -> bool {
        self.open.contains_key(&producer_id)
    }

    /// The aborted transactions with records from `start` up to `end`.
    pub(crate) fn aborted(&self, start: i64, end: i64) -> Vec<Aborted> {
        let from = self.aborted.partition_point(|aborted| aborted.last_offset < start);
        let reaching = self.aborted.iter().skip(from);
        reaching.filter(|aborted| aborted.first_offset < end).copied().collect()
    }

    /// The offsets of each producer's aborted transactions, without their markers.
    pub(crate) fn aborted_by_producer(&self) -> HashMap<i64, Vec<Range<i64>>> {
        let mut ranges: HashMap<_, Vec<_>> = HashMap::new();
        for Aborted { producer_id, first_offset, last_offset } in &self.aborted {
            ranges.entry(*producer_id).or_default().push(*first_offset..*last_offset);
        }
        ranges
    }

    /// Drops the transactions whose markers, by producer and offset, are gone.
    pub(crate) fn forget_ended(&mut self, markers: &[(i64, i64)]) {
        self.aborted.retain(|it| !markers.contains(&(it.producer_id, it.last_offset)));
    }

    /// Drops what lies before the start of the log.
    pub(crate) fn forget_before(&mut self, start: i64) {
        self.aborted.retain(|aborted| aborted.last_offset >= start);
    }
}
