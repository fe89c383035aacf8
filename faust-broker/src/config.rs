//! What a broker can be told before it starts. Everything has a default that works.

use std::path::PathBuf;
use std::time::Duration;

/// The settings of a [`Broker`](crate::Broker).
///
/// ```
/// use faust_broker::{Broker, Config};
///
/// let config = Config { default_partitions: 4, ..Config::default() };
/// let broker = Broker::start(config)?;
/// assert!(broker.bootstrap_servers().starts_with("127.0.0.1:"));
/// # Ok::<(), faust_broker::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// The TCP port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The folder that keeps topics, offsets and transactions; `None` keeps them in memory.
    pub data: Option<PathBuf>,
    /// Partitions of a topic that is created without saying how many.
    pub default_partitions: i32,
    /// A partition's file is closed and a new one begun when it would grow past this size.
    pub segment_bytes: u64,
    /// The shortest session timeout that a member of a classic group may ask for.
    pub min_session_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            data: None,
            default_partitions: 1,
            segment_bytes: 64 * 1024 * 1024,
            min_session_timeout: Duration::from_secs(6),
        }
    }
}
