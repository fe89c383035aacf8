//! The copies of tables that functions ask for as `Global`: made with the worker, filled while it runs.

use super::topics::Counts;
use super::{Inner, Worker};
use crate::app::topology::{Table, Topology};
use crate::kafka::{At, KafkaError};
use crate::table::Copy;
use std::collections::BTreeMap;
use std::sync::Arc;

/// By the table's index in the topology.
pub(super) type Copies = BTreeMap<usize, Arc<Copy>>;

/// A copy, still empty, of every table that is asked for so.
pub(super) fn of(topology: &Topology, counts: &Counts) -> Copies {
    let copied = topology.tables.iter().enumerate().filter(|(_, table)| table.copied);
    let copy = |(index, table): (usize, &Table)| {
        let partitions = counts.get(&table.changelog).copied().unwrap_or(1);
        let owner = topology.store_owner(table);
        (
            index,
            Arc::new(Copy::new(table.def, &table.name, owner, table.changelog.clone(), partitions)),
        )
    };
    copied.map(copy).collect()
}

impl Worker {
    /// Begins to follow the tables of which there is to be a copy, each on a thread of its own.
    pub(crate) fn start_copies(&self) {
        for copy in self.copies.values() {
            let (worker, copy) = (self.clone(), copy.clone());
            self.spawn("faust-global", move || async move {
                tokio::select! {
                    followed = copy.follow(&*worker.broker, &*worker.stores_of_worker) => {
                        let Err(error) = followed;
                        worker.fail(format!("the copy of a table ended: {error}"));
                    }
                    () = worker.stopping() => {}
                }
            });
        }
    }

    /// Ends them, where the worker does not run.
    pub(crate) fn end_copies(&self) {
        self.stopping.send_replace(true);
    }

    /// Completes when each copy has had everything that was committed when the worker started.
    pub(crate) async fn copies_ready(&self) {
        for copy in self.copies.values() {
            copy.ready().await;
        }
    }
}

impl Worker {
    /// Whether each copy has everything that is committed now.
    pub(crate) async fn copies_are_at_end(&self) -> Result<bool, KafkaError> {
        for copy in self.copies.values() {
            let (of, at): (Vec<_>, Vec<_>) = copy.positions().into_iter().unzip();
            let ends = self.broker.offsets(of, At::End).await?;
            if at.iter().zip(ends).any(|(at, end)| *at < end) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Inner {
    /// The copy of a table, by its index.
    pub(crate) fn copy_of(&self, table: usize) -> Option<&Arc<Copy>> {
        self.copies.get(&table)
    }

    /// Whether each copy has had everything that was committed when the worker started.
    pub(crate) fn copies_are_ready(&self) -> bool {
        self.copies.values().all(|copy| copy.is_ready())
    }
}
