//! A partition's log with transactions, and a reader of what is committed.

use super::*;
use bytes::Bytes;

/// How a transaction stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TxnState {
    Open,
    Committed,
    Aborted,
}

/// A record as it rests; a control record has neither key nor value and is never delivered.
#[derive(Clone)]
pub(super) struct Record {
    offset: Offset,
    timestamp: Timestamp,
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: Vec<(String, Bytes)>,
    txn: Option<u64>,
    control: bool,
}

/// A record as a reader outside sees it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) partition: u32,
    pub(crate) timestamp: Timestamp,
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) headers: Vec<(String, Bytes)>,
}

impl Record {
    pub(super) fn new(
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(String, Vec<u8>)],
        timestamp: Timestamp,
        txn: Option<u64>,
    ) -> Self {
        Self {
            offset: 0,
            timestamp,
            key: key.map(Bytes::copy_from_slice),
            value: value.map(Bytes::copy_from_slice),
            headers: headers
                .iter()
                .map(|(name, value)| (name.clone(), Bytes::copy_from_slice(value)))
                .collect(),
            txn,
            control: false,
        }
    }
}

/// One partition.
#[derive(Default)]
pub(super) struct Log {
    start: Offset,
    records: Vec<Record>,
    /// Where each open transaction begins here.
    open: BTreeMap<u64, Offset>,
    readers: Vec<std::task::Waker>,
}

impl Log {
    fn end_offset(&self) -> Offset {
        self.records.last().map_or(self.start, |last| last.offset + 1)
    }

    pub(super) fn append(&mut self, mut record: Record) -> Offset {
        let offset = self.end_offset();
        record.offset = offset;
        if let Some(txn) = record.txn.filter(|_| !record.control) {
            self.open.entry(txn).or_insert(offset);
        }
        self.records.push(record);
        self.wake();
        offset
    }

    fn wake(&mut self) {
        for reader in self.readers.drain(..) {
            reader.wake();
        }
    }

    /// Writes the marker of a transaction that touched this partition.
    pub(super) fn end(&mut self, txn: u64) {
        if self.open.remove(&txn).is_some() {
            let mut marker = Record::new(None, None, &[], Timestamp::from_millis(0), Some(txn));
            marker.control = true;
            self.append(marker);
        }
        self.wake();
    }

    pub(super) fn offset(&self, at: At) -> Offset {
        match at {
            At::Start => self.start,
            At::End => self.end_offset(),
            At::Time(time) => self
                .records
                .iter()
                .find(|record| !record.control && record.timestamp >= time)
                .map_or(self.end_offset(), |record| record.offset),
        }
    }

    pub(super) fn delete_before(&mut self, offset: Offset) {
        let end = self.end_offset();
        self.start = self.start.max(offset.min(end));
        let start = self.start;
        // The last record stays as the holder of the end offset.
        let last = self.records.pop();
        self.records.retain(|record| record.offset >= start);
        self.records.extend(last);
    }

    #[cfg(test)]
    pub(super) fn compact_away(&mut self, offset: Offset) {
        self.records.retain(|record| record.offset != offset);
    }

    /// The first offset of an open transaction, or the end.
    fn stable_end(&self) -> Offset {
        self.open.values().copied().min().unwrap_or_else(|| self.end_offset())
    }

    fn visible<'a>(
        &'a self,
        from: Offset,
        txns: &'a HashMap<u64, TxnState>,
    ) -> impl Iterator<Item = &'a Record> {
        let (from, end) = (from.max(self.start), self.stable_end());
        let first = self.records.partition_point(|record| record.offset < from);
        let rest = self.records.iter().skip(first);
        rest.take_while(move |record| record.offset < end).filter(move |record| {
            let committed = |txn| txns.get(&txn) == Some(&TxnState::Committed);
            !record.control && record.txn.is_none_or(committed)
        })
    }

    pub(super) fn committed(&self, partition: u32, txns: &HashMap<u64, TxnState>) -> Vec<Seen> {
        self.visible(self.start, txns)
            .map(|record| Seen {
                partition,
                timestamp: record.timestamp,
                key: record.key.clone(),
                value: record.value.clone(),
                headers: record.headers.clone(),
            })
            .collect()
    }
}

/// Reads one partition, committed records only.
pub(super) struct Reader {
    cluster: Cluster,
    process: Process,
    of: TopicPartition,
    next: Offset,
    /// Where the reader has said that there is nothing further.
    said: Option<Offset>,
}

/// As many as a reader hands over at once: few, so that tests meet batch boundaries.
const BATCH: usize = if cfg!(feature = "bench") { 1000 } else { 7 };

impl Reader {
    pub(super) fn new(
        cluster: Cluster,
        process: Process,
        of: TopicPartition,
        from: Offset,
    ) -> Self {
        Self { cluster, process, of, next: from, said: None }
    }
}

impl Source for Reader {
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Batch, KafkaError>> {
        if !self.process.alive() {
            return Poll::Pending;
        }
        let mut guard = self.cluster.lock();
        let state = &mut *guard;
        let log = state
            .topics
            .get_mut(&self.of.topic)
            .and_then(|logs| logs.get_mut(self.of.partition as usize));
        let Some(log) = log else {
            return Poll::Ready(Err(KafkaError::failed(&self.of, "no such partition")));
        };
        if self.next < log.start || self.next > log.end_offset() {
            let offset = self.next;
            return Poll::Ready(Err(KafkaError::OutOfRange { partition: self.of.clone(), offset }));
        }
        let end = log.stable_end();
        let records: Vec<Record> =
            log.visible(self.next, &state.txns).take(BATCH).cloned().collect();
        let at_end = records.len() < BATCH;
        self.next = match records.last() {
            Some(last) if !at_end => last.offset + 1,
            _ => end,
        };
        if records.is_empty() && self.said == Some(end) {
            log.readers.push(cx.waker().clone());
            return Poll::Pending;
        }
        let end = at_end.then_some(end);
        self.said = end;
        let messages = Box::new(Records(records));
        Poll::Ready(Ok(Batch { messages, end, caught_up: end.is_some() }))
    }
}

struct Records(Vec<Record>);

impl Messages for Records {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn bytes(&self) -> usize {
        let size = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        self.0.iter().map(|record| 64 + size(&record.key) + size(&record.value)).sum()
    }

    fn get(&self, index: usize) -> Option<Message<'_>> {
        self.0.get(index).map(|record| Message {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            has_headers: !record.headers.is_empty(),
        })
    }

    fn headers(&self, index: usize) -> Vec<(&str, Option<&[u8]>)> {
        let headers = self.0.get(index).map(|record| record.headers.as_slice()).unwrap_or_default();
        headers.iter().map(|(name, value)| (name.as_str(), Some(&value[..]))).collect()
    }
}
