//! Idempotence: the last five batches of every producer, so that a batch that is sent twice is
//! kept once, and a lost one is noticed.

use std::collections::{HashMap, VecDeque};

use kafka_protocol::ResponseError;

use crate::storage::batch::Header;

/// A producer has at most this many requests on the way.
const REMEMBERED: usize = 5;

/// What to do with a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    New,
    Duplicate { base_offset: i64 },
}

/// The producers of one partition.
#[derive(Debug, Default)]
pub(crate) struct Producers(HashMap<i64, Producer>);

#[derive(Debug)]
struct Producer {
    epoch: i16,
    /// Oldest first; empty right after a new epoch.
    batches: VecDeque<Sent>,
}

#[derive(Debug)]
struct Sent {
    first: i32,
    last: i32,
    base_offset: i64,
}

impl Producers {
    /// Judges a batch by its producer's epoch and sequence numbers.
    pub(crate) fn check(&self, header: &Header) -> Result<Verdict, ResponseError> {
        // A producer that is not idempotent, or whose records are all gone, has no history.
        let Some(producer) = self.0.get(&header.producer_id) else { return Ok(Verdict::New) };
        let (first, last) = (header.base_sequence, header.last_sequence());
        if header.producer_epoch < producer.epoch {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        if header.producer_epoch > producer.epoch {
            let starts_anew = first == 0;
            return starts_anew
                .then_some(Verdict::New)
                .ok_or(ResponseError::OutOfOrderSequenceNumber);
        }
        if let Some(sent) =
            producer.batches.iter().find(|sent| (sent.first, sent.last) == (first, last))
        {
            return Ok(Verdict::Duplicate { base_offset: sent.base_offset });
        }
        let expected = match producer.batches.back() {
            None => 0,
            Some(sent) => sent.last.checked_add(1).unwrap_or(0),
        };
        if first == expected {
            Ok(Verdict::New)
        } else {
            Err(ResponseError::OutOfOrderSequenceNumber)
        }
    }

    /// Where the last batch of each producer begins.
    pub(crate) fn last_offsets(&self) -> HashMap<i64, i64> {
        let last =
            |(id, producer): (&i64, &Producer)| Some((*id, producer.batches.back()?.base_offset));
        self.0.iter().filter_map(last).collect()
    }

    /// Remembers a batch that is in the log.
    pub(crate) fn note(&mut self, header: &Header) {
        if header.producer_id < 0 {
            return;
        }
        let epoch = header.producer_epoch;
        let fresh = || Producer { epoch, batches: VecDeque::new() };
        let producer = self.0.entry(header.producer_id).or_insert_with(fresh);
        if epoch > producer.epoch {
            *producer = fresh();
        }
        // The end of a transaction may carry a new epoch, but it has no sequence number.
        if header.is_control() {
            return;
        }
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Sent {
            first: header.base_sequence,
            last: header.last_sequence(),
            base_offset: header.base_offset,
        });
    }
}
