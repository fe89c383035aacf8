//! From the changelog into the store: from the store's own offset to the end of the log, committed records only.

use super::load::Loader;
use super::pace::Pace;
use crate::kafka::{At, Broker, KafkaError, Offset, Source, TopicPartition};
use crate::table::store::{Mark, Store, StoreError, Stores};
use futures::future::try_join3;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A store that has everything that is committed.
pub(crate) struct Recovered {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) mark: Mark,
    /// How many changelog records it lacked.
    pub(crate) replayed: u64,
}

/// So long nothing may come before reading is begun again.
const STALLED: Duration = Duration::from_secs(60);
/// How long it rests when it was interrupted.
const PAUSE: Duration = Duration::from_millis(100);

/// What recovery cannot mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RecoveryError {
    /// The broker; recovery is tried again.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far recovery is: from, at, to.
pub(crate) type Report<'a> = &'a (dyn Fn(Offset, Offset, Offset) + Send + Sync);

/// Opens a store and brings it up to the end of its changelog. A store that is another app's, or damaged, or does not
/// fit its changelog, is set aside and rebuilt.
pub(crate) async fn recover(
    broker: &dyn Broker,
    stores: &dyn Stores,
    owner: &str,
    table: &str,
    of: &TopicPartition,
    pace: &Pace,
    report: Report<'_>,
) -> Result<Recovered, RecoveryError> {
    let _turn = pace.begin();
    let Opened { mut store, mut mark, fresh, end } =
        opened(broker, stores, owner, table, of).await?;
    let mut from = mark.changelog;
    // Of a store that was there: when it had everything.
    let mut complete_at = store.mark()?.map(|mark| mark.at);
    let mut loader = Loader::new(store.clone(), from).noting_keys(end - from);
    let mut reader = None;
    let mut replayed = 0;
    while mark.changelog < end {
        let reading = reader.take().map_or_else(|| broker.restore(of, loader.at()), Ok);
        let read = read(reading, &mut loader, end, pace, &|at| report(from, at, end)).await;
        if loader.has_records()
            && let Some(at) = complete_at.take()
            && let Some(why) = outlived(broker, &of.topic, at).await?
        {
            (store, mark) = rebuild(stores, table, of, &fresh, &why)?;
            from = mark.changelog;
            loader = Loader::new(store.clone(), from).noting_keys(end - from);
            continue;
        }
        // Until then it lacks what it lacked when it was complete last, or when it was begun.
        if loader.at() >= end {
            mark.at = broker.now().as_millis();
        }
        // What was read before an interruption need not be read again.
        replayed += loader.write(&mut mark)?;
        match read {
            Ok(reading) => reader = Some(reading),
            Err(error @ (KafkaError::Unreachable { .. } | KafkaError::Failed { .. })) => {
                tracing::warn!(%error, changelog = %of, "recovery was interrupted; going on");
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Recovered { store, mark, replayed })
}

/// A store that fits its changelog.
pub(super) struct Opened {
    pub(super) store: Arc<dyn Store>,
    pub(super) mark: Mark,
    /// The mark of a new store.
    pub(super) fresh: Mark,
    /// Where the changelog ends.
    pub(super) end: Offset,
}

/// Opens a store that fits its changelog, a new one if need be.
pub(super) async fn opened(
    broker: &dyn Broker,
    stores: &dyn Stores,
    owner: &str,
    table: &str,
    of: &TopicPartition,
) -> Result<Opened, RecoveryError> {
    let log = vec![of.clone()];
    // The end with open transactions: what is behind the last stable offset may still be committed.
    let (start, end, id) = try_join3(
        broker.offsets(log.clone(), At::Start),
        broker.offsets(log, At::End),
        broker.topic_uuid(&of.topic),
    )
    .await?;
    let (start, end, log) = (first(start), first(end), id.unwrap_or_default());
    let at = broker.now().as_millis();
    let fresh = Mark { owner: owner.into(), changelog: start, log, at, ..Mark::default() };
    let (store, mark) = open(stores, table, of, &fresh, end)?;
    Ok(Opened { store, mark, fresh, end })
}

/// Kafka's own `delete.retention.ms`.
const RETENTION: i64 = 24 * 60 * 60 * 1000;

/// Whether what a store lacks may hold removals that compaction has removed since: then rows would stay for ever.
pub(super) async fn outlived(
    broker: &dyn Broker,
    changelog: &str,
    complete_at: i64,
) -> Result<Option<String>, KafkaError> {
    let age = broker.now().as_millis().saturating_sub(complete_at);
    let kept = broker.topic_setting(changelog, "delete.retention.ms").await?;
    let kept = kept.and_then(|millis| millis.parse().ok()).unwrap_or(RETENTION);
    Ok((age > kept).then(|| {
        let hours = age / (60 * 60 * 1000);
        format!(
            "it was last complete {hours} hours ago, but the changelog keeps removals for {kept} ms only \
             (`delete.retention.ms`), so removed rows could be in it"
        )
    }))
}

/// Opens a store; `fresh`: the mark that a new one has.
fn open(
    stores: &dyn Stores,
    table: &str,
    of: &TopicPartition,
    fresh: &Mark,
    end: Offset,
) -> Result<(Arc<dyn Store>, Mark), RecoveryError> {
    let made_anew =
        |mark: &Mark| mark.log != fresh.log && !mark.log.is_empty() && !fresh.log.is_empty();
    let opened = stores.open(table, of.partition);
    let why = match opened.and_then(|store| Ok((store.mark()?, store))) {
        Ok((None, store)) => return Ok((store, fresh.clone())),
        Ok((Some(mark), _)) if made_anew(&mark) => "its changelog was deleted and made anew".into(),
        Ok((Some(mark), _)) if mark.owner != fresh.owner => format!("it belongs to {}", mark.owner),
        Ok((Some(mark), _)) if mark.changelog < fresh.changelog => {
            format!("it is at {}, but the changelog starts at {}", mark.changelog, fresh.changelog)
        }
        // What it has was all deleted: the tables were reset by another worker.
        Ok((Some(mark), store))
            if mark.changelog == fresh.changelog && mark.changelog > 0 && store.len() > 0 =>
        {
            format!(
                "all that it has was deleted from the changelog, which starts at {}",
                mark.changelog
            )
        }
        Ok((Some(mark), _)) if mark.changelog > end => {
            format!(
                "it is at {}, but the changelog ends at {end}: that one was made anew, or is not the one it was",
                mark.changelog
            )
        }
        Ok((Some(mark), store)) => return Ok((store, Mark { log: fresh.log.clone(), ..mark })),
        Err(StoreError::Damaged { cause, .. }) => cause,
        Err(error) => return Err(error.into()),
    };
    Ok(rebuild(stores, table, of, fresh, &why)?)
}

/// Sets a store aside and makes a new one.
pub(super) fn rebuild(
    stores: &dyn Stores,
    table: &str,
    of: &TopicPartition,
    fresh: &Mark,
    why: &str,
) -> Result<(Arc<dyn Store>, Mark), StoreError> {
    tracing::warn!(
        changelog = %of, why,
        "the store is set aside and rebuilt from its changelog; it is kept until another one is set aside"
    );
    stores.set_aside(table, of.partition)?;
    Ok((stores.open(table, of.partition)?, fresh.clone()))
}

/// Reads until the position has reached `end`, which moves over control records and aborted transactions, or as much
/// as is worth a write.
async fn read(
    reader: Result<Box<dyn Source>, KafkaError>,
    loader: &mut Loader,
    end: Offset,
    pace: &Pace,
    report: &(dyn Fn(Offset) + Sync),
) -> Result<Box<dyn Source>, KafkaError> {
    let mut reader = reader?;
    while loader.at() < end && loader.bytes() < pace.share() {
        let next = timeout(STALLED, poll_fn(|cx| reader.poll_batch(cx))).await;
        let batch =
            next.map_err(|_| KafkaError::failed("reading", "nothing has come for 60 s"))??;
        pace.take(loader.take(batch)).await;
        report(loader.at().min(end));
    }
    Ok(reader)
}

fn first(offsets: Vec<Offset>) -> Offset {
    offsets.first().copied().unwrap_or(0)
}
