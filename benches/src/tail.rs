//! Reads an engine's output while it comes: the newest count of each word.

use crate::kafka::count;
use faust::Result;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What was read so far.
pub struct Tail {
    reader: BaseConsumer,
    counts: HashMap<Box<[u8]>, u64>,
    sum: u64,
    outputs: Option<HashMap<Box<[u8]>, Vec<Output>>>,
}

/// One output of a word; times in milliseconds.
pub struct Output {
    /// Its count.
    pub count: u64,
    /// When the broker appended it.
    pub appended: i64,
    /// When it was read here.
    pub seen: i64,
}

impl Tail {
    /// Reads from the start.
    pub fn new(reader: BaseConsumer) -> Self {
        Self { reader, counts: HashMap::new(), sum: 0, outputs: None }
    }

    /// And keeps every output.
    pub fn keeping(reader: BaseConsumer) -> Self {
        Self { outputs: Some(HashMap::new()), ..Self::new(reader) }
    }

    /// Reads one record, if one comes.
    pub fn step(&mut self, patience: Duration) -> Result<()> {
        let record = match self.reader.poll(patience) {
            Some(Ok(record)) => record,
            Some(Err(KafkaError::PartitionEOF(_))) | None => return Ok(()),
            Some(Err(error)) => return Err(error.into()),
        };
        let Some((word, count)) = count(&record) else {
            return Err("an output that is no count".into());
        };
        let before = match self.counts.get_mut(word) {
            Some(known) => std::mem::replace(known, count),
            None => {
                self.counts.insert(word.into(), count);
                0
            }
        };
        self.sum = (self.sum + count).saturating_sub(before);
        if let Some(outputs) = &mut self.outputs {
            let seen = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let output = Output {
                count,
                appended: record.timestamp().to_millis().unwrap_or(0),
                seen: seen.as_millis() as i64,
            };
            match outputs.get_mut(word) {
                Some(of_word) => of_word.push(output),
                None => {
                    outputs.insert(word.into(), vec![output]);
                }
            }
        }
        Ok(())
    }

    /// How many inputs the newest counts stand for.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The newest count of each word.
    pub fn counts(&self) -> &HashMap<Box<[u8]>, u64> {
        &self.counts
    }

    /// Every output of a word, in order.
    pub fn outputs(&self, word: &[u8]) -> &[Output] {
        let kept = self.outputs.as_ref().and_then(|outputs| outputs.get(word));
        kept.map(Vec::as_slice).unwrap_or_default()
    }
}
