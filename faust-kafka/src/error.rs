//! What can go wrong, and what the operator does about it.

use std::time::Duration;

use crate::Code;

/// What calls of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed. Each text says what to do next; librdkafka's code is kept where there is one.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting does not exist, or not with this value.
    #[error("the Kafka setting `{key}` cannot be `{value}`: {reason}; correct it or remove it")]
    Config {
        /// The setting.
        key: String,
        /// The value that was refused, or `***` where it is a secret.
        value: String,
        /// librdkafka's explanation.
        reason: String,
    },
    /// librdkafka did not start a client with these settings.
    #[error("no Kafka client could be started: {reason}; check the settings that it names")]
    Client {
        /// librdkafka's explanation.
        reason: String,
    },
    /// A name holds a zero byte, or an argument is outside what Kafka knows.
    #[error("{what} cannot be used: {reason}; correct it")]
    Argument {
        /// What was given.
        what: String,
        /// Why it is refused.
        reason: String,
    },
    /// Another reader of the same client has the partition.
    #[error("{topic}[{partition}] is being read already; drop the other reader first")]
    OpenAlready {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// Nobody answered in time.
    #[error(
        "{what}: no answer within {after:?}; check that the brokers run and that `bootstrap.servers` names them"
    )]
    TimedOut {
        /// What was asked.
        what: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// No broker can be reached at the moment. Clients go on trying by themselves.
    #[error(
        "no Kafka broker can be reached: {text}; check that the brokers run and that `bootstrap.servers` names them"
    )]
    Unreachable {
        /// librdkafka's explanation.
        text: String,
    },
    /// The brokers refused a request.
    #[error(
        "{what}: {text} ({code}); correct what the text names, or try again if it is temporary"
    )]
    Request {
        /// What was asked.
        what: String,
        /// librdkafka's code.
        code: Code,
        /// The broker's or librdkafka's explanation.
        text: String,
    },
    /// A topic that should be created is there already.
    #[error("the topic `{topic}` exists already; use it, or delete it first")]
    TopicExists {
        /// The topic.
        topic: String,
    },
    /// A topic or partition is not there (any more).
    #[error("the brokers know no topic `{topic}`; create it, or correct the name")]
    UnknownTopic {
        /// The topic.
        topic: String,
    },
    /// A transaction that commits offsets of this group is still open.
    #[error(
        "offsets of the group `{group}` are part of an open transaction; ask again: it ends by itself at the latest after its timeout"
    )]
    UnstableOffsets {
        /// The group.
        group: String,
    },
    /// The offset to read from is not in the log (any more).
    #[error(
        "{topic}[{partition}] holds no offset {offset}: records were deleted or the topic was made anew; start again from an offset that exists"
    )]
    OffsetOutOfRange {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset that was asked for.
        offset: i64,
    },
    /// A partition cannot be read.
    #[error(
        "{topic}[{partition}] cannot be read: {text} ({code}); open it again once that is solved"
    )]
    Partition {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// librdkafka's code.
        code: Code,
        /// librdkafka's explanation.
        text: String,
    },
    /// A record was not delivered.
    #[error("a record for {topic}[{partition}] was not delivered: {code}; send it again")]
    Delivery {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// librdkafka's code.
        code: Code,
    },
    /// The member has no place in its group at the moment, so it can vouch for no commit.
    #[error(
        "not a member of the group `{group}` at the moment; wait until partitions are assigned again"
    )]
    NotJoined {
        /// The group.
        group: String,
    },
    /// The assignor panicked, or named a member that is not there.
    #[error(
        "the partitions of the group could not be distributed: {reason}; this is a mistake in the assignor"
    )]
    Assignor {
        /// What it did.
        reason: String,
    },
    /// The client cannot go on.
    #[error("the Kafka client has failed for good: {text} ({code}); start a new one")]
    Fatal {
        /// librdkafka's code.
        code: Code,
        /// librdkafka's explanation.
        text: String,
    },
    /// A record could not be handed to the producer.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A transaction failed.
    #[error(transparent)]
    Txn(#[from] TxnError),
}

impl Error {
    /// Whether asking again is of no use until somebody changes something: a setting, a permission, the program.
    ///
    /// ```
    /// # use faust_kafka::{Code, Error};
    /// let refused = |code| Error::Request { what: "reading".into(), code: Code(code), text: String::new() };
    /// assert!(refused(30).is_lasting(), "not allowed to use the group");
    /// assert!(!refused(6).is_lasting(), "the partition moves to another broker");
    /// ```
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Config { .. }
            | Self::Client { .. }
            | Self::Argument { .. }
            | Self::Assignor { .. }
            | Self::Fatal { .. } => true,
            Self::Request { code, .. } | Self::Partition { code, .. } => code.is_refusal(),
            Self::Delivery { code, .. } => code.is_refusal() || *code == Code::MESSAGE_TOO_LARGE,
            Self::Txn(error) => error.kind == TxnErrorKind::Lasting,
            _ => false,
        }
    }
}

/// Why a record was not taken by a producer. It was not sent, and nothing counts it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The producer holds as much as it may.
    #[error(
        "the producer's queue is full; stop reading, wait for deliveries, and send the record again"
    )]
    QueueFull,
    /// The record is larger than `message.max.bytes`.
    #[error(
        "the record is larger than `message.max.bytes`; raise that setting here and on the topic, or send less"
    )]
    TooLarge,
    /// There is no such topic or partition.
    #[error("{topic} has no partition {partition}; create the topic, or correct the partition")]
    UnknownPartition {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// The handle belongs to another producer.
    #[error("the handle of {topic} belongs to another producer; ask this one for its own")]
    ForeignTopic {
        /// The topic.
        topic: String,
    },
    /// The deliveries have no such slot.
    #[error("slot {slot} was given, but the deliveries have {slots}; make them with enough slots")]
    UnknownSlot {
        /// The slot that was given.
        slot: u32,
        /// How many there are.
        slots: u32,
    },
    /// A name with a zero byte, or a send outside a transaction.
    #[error("the record cannot be sent: {text} ({code}); abort the transaction if there is one")]
    Refused {
        /// librdkafka's code.
        code: Code,
        /// librdkafka's explanation.
        text: String,
    },
    /// The producer cannot go on (it was fenced, or lost its sequence).
    #[error("the producer has failed for good: {text} ({code}); start a new one")]
    Fatal {
        /// librdkafka's code.
        code: Code,
        /// librdkafka's explanation.
        text: String,
    },
}

/// Why a call of a [`TransactionalProducer`](crate::TransactionalProducer) failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {text} ({code}); {}", self.kind.advice())]
#[non_exhaustive]
pub struct TxnError {
    /// What to do about it.
    pub kind: TxnErrorKind,
    /// The call that failed.
    pub call: &'static str,
    /// librdkafka's code.
    pub code: Code,
    /// librdkafka's explanation.
    pub text: String,
}

/// What to do about a failed transactional call; each asks for more than the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TxnErrorKind {
    /// Make the same call again.
    Retriable,
    /// Abort the transaction; nothing of it takes effect.
    Abortable,
    /// The outcome is unknown: start a new producer with the same id, call `init`, and look at the
    /// committed offsets.
    TimedOut,
    /// The producer is of no use any more: start a new one with the same id, call `init`, and look at the committed
    /// offsets.
    Fatal,
    /// As [`Fatal`](Self::Fatal), and the next one will fail as well until somebody changes what the text names: a
    /// permission, a limit, a setting.
    Lasting,
}

impl TxnErrorKind {
    fn advice(self) -> &'static str {
        match self {
            Self::Retriable => "make the call again",
            Self::Abortable => "abort the transaction and begin a new one",
            Self::TimedOut | Self::Fatal => {
                "start a new producer with the same id and look at the committed offsets"
            }
            Self::Lasting => {
                "trying again is of no use: allow it, raise the limit, or correct the setting"
            }
        }
    }
}
