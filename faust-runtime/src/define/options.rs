//! The options of the macros by name, for editors: under rust-analyzer an expansion imports from here what its
//! attribute names, so that the editor completes it and shows what it means. Types and values are the defaults.

#![expect(non_upper_case_globals, reason = "as they stand in attributes")]

/// Of `#[topic("name", ..)]`.
pub mod topic {
    use std::time::Duration;

    /// `key = word` or `key = (customer, item)`: the fields that are the key. Without it a record has no key, unless
    /// its fields are exactly `key` and `value`.
    pub const key: Option<&str> = None;
    /// `partitions = 4`: how many a new topic gets. Without it: the setting `topic_partitions`.
    pub const partitions: Option<u32> = None;
    /// `replicas = 3`: how many brokers hold a copy. Without it: the setting `topic_replicas`.
    pub const replicas: Option<u16> = None;
    /// `retention = 7d`: how long records stay. Without it: what the broker does.
    pub const retention: Option<Duration> = None;
    /// Only the newest record of each key stays.
    pub const compacted: bool = false;
    /// Somebody else creates the topic; where it is missing, the worker does not start.
    pub const external: bool = false;
    /// `config("max.message.bytes" = "2000000")`: more configuration of the topic, as Kafka names it.
    pub const config: &[(&str, &str)] = &[];
}

/// Of `#[table("name", ..)]`.
pub mod table {
    use std::time::Duration;

    /// `key = id` or `key = (customer, item)`: the fields that are the key, unless they are exactly `key` and `value`.
    pub const key: Option<&str> = None;
    /// `partitions = 4`: how many. Without it: as many as the topics that its agents read.
    pub const partitions: Option<u32> = None;
    /// `window = tumbling(1min)`: a row per key and window.
    pub const window: Option<Duration> = None;
    /// `grace = 10s`: how long after its end, by the table's stream time, a window takes events that come late; then it
    /// closes. Without it: as long as it is kept.
    pub const grace: Option<Duration> = None;
    /// `expires = 1h`: how long a window is kept after its end, by the table's stream time. Without it: for ever.
    pub const expires: Option<Duration> = None;
    /// `ttl = 1h`: how long a row lives after its last write, by the table's stream time. Without it: for ever.
    pub const ttl: Option<Duration> = None;
    /// `history = 1d`: how long the versions of a value are kept, by the table's stream time. Without it: the newest alone.
    pub const history: Option<Duration> = None;
    /// `partition_by = customer`: the part of a composite key that decides the partition. Without it: all of it.
    pub const partition_by: Option<&str> = None;
    /// `scope = partition`: any key, and a row lives where the event was that wrote it. Without it: `scope = key`.
    pub const scope: &str = "key";
    /// `initial = load_rates`: an async function that gives the first rows, where the table was never used.
    pub const initial: Option<fn()> = None;
    /// `changelog = false`: the rows are on this worker's disk alone, and are lost with it or when the partition moves.
    pub const changelog: bool = true;
    /// `config("min.insync.replicas" = "2")`: more configuration of the changelog topic, as Kafka names it.
    pub const config: &[(&str, &str)] = &[];

    /// What `window = ..` can be.
    pub mod window {
        use std::time::Duration;

        /// `tumbling(1min)`: windows of this length, side by side.
        pub const fn tumbling(size: Duration) -> Duration {
            size
        }

        /// `hopping(10min, step = 1min)`: windows of this length that begin a step apart, so that they overlap.
        pub const fn hopping(size: Duration, _step: Duration) -> Duration {
            size
        }

        /// `sliding(10min)`: a window of this length that ends with each event, and one that begins behind it.
        pub const fn sliding(size: Duration) -> Duration {
            size
        }

        /// `session(30min)`: windows that last as long as the events of a key come, until none has come for so long.
        pub const fn session(gap: Duration) -> Duration {
            gap
        }
    }

    /// What `scope = ..` can be.
    pub mod scope {
        /// Every key has one partition, by its hash: a row can be found from anywhere.
        pub const key: () = ();
        /// A row lives where the event was that wrote it: only local reads find it.
        pub const partition: () = ();
    }
}

/// Of `#[agent(..)]`.
pub mod agent {
    /// `name = "tally"`: the name in messages, metrics and replies. Without it: the function's.
    pub const name: Option<&str> = None;
    /// `concurrency = 8`: how many events of different keys of a partition run at once.
    pub const concurrency: u16 = 1;
}

/// Of `#[window_close(Table, ..)]`.
pub mod window_close {
    /// `name = "totals"`: the name in messages and metrics, under which it is committed how far it has come. Without it:
    /// the function's.
    pub const name: Option<&str> = None;
}

/// Of `#[timer(every = ..)]`.
pub mod timer {
    use std::time::Duration;

    /// `every = 10s`: from one run's begin to the next one's.
    pub const every: Option<Duration> = None;
}

/// Of `#[task]`: none but `crate`.
pub mod task {}

/// Of `#[page("/path", ..)]`.
pub mod page {
    /// `method = post`: the HTTP method. Without it: `get`.
    pub const method: &str = "get";

    /// What `method = ..` can be.
    pub mod method {
        /// `GET`
        pub const get: () = ();
        /// `POST`
        pub const post: () = ();
        /// `PUT`
        pub const put: () = ();
        /// `PATCH`
        pub const patch: () = ();
        /// `DELETE`
        pub const delete: () = ();
    }
}

/// Of `#[command]`: none but `crate`.
pub mod command {}

/// Of `#[app("id", ..)]`.
pub mod app {
    /// `version = 2`: another version is another app, with its own group and state.
    pub const version: u32 = 1;
    /// `agents(split, count)`: functions under `#[agent]`.
    pub const agents: &[&str] = &[];
    /// `windows(closed)`: functions under `#[window_close]`.
    pub const windows: &[&str] = &[];
    /// `timers(report)`: functions under `#[timer]`.
    pub const timers: &[&str] = &[];
    /// `tasks(fill)`: functions under `#[task]`.
    pub const tasks: &[&str] = &[];
    /// `pages(count_of, vote)`: functions under `#[page]`.
    pub const pages: &[&str] = &[];
    /// `commands(feed)`: functions under `#[command]`.
    pub const commands: &[&str] = &[];
    /// `on_recovered(warm)`: functions under `#[task]`, each time when tables have been recovered.
    pub const on_recovered: &[&str] = &[];
    /// `parts(audit::Audit)`: other apps, all of whose functions run as well.
    pub const parts: &[&str] = &[];
}
