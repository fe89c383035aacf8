//! Topics, offsets and commits of a group. Every call blocks, at the longest for the timeout that
//! it is given.

mod offsets;
mod request;
mod topics;

pub use offsets::{Commit, Committed, Isolation, OffsetSpec};
pub use topics::{ConfigEntry, NewTopic, TopicInfo};

use crate::{Config, Result, client::Client, config::Role};

/// Asks and changes what the cluster holds. All calls block: not for threads that run futures.
///
/// ```no_run
/// # use std::time::Duration;
/// # use faust_kafka::{Admin, Config, Isolation, NewTopic, OffsetSpec, TopicPartition};
/// # fn main() -> Result<(), faust_kafka::Error> {
/// let admin = Admin::new(&Config::new("localhost:9092"))?;
/// let timeout = Duration::from_secs(10);
/// let topic = NewTopic::new("counts-changelog", 4).set("cleanup.policy", "compact");
/// for result in admin.create_topics(&[topic], timeout)? {
///     result?;
/// }
/// let partition = TopicPartition::new("counts-changelog", 0);
/// let ends = admin.list_offsets(&[(partition, OffsetSpec::Latest)], Isolation::ReadUncommitted, timeout)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Admin(Client);

impl Admin {
    /// Starts a client. It does not wait for a broker.
    pub fn new(config: &Config) -> Result<Self> {
        Client::start(config, &Role::Admin, |_| (), Box::new(())).map(Self)
    }
}
