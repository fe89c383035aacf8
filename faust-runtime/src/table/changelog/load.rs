//! From batches of a changelog into a store: collected until they are worth a write, sorted, the newest value of a key.

use super::seen::Seen;
use crate::kafka::{Batch, Offset};
use crate::table::store::{Mark, Store, StoreBatch, StoreError};
use std::sync::Arc;

/// Fewer are written like those of a cut: files of their own are not worth it.
const FEW: usize = 256 << 10;

/// What was read and is not written. It is copied: around a message that is kept, the client keeps four times as much,
/// and the more rows are written at once, the less the store has to look up and to merge.
pub(super) struct Loader {
    store: Arc<dyn Store>,
    seen: Seen,
    /// The keys and values of each batch, one behind the other.
    texts: Vec<Box<[u8]>>,
    records: Vec<Record>,
    /// Those without a key too.
    count: u64,
    bytes: usize,
    /// The offset that it reaches.
    at: Offset,
}

/// Where a record is: in which text, and from where on; its value follows its key.
struct Record {
    /// What its key begins with, behind what all keys begin with: it decides most comparisons.
    prefix: u64,
    text: u32,
    start: u32,
    key: u32,
    value: Option<u32>,
}

/// What a record takes beside its text: half of it again while they are sorted, and the row that it becomes.
const ENTRY: usize = size_of::<Record>() * 3 / 2 + size_of::<(&[u8], Option<&[u8]>)>();

impl Loader {
    pub(super) fn new(store: Arc<dyn Store>, at: Offset) -> Self {
        let (seen, texts, records) = (Seen::default(), Vec::new(), Vec::new());
        Self { store, seen, texts, records, count: 0, bytes: 0, at }
    }

    /// Notes the keys that it writes, where it can be all that there are: of `log` records at the most.
    pub(super) fn noting_keys(mut self, log: Offset) -> Self {
        if self.store.len() == 0 {
            self.seen = Seen::none_of(usize::try_from(log).unwrap_or(0));
        }
        self
    }

    /// Where reading stands.
    pub(super) fn at(&self) -> Offset {
        self.at
    }

    /// Takes what was read; how many bytes of keys and values that was.
    pub(super) fn take(&mut self, batch: Batch) -> usize {
        self.at = batch.reaches().unwrap_or(self.at).max(self.at);
        if batch.messages.len() == 0 {
            return 0;
        }
        let messages = || (0..batch.messages.len()).map_while(|index| batch.messages.get(index));
        let keyed = || messages().filter_map(|message| Some((message.key?, message.value)));
        let size = keyed().map(|(key, value)| key.len() + value.map_or(0, <[u8]>::len)).sum();
        let mut text = Vec::with_capacity(size);
        for (key, value) in keyed() {
            self.records.push(Record {
                prefix: 0,
                text: self.texts.len() as u32,
                start: text.len() as u32,
                key: key.len() as u32,
                value: value.map(|value| value.len() as u32),
            });
            text.extend_from_slice(key);
            text.extend_from_slice(value.unwrap_or_default());
            self.bytes += ENTRY;
        }
        self.count += batch.messages.len() as u64;
        self.bytes += size;
        self.texts.push(text.into());
        size
    }

    /// Whether there are any records.
    pub(super) fn has_records(&self) -> bool {
        self.count > 0
    }

    /// How many bytes it keeps.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes it all, and the mark with it; how many records there were.
    pub(super) fn write(&mut self, mark: &mut Mark) -> Result<u64, StoreError> {
        mark.changelog = mark.changelog.max(self.at);
        let texts = &self.texts;
        sort(texts, &mut self.records);
        let mut rows = Vec::with_capacity(self.records.len());
        let mut added = 0;
        // Nothing has to be looked up or removed in a store that is empty.
        let empty = self.store.len() == 0;
        for of_key in
            self.records.chunk_by(|a, b| a.prefix == b.prefix && a.key(texts) == b.key(texts))
        {
            let Some(newest) = of_key.last() else { continue };
            let (key, value) = (newest.key(texts), newest.value(texts));
            let known = self.seen.note(key) && !empty && self.store.get(key)?.is_some();
            added += i64::from(value.is_some()) - i64::from(known);
            if known || value.is_some() {
                rows.push((key, value));
            }
        }
        let batch = StoreBatch { rows, added, remove_below: None };
        match self.bytes {
            0..FEW => self.store.write(&batch, mark)?,
            _ => self.store.load(&batch, mark)?,
        }
        self.texts.clear();
        self.records.clear();
        self.bytes = 0;
        Ok(std::mem::take(&mut self.count))
    }
}

impl Record {
    fn key<'t>(&self, texts: &'t [Box<[u8]>]) -> &'t [u8] {
        self.part(texts, 0, self.key)
    }

    fn value<'t>(&self, texts: &'t [Box<[u8]>]) -> Option<&'t [u8]> {
        self.value.map(|len| self.part(texts, self.key, len))
    }

    fn part<'t>(&self, texts: &'t [Box<[u8]>], skip: u32, len: u32) -> &'t [u8] {
        let from = (self.start + skip) as usize;
        let text = texts.get(self.text as usize);
        text.and_then(|text| text.get(from..from + len as usize)).unwrap_or_default()
    }
}

/// By their keys; the newest of a key is the last one.
fn sort(texts: &[Box<[u8]>], records: &mut [Record]) {
    let Some(first) = records.first().map(|record| record.key(texts)) else { return };
    let mut common = first.len();
    for record in &*records {
        let same = record.key(texts).iter().zip(first).take(common).take_while(|(a, b)| a == b);
        common = same.count();
    }
    for record in &mut *records {
        record.prefix = prefix(record.key(texts).get(common..).unwrap_or_default());
    }
    records.sort_by(|a, b| a.prefix.cmp(&b.prefix).then_with(|| a.key(texts).cmp(b.key(texts))));
}

/// The first eight bytes, in their order.
fn prefix(key: &[u8]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(key) {
        *to = *from;
    }
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::memory::{Cluster, Connection, Process};
    use crate::kafka::{Broker, TopicPartition};
    use crate::table::store::Stores;
    use crate::table::store::memory::{Disk, MemoryStores};
    use std::collections::BTreeMap;
    use std::future::poll_fn;

    type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

    fn rows(store: &dyn Store) -> Rows {
        let mut rows = Rows::new();
        let mut visit = |key: &[u8], value: &[u8]| rows.insert(key.into(), value.into()).is_none();
        store.scan(b"", &mut visit).unwrap();
        rows
    }

    /// Keys that begin alike, also such as begin another one; often the same ones, also twice in a batch; values that
    /// are empty, and removals.
    fn record(number: u64, keys: u64) -> (Vec<u8>, Option<Vec<u8>>) {
        let drawn = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        let mut key = b"customer-".to_vec();
        key.resize(9 + (drawn % 12) as usize, 0);
        key.extend((drawn % keys).to_be_bytes().iter().filter(|byte| **byte > 0));
        let value = match drawn >> 32 & 7 {
            0 => None,
            1 => Some(Vec::new()),
            _ => Some(number.to_string().into_bytes()),
        };
        (key, value)
    }

    /// Loads records in as many writes as `rounds`, with and without noting the keys, into a store that has `before`
    /// rows; the newest value of each key is there, and counted, after each write.
    async fn load(before: usize, rounds: u64, keys: u64, noting: bool) {
        let cluster = Cluster::new();
        cluster.create("log", 1);
        let broker = Connection::new(cluster.clone(), Process::default());
        let mut source = broker.restore(&TopicPartition::new("log", 0), 0).unwrap();
        let store = MemoryStores::new(Disk::default()).open("t", 0).unwrap();
        let mut model = Rows::new();
        for number in 0..before as u64 {
            model.insert(record(number, keys).0, b"before".to_vec());
        }
        let old = model.iter().map(|(key, value)| (&key[..], Some(&value[..]))).collect();
        let old = StoreBatch { rows: old, added: model.len() as i64, remove_below: None };
        store.write(&old, &Mark::default()).unwrap();

        let (mut loader, mut mark) = (Loader::new(store.clone(), 0), Mark::default());
        if noting {
            loader = loader.noting_keys(rounds as i64 * 300);
        }
        for round in 0..rounds {
            for number in round * 300..round * 300 + 300 {
                let (key, value) = record(number, keys);
                cluster.append("log", 0, Some(&key), value.as_deref(), None);
                match value {
                    Some(value) => model.insert(key, value),
                    None => model.remove(&key),
                };
            }
            while loader.at() < (round as i64 + 1) * 300 {
                loader.take(poll_fn(|cx| source.poll_batch(cx)).await.unwrap());
            }
            assert_eq!(loader.write(&mut mark).unwrap(), 300);
            assert_eq!((rows(&*store), store.len()), (model.clone(), model.len() as u64));
            assert_eq!((mark.changelog, loader.bytes()), (loader.at(), 0));
        }
    }

    #[tokio::test]
    async fn the_newest_value_of_each_key_is_loaded_and_rows_are_counted() {
        for keys in [20, 500, 1 << 40] {
            load(0, 5, keys, true).await;
            load(0, 5, keys, false).await;
        }
    }

    #[tokio::test]
    async fn rows_that_were_there_are_counted_once() {
        load(100, 5, 500, true).await;
        load(100, 5, 500, false).await;
    }
}
