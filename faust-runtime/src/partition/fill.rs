//! Tables with `initial = ..` that were never used: their first contents are in the same cut as the claim, so they are
//! there before the first event, once.

use super::start::StartError;
use super::task::Task;
use crate::app::topology::Table;
use crate::table::changelog::Recovered;
use crate::worker::Worker;
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use tokio::sync::oneshot;

/// The tables that nobody has written, by their index: no cut is in their stores, and nothing in their changelogs.
pub(super) fn unused(recovered: &[(usize, Recovered)]) -> Vec<usize> {
    let unused = recovered.iter().filter(|(_, table)| {
        table.replayed == 0 && table.mark.sources.is_empty() && table.store.len() == 0
    });
    unused.map(|(index, _)| *index).collect()
}

/// Fills those of them that say with what.
pub(super) async fn fill(worker: &Worker, task: &Task, unused: &[usize]) -> Result<(), StartError> {
    for index in unused {
        let Some(table) = worker.topology.tables.get(*index) else { continue };
        let number = task.table_numbers.get(index).map(|number| usize::from(*number));
        let Some(opened) = number.and_then(|number| task.tables.get(number)) else { continue };
        let Some(rows) = rows(worker, table) else { continue };
        let filled = rows.await.and_then(|rows| opened.fill(rows));
        filled.map_err(|error| StartError::Initial { table: table.def.name, error })?;
    }
    Ok(())
}

/// Calls the user's function where users' functions run.
fn rows(
    worker: &Worker,
    table: &Table,
) -> Option<impl Future<Output = crate::Result<crate::table::Rows>> + use<>> {
    let rows = (table.ops.initial)()?;
    let (sender, done) = oneshot::channel();
    let call = async move {
        let rows = AssertUnwindSafe(rows).catch_unwind().await;
        let _ = sender.send(rows.unwrap_or_else(|_| Err("it panicked".into())));
    };
    worker.place.spawn_user(call.boxed());
    Some(async { done.await.unwrap_or_else(|_| Err("the worker stops".into())) })
}
