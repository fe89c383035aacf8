//! Settings of the clients, and what the clients report by themselves.

use std::{
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use rdkafka::{ClientConfig, config::NativeClientConfig, error::KafkaError};

use crate::{Error, Result};

/// Settings for every kind of client.
///
/// Each client starts from the settings that its work needs (they are chosen by measurement:
/// librdkafka's defaults stall a split queue for a second, for instance); what is set here wins
/// over them.
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

type Handler = Arc<dyn Fn(&ClientEvent) + Send + Sync>;

/// What a client reports by itself.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientEvent {
    /// The client's name: its `client.id`, its kind and a number.
    pub client: String,
    /// What happened. [`Error::Unreachable`] ends by itself when a broker is there again.
    pub error: Error,
}

impl Config {
    /// Settings that name the brokers.
    pub fn new(bootstrap_servers: impl Into<String>) -> Self {
        Self { overrides: BTreeMap::new(), handler: None }
            .set("bootstrap.servers", bootstrap_servers)
    }

    /// Sets one of librdkafka's settings for all clients that are made from this. A setting that
    /// does not exist is an error when the first client is made.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.overrides.insert(key.into(), value.into());
        self
    }

    /// What was set.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.overrides.get(key).map(String::as_str)
    }

    /// Calls `handler` with whatever a client reports outside of any call, on a thread of the
    /// client's: it must not block. Without a handler it is logged as a warning.
    ///
    /// ```
    /// # use faust_kafka::{Config, Error};
    /// let config = Config::new("localhost:9092").on_event(|event| {
    ///     if let Error::Unreachable { .. } = event.error {
    ///         eprintln!("waiting for Kafka");
    ///     }
    /// });
    /// ```
    pub fn on_event(mut self, handler: impl Fn(&ClientEvent) + Send + Sync + 'static) -> Self {
        self.handler = Some(Arc::new(handler));
        self
    }

    pub(crate) fn report(&self, client: &str, error: Error) {
        match &self.handler {
            None => tracing::warn!(target: "librdkafka", client, "{error}"),
            Some(handler) => {
                let event = ClientEvent { client: client.to_owned(), error };
                // The thread that reports goes on, whatever the application does.
                if catch_unwind(AssertUnwindSafe(|| handler(&event))).is_err() {
                    tracing::error!(client, "the handler of client events panicked at {event:?}");
                }
            }
        }
    }

    /// The settings of a client: its role's, then what was set.
    pub(crate) fn native(&self, role: &Role<'_>) -> Result<NativeClientConfig> {
        let mut config = ClientConfig::new();
        for (key, value) in COMMON.iter().chain(role.defaults()) {
            config.set(*key, *value);
        }
        for (key, value) in &self.overrides {
            config.set(key, value);
        }
        for (key, value) in role.identity() {
            config.set(key, value);
        }
        config.create_native_config().map_err(|error| match error {
            KafkaError::ClientConfig(_, reason, key, value) => {
                let secret = ["password", "secret", "key.pem"].iter().any(|it| key.contains(it));
                Error::Config { value: if secret { "***".to_owned() } else { value }, key, reason }
            }
            other => Error::Client { reason: other.to_string() },
        })
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values can be secrets.
        f.debug_struct("Config").field("keys", &self.overrides.keys()).finish_non_exhaustive()
    }
}

/// What a client is for.
pub(crate) enum Role<'a> {
    Admin,
    Data { group: &'a str },
    Restore { group: &'a str },
    Standby { group: &'a str },
    Member { group: &'a str, instance: Option<&'a str> },
    Producer,
    Transactional { id: &'a str },
}

type Settings = &'static [(&'static str, &'static str)];

const COMMON: Settings = &[
    ("client.id", "faust"),
    // A topic that is misspelt must be an error, not a new topic.
    ("allow.auto.create.topics", "false"),
    // Brokers close idle connections; nobody needs to hear of it.
    ("log.connection.close", "false"),
    // A connection on which nothing comes any more is given up after this; the default of a minute is a minute lost.
    ("socket.timeout.ms", "15000"),
    ("socket.keepalive.enable", "true"),
    ("enable.metrics.push", "false"),
    // A client leaves its first connection for the one to a broker that it has learnt of, and lets half of this pass
    // between the two.
    ("reconnect.backoff.ms", "20"),
    ("reconnect.backoff.max.ms", "2000"),
];

const READER: Settings = &[
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("isolation.level", "read_committed"),
    // An offset that is gone is for the owner to judge, never to be replaced in silence.
    ("auto.offset.reset", "error"),
    // How positions move over control records and gaps. An end that is read in a batch makes
    // librdkafka 2.12 skip a record when the partition is paused later; nothing here ever pauses.
    ("enable.partition.eof", "true"),
    ("check.crcs", "true"),
    // A queue that is full stops fetching for this long; the default of 1 s stalls a partition.
    ("fetch.queue.backoff.ms", "10"),
    // A topic that was just created, or has just moved, is not served at once.
    ("fetch.error.backoff.ms", "100"),
    ("fetch.wait.max.ms", "100"),
    ("fetch.max.bytes", "52428800"),
];

const DATA: Settings = &[
    // Limits for each partition, for each has a queue of its own.
    ("queued.min.messages", "20000"),
    ("queued.max.messages.kbytes", "8192"),
    ("fetch.min.bytes", "1"),
    ("fetch.message.max.bytes", "1048576"),
];

const RESTORE: Settings = &[
    ("queued.min.messages", "100000"),
    // Several partitions are read at a time.
    ("queued.max.messages.kbytes", "4096"),
    // What is to be recovered is there already: only its end is waited for, and then there is less than any minimum.
    ("fetch.min.bytes", "1"),
    ("fetch.wait.max.ms", "10"),
    // With what librdkafka has around each message, small ones take five times as much.
    ("fetch.message.max.bytes", "2097152"),
];

const STANDBY: Settings = &[
    // Many partitions, of which little comes at a time, and nobody waits for it.
    ("queued.min.messages", "10000"),
    ("queued.max.messages.kbytes", "2048"),
    ("fetch.min.bytes", "1"),
    ("fetch.message.max.bytes", "1048576"),
];

const MEMBER: Settings = &[
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("session.timeout.ms", "10000"),
    ("heartbeat.interval.ms", "500"),
];

const PRODUCER: Settings = &[
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("batch.size", "1000000"),
    ("batch.num.messages", "100000"),
    ("queue.buffering.max.messages", "500000"),
    ("queue.buffering.max.kbytes", "262144"),
    ("compression.type", "lz4"),
    // Successes are counted by an interceptor, without an event each.
    ("delivery.report.only.error", "true"),
];

const PLAIN: Settings = &[
    // What is sent is waited for: by whoever reads it, and by the commit that covers it.
    ("linger.ms", "1"),
    // An outage ends, however long it takes; whoever cannot wait has a deadline.
    ("message.timeout.ms", "0"),
];

const TRANSACTIONAL: Settings = &[
    // A commit does not wait for this, but what is sent before its offsets goes on the way meanwhile.
    ("linger.ms", "1"),
    // How long the open transaction of a dead worker can hold up its readers.
    ("transaction.timeout.ms", "30000"),
];

impl Role<'_> {
    pub(crate) fn is_producer(&self) -> bool {
        matches!(self, Role::Producer | Role::Transactional { .. })
    }

    pub(crate) fn has_group(&self) -> bool {
        !matches!(self, Role::Admin | Role::Producer | Role::Transactional { .. })
    }

    /// A short name, for threads.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Data { .. } => "data",
            Role::Restore { .. } => "restore",
            Role::Standby { .. } => "standby",
            Role::Member { .. } => "member",
            Role::Producer => "producer",
            Role::Transactional { .. } => "txn",
        }
    }

    fn defaults(&self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        let (base, own): (Settings, Settings) = match self {
            Role::Admin => (&[], &[]),
            Role::Data { .. } => (READER, DATA),
            Role::Restore { .. } => (READER, RESTORE),
            Role::Standby { .. } => (READER, STANDBY),
            Role::Member { .. } => (MEMBER, &[]),
            Role::Producer => (PRODUCER, PLAIN),
            Role::Transactional { .. } => (PRODUCER, TRANSACTIONAL),
        };
        base.iter().chain(own)
    }

    /// What makes the client this one and no other; nothing that was set wins over it.
    fn identity(&self) -> Vec<(&'static str, String)> {
        match self {
            Role::Admin | Role::Producer => Vec::new(),
            Role::Data { group } | Role::Restore { group } | Role::Standby { group } => {
                vec![("group.id", (*group).into())]
            }
            Role::Member { group, instance } => [("group.id", *group)]
                .into_iter()
                .chain(instance.map(|name| ("group.instance.id", name)))
                .map(|(key, value)| (key, value.to_owned()))
                .collect(),
            Role::Transactional { id } => vec![("transactional.id", (*id).into())],
        }
    }
}
