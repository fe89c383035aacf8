//! Running and stopping: shards, their committers, the group, and the user's tasks and timers.

use super::{Worker, WorkerError, outage};
use crate::commit::{Committer, Owned};
use crate::consumer::{Control, Stop};
use crate::kafka::{At, KafkaError, MemberConfig, TopicPartition};
use crate::partition::{CutOrder, Shard, ShardCommand, ShardConfig, standbys};
use crate::schedule::{TaskDef, TimerDef};
use futures::FutureExt;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// A worker that runs.
pub(crate) struct Running {
    worker: Worker,
    shards: Vec<mpsc::UnboundedSender<ShardCommand>>,
    stop: oneshot::Sender<Stop>,
    jobs: Vec<AbortHandle>,
    /// The user's tasks that have not returned.
    unfinished: Arc<AtomicUsize>,
}

impl Running {
    /// Starts to process: joins the group, runs what is assigned, then the user's tasks and timers.
    pub(crate) fn start(worker: Worker) -> Result<Self, WorkerError> {
        worker.start_copies();
        let owned = Owned::default();
        let count = worker.settings.shards.max(1);
        let mut shards = Vec::new();
        for number in 0..count {
            shards.push(start_shard(&worker, number, count, &owned)?);
        }
        if worker.topology.tables.iter().any(|table| table.def.changelog) {
            worker.standbys.find(&worker);
            worker.tell_held();
            let follower = worker.clone();
            worker.spawn("faust-standby", move || standbys::run(follower));
        }
        let config = MemberConfig {
            topics: worker.assignment.topics(),
            instance_id: Some(format!("{}-{}", worker.topology.group, worker.id)),
            assignor: worker.assignment.clone(),
        };
        let control =
            Control::new(worker.clone(), worker.assignment.clone(), config, shards.clone())?;
        let (stop, stopped) = oneshot::channel();
        worker.spawn("faust-control", move || control.run(stopped));
        let watch = worker.clone().watched("watching the topics", watch_partitions(worker.clone()));
        worker.place.spawn_user(watch.boxed());
        let watch = worker.clone().watched("watching the broker", outage::watch(worker.clone()));
        worker.place.spawn_user(watch.boxed());
        let unfinished = Arc::new(AtomicUsize::new(worker.topology.tasks.len()));
        let jobs = start_jobs(&worker, &unfinished);
        Ok(Self { worker, shards, stop, jobs, unfinished })
    }

    #[cfg(test)]
    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }

    /// Completes with the error that the worker fails with.
    pub(crate) async fn failed(&self) -> String {
        self.worker.failed().await
    }

    /// Stops: every task finishes the event that it is at and commits, then the worker leaves the group. False where that
    /// could not be committed in time.
    pub(crate) async fn stop(self, within: Duration) -> bool {
        self.worker.stopping.send_replace(true);
        for job in &self.jobs {
            job.abort();
        }
        let ((committed, all_committed), (left, has_left)) =
            (oneshot::channel(), oneshot::channel());
        if self.stop.send(Stop { committed, left }).is_ok() {
            // An error: it has ended by itself, and said why.
            if timeout(within, all_committed).await.is_err() {
                return false;
            }
            if timeout(LEAVING, has_left).await.is_err() {
                tracing::warn!("leaving the group takes too long: it is ended without");
            }
        }
        true
    }

    /// Completes when the user's tasks have returned and every record that is in the app's topics is processed and
    /// committed, internal topics included.
    pub(crate) async fn until_end(&self) -> Result<(), KafkaError> {
        let mut before = None;
        loop {
            sleep(Duration::from_millis(50)).await;
            if self.unfinished.load(Ordering::Acquire) > 0 {
                continue;
            }
            let now = match self.at_end().await {
                Err(KafkaError::Unreachable { .. } | KafkaError::Failed { .. }) => None,
                now => now?,
            };
            if now.is_some() && now == before {
                return Ok(());
            }
            before = now;
        }
    }

    /// Where every source partition of the group stands, if that is its end and nothing is under way here.
    async fn at_end(&self) -> Result<Option<BTreeMap<TopicPartition, i64>>, KafkaError> {
        if !self.worker.monitor.ready() {
            return Ok(None);
        }
        for shard in &self.shards {
            let (sender, settled) = oneshot::channel();
            let asked = shard.send(ShardCommand::Settled(sender)).is_ok();
            if !asked || settled.await.ok().flatten().is_none() {
                return Ok(None);
            }
        }
        if !self.worker.copies_are_at_end().await? {
            return Ok(None);
        }
        let assignment = &self.worker.assignment;
        let partitions: Vec<TopicPartition> = assignment
            .topics()
            .into_iter()
            .flat_map(|topic| {
                let count = self.worker.partitions_of(self.worker.broker.topic_id(&topic));
                (0..count.unwrap_or(0)).map(move |n| TopicPartition::new(topic.clone(), n))
            })
            .collect();
        let ends = self.worker.broker.offsets(partitions.clone(), At::End).await?;
        let committed = match self.worker.broker.committed(partitions.clone(), true).await {
            Ok(committed) => committed,
            Err(KafkaError::Unstable { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut at = BTreeMap::new();
        for ((of, end), committed) in partitions.into_iter().zip(ends).zip(committed) {
            self.worker.monitor.partition(&of, |status| status.end = end);
            if committed.is_none_or(|committed| committed.offset < end) {
                return Ok(None);
            }
            at.insert(of, end);
        }
        Ok(Some(at))
    }
}

/// How long leaving the group may take, which gives itself two seconds.
const LEAVING: Duration = Duration::from_secs(3);

/// How often the partition counts are looked at.
const LOOK: Duration = Duration::from_secs(30);

/// Stops the worker when a topic gets more partitions while it runs: keys would belong elsewhere from then on.
async fn watch_partitions(worker: Worker) {
    loop {
        tokio::select! {
            () = sleep(LOOK) => {}
            () = worker.stopping() => return,
        }
        // An outage is said by who needs the broker.
        let Ok(topics) = worker.broker.topics().await else { continue };
        for (name, now) in topics {
            let then = worker.partitions_of(worker.broker.topic_id(&name));
            if let Some(then) = then.filter(|then| *then != now && now > 0) {
                worker.fail(format!(
                    "topic `{name}` had {then} partitions when the worker started and has {now} now: its keys belong to other \
                     partitions, so tables that are fed by it must be rebuilt under a new `version`"
                ));
                return;
            }
        }
    }
}

fn start_shard(
    worker: &Worker,
    number: usize,
    count: usize,
    owned: &Owned,
) -> Result<mpsc::UnboundedSender<ShardCommand>, WorkerError> {
    let id = worker.transactional_id(number);
    let (cuts, mut orders) = mpsc::unbounded_channel::<CutOrder>();
    let (broker, committer_id, owned_by) = (worker.broker.clone(), id.clone(), owned.clone());
    let failing = worker.clone();
    worker.spawn(&format!("faust-commit-{number}"), move || async move {
        let mut committer = match Committer::open(broker, committer_id, owned_by).await {
            Ok(committer) => committer,
            Err(error) => return failing.fail(error.to_string()),
        };
        while let Some((cut, outcome)) = orders.recv().await {
            let result = committer.commit(cut).await;
            let _ = outcome.send(result);
        }
    });
    let config = ShardConfig {
        worker: worker.clone(),
        id,
        owned: owned.clone(),
        committer: cuts,
        producer: worker.broker.producer()?,
        cache_bytes: worker.settings.cache_bytes / count,
    };
    let (commands, received) = mpsc::unbounded_channel();
    worker.spawn(&format!("faust-shard-{number}"), move || Shard::run(config, received));
    Ok(commands)
}

/// Tasks and timers begin when the group has answered and everything that was assigned runs.
fn start_jobs(worker: &Worker, unfinished: &Arc<AtomicUsize>) -> Vec<AbortHandle> {
    let mut jobs = Vec::new();
    for task in worker.topology.tasks.clone() {
        let (worker, unfinished) = (worker.clone(), unfinished.clone());
        let place = worker.place;
        let job = async move {
            up(&worker).await;
            let name = task.options.name;
            match AssertUnwindSafe((task.run)(&worker)).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => worker.fail(format!("task `{name}`: {error}")),
                Err(_) => worker.fail(format!("task `{name}` panicked")),
            }
            unfinished.fetch_sub(1, Ordering::AcqRel);
        };
        jobs.push(place.spawn_user(job.boxed()));
    }
    for hook in worker.topology.on_recovered.clone() {
        let place = worker.place;
        jobs.push(place.spawn_user(after_recoveries(worker.clone(), hook).boxed()));
    }
    for timer in worker.topology.timers.clone() {
        let place = worker.place;
        jobs.push(place.spawn_user(tick(worker.clone(), timer).boxed()));
    }
    jobs
}

/// Calls a timer's function at its interval; a call that takes longer lets the ticks that it covers pass.
async fn tick(worker: Worker, timer: TimerDef) {
    up(&worker).await;
    let (name, every) = (timer.options.name, timer.options.every.max(Duration::from_millis(1)));
    let mut next = Instant::now() + every;
    loop {
        sleep_until(next).await;
        match AssertUnwindSafe((timer.run)(&worker)).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(timer = name, %error, "a timer failed"),
            Err(_) => tracing::error!(timer = name, "a timer panicked"),
        }
        while next <= Instant::now() {
            next += every;
        }
    }
}

/// Calls a hook each time when partitions have come and everything that is assigned runs.
async fn after_recoveries(worker: Worker, hook: TaskDef) {
    let mut recovered = worker.recovered.subscribe();
    let name = hook.options.name;
    while recovered.changed().await.is_ok() {
        up(&worker).await;
        recovered.mark_unchanged();
        match AssertUnwindSafe((hook.run)(&worker)).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => worker.fail(format!("hook `{name}`: {error}")),
            Err(_) => worker.fail(format!("hook `{name}` panicked")),
        }
    }
}

async fn up(worker: &Worker) {
    let _ = worker.joined.subscribe().wait_for(|joined| *joined).await;
    while !worker.monitor.ready() {
        sleep(Duration::from_millis(10)).await;
    }
    worker.copies_ready().await;
}
