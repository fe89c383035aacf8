//! What users return, and the typed errors they can tell apart in it.

use std::error::Error as StdError;

/// Any error: what an agent, a timer or a page returns. `&str`, `String` and every error type convert with `?`.
pub type Error = Box<dyn StdError + Send + Sync + 'static>;

/// The result of everything that users write and of every handle.
///
/// ```
/// fn parse(text: &str) -> faust::Result<u64> {
///     if text.is_empty() {
///         return Err("nothing to parse".into());
///     }
///     Ok(text.parse()?)
/// }
/// assert_eq!(parse("7").unwrap(), 7);
/// assert!(parse("").is_err());
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a page answers with 404.
///
/// ```
/// use faust::prelude::*;
///
/// #[page("/users/{id}")]
/// async fn user(Path(id): Path<u64>) -> Result<Json<u64>> {
///     if id == 0 {
///         return Err(faust::NotFound::new("no such user").into());
///     }
///     Ok(Json(id))
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct NotFound {
    what: String,
}

impl NotFound {
    /// Says what was not found.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

/// A partition is moving or recovering: ask again shortly. A page answers it with 503.
#[derive(Debug, thiserror::Error)]
#[error("{what}: try again shortly")]
pub struct Unavailable {
    what: String,
}

impl Unavailable {
    /// Says what is not there at the moment.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

/// What a handle can report to the code that called it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandleError {
    /// A staged call ran outside an event, for example in a spawned task: move it into the agent's own future.
    #[error(
        "{what} belongs to an event, and none is being processed here: call it in the agent itself, not in a spawned task"
    )]
    NoEvent {
        /// The call, such as ``table `counts` ``.
        what: String,
    },
    /// More rows than one event may remove: remove them in parts, by range or prefix, over several events.
    #[error(
        "table `{table}`: this partition has more than the {most} rows that one event may remove, by the setting `stage_bytes`: remove them in parts, by `range` or `prefix`, over several events"
    )]
    ClearFull {
        /// The table.
        table: &'static str,
        /// So many may be removed.
        most: usize,
    },
    /// A row was written under a key of another partition: write it from an agent of a topic with that key.
    #[error(
        "table `{table}`: key {key} belongs to partition {belongs}, but this event is of partition {here}; send the key to a topic of its own first, or declare the table with `scope = partition`"
    )]
    WrongPartition {
        /// The table.
        table: &'static str,
        /// The key, as text.
        key: String,
        /// The partition that the key's hash gives.
        belongs: u32,
        /// The partition of the event.
        here: u32,
    },
    /// Two events wait for rows of each other; the event is rolled back and runs again at once.
    #[error("two events wait for each other's rows in table `{table}`")]
    Conflict {
        /// The table.
        table: &'static str,
    },
    /// An event staged more than its budget: write less in one event, or raise `stage_bytes`.
    #[error(
        "an event of agent `{agent}` staged more than {limit} bytes: do less in one event, or raise the setting `stage_bytes`"
    )]
    StageFull {
        /// The agent.
        agent: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// A row has become larger than a record may be: keep less in a row, or raise `message.max.bytes`.
    #[error(
        "table `{table}`: the row of key {key} takes {bytes} bytes in its changelog, where {limit} are allowed: keep less in one row, or raise `message.max.bytes` under `[kafka]` and `max.message.bytes` of the changelog"
    )]
    RowTooLarge {
        /// The table.
        table: &'static str,
        /// The key, as text.
        key: String,
        /// Key and value, encoded.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A record is larger than Kafka takes: send less at a time, or raise `message.max.bytes`.
    #[error(
        "an event of agent `{agent}` sends a record of {bytes} bytes, where {limit} are allowed: send less at a time, or raise `message.max.bytes` under `[kafka]` and `max.message.bytes` of the topic"
    )]
    RecordTooLarge {
        /// The agent.
        agent: &'static str,
        /// Key and value, encoded.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// An agent asked for a key that only it could process: it would wait for itself.
    #[error(
        "agent `{agent}` asks agent `{asked}` for a key of its own partition, which waits for this very event: send it with `cast`, or compute it here"
    )]
    AskOfSelf {
        /// The agent that asks.
        agent: &'static str,
        /// The agent that is asked.
        asked: &'static str,
    },
    /// No reply came in time: the asked agent is down, behind, or failed.
    #[error("no reply from agent `{agent}` within {seconds} s")]
    NoReply {
        /// The agent that was asked.
        agent: &'static str,
        /// The deadline.
        seconds: u64,
    },
    /// The asked agent failed for good; its error follows.
    #[error("agent `{agent}` failed: {error}")]
    Failed {
        /// The agent that was asked.
        agent: &'static str,
        /// Its error, as text.
        error: String,
    },
    /// A record was not taken by Kafka; the cause follows.
    #[error("topic `{topic}`: {cause}")]
    Send {
        /// The topic.
        topic: String,
        /// The cause, as text.
        cause: String,
    },
}
