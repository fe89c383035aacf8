//! One partition, read through its own queue; batches stay as librdkafka has them.

use super::*;

/// As many messages as are taken from a queue at once: more gains nothing.
const BATCH: usize = 500;

pub(super) fn open(
    reader: &Reader,
    of: &TopicPartition,
    from: Offset,
) -> Result<Box<dyn Source>, KafkaError> {
    let reader = reader.partition(&of.topic, of.partition as i32, from);
    Ok(Box::new(Partition(reader.map_err(|error| failed("reading", error))?)))
}

struct Partition(native::PartitionReader);

impl Source for Partition {
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Batch, KafkaError>> {
        self.0.poll_batch(cx, BATCH).map(|batch| match batch {
            Ok(batch) => {
                let (end, caught_up) = (batch.eof(), batch.is_caught_up());
                Ok(Batch { messages: Box::new(Raw(batch)), end, caught_up })
            }
            Err(error) => Err(failed("reading", error)),
        })
    }
}

struct Raw(native::Batch);

impl Messages for Raw {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn bytes(&self) -> usize {
        self.0.bytes()
    }

    fn get(&self, index: usize) -> Option<Message<'_>> {
        let message = self.0.get(index)?;
        Some(Message {
            offset: message.offset(),
            timestamp: Timestamp::from_millis(message.timestamp().millis().unwrap_or(0)),
            key: message.key(),
            value: message.value(),
            has_headers: message.has_headers(),
        })
    }

    fn headers(&self, index: usize) -> Vec<(&str, Option<&[u8]>)> {
        let Some(message) = self.0.get(index) else { return Vec::new() };
        message
            .headers()
            .filter_map(|header| Some((std::str::from_utf8(header.name).ok()?, header.value)))
            .collect()
    }
}
