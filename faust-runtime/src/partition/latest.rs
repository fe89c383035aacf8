//! What `send_latest` holds back: of several records of one key only the newest leaves. Records are kept encoded, one
//! place a key, and a key keeps its place after its record has left, so that a hot key costs no allocation.

use crate::commit::Outbox;
use crate::kafka::{TopicId, partition_for};
use crate::time::Timestamp;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::ops::Range;

/// The newest records of one topic that have not left.
pub(crate) struct Newest {
    pub(crate) topic: TopicId,
    partitions: u32,
    hasher: foldhash::fast::FixedState,
    by_key: HashTable<u32>,
    places: Vec<Place>,
    /// The places whose record waits, in the order in which it came to wait.
    waiting: Vec<u32>,
}

struct Place {
    hash: u64,
    key: Box<[u8]>,
    partition: u32,
    value: Vec<u8>,
    /// The record has no value.
    tombstone: bool,
    time: Timestamp,
    waits: bool,
}

/// So many places may be empty before they are given up.
const EMPTY: usize = 4096;

impl Newest {
    pub(crate) fn new(topic: TopicId, partitions: u32) -> Self {
        Self {
            topic,
            partitions,
            hasher: foldhash::fast::FixedState::default(),
            by_key: HashTable::new(),
            places: Vec::new(),
            waiting: Vec::new(),
        }
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let found = self.by_key.find(hash, |&place| {
            let place = self.places.get(place as usize);
            place.is_some_and(|place| place.hash == hash && *place.key == *key)
        });
        found.map(|&place| place as usize)
    }

    /// A record of a finished event takes the place of the one that waits. How many more bytes wait.
    fn put(&mut self, key: &[u8], value: Option<&[u8]>, time: Timestamp) -> usize {
        let hash = self.hasher.hash_one(key);
        let index = match self.find(hash, key) {
            Some(index) => index,
            None => self.add(hash, key),
        };
        let Some(place) = self.places.get_mut(index) else { return 0 };
        let before = if place.waits { place.value.len() } else { 0 };
        place.value.clear();
        place.value.extend_from_slice(value.unwrap_or_default());
        place.tombstone = value.is_none();
        place.time = time;
        if !std::mem::replace(&mut place.waits, true) {
            self.waiting.push(index as u32);
            return key.len() + place.value.len();
        }
        place.value.len().saturating_sub(before)
    }

    fn add(&mut self, hash: u64, key: &[u8]) -> usize {
        let index = self.places.len();
        self.places.push(Place {
            hash,
            key: key.into(),
            partition: partition_for(key, self.partitions),
            value: Vec::new(),
            tombstone: false,
            time: Timestamp::from_millis(0),
            waits: false,
        });
        let places = &self.places;
        let hash_of = |&place: &u32| places.get(place as usize).map_or(0, |place| place.hash);
        self.by_key.insert_unique(hash, index as u32, hash_of);
        index
    }

    /// Lets the record of a key leave before others.
    pub(crate) fn push_out(&mut self, key: &[u8], out: &mut Outbox) {
        let index = self.find(self.hasher.hash_one(key), key);
        if let Some(place) = index.and_then(|index| self.places.get_mut(index)) {
            place.leave(self.topic, out);
        }
    }

    /// Takes all of it.
    pub(crate) fn take(&mut self, out: &mut Outbox) {
        let taken = self.waiting.len();
        for index in self.waiting.drain(..) {
            if let Some(place) = self.places.get_mut(index as usize) {
                place.leave(self.topic, out);
            }
        }
        if self.places.len() > EMPTY.max(8 * taken) {
            self.places.clear();
            self.by_key.clear();
        }
    }
}

impl Place {
    /// It may have left already: then it is listed as waiting once more than it waits.
    fn leave(&mut self, topic: TopicId, out: &mut Outbox) {
        if std::mem::take(&mut self.waits) {
            let value = (!self.tombstone).then_some(&self.value[..]);
            out.put(topic, self.partition, self.time, Some(&self.key), value);
        }
    }
}

/// What an event has given to `send_latest`, until it is done.
#[derive(Default)]
pub(crate) struct StagedLatest {
    bytes: Vec<u8>,
    entries: Vec<StagedEntry>,
}

struct StagedEntry {
    /// Which of the task's [`Newest`].
    sink: usize,
    key: Range<usize>,
    value: Option<Range<usize>>,
    time: Timestamp,
}

impl StagedLatest {
    /// Appends a record; false where it has no key, and then nothing is appended.
    pub(crate) fn push<E>(
        &mut self,
        sink: usize,
        time: Timestamp,
        key: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
        value: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let start = self.bytes.len();
        let put = || {
            if !key(&mut self.bytes)? {
                return Ok(false);
            }
            let middle = self.bytes.len();
            let there = value(&mut self.bytes)?;
            let value = there.then_some(middle..self.bytes.len());
            self.entries.push(StagedEntry { sink, key: start..middle, value, time });
            Ok(true)
        };
        let put = put();
        if !matches!(put, Ok(true)) {
            self.bytes.truncate(start);
        }
        put
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Lets what the event has given for a key leave before others of its records.
    pub(crate) fn push_out(&mut self, sink: usize, of: &Newest, key: &[u8], out: &mut Outbox) {
        let bytes = &self.bytes;
        self.entries.retain(|entry| {
            let same = entry.sink == sink && bytes.get(entry.key.clone()) == Some(key);
            if same {
                let value = entry.value.clone().and_then(|value| bytes.get(value));
                let partition = partition_for(key, of.partitions);
                out.put(of.topic, partition, entry.time, Some(key), value);
            }
            !same
        });
    }

    /// The event is done: its records wait with the others. How many more bytes wait.
    pub(crate) fn settle(&mut self, sinks: &mut [Newest]) -> usize {
        let mut more = 0;
        for entry in self.entries.drain(..) {
            if let (Some(sink), Some(key)) = (sinks.get_mut(entry.sink), self.bytes.get(entry.key))
            {
                let value = entry.value.and_then(|value| self.bytes.get(value));
                more += sink.put(key, value, entry.time);
            }
        }
        self.bytes.clear();
        more
    }

    /// Nothing of the event remains.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn staged(records: &[(&str, Option<&str>)]) -> StagedLatest {
        let mut staged = StagedLatest::default();
        for (key, value) in records {
            let put = |out: &mut Vec<u8>, text: &str| out.extend_from_slice(text.as_bytes());
            staged
                .push::<Infallible>(
                    0,
                    Timestamp::from_millis(1),
                    |out| Ok(put(out, key) == ()),
                    |out| Ok(value.map(|value| put(out, value)).is_some()),
                )
                .unwrap();
        }
        staged
    }

    fn taken(sinks: &mut [Newest]) -> Vec<(String, Option<String>)> {
        let mut out = Outbox::default();
        for sink in sinks {
            sink.take(&mut out);
        }
        let mut records = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        out.each::<Infallible>(0, |r| {
            records.push((r.key.map(text).unwrap(), r.value.map(text)));
            Ok(())
        })
        .unwrap();
        records
    }

    #[test]
    fn of_several_records_of_a_key_the_newest_leaves_once() {
        let mut sinks = [Newest::new(TopicId(0), 4)];
        staged(&[("a", Some("1")), ("b", Some("1")), ("a", Some("22"))]).settle(&mut sinks);
        let b = ("b".to_string(), Some("1".to_string()));
        assert_eq!(taken(&mut sinks), [("a".to_string(), Some("22".to_string())), b]);
        assert_eq!(taken(&mut sinks), []);
        staged(&[("a", None)]).settle(&mut sinks);
        assert_eq!(taken(&mut sinks), [("a".to_string(), None)]);
    }

    #[test]
    fn a_record_that_was_pushed_out_leaves_once_and_the_next_one_of_its_key_after_it() {
        let mut sinks = [Newest::new(TopicId(0), 4)];
        staged(&[("a", Some("1"))]).settle(&mut sinks);
        let mut out = Outbox::default();
        sinks[0].push_out(b"a", &mut out);
        sinks[0].push_out(b"a", &mut out);
        assert_eq!(out.len(), 1);
        staged(&[("a", Some("2"))]).settle(&mut sinks);
        assert_eq!(taken(&mut sinks), [("a".to_string(), Some("2".to_string()))]);
    }

    #[test]
    fn an_event_that_fails_leaves_nothing_behind() {
        let mut sinks = [Newest::new(TopicId(0), 4)];
        let mut event = staged(&[("a", Some("1"))]);
        event.clear();
        assert_eq!(event.settle(&mut sinks), 0);
        assert_eq!(taken(&mut sinks), []);
    }

    #[test]
    fn places_of_keys_that_come_once_are_given_up() {
        let mut sinks = [Newest::new(TopicId(0), 4)];
        for round in 0..20 {
            let keys: Vec<String> = (0..500).map(|n| format!("{round}-{n}")).collect();
            let records: Vec<_> = keys.iter().map(|key| (key.as_str(), Some("1"))).collect();
            staged(&records).settle(&mut sinks);
            assert_eq!(taken(&mut sinks).len(), 500);
            assert!(sinks[0].places.len() <= EMPTY + 500);
        }
    }
}
