//! The first contents of a table that was never used.

use super::{Found, Inner};
use crate::define::Row;
use crate::kafka::partition_for;

impl<T: Row> Inner<T> {
    /// Puts in those rows that belong here; the next cut commits them.
    pub(super) fn fill(&mut self, rows: Vec<(T::Key, T::Value)>) -> crate::Result<()> {
        let mut bytes = Vec::new();
        for (key, value) in rows {
            bytes.clear();
            T::encode_partition_key(&key, &mut bytes)?;
            if partition_for(&bytes, self.partitions) != self.partition {
                continue;
            }
            let Found::Row(row) = self.find(0, &key, -1)? else { continue };
            if let Some(slot) = self.rows.get_mut(row) {
                slot.value = Some(value);
            }
            self.touch(row);
        }
        Ok(())
    }
}
