//! Reading partitions: one client, one queue for each partition, batches of owned messages.

mod batch;
mod headers;
mod partition;

pub use batch::{Batch, Message, Timestamp};
pub use headers::{Header, Headers};
pub use partition::PartitionReader;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use rdkafka_sys as sys;

use batch::Buffers;

use crate::{Config, Result, TopicPartition, client::Client, config::Role};

/// A client that fetches partitions. It takes no part in the group whose name it bears: partitions
/// and offsets are given to it, so that no rebalance ever stops it.
///
/// ```no_run
/// # use std::future::poll_fn;
/// # use faust_kafka::{Config, Reader};
/// # async fn example() -> Result<(), faust_kafka::Error> {
/// let reader = Reader::data(&Config::new("localhost:9092"), "my-app")?;
/// let mut partition = reader.partition("words", 0, 1_000)?;
/// loop {
///     let batch = poll_fn(|cx| partition.poll_batch(cx, 500)).await?;
///     for message in batch.iter() {
///         println!("{}: {:?}", message.offset(), message.value());
///     }
///     if batch.eof().is_some() {
///         break Ok(());
///     }
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Reader(Arc<Fetcher>);

/// The client, and which partitions are open. Batches keep it alive.
#[derive(Debug)]
struct Fetcher {
    client: Client,
    open: Mutex<HashSet<TopicPartition>>,
    spare: Mutex<Vec<Buffers>>,
}

/// So many buffers are kept.
const SPARE: usize = 64;

impl Fetcher {
    fn spare(&self) -> Buffers {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_default()
    }

    fn give_back(&self, buffers: Buffers) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE {
            spare.push(buffers);
        }
    }
}

impl Reader {
    /// A reader for the records that an app processes. `group` is the app's group: brokers check
    /// its permissions.
    pub fn data(config: &Config, group: &str) -> Result<Self> {
        Self::start(config, &Role::Data { group })
    }

    /// A reader for recovery: larger fetches, deeper queues. Its group needs no members and no
    /// offsets.
    pub fn restore(config: &Config, group: &str) -> Result<Self> {
        Self::start(config, &Role::Restore { group })
    }

    /// A reader for standbys, which follow many partitions for a long time: smaller queues, calmer
    /// fetches. Its group needs no members and no offsets.
    pub fn standby(config: &Config, group: &str) -> Result<Self> {
        Self::start(config, &Role::Standby { group })
    }

    fn start(config: &Config, role: &Role<'_>) -> Result<Self> {
        // SAFETY: the configuration is alive; the callback needs no state of ours.
        let prepare = |conf| unsafe {
            sys::rd_kafka_conf_set_error_cb(conf, Some(partition::while_reading));
        };
        let client = Client::start(config, role, prepare, Box::new(()))?;
        Ok(Self(Arc::new(Fetcher { client, open: Mutex::default(), spare: Mutex::default() })))
    }

    /// Starts fetching a partition from `offset`. A partition can be open only once in a reader.
    ///
    /// Waits for the client's own thread (not for a broker): some tenths of a millisecond. Whether
    /// the topic exists and holds that offset turns out when it is read.
    pub fn partition(&self, topic: &str, partition: i32, offset: i64) -> Result<PartitionReader> {
        PartitionReader::open(&self.0, topic, partition, offset)
    }
}
