//! Errors that the cluster is told to answer with, a call at a time.

use super::*;

/// What a call answers instead of doing it.
#[derive(Clone, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "only tests tell it to fail"))]
pub(crate) enum Fault {
    /// It fails and has no effect.
    Transaction(TxnError),
    /// It has its effect, and the answer is lost.
    Lost,
    /// As for a call that is no part of a transaction.
    Call(KafkaError),
}

/// By the call's name, in their order.
#[derive(Default)]
pub(super) struct Faults(Vec<(&'static str, Fault)>);

impl Faults {
    /// What the next call of this name answers with.
    pub(super) fn take(&mut self, call: &'static str) -> Option<Fault> {
        let at = self.0.iter().position(|(of, _)| *of == call)?;
        Some(self.0.remove(at).1)
    }
}

impl Fault {
    pub(super) fn of_a_transaction(self) -> TxnError {
        match self {
            Self::Transaction(error) => error,
            Self::Lost => TxnError::Unknown("the answer is lost".into()),
            Self::Call(error) => TxnError::Unknown(error.to_string()),
        }
    }

    pub(super) fn of_a_call(self, what: &str) -> KafkaError {
        match self {
            Self::Call(error) => error,
            other => KafkaError::failed(what, other.of_a_transaction()),
        }
    }
}

#[cfg(test)]
impl Cluster {
    /// The next so many calls of this name answer with this.
    pub(crate) fn fail(&self, call: &'static str, times: usize, fault: &Fault) {
        let faults = std::iter::repeat_n((call, fault.clone()), times);
        self.lock().faults.0.extend(faults);
    }

    /// Whether every fault was met.
    pub(crate) fn has_failed_all(&self) -> bool {
        self.lock().faults.0.is_empty()
    }
}
