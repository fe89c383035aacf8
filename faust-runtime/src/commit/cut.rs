//! A cut: what a shard commits at once. Plain bytes, so that it can wait in memory until it is committed, and be
//! sent again as it is.

use crate::kafka::{Commit, KafkaError, Outgoing, TopicId};
use crate::partition::TaskId;
use crate::table::store::{Mark, Store};
use crate::time::Timestamp;
use futures::future::BoxFuture;
use std::ops::Range;
use std::sync::Arc;

/// The tasks of one shard that have something to commit.
#[derive(Default)]
pub(crate) struct Cut {
    pub(crate) tasks: Vec<TaskCut>,
    /// Under at-least-once: completes when the outputs of the cut's events are acknowledged.
    pub(crate) deliveries: Option<BoxFuture<'static, Result<(), KafkaError>>>,
}

/// All effects of a task's finished events since its last cut.
pub(crate) struct TaskCut {
    pub(crate) task: TaskId,
    /// How often the task has changed hands: a task that was lost and came back is another one.
    pub(crate) epoch: u32,
    /// The number of the cut in its task.
    pub(crate) number: u64,
    pub(crate) offsets: Vec<Commit>,
    pub(crate) tables: Vec<TableCut>,
    /// Outputs and replies, under exactly-once.
    pub(crate) outputs: Outbox,
}

/// The rows of one table that a cut changes, encoded once for the changelog and the store.
pub(crate) struct TableCut {
    /// The table's index in the topology.
    pub(crate) table: usize,
    /// What it is declared as, for messages.
    pub(crate) name: &'static str,
    /// None where the table has no changelog.
    pub(crate) changelog: Option<TopicId>,
    pub(crate) partition: u32,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) rows: Vec<RowChange>,
    /// How many more rows there are with it.
    pub(crate) added: i64,
    /// Rows with lower keys have expired.
    pub(crate) remove_below: Option<Vec<u8>>,
    /// The mark as it was before; the committer brings the changelog's offset up to date.
    pub(crate) mark: Mark,
}

/// A row's key and value in [`TableCut::bytes`].
pub(crate) struct RowChange {
    pub(crate) key: Range<u32>,
    /// `None`: the row is removed.
    pub(crate) value: Option<Range<u32>>,
}

impl TableCut {
    /// The records for its changelog.
    pub(crate) fn records(&self, changelog: TopicId) -> impl Iterator<Item = Outgoing<'_>> {
        self.rows.iter().map(move |row| Outgoing {
            topic: changelog,
            partition: self.partition,
            key: Some(self.slice(&row.key)),
            value: row.value.as_ref().map(|value| self.slice(value)),
            timestamp: None,
            headers: &[],
        })
    }

    /// The bytes of a range of this cut.
    pub(crate) fn slice(&self, range: &Range<u32>) -> &[u8] {
        self.bytes.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.remove_below.is_none()
    }
}

/// Records to be sent, encoded one behind the other.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    entries: Vec<OutboxEntry>,
}

/// One record of an [`Outbox`].
pub(crate) struct OutboxEntry {
    pub(crate) topic: TopicId,
    pub(crate) partition: u32,
    pub(crate) timestamp: Option<Timestamp>,
    key: Option<Range<u32>>,
    value: Option<Range<u32>>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Outbox {
    /// How many bytes it keeps.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<OutboxEntry>()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How large the last record is, key and value together.
    pub(crate) fn last_bytes(&self) -> usize {
        let part = |range: &Option<Range<u32>>| range.as_ref().map_or(0, |range| range.len());
        self.entries.last().map_or(0, |entry| part(&entry.key) + part(&entry.value))
    }

    /// Drops the last record.
    pub(crate) fn pop(&mut self) {
        if let Some(entry) = self.entries.pop()
            && let Some(start) = entry.key.or(entry.value).map(|range| range.start)
        {
            self.bytes.truncate(start as usize);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Drops all records; its memory is used again.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    /// Puts records of one destination next to each other, in their order. They are sent together then, and the
    /// producer's memory for them lies in the order in which it walks them.
    pub(crate) fn sort(&mut self) {
        let destination = |entry: &OutboxEntry| (entry.topic.0, entry.partition);
        if !self.entries.is_sorted_by_key(destination) {
            self.entries.sort_by_key(destination);
        }
    }

    /// Moves all records of another one behind its own.
    pub(crate) fn append(&mut self, other: &mut Self) {
        let base = self.bytes.len() as u32;
        self.bytes.append(&mut other.bytes);
        self.entries.extend(other.entries.drain(..).map(|mut entry| {
            for range in [&mut entry.key, &mut entry.value].into_iter().flatten() {
                range.start += base;
                range.end += base;
            }
            entry
        }));
    }

    /// Appends a record that is encoded already.
    pub(crate) fn put(
        &mut self,
        topic: TopicId,
        partition: u32,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) {
        let mut copy = |part: Option<&[u8]>| {
            let start = self.bytes.len() as u32;
            self.bytes.extend_from_slice(part?);
            Some(start..self.bytes.len() as u32)
        };
        let (key, value) = (copy(key), copy(value));
        let timestamp = Some(timestamp);
        let headers = Vec::new();
        self.entries.push(OutboxEntry { topic, partition, timestamp, key, value, headers });
    }

    /// Appends a record; `encode` writes the key, then the value, and says which are there.
    pub(crate) fn push<E>(
        &mut self,
        topic: TopicId,
        timestamp: Option<Timestamp>,
        headers: Vec<(String, Vec<u8>)>,
        key: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
        value: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
        partition: impl FnOnce(Option<&[u8]>) -> u32,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        let put = |bytes: &mut Vec<u8>| -> Result<OutboxEntry, E> {
            let key = part(bytes, key)?;
            let value = part(bytes, value)?;
            let key_bytes = key.as_ref().and_then(|k| bytes.get(k.start as usize..k.end as usize));
            let partition = partition(key_bytes);
            Ok(OutboxEntry { topic, partition, timestamp, key, value, headers })
        };
        match put(&mut self.bytes) {
            Ok(entry) => {
                self.entries.push(entry);
                Ok(())
            }
            Err(error) => {
                self.bytes.truncate(start);
                Err(error)
            }
        }
    }

    fn slice(&self, range: &Option<Range<u32>>) -> Option<&[u8]> {
        let range = range.as_ref()?;
        self.bytes.get(range.start as usize..range.end as usize)
    }

    /// The records in their order.
    pub(crate) fn records(&self) -> impl Iterator<Item = Outgoing<'_>> {
        self.entries.iter().map(|entry| Outgoing {
            topic: entry.topic,
            partition: entry.partition,
            key: self.slice(&entry.key),
            value: self.slice(&entry.value),
            timestamp: entry.timestamp,
            headers: &entry.headers,
        })
    }
}

fn part<E>(
    bytes: &mut Vec<u8>,
    encode: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
) -> Result<Option<Range<u32>>, E> {
    let start = bytes.len() as u32;
    Ok(encode(bytes)?.then_some(start..bytes.len() as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_one_destination_are_next_to_each_other_in_their_order() {
        let mut outbox = Outbox::default();
        for n in 0..60_u8 {
            let (topic, partition) = (TopicId(u32::from(n % 2)), u32::from(n / 2 % 3));
            outbox.put(topic, partition, Timestamp::from_millis(1), Some(&[n]), Some(b"v"));
        }
        outbox.sort();
        let sorted: Vec<_> = outbox
            .records()
            .map(|record| (record.topic.0, record.partition, record.key.unwrap().to_vec()))
            .collect();
        let mut expected: Vec<_> =
            (0..60).map(|n| (u32::from(n % 2), u32::from(n / 2 % 3), vec![n])).collect();
        expected.sort();
        assert_eq!(sorted, expected);
    }
}
