//! Error codes: the brokers' and librdkafka's own.

use std::{
    ffi::{c_char, c_int},
    fmt,
};

use crate::native::text;

/// An error code of librdkafka: the broker's where it is positive, its own where it is negative.
///
/// ```
/// # use faust_kafka::Code;
/// assert_eq!(Code::TOPIC_ALREADY_EXISTS.to_string(), "TOPIC_ALREADY_EXISTS, code 36");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub i32);

unsafe extern "C" {
    fn faust_code_name(code: c_int) -> *const c_char;
    fn faust_code_text(code: c_int) -> *const c_char;
}

/// The codes that callers or this crate tell apart.
#[expect(missing_docs, reason = "Kafka's own names")]
impl Code {
    pub const NONE: Self = Self(0);
    pub const OFFSET_OUT_OF_RANGE: Self = Self(1);
    pub const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    pub const REQUEST_TIMED_OUT: Self = Self(7);
    pub const MESSAGE_TOO_LARGE: Self = Self(10);
    pub const ILLEGAL_GENERATION: Self = Self(22);
    pub const UNKNOWN_MEMBER_ID: Self = Self(25);
    pub const REBALANCE_IN_PROGRESS: Self = Self(27);
    pub const TOPIC_ALREADY_EXISTS: Self = Self(36);
    pub const FENCED_INSTANCE_ID: Self = Self(82);
    pub const UNSTABLE_OFFSET_COMMIT: Self = Self(88);
    pub const PRODUCER_FENCED: Self = Self(90);

    pub(crate) const TRANSPORT: Self = Self(-195);
    pub(crate) const RESOLVE: Self = Self(-193);
    pub(crate) const PARTITION_EOF: Self = Self(-191);
    pub(crate) const UNKNOWN_PARTITION: Self = Self(-190);
    pub(crate) const UNKNOWN_TOPIC: Self = Self(-188);
    pub(crate) const ALL_BROKERS_DOWN: Self = Self(-187);
    pub(crate) const TIMED_OUT: Self = Self(-185);
    pub(crate) const QUEUE_FULL: Self = Self(-184);
    pub(crate) const INVALID_ARGUMENT: Self = Self(-186);
    pub(crate) const PURGE_QUEUE: Self = Self(-152);
    pub(crate) const ASSIGN_PARTITIONS: Self = Self(-175);
    pub(crate) const FATAL: Self = Self(-150);
    pub(crate) const AUTO_OFFSET_RESET: Self = Self(-140);
}

impl Code {
    /// Whether the brokers do not allow it, or do not know how to.
    pub(crate) fn is_refusal(self) -> bool {
        // Authorization for a topic, a group, the cluster, a transactional id; authentication; the version; librdkafka's
        // words for the last two.
        matches!(self.0, 29 | 30 | 31 | 53 | 58 | 35 | -169 | -165)
    }

    /// Kafka's name for it.
    fn name(self) -> String {
        // SAFETY: librdkafka returns a string for any number; for an unknown one it is this
        // thread's buffer, which is why it is copied at once.
        unsafe { text(faust_code_name(self.0)) }
    }

    /// What it means.
    pub(crate) fn text(self) -> String {
        // SAFETY: as above.
        unsafe { text(faust_code_text(self.0)) }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, code {}", self.name(), self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({} {})", self.0, self.name())
    }
}
