//! The control loop: it answers every change of the group once the tasks have followed it. It runs no user code and
//! never fetches, so that a rebalance disturbs nobody who stays.

use super::Assignment;
use crate::kafka::{KafkaError, Member, MemberConfig, MemberEvent, TopicPartition};
use crate::partition::{ShardCommand, TaskId};
use crate::worker::Worker;
use futures::future::{JoinAll, join_all};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

/// That it is to stop, and who hears how far that is.
pub(crate) struct Stop {
    /// Everything that was done is committed.
    pub(crate) committed: oneshot::Sender<()>,
    /// The group knows that this worker has left, or cannot be told.
    pub(crate) left: oneshot::Sender<()>,
}

/// One worker's part in the group.
pub(crate) struct Control {
    worker: Worker,
    assignment: Arc<Assignment>,
    member: Box<dyn Member>,
    shards: Vec<mpsc::UnboundedSender<ShardCommand>>,
    owned: BTreeSet<TopicPartition>,
    running: BTreeSet<TaskId>,
    /// When to ask again for tasks that should have come.
    ask_again: Option<Instant>,
    warming: Warming,
    /// How the group is joined.
    config: MemberConfig,
    /// When a member was done for.
    deaths: Vec<Instant>,
}

/// Tasks that this worker warms up for.
struct Warming {
    tasks: BTreeSet<TaskId>,
    /// When to look whether one is ready.
    look: Option<Instant>,
    /// How long the group rests after it was asked for one; doubled while it gives none.
    rest: Duration,
}

/// How often it is looked whether a task is warm.
const LOOK: Duration = Duration::from_millis(500);
/// How long the group rests after it was asked: at least as long as it takes to move a task, and at most.
const REST: Duration = Duration::from_secs(2);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// So often within a minute a member may be done for.
const DEATHS: usize = 3;

impl Control {
    pub(crate) fn new(
        worker: Worker,
        assignment: Arc<Assignment>,
        config: MemberConfig,
        shards: Vec<mpsc::UnboundedSender<ShardCommand>>,
    ) -> Result<Self, KafkaError> {
        let member = worker.broker.join(config.clone())?;
        let (owned, running, deaths) = Default::default();
        let ask_again = None;
        let warming = Warming { tasks: BTreeSet::new(), look: None, rest: REST };
        Ok(Self {
            worker,
            assignment,
            member,
            shards,
            owned,
            running,
            ask_again,
            warming,
            config,
            deaths,
        })
    }

    /// Follows the group until `stop`; then hands everything over, and leaves.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<Stop>) {
        let stop = loop {
            let (ask_again, look) = (self.ask_again, self.warming.look);
            tokio::select! {
                stop = &mut stop => break stop.ok(),
                event = self.member.next() => self.follow(event).await,
                () = wait_until(ask_again) => self.ask_again(),
                () = wait_until(look) => self.ask_for_what_is_warm(),
            }
        };
        self.worker.standbys.follow(BTreeSet::new());
        self.stop_all().await;
        // Whoever has asked may have lost patience.
        let (committed, left) = stop.map(|Stop { committed, left }| (committed, left)).unzip();
        committed.map(|committed| committed.send(()));
        self.member.leave().await;
        left.map(|left| left.send(()));
    }

    /// Stops every task. The group is followed meanwhile: who has no place in it cannot commit.
    async fn stop_all(&mut self) {
        let all = std::mem::take(&mut self.running);
        let mut stopped = self.stop_tasks(&all, false);
        let mut owed = false;
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                event = self.member.next() => match event {
                    MemberEvent::Assigned(_) => self.member.answer(),
                    // What goes may be given to others with the answer: not before it is committed.
                    MemberEvent::Revoked { lost: false, .. } => owed = true,
                    MemberEvent::Revoked { .. } => {
                        self.stop_tasks(&all, true).await;
                        self.member.answer();
                    }
                    MemberEvent::Expelled => {
                        self.stop_tasks(&all, true).await;
                    }
                    MemberEvent::Failed(_) => {}
                    MemberEvent::Dead(_) => {
                        self.stop_tasks(&all, true).await;
                    }
                }
            }
        }
        if owed {
            self.member.answer();
        }
    }

    async fn follow(&mut self, event: MemberEvent) {
        match event {
            MemberEvent::Assigned(partitions) => {
                self.owned.extend(partitions);
                self.learn_plan();
                let complete = self.assignment.complete(&self.owned);
                for task in complete.difference(&self.running) {
                    tracing::debug!(%task, "starting");
                    self.worker.monitor.expect_task(task.group, task.partition);
                    self.send(*task, ShardCommand::Start(*task));
                }
                self.running = complete;
                self.worker.monitor.rebalanced();
                self.member.answer();
                self.worker.assigned(self.running.clone());
            }
            MemberEvent::Revoked { partitions, lost } => {
                self.worker.monitor.rebalanced();
                let going: BTreeSet<TaskId> =
                    partitions.iter().filter_map(|of| self.assignment.task_of(of)).collect();
                for of in &partitions {
                    self.owned.remove(of);
                }
                let stopping: BTreeSet<TaskId> =
                    going.intersection(&self.running).copied().collect();
                self.running.retain(|task| !going.contains(task));
                self.worker.assigned(self.running.clone());
                // Without a place in the group nothing can be committed, and no place comes back before the answer.
                let patience = self.worker.settings.session_timeout;
                if timeout(patience, self.stop_tasks(&stopping, lost)).await.is_err() {
                    tracing::warn!(
                        ?stopping,
                        "handing over takes too long: what is not committed runs elsewhere"
                    );
                    self.give_up(&stopping).await;
                }
                self.learn_plan();
                self.member.answer();
            }
            MemberEvent::Dead(error) => self.join_again(error).await,
            MemberEvent::Expelled => {
                tracing::warn!("the group has taken this worker in anew: its tasks start again");
                self.give_up_all().await;
            }
            MemberEvent::Failed(error @ KafkaError::Refused { .. }) => {
                self.worker.fail(error.to_string());
            }
            MemberEvent::Failed(error) => {
                tracing::warn!(%error, "the group cannot be followed at the moment");
            }
        }
    }

    /// Takes the place of the member that is done for. After an outage that is mostly its own: brokers take requests
    /// that it has given up, join it twice, and think the second one another process.
    async fn join_again(&mut self, error: KafkaError) {
        self.owned.clear();
        self.worker.monitor.rebalanced();
        self.give_up_all().await;
        let now = Instant::now();
        self.deaths.retain(|death| now.duration_since(*death) < Duration::from_secs(60));
        self.deaths.push(now);
        if self.deaths.len() > DEATHS {
            self.worker.fail(format!(
                "{error}; that came {DEATHS} times in a minute: another process uses the same data folder, or a copy of it"
            ));
            return;
        }
        tracing::warn!(%error, "this worker has lost its place in the group, and joins again");
        match self.worker.broker.join(self.config.clone()) {
            Ok(member) => self.member = member,
            Err(error) => self.worker.fail(error.to_string()),
        }
    }

    /// Stops tasks that could not commit in time. They share their cuts with others, and those may be unable to commit
    /// as well: a group that has put this worker out, while it owed an answer, tells it so only after the answer. Then
    /// nothing here is its own any more, and what is comes with the next assignment.
    async fn give_up(&mut self, stopping: &BTreeSet<TaskId>) {
        let patience = self.worker.settings.session_timeout;
        if timeout(patience, self.stop_tasks(stopping, true)).await.is_err() {
            tracing::warn!("nothing can be committed here: all tasks start again");
            self.give_up_all().await;
        }
    }

    /// Stops everything that runs; nothing of it is committed.
    async fn give_up_all(&mut self) {
        let all = std::mem::take(&mut self.running);
        self.worker.assigned(BTreeSet::new());
        self.stop_tasks(&all, true).await;
    }

    /// Stops tasks, all at once; each commits what it has done, unless it is lost.
    fn stop_tasks(&self, tasks: &BTreeSet<TaskId>, lost: bool) -> JoinAll<oneshot::Receiver<()>> {
        join_all(tasks.iter().map(|task| {
            tracing::debug!(%task, lost, "stopping");
            let (done, stopped) = oneshot::channel();
            self.send(*task, ShardCommand::Stop { task: *task, lost, done });
            stopped
        }))
    }

    fn send(&self, task: TaskId, command: ShardCommand) {
        let shard = (task.group + task.partition as usize) % self.shards.len().max(1);
        if let Some(shard) = self.shards.get(shard) {
            // A shard that is gone has failed, and said so.
            let _ = shard.send(command);
        }
    }

    /// Takes over where tasks are, and who is alive.
    fn learn_plan(&mut self) {
        let plan = self.assignment.plan();
        let coming = plan.coming.iter().any(|(group, partition)| {
            !self.running.contains(&TaskId { group: *group, partition: *partition })
        });
        self.ask_again = if self.assignment.is_misknown() {
            Some(Instant::now())
        } else {
            coming.then(|| Instant::now() + self.worker.settings.hand_over_timeout)
        };
        // A task that is being started or stopped here is not followed yet.
        let standbys: BTreeSet<TaskId> =
            plan.standbys().difference(&self.running).copied().collect();
        self.warming.learn(plan.warmups());
        self.worker.standbys.follow(standbys);
        self.worker.learn(plan);
    }

    /// Asks for another assignment if a task that waits for this worker to warm up can come now.
    fn ask_for_what_is_warm(&mut self) {
        let lags =
            self.warming.tasks.iter().map(|task| self.worker.standbys.lag(&self.worker, *task));
        let acceptable = self.worker.settings.acceptable_lag;
        let warm = lags.flatten().any(|lag| lag <= acceptable);
        self.warming.look = Some(Instant::now() + if warm { self.warming.rest } else { LOOK });
        if warm {
            tracing::info!("warmed up: asking the group for another assignment");
            self.warming.rest = LONGEST_REST.min(self.warming.rest * 2);
            self.worker.tell_held();
            self.member.rejoin();
        }
    }

    fn ask_again(&mut self) {
        tracing::info!("asking the group for another assignment");
        self.worker.tell_held();
        self.ask_again = Some(Instant::now() + self.worker.settings.hand_over_timeout);
        self.member.rejoin();
    }
}

impl Warming {
    /// Other tasks: those that went are warm, or not wanted any more.
    fn learn(&mut self, tasks: BTreeSet<TaskId>) {
        if self.tasks.difference(&tasks).next().is_some() || self.tasks.is_empty() {
            self.rest = REST;
        }
        if tasks.is_empty() {
            self.look = None;
        } else {
            // Not sooner than the group may be asked again.
            self.look.get_or_insert_with(|| Instant::now() + LOOK);
        }
        self.tasks = tasks;
    }
}

async fn wait_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
