//! What `send_latest` holds back: of several records of one key only the newest leaves. Records are kept encoded, one
//! place a key, and a key keeps its place after its record has left, so that a hot key costs no allocation.

use crate::commit::Outbox;
use crate::kafka::{TopicId, partition_for};
use crate::table::ByKey;
use crate::time::Timestamp;
use smallvec::SmallVec;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::ops::Range;

/// The newest records of one topic that have not left.
pub(crate) struct Newest {
    pub(crate) topic: TopicId,
    partitions: u32,
    hasher: foldhash::fast::FixedState,
    by_key: ByKey,
    places: Vec<Place>,
    waiting: usize,
}

/// With a short key and value, in one cache line: most of what a record costs here is waiting for its place.
#[repr(align(64))]
struct Place {
    key: SmallVec<[u8; 16]>,
    value: SmallVec<[u8; 16]>,
    time: Timestamp,
    partition: u32,
    has_value: bool,
    waits: bool,
}

const _: () = assert!(size_of::<Place>() == 64);

/// So many places may be empty before they are given up.
const EMPTY: usize = 4096;

impl Newest {
    pub(crate) fn new(topic: TopicId, partitions: u32) -> Self {
        let hasher = foldhash::fast::FixedState::default();
        Self { topic, partitions, hasher, by_key: ByKey::default(), places: Vec::new(), waiting: 0 }
    }

    /// Where the record of a key is.
    fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let is = |at: u32| self.places.get(at as usize).is_some_and(|place| *place.key == *key);
        self.by_key.find(hash, is)
    }

    /// Where it is, most likely.
    fn guess(&self, key: &[u8]) -> Guess {
        let hash = self.hasher.hash_one(key);
        Guess { hash, at: self.by_key.guess(hash) }
    }

    /// Nobody waits for what is only looked at: its line comes meanwhile.
    fn approach(&self, guess: &Guess) {
        let place = guess.at.and_then(|at| self.places.get(at as usize));
        black_box(place.map(|place| place.waits));
    }

    /// A record of a finished event takes the place of the one that waits.
    fn put(&mut self, guess: &Guess, key: &[u8], value: Option<&[u8]>, time: Timestamp) {
        let guessed = guess.at.and_then(|at| self.places.get_mut(at as usize));
        let place = match guessed {
            Some(place) if *place.key == *key => place,
            _ => match self.place(guess.hash, key) {
                Some(place) => place,
                None => return,
            },
        };
        place.value.clear();
        place.value.extend_from_slice(value.unwrap_or_default());
        place.has_value = value.is_some();
        place.time = time;
        self.waiting += usize::from(!std::mem::replace(&mut place.waits, true));
    }

    /// The place of a key, a new one where it has none.
    fn place(&mut self, hash: u64, key: &[u8]) -> Option<&mut Place> {
        let at = self.find(hash, key).unwrap_or_else(|| {
            let at = self.places.len() as u32;
            self.by_key.insert(hash, at);
            self.places.push(Place::new(key, self.partitions));
            at
        });
        self.places.get_mut(at as usize)
    }

    /// Lets the record of a key leave before others.
    fn push_out(&mut self, key: &[u8], out: &mut Outbox) {
        let found = self.find(self.hasher.hash_one(key), key);
        let place = found.and_then(|at| self.places.get_mut(at as usize));
        if let Some(place) = place.filter(|place| place.waits) {
            place.leave(self.topic, out);
            self.waiting -= 1;
        }
    }

    /// Takes all of it.
    fn take(&mut self, out: &mut Outbox) {
        if self.waiting > 0 {
            for place in self.places.iter_mut().filter(|place| place.waits) {
                place.leave(self.topic, out);
            }
        }
        if self.places.len() > EMPTY.max(8 * self.waiting) {
            self.by_key.clear();
            self.places.clear();
        }
        self.waiting = 0;
    }
}

/// Where a record belongs.
#[derive(Default)]
struct Guess {
    hash: u64,
    at: Option<u32>,
}

impl Place {
    fn new(key: &[u8], partitions: u32) -> Self {
        Self {
            key: key.into(),
            value: SmallVec::new(),
            time: Timestamp::from_millis(0),
            partition: partition_for(key, partitions),
            has_value: false,
            waits: false,
        }
    }

    fn leave(&mut self, topic: TopicId, out: &mut Outbox) {
        self.waits = false;
        let value = self.has_value.then_some(&*self.value);
        out.put(topic, self.partition, self.time, Some(&self.key), value);
    }
}

/// Everything that a task's sinks hold back.
#[derive(Default)]
pub(crate) struct Latest {
    sinks: Vec<Newest>,
    /// What finished events have given, in its order, not looked at yet: records are put in their places many at a
    /// time, so that the processor can look for the next places while it waits for the first.
    given: StagedLatest,
}

/// So many records are put in their places at once.
const AT_ONCE: usize = 256;

impl Latest {
    /// The topic's number here, given on its first use.
    pub(crate) fn sink(&mut self, topic: TopicId, partitions: u32) -> usize {
        match self.sinks.iter().position(|known| known.topic == topic) {
            Some(at) => at,
            None => {
                self.sinks.push(Newest::new(topic, partitions));
                self.sinks.len() - 1
            }
        }
    }

    pub(crate) fn has(&self, topic: TopicId) -> bool {
        self.sinks.iter().any(|known| known.topic == topic)
    }

    /// An event is done: what it has given waits with the rest.
    pub(crate) fn give(&mut self, staged: &mut StagedLatest) {
        self.given.append(staged);
        if self.given.entries.len() >= AT_ONCE {
            self.put();
        }
    }

    fn put(&mut self) {
        let StagedLatest { bytes, entries } = &mut self.given;
        // One loop after the other: the shorter each is, the more records of it the processor is at.
        for entry in &mut *entries {
            if let (Some(sink), Some(key)) =
                (self.sinks.get(entry.sink), bytes.get(entry.key.clone()))
            {
                entry.place = sink.guess(key);
            }
        }
        for entry in &*entries {
            if let Some(sink) = self.sinks.get(entry.sink) {
                sink.approach(&entry.place);
            }
        }
        for entry in entries.drain(..) {
            if let (Some(sink), Some(key)) = (self.sinks.get_mut(entry.sink), bytes.get(entry.key))
            {
                let value = entry.value.and_then(|value| bytes.get(value));
                sink.put(&entry.place, key, value, entry.time);
            }
        }
        bytes.clear();
    }

    /// A plain send of a key comes: what is held back of it leaves first, and what its own event, `staged`, has given
    /// before becomes a plain record too.
    pub(crate) fn push_out(
        &mut self,
        topic: TopicId,
        key: &[u8],
        out: &mut Outbox,
        staged: (&mut StagedLatest, &mut Outbox),
    ) {
        self.put();
        let Some(at) = self.sinks.iter().position(|known| known.topic == topic) else { return };
        if let Some(sink) = self.sinks.get_mut(at) {
            sink.push_out(key, out);
            let partition = partition_for(key, sink.partitions);
            staged.0.remove(at, key, |time, value| {
                staged.1.put(topic, partition, time, Some(key), value);
            });
        }
    }

    /// Takes all of it.
    pub(crate) fn take(&mut self, out: &mut Outbox) {
        self.put();
        for sink in &mut self.sinks {
            sink.take(out);
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
    /// Its number in the task's [`Latest`].
    sink: usize,
    /// Looked for before it is put there.
    place: Guess,
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
            self.entries.push(StagedEntry {
                sink,
                place: Guess::default(),
                key: start..middle,
                value,
                time,
            });
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

    /// Drops the last record.
    pub(crate) fn pop(&mut self) {
        if let Some(entry) = self.entries.pop() {
            self.bytes.truncate(entry.key.start);
        }
    }

    fn append(&mut self, other: &mut Self) {
        let base = self.bytes.len();
        self.bytes.append(&mut other.bytes);
        let moved = |range: Range<usize>| range.start + base..range.end + base;
        self.entries.extend(other.entries.drain(..).map(|entry| StagedEntry {
            key: moved(entry.key),
            value: entry.value.map(moved),
            ..entry
        }));
    }

    /// Takes out what is there of a key, in its order.
    fn remove(&mut self, sink: usize, key: &[u8], mut taken: impl FnMut(Timestamp, Option<&[u8]>)) {
        let bytes = &self.bytes;
        self.entries.retain(|entry| {
            let same = entry.sink == sink && bytes.get(entry.key.clone()) == Some(key);
            if same {
                taken(entry.time, entry.value.clone().and_then(|value| bytes.get(value)));
            }
            !same
        });
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
    use crate::kafka::Outgoing;
    use std::convert::Infallible;

    const TOPIC: TopicId = TopicId(0);

    fn latest() -> Latest {
        let mut latest = Latest::default();
        assert_eq!(latest.sink(TOPIC, 4), 0);
        latest
    }

    fn staged(records: &[(&str, Option<&str>)]) -> StagedLatest {
        let mut staged = StagedLatest::default();
        for (key, value) in records {
            let put = |out: &mut Vec<u8>, text: &str| {
                out.extend_from_slice(text.as_bytes());
                Ok::<_, Infallible>(true)
            };
            let value = |out: &mut Vec<u8>| value.map_or(Ok(false), |value| put(out, value));
            staged.push(0, Timestamp::from_millis(1), |out| put(out, key), value).unwrap();
        }
        staged
    }

    fn records(outbox: &Outbox) -> Vec<(String, Option<String>)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let record = |of: Outgoing<'_>| (of.key.map(text).unwrap(), of.value.map(text));
        let mut records: Vec<_> = outbox.records().map(record).collect();
        records.sort();
        records
    }

    fn taken(latest: &mut Latest) -> Vec<(String, Option<String>)> {
        let mut out = Outbox::default();
        latest.take(&mut out);
        records(&out)
    }

    fn record(key: &str, value: Option<&str>) -> (String, Option<String>) {
        (key.into(), value.map(Into::into))
    }

    #[test]
    fn of_several_records_of_a_key_the_newest_leaves_once() {
        let mut latest = latest();
        latest.give(&mut staged(&[("a", Some("1")), ("b", Some("1")), ("a", Some("22"))]));
        assert_eq!(taken(&mut latest), [record("a", Some("22")), record("b", Some("1"))]);
        assert_eq!(taken(&mut latest), []);
        latest.give(&mut staged(&[("a", None)]));
        assert_eq!(taken(&mut latest), [record("a", None)]);
    }

    #[test]
    fn a_record_that_was_pushed_out_leaves_once_and_the_next_one_of_its_key_after_it() {
        let mut latest = latest();
        latest.give(&mut staged(&[("a", Some("1"))]));
        let (mut out, mut own) = (Outbox::default(), Outbox::default());
        let mut event = staged(&[("a", Some("2")), ("b", Some("2"))]);
        latest.push_out(TOPIC, b"a", &mut out, (&mut event, &mut own));
        assert_eq!(records(&out), [record("a", Some("1"))]);
        assert_eq!(records(&own), [record("a", Some("2"))]);
        latest.give(&mut event);
        latest.give(&mut staged(&[("a", Some("3"))]));
        assert_eq!(taken(&mut latest), [record("a", Some("3")), record("b", Some("2"))]);
    }

    #[test]
    fn an_event_that_fails_leaves_nothing_behind() {
        let mut latest = latest();
        let mut event = staged(&[("a", Some("1"))]);
        event.clear();
        latest.give(&mut event);
        assert_eq!(taken(&mut latest), []);
    }

    #[test]
    fn places_of_keys_that_come_once_are_given_up() {
        let mut latest = latest();
        for round in 0..20 {
            let keys: Vec<String> = (0..500).map(|n| format!("{round}-{n}")).collect();
            let records: Vec<_> = keys.iter().map(|key| (key.as_str(), Some("1"))).collect();
            latest.give(&mut staged(&records));
            assert_eq!(taken(&mut latest).len(), 500);
            assert!(latest.sinks[0].places.len() <= EMPTY + 500);
        }
    }
}
