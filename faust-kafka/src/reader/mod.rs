//! Reading partitions: one client, one queue for each partition, batches of owned messages.

use std::task::{Context, Poll};

use crate::{Config, Result};

/// A client that fetches partitions. It belongs to no group: its partitions and offsets are given to it.
#[derive(Debug)]
pub struct Reader {}

impl Reader {
    /// A reader for the records that an app processes. `group` is the app's group: brokers check its permissions.
    pub fn data(config: &Config, group: &str) -> Result<Self> {
        let _ = (config, group);
        todo!()
    }

    /// A reader for recovery and standbys: larger fetches, deeper queues.
    pub fn restore(config: &Config, group: &str) -> Result<Self> {
        let _ = (config, group);
        todo!()
    }

    /// Starts fetching a partition from `offset`. A partition can be open once per reader.
    ///
    /// Waits for the client's own thread (not for a broker): some tenths of a millisecond.
    pub fn partition(&self, topic: &str, partition: i32, offset: i64) -> Result<PartitionReader> {
        let _ = (topic, partition, offset);
        todo!()
    }
}

/// The records of one partition, in order. Dropping it stops the fetching.
#[derive(Debug)]
pub struct PartitionReader {}

impl PartitionReader {
    /// The next records, at most `max`. Wakes the task when there are some. A batch can be without messages and carry
    /// only [`Batch::eof`].
    pub fn poll_batch(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<Result<Batch>> {
        let _ = (cx, max);
        todo!()
    }

    /// The next offset that a batch can hold. It moves over control records and gaps once the end of the partition
    /// was seen behind them.
    pub fn position(&self) -> i64 {
        todo!()
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        todo!()
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        todo!()
    }
}

/// Messages that were read together. They live as long as the batch, whatever becomes of the reader.
#[derive(Debug)]
pub struct Batch {}

impl Batch {
    /// How many messages there are.
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Whether there are none (then there is an [`eof`](Self::eof)).
    pub fn is_empty(&self) -> bool {
        todo!()
    }

    /// The bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        todo!()
    }

    /// The end of the partition, if it was reached behind the last message of this batch: the offset that the next
    /// record will have at least. Reported again each time the end was reached anew.
    pub fn eof(&self) -> Option<i64> {
        todo!()
    }

    /// A message.
    pub fn get(&self, index: usize) -> Option<Message<'_>> {
        let _ = index;
        todo!()
    }

    /// All messages.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Message<'_>> {
        std::iter::empty()
    }
}

/// One message of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a>(&'a ());

/// When a record was made, or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timestamp {
    /// The record has none.
    None,
    /// The producer's time, in milliseconds.
    Created(i64),
    /// The broker's time, in milliseconds.
    Appended(i64),
}

impl<'a> Message<'a> {
    /// The offset.
    pub fn offset(self) -> i64 {
        todo!()
    }
    /// The time.
    pub fn timestamp(self) -> Timestamp {
        todo!()
    }
    /// The key.
    pub fn key(self) -> Option<&'a [u8]> {
        todo!()
    }
    /// The value; none for a tombstone.
    pub fn value(self) -> Option<&'a [u8]> {
        todo!()
    }
    /// The headers, parsed when asked for.
    pub fn headers(self) -> Headers<'a> {
        todo!()
    }
}

/// The headers of a message, in order.
#[derive(Debug)]
pub struct Headers<'a>(&'a ());

/// One header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value.
    pub value: Option<&'a [u8]>,
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;
    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
}
