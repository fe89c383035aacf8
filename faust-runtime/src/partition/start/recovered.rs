//! A task's tables, brought up to the end of their changelogs.

use super::*;

/// Brings the stores of the group's tables up to date, away from the shard's thread.
pub(super) async fn recover_tables(
    shard: &Shard,
    id: TaskId,
    writer: &Writer,
    foreign: bool,
) -> Result<Vec<(usize, Recovered)>, StartError> {
    let worker = shard.worker.clone();
    let tables =
        worker.topology.groups.get(id.group).map(|group| group.tables.clone()).unwrap_or_default();
    let mut all = Vec::new();
    for index in tables {
        let _turn = shard.worker.recoveries.acquire().await;
        let worker = worker.clone();
        // Nobody else writes before the thread ends, even if the start is given up meanwhile.
        let writer = writer.clone();
        let done = worker.clone().place.run("recovery", move || async move {
            let _writer = writer;
            recover_table(&worker, index, id.partition, foreign).await
        });
        match done.await {
            Some(recovered) => all.push((index, recovered?)),
            None => return Err(KafkaError::failed("recovery", "the worker stops").into()),
        }
    }
    Ok(all)
}

async fn recover_table(
    worker: &crate::worker::Worker,
    index: usize,
    partition: u32,
    foreign: bool,
) -> Result<Recovered, RecoveryError> {
    let Some(table) = worker.topology.tables.get(index) else {
        return Err(KafkaError::failed("recovery", "no such table").into());
    };
    let of = TopicPartition::new(table.changelog.clone(), partition);
    let report = |from, at, to| {
        worker.standbys.reached(index, partition, at, Some(to));
        worker.monitor.partition(&of, |status| {
            status.position = at;
            status.end = to;
            status.recovery = Some(Recovery { table: table.name.clone(), from, at, to });
        });
    };
    let owner = worker.topology.store_owner(table);
    if !table.def.changelog {
        let stores = &*worker.stores_of_worker;
        return Ok(open_local(stores, &owner, &table.name, partition, foreign)?);
    }
    let recovered = recover(
        &*worker.broker,
        &*worker.stores_of_worker,
        &owner,
        &table.name,
        &of,
        &worker.restore_pace,
        &report,
    )
    .await?;
    worker.monitor.forget_partition(&of);
    if recovered.replayed > 0 {
        tracing::info!(changelog = %of, records = recovered.replayed, "recovered");
    }
    Ok(recovered)
}

/// Empties the tables and their changelogs.
pub(super) async fn reset_tables(
    shard: &Shard,
    id: TaskId,
    recovered: &mut Vec<(usize, Recovered)>,
    writer: &Writer,
) -> Result<(), StartError> {
    let worker = &shard.worker;
    for (index, _) in recovered.drain(..) {
        let Some(table) = worker.topology.tables.get(index) else { continue };
        if table.def.changelog {
            let of = TopicPartition::new(table.changelog.clone(), id.partition);
            let end = lowest(worker.broker.offsets(vec![of.clone()], At::End).await?.into_iter());
            worker.broker.delete_records(vec![(of, end)]).await?;
        }
        worker.stores_of_worker.set_aside(&table.name, id.partition)?;
    }
    *recovered = recover_tables(shard, id, writer, true).await?;
    Ok(())
}
