//! What differs from one deployment to the next: where the broker is, how much memory, which guarantee. Each setting
//! is declared once, here: its documentation, type, default, and what it may be.

mod error;
mod load;
mod read;

pub use error::{Origin, SettingsError};
pub(crate) use load::{Names, Sources};
pub use read::{ChangedOffsets, Guarantee, StartAt, StoreKind};

use crate::agent::{AgentParam, Bind, Param};
use crate::define::AnyKey;
use crate::worker::Worker;
use read::{Raw, bytes, choice, flag, number, optional, pairs, parsed, path, span, store, text};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

/// Makes the struct, its defaults and its reader from one list.
macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $ty:ty = $default:expr, $read:expr;)+) => {
        /// The settings of a worker. Each has a default that works; a file, the environment and the command line
        /// override it, in this order:
        ///
        /// ```text
        /// commit_interval = "50ms"             faust.toml in the working folder, or `--settings FILE`
        /// FAUST_COMMIT_INTERVAL=50ms           environment
        /// --set commit_interval=50ms           command line; the usual ones have options of their own
        /// ```
        ///
        /// As a parameter of any function it is a handle to what the worker runs with:
        ///
        /// ```no_run
        /// use faust::prelude::*;
        ///
        /// #[task]
        /// async fn hello(settings: Settings) -> Result<()> {
        ///     println!("cuts every {:?}", settings.commit_interval);
        ///     Ok(())
        /// }
        /// ```
        ///
        /// In code, say what differs:
        ///
        /// ```
        /// use faust::Settings;
        /// use std::time::Duration;
        ///
        /// let settings = Settings { commit_interval: Duration::from_millis(10), ..Settings::default() };
        /// assert_eq!(settings.topic_name("lines"), "lines");
        /// ```
        #[derive(Clone)]
        pub struct Settings {
            $($(#[doc = $doc])+ pub $name: $ty,)+
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Settings {
            /// Every setting with its first line of documentation.
            pub(crate) const ALL: &'static [(&'static str, &'static str)] =
                &[$((stringify!($name), first(&[$($doc),+])),)+];

            /// Sets one; `None` if there is none of this name, an error that says what is allowed.
            fn set(&mut self, name: &str, raw: &Raw) -> Option<Result<(), String>> {
                match name {
                    $(stringify!($name) => {
                        let read: fn(&Raw, $ty) -> Result<$ty, String> = $read;
                        Some(read(raw, self.$name.clone()).map(|value| self.$name = value))
                    })+
                    _ => None,
                }
            }
        }

        /// Without the values of Kafka properties: passwords are among them.
        impl std::fmt::Debug for Settings {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut all = f.debug_struct("Settings");
                $(match stringify!($name) {
                    "kafka" => all.field("kafka", &self.kafka.keys()),
                    name => all.field(name, &self.$name),
                };)+
                all.finish()
            }
        }
    };
}

settings! {
    /// Renames the app here: its consumer group and the prefix of its internal topics. Default: the app's own id.
    id: Option<String> = None, |raw, _| optional(text(raw));
    /// What the names of all declared topics begin with here, such as `staging-`.
    topic_prefix: String = String::new(), |raw, _| text(raw);
    /// Other names for topics: declared name to name in Kafka, as it stands, without the prefix.
    topics: BTreeMap<String, String> = BTreeMap::new(), pairs;
    /// Other names for tables: declared name to the name that its changelog and its store carry.
    tables: BTreeMap<String, String> = BTreeMap::new(), pairs;

    /// The brokers to begin with: `host:port`, several with commas. Default: the development broker, in this process.
    broker: Option<String> = None, |raw, _| optional(text(raw));
    /// How long a worker tries to reach its broker before it gives up.
    broker_timeout: Duration = Duration::from_secs(60), |raw, _| span(raw, Duration::from_secs(1));
    /// Further properties of librdkafka, such as `security.protocol`, handed on as they are.
    kafka: BTreeMap<String, String> = BTreeMap::new(), pairs;
    /// How long the group waits for a silent worker before others take its partitions.
    session_timeout: Duration = Duration::from_secs(10), |raw, _| span(raw, Duration::from_secs(1));
    /// How long a partition may take to move to another worker before the group is asked again.
    hand_over_timeout: Duration = Duration::from_secs(30), |raw, _| span(raw, Duration::from_secs(1));

    /// Copies of each table's partitions on other workers, kept up to date: who takes over replays only a tail.
    standby_replicas: usize = 0, |raw, _| number(raw, 0, 100);
    /// What fails together with this worker, such as a zone: copies are kept apart from each other by it.
    rack: Option<String> = None, |raw, _| optional(text(raw));
    /// How many changelog records a worker may lack and take a partition over at once; else it warms up first.
    acceptable_lag: u64 = 10_000, |raw, _| number(raw, 0, i64::MAX as u64);
    /// How many partitions a worker may warm up for at a time.
    max_warmups: usize = 2, |raw, _| number(raw, 1, 10_000);
    /// How much of changelogs the standbys of a worker read per second: what runs has the rest of disk and network.
    standby_rate: usize = 32 << 20, |raw, _| bytes(raw, 64 << 10);

    /// The folder for everything on disk. Default: the app's id and `-data`, in the working folder.
    data: Option<PathBuf> = None, |raw, _| optional(path(raw));
    /// What keeps the rows of tables: `fjall` or, as a cargo feature, `rocksdb` on disk; `memory` is restored at every start.
    store: StoreKind = StoreKind::Fjall, store;

    /// Where outputs go: `exactly_once` into the transaction of their cut, `at_least_once` out at once.
    guarantee: Guarantee = Guarantee::ExactlyOnce, |raw, _| choice(raw, &[
        ("exactly_once", Guarantee::ExactlyOnce),
        ("at_least_once", Guarantee::AtLeastOnce),
    ]);
    /// From one cut to the next: after a crash, at most this much work is done again.
    commit_interval: Duration = Duration::from_millis(100), |raw, _| span(raw, Duration::from_millis(1));
    /// Where a partition starts that the group has never read: `earliest`, `latest`, or a time such as `2026-01-31T09:00:00Z`.
    start: StartAt = StartAt::Earliest, |raw, _| parsed(raw, "`earliest`, `latest` or a time such as `2026-01-31T09:00:00Z`");
    /// What to do where offsets were changed from outside: `accept`, `reset` or `restore`. Default: the worker stops and tells.
    offsets: Option<ChangedOffsets> = None, |raw, _| optional(choice(raw, &[
        ("accept", ChangedOffsets::Accept),
        ("reset", ChangedOffsets::Reset),
        ("restore", ChangedOffsets::Restore),
    ]));
    /// How often a failed event is tried again before it goes to the dead-letter topic.
    max_retries: u32 = 3, |raw, _| number(raw, 0, 1000);
    /// How long an `ask` waits for its reply.
    ask_timeout: Duration = Duration::from_secs(30), |raw, _| span(raw, Duration::from_millis(1));
    /// How long a source partition may be silent before the stream time of tables goes on without it.
    idle_timeout: Duration = Duration::from_secs(10), |raw, _| span(raw, Duration::from_millis(1));

    /// Partitions of a topic that is created and does not say how many.
    topic_partitions: u32 = 8, |raw, _| number(raw, 1, 100_000);
    /// How many brokers hold a copy of a topic that is created and does not say how many.
    topic_replicas: u16 = 1, |raw, _| number(raw, 1, 100);

    /// Threads that run the app's partitions. Default: one for each core.
    shards: usize = cores(), |raw, _| number(raw, 1, 1024);
    /// Records read ahead, per partition, in bytes; 2,000 at the most.
    queue_bytes: usize = 8 << 20, |raw, _| bytes(raw, 64 << 10);
    /// Decoded rows kept in memory, per worker.
    cache_bytes: usize = 256 << 20, |raw, _| bytes(raw, 1 << 20);
    /// How many bytes a second a worker reads back from changelogs at the most. Default: no limit.
    restore_rate: Option<usize> = None, |raw, _| optional(bytes(raw, 64 << 10));
    /// What one event may stage: its sends and its rows.
    stage_bytes: usize = 16 << 20, |raw, _| bytes(raw, 64 << 10);

    /// Whether pages, tables, health and metrics are served over HTTP.
    web: bool = true, |raw, _| flag(raw);
    /// The address that the web server listens at; `0.0.0.0` for all.
    web_bind: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST), |raw, _| parsed(raw, "an IP address such as `127.0.0.1`");
    /// The port that the web server listens at; one that is given must be free. Default: 6066, or the next free one.
    web_port: Option<u16> = None, |raw, _| optional(number(raw, 0, u16::MAX));
    /// The URL under which other workers reach this one. Default: made of address and port.
    endpoint: Option<String> = None, |raw, _| optional(text(raw));

    /// What is logged, as `tracing` filters have it, such as `warn,faust=debug`. Default: `info` for a worker, `warn` else.
    log: Option<String> = None, |raw, _| optional(text(raw));
}

impl Settings {
    /// The name in Kafka of a topic that is declared under this one.
    ///
    /// ```
    /// use faust::Settings;
    ///
    /// let topics = [("lines".into(), "in-7".into())].into();
    /// let settings = Settings { topic_prefix: "staging-".into(), topics, ..Settings::default() };
    /// assert_eq!(settings.topic_name("words"), "staging-words");
    /// assert_eq!(settings.topic_name("lines"), "in-7");
    /// ```
    pub fn topic_name(&self, declared: &str) -> String {
        match self.topics.get(declared) {
            Some(name) => name.clone(),
            None => format!("{}{declared}", self.topic_prefix),
        }
    }

    /// The name here of a table that is declared under this one.
    ///
    /// ```
    /// use faust::Settings;
    /// assert_eq!(Settings::default().table_name("counts"), "counts");
    /// ```
    pub fn table_name(&self, declared: &str) -> String {
        self.tables.get(declared).map_or(declared, String::as_str).to_string()
    }

    /// The folder for everything on disk, for an app of this id.
    pub(crate) fn data_folder(&self, id: &str) -> PathBuf {
        self.data.clone().unwrap_or_else(|| PathBuf::from(format!("{id}-data")))
    }
}

impl Param for Settings {
    fn bind(worker: &Worker) -> crate::Result<Self> {
        Ok(Self::clone(&worker.settings))
    }
}

impl AgentParam for Settings {
    type PartitionKey = AnyKey;
    fn bind(bind: &Bind<'_>) -> crate::Result<Self> {
        <Self as Param>::bind(bind.worker)
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The first line of a doc comment.
const fn first(lines: &[&'static str]) -> &'static str {
    match lines {
        [line, ..] => line,
        [] => "",
    }
}
