//! What each error of a transaction means, in one place. librdkafka says of an error whether the transaction or the
//! producer survives it; it does not say whether anybody can mend it but an operator, nor that a call which timed out
//! may still take effect.

use crate::{Code, TxnErrorKind};

/// Kafka's codes, and librdkafka's own below zero, by what is to be done.
const CLASSES: &[(TxnErrorKind, &[i32])] = &[
    (
        TxnErrorKind::Retriable,
        &[
            5,    // LEADER_NOT_AVAILABLE
            6,    // NOT_LEADER_OR_FOLLOWER
            13,   // NETWORK_EXCEPTION
            14,   // COORDINATOR_LOAD_IN_PROGRESS
            15,   // COORDINATOR_NOT_AVAILABLE
            16,   // NOT_COORDINATOR
            51,   // CONCURRENT_TRANSACTIONS
            -195, // _TRANSPORT
            -180, // _WAIT_COORD
        ],
    ),
    (
        TxnErrorKind::Abortable,
        &[
            3,   // UNKNOWN_TOPIC_OR_PARTITION
            19,  // NOT_ENOUGH_REPLICAS
            20,  // NOT_ENOUGH_REPLICAS_AFTER_APPEND
            22,  // ILLEGAL_GENERATION: somebody else may own it now
            25,  // UNKNOWN_MEMBER_ID
            27,  // REBALANCE_IN_PROGRESS
            49,  // INVALID_PRODUCER_ID_MAPPING: the id has expired; the abort gets a new one
            55,  // OPERATION_NOT_ATTEMPTED
            59,  // UNKNOWN_PRODUCER_ID: as above
            82,  // FENCED_INSTANCE_ID: the member hears of it too, and knows what to do
            110, // FENCED_MEMBER_EPOCH
            113, // STALE_MEMBER_EPOCH
            120, // TRANSACTION_ABORTABLE
        ],
    ),
    (
        TxnErrorKind::TimedOut,
        &[
            7,    // REQUEST_TIMED_OUT
            -166, // _TIMED_OUT_QUEUE
            -185, // _TIMED_OUT
            -192, // _MSG_TIMED_OUT
        ],
    ),
    (
        TxnErrorKind::Fatal,
        &[
            45,   // OUT_OF_ORDER_SEQUENCE_NUMBER
            47,   // INVALID_PRODUCER_EPOCH
            48,   // INVALID_TXN_STATE
            90,   // PRODUCER_FENCED
            -144, // _FENCED
            -150, // _FATAL
        ],
    ),
    (
        TxnErrorKind::Lasting,
        &[
            10,   // MESSAGE_TOO_LARGE
            12,   // OFFSET_METADATA_TOO_LARGE
            17,   // INVALID_TOPIC_EXCEPTION
            18,   // RECORD_LIST_TOO_LARGE
            21,   // INVALID_REQUIRED_ACKS
            29,   // TOPIC_AUTHORIZATION_FAILED
            30,   // GROUP_AUTHORIZATION_FAILED
            31,   // CLUSTER_AUTHORIZATION_FAILED
            33,   // UNSUPPORTED_SASL_MECHANISM
            35,   // UNSUPPORTED_VERSION
            43,   // UNSUPPORTED_FOR_MESSAGE_FORMAT
            44,   // POLICY_VIOLATION
            50,   // INVALID_TRANSACTION_TIMEOUT
            53,   // TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            54,   // SECURITY_DISABLED
            58,   // SASL_AUTHENTICATION_FAILED
            87,   // INVALID_RECORD
            -165, // _UNSUPPORTED_FEATURE
            -169, // _AUTHENTICATION
        ],
    ),
];

/// What to do about a code, where the client itself thinks that `client` is to be done: of the two what asks for more,
/// because a call cannot be made again on a transaction that the client has given up.
pub(super) fn kind(code: Code, client: Option<TxnErrorKind>) -> TxnErrorKind {
    let known = CLASSES.iter().find(|(_, codes)| codes.contains(&code.0)).map(|(kind, _)| *kind);
    // Calls in the wrong order and the like: the state is not what the caller thinks it is.
    known.max(client).unwrap_or(TxnErrorKind::Fatal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use TxnErrorKind::{Abortable, Fatal, Lasting, Retriable, TimedOut};

    #[test]
    fn each_code_has_one_class() {
        let mut all: Vec<i32> = CLASSES.iter().flat_map(|(_, codes)| *codes).copied().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn a_coordinator_that_moves_or_is_busy_is_asked_again() {
        for code in [14, 15, 16, 51] {
            assert_eq!(kind(Code(code), None), Retriable, "{:?}", Code(code));
            assert_eq!(kind(Code(code), Some(Abortable)), Abortable, "the client has given it up");
        }
    }

    #[test]
    fn who_has_lost_its_place_in_the_group_aborts() {
        for code in [22, 25, 27, 82] {
            assert_eq!(kind(Code(code), Some(Abortable)), Abortable, "{:?}", Code(code));
        }
    }

    #[test]
    fn a_producer_id_that_has_expired_costs_a_transaction_or_the_producer() {
        for code in [49, 59] {
            assert_eq!(kind(Code(code), Some(Abortable)), Abortable, "{:?}", Code(code));
            assert_eq!(kind(Code(code), Some(Fatal)), Fatal, "{:?}", Code(code));
        }
    }

    /// A request that is late may still arrive, in the next transaction of the same producer.
    #[test]
    fn a_timeout_is_an_unknown_outcome_even_where_the_client_would_abort() {
        for code in [7, -185, -192] {
            assert_eq!(kind(Code(code), Some(Abortable)), TimedOut, "{:?}", Code(code));
        }
    }

    #[test]
    fn a_fenced_producer_is_replaced() {
        for code in [47, 90, -144, -150, 48] {
            assert_eq!(kind(Code(code), Some(Abortable)), Fatal, "{:?}", Code(code));
        }
        assert_eq!(kind(Code(-172), None), Fatal, "a call in the wrong order");
    }

    #[test]
    fn what_only_an_operator_can_mend_is_told_from_what_passes() {
        for code in [10, 29, 30, 53] {
            assert_eq!(kind(Code(code), Some(Fatal)), Lasting, "{:?}", Code(code));
        }
    }
}
