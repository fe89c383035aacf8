//! Sending records, plainly or in transactions.

mod class;
mod deliveries;
mod parcel;
mod partitioner;
mod send;
mod transaction;

pub use deliveries::{Deliveries, SlotOffset};
pub use partitioner::partition_for;
pub use send::{Record, TopicHandle};
pub use transaction::TransactionalProducer;

use std::{ffi::c_int, time::Duration};

use rdkafka_sys as sys;

use crate::{Code, Config, Error, Result, SendError, config::Role, native::millis};

unsafe extern "C" {
    fn faust_flush(rk: *mut sys::rd_kafka_t, timeout_ms: c_int) -> c_int;
}

/// An idempotent producer: every record arrives once and in order, or its delivery is reported as
/// failed.
///
/// Dropped, it gives up what is still under way (and says so to the [`Deliveries`]):
/// [`flush`](Self::flush) first.
///
/// ```no_run
/// # use std::time::Duration;
/// # use faust_kafka::{Config, Producer, Record, partition_for};
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let producer = Producer::new(&Config::new("localhost:9092"))?;
/// let words = producer.topic("words")?;
/// let key = b"word".as_slice();
/// let record = Record { partition: partition_for(key, 4), key: Some(key), ..Record::default() };
/// producer.send(&words, &record, None)?;
/// producer.flush(Duration::from_secs(10))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Producer(send::Sender);

impl Producer {
    /// Starts a producer. It does not wait for a broker.
    pub fn new(config: &Config) -> Result<Self> {
        Ok(Self(send::Sender::start(config, &Role::Producer)?))
    }

    /// A handle for sending to a topic; the same one each time. It does not ask whether there is
    /// such a topic.
    pub fn topic(&self, name: &str) -> Result<TopicHandle> {
        self.0.topic(name)
    }

    /// Queues a record. Never blocks.
    ///
    /// What becomes of it is counted in the deliveries, its offset kept in one of their slots. A
    /// partition that does not exist is refused at once, or later by a failed delivery if the topic
    /// is not known yet.
    pub fn send(
        &self,
        topic: &TopicHandle,
        record: &Record<'_>,
        deliveries: Option<(&Deliveries, u32)>,
    ) -> Result<(), SendError> {
        self.0.send(topic, record, deliveries)
    }

    /// Queues records in their order, at a third of what [`send`](Self::send) costs for each: those that lie next to
    /// each other and go to the same partition are queued together, and without headers.
    ///
    /// Stops at the first that is refused; then how many were queued before it, and why it was not. Never blocks.
    ///
    /// ```no_run
    /// # use faust_kafka::{Config, Deliveries, Producer, Record, SendError};
    /// # async fn example(producer: Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let words = producer.topic("words")?;
    /// let record = |word: &'static str| Record { value: Some(word.as_bytes()), ..Record::default() };
    /// let records = ["to", "be", "or"].map(record);
    /// let deliveries = Deliveries::new(1);
    /// match producer.send_all(&words, &records, Some((&deliveries, 0))) {
    ///     Err((queued, SendError::QueueFull)) => println!("{queued} are under way; the others later"),
    ///     other => other.map_err(|(_, error)| error)?,
    /// }
    /// deliveries.settled().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_all(
        &self,
        topic: &TopicHandle,
        records: &[Record<'_>],
        deliveries: Option<(&Deliveries, u32)>,
    ) -> Result<(), (usize, SendError)> {
        self.0.send_all(topic, records, deliveries)
    }

    /// Sends what is queued without lingering and waits until it is known what became of it.
    /// Blocks.
    pub fn flush(&self, timeout: Duration) -> Result<()> {
        // SAFETY: the client is alive.
        match Code(unsafe { faust_flush(self.0.client.ptr(), millis(timeout)) }) {
            Code::NONE => Ok(()),
            Code::TIMED_OUT => {
                Err(Error::TimedOut { what: "flushing a producer".to_owned(), after: timeout })
            }
            code => Err(Error::Request {
                what: "flushing a producer".to_owned(),
                code,
                text: String::new(),
            }),
        }
    }
}
