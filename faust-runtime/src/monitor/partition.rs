//! Where reading a partition stands.

use crate::kafka::Offset;
use std::sync::Arc;

/// Where reading a partition stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartitionStatus {
    /// The next record to be processed.
    pub(crate) position: Offset,
    /// What the group has committed.
    pub(crate) committed: Offset,
    /// Behind the last record.
    pub(crate) end: Offset,
    /// For a changelog that is being read back.
    pub(crate) recovery: Option<Recovery>,
}

/// A table's partition on its way back from its changelog.
#[derive(Clone, Debug)]
pub(crate) struct Recovery {
    /// The table.
    pub(crate) table: Arc<str>,
    /// Where it began.
    pub(crate) from: Offset,
    /// Where it is.
    pub(crate) at: Offset,
    /// Where it is done.
    pub(crate) to: Offset,
}

impl PartitionStatus {
    /// How many records are still to be processed.
    pub(crate) fn lag(&self) -> u64 {
        u64::try_from(self.end.saturating_sub(self.position)).unwrap_or_default()
    }
}

impl Recovery {
    /// How much of it is done, from 0 to 1.
    pub(crate) fn done(&self) -> f64 {
        let all = self.to.saturating_sub(self.from).max(1);
        (self.at.saturating_sub(self.from) as f64 / all as f64).clamp(0.0, 1.0)
    }
}
