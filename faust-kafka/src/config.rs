//! Settings of the clients, and what the clients report by themselves.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::Error;

/// Settings for every kind of client.
///
/// Each client starts from the settings that its work needs (they are chosen by measurement: librdkafka's defaults
/// stall a split queue for a second, for instance); what is set here wins over them.
///
/// ```
/// # use faust_kafka::Config;
/// let config = Config::new("localhost:9092").set("security.protocol", "plaintext").set("linger.ms", "20");
/// assert_eq!(config.get("linger.ms"), Some("20"));
/// ```
#[derive(Clone)]
pub struct Config {
    overrides: BTreeMap<String, String>,
    handler: Option<Handler>,
}

/// What a client reports by itself.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ClientEvent {
    /// No broker can be reached at the moment. The client goes on trying by itself.
    Unreachable {
        /// The client's name (`client.id`).
        client: String,
        /// librdkafka's explanation.
        text: String,
    },
    /// Something else failed outside of any call.
    Error {
        /// The client's name (`client.id`).
        client: String,
        /// What it was.
        error: Error,
    },
}

type Handler = Arc<dyn Fn(&ClientEvent) + Send + Sync>;

impl Config {
    /// Settings that name the brokers.
    pub fn new(bootstrap_servers: impl Into<String>) -> Self {
        Self { overrides: BTreeMap::new(), handler: None }
            .set("bootstrap.servers", bootstrap_servers)
    }

    /// Sets one of librdkafka's settings for all clients that are made from this.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.overrides.insert(key.into(), value.into());
        self
    }

    /// What was set.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.overrides.get(key).map(String::as_str)
    }

    /// Calls `handler` with whatever a client reports by itself, on a thread of the client's: it must not block.
    pub fn on_event(mut self, handler: impl Fn(&ClientEvent) + Send + Sync + 'static) -> Self {
        self.handler = Some(Arc::new(handler));
        self
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").finish_non_exhaustive()
    }
}
