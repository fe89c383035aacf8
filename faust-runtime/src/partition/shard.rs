//! A shard: the tasks of one thread, cut and committed together.

use super::start::{self, StartError};
use super::task::{Task, TaskId};
use crate::app::Guarantee;
use crate::commit::{CommitError, Cut, Outbox, Outcome, Owned};
use crate::kafka::{KafkaError, Producer, SendError};
use crate::table::Budget;
use crate::worker::Worker;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle, spawn_local};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// A cut for the committer, and where its outcome goes.
pub(crate) type CutOrder = (Cut, oneshot::Sender<Result<Outcome, CommitError>>);

/// What a shard is started with.
pub(crate) struct ShardConfig {
    pub(crate) worker: Worker,
    /// Its transactional id.
    pub(crate) id: String,
    pub(crate) owned: Owned,
    pub(crate) committer: mpsc::UnboundedSender<CutOrder>,
    pub(crate) producer: Box<dyn Producer>,
    pub(crate) cache_bytes: usize,
}

/// What the control thread wants.
pub(crate) enum ShardCommand {
    /// This task is ours: recover it and run it.
    Start(TaskId),
    /// This task goes. `lost`: it has gone already, and nothing of it can be committed.
    Stop { task: TaskId, lost: bool, done: oneshot::Sender<()> },
    /// Whether everything is done and committed, and where it stands; `None` if not.
    Settled(oneshot::Sender<Option<Vec<(crate::kafka::TopicPartition, i64)>>>),
}

/// One shard.
pub(crate) struct Shard {
    pub(crate) worker: Worker,
    pub(crate) id: String,
    pub(crate) owned: Owned,
    pub(crate) exactly_once: bool,
    pub(crate) stage_bytes: usize,
    pub(crate) budget: Rc<Budget>,
    latest_pending: Cell<bool>,
    latest_first: Notify,
    latest_now: Notify,
    /// Held while records of finished events are on their way to the producer: no cut may cover them before.
    sending_latest: tokio::sync::Mutex<()>,
    /// A cut is on its way.
    pub(crate) cutting: Cell<bool>,
    committer: mpsc::UnboundedSender<CutOrder>,
    producer: RefCell<Box<dyn Producer>>,
    tasks: RefCell<BTreeMap<TaskId, Running>>,
    starting: RefCell<BTreeMap<TaskId, AbortHandle>>,
    /// Bytes of outputs that wait for a cut.
    waiting: Cell<usize>,
    /// As much waits as may: no event is begun until the next cut begins.
    full: Cell<bool>,
    held_back: RefCell<Vec<Waker>>,
    cut_now: Notify,
    cut_wanted: RefCell<Vec<oneshot::Sender<()>>>,
    events: Cell<u32>,
}

/// A task with everything that runs for it.
pub(crate) struct Running {
    pub(crate) task: Rc<Task>,
    pub(crate) lanes: Vec<JoinHandle<()>>,
    pub(crate) feeders: Vec<JoinHandle<()>>,
}

/// How long a task that goes may take for the events that it is at; then they are rolled back and run elsewhere.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long an output of `send_latest` may wait under at-least-once.
const LATEST: Duration = Duration::from_millis(20);

impl Shard {
    /// Runs until the commands end.
    pub(crate) async fn run(
        config: ShardConfig,
        mut commands: mpsc::UnboundedReceiver<ShardCommand>,
    ) {
        let settings = config.worker.settings.clone();
        let shard = Rc::new(Self {
            exactly_once: settings.guarantee == Guarantee::ExactlyOnce,
            stage_bytes: settings.stage_bytes,
            budget: Rc::new(Budget { limit: config.cache_bytes, ..Budget::default() }),
            worker: config.worker,
            id: config.id,
            owned: config.owned,
            latest_pending: Cell::new(false),
            latest_first: Notify::new(),
            latest_now: Notify::new(),
            sending_latest: tokio::sync::Mutex::default(),
            cutting: Cell::new(false),
            committer: config.committer,
            producer: RefCell::new(config.producer),
            tasks: RefCell::default(),
            starting: RefCell::default(),
            waiting: Cell::new(0),
            full: Cell::new(false),
            held_back: RefCell::default(),
            cut_now: Notify::new(),
            cut_wanted: RefCell::default(),
            events: Cell::new(0),
        });
        let worker = shard.worker.clone();
        let cuts = shard.clone().cut_loop(settings.commit_interval);
        let cuts = spawn_local(worker.clone().watched("a shard's cuts", cuts));
        let latest = shard.clone().latest_loop();
        let latest = (!shard.exactly_once)
            .then(|| spawn_local(worker.clone().watched("sending the latest", latest)));
        while let Some(command) = commands.recv().await {
            match command {
                ShardCommand::Start(task) => shard.start(task),
                ShardCommand::Stop { task, lost, done } => {
                    let shard = shard.clone();
                    spawn_local(worker.clone().watched("stopping a task", async move {
                        shard.stop(task, lost).await;
                        let _ = done.send(());
                    }));
                }
                ShardCommand::Settled(answer) => {
                    let _ = answer.send(shard.settled());
                }
            }
        }
        cuts.abort();
        if let Some(latest) = latest {
            latest.abort();
        }
    }

    fn start(self: &Rc<Self>, id: TaskId) {
        let shard = self.clone();
        let starting = async move {
            loop {
                match start::start(&shard, id).await {
                    Ok(()) => break,
                    Err(StartError::Retry(KafkaError::Unstable { .. })) => {
                        tracing::debug!(task = %id, "waiting for a transaction to end");
                        sleep(Duration::from_millis(100)).await;
                    }
                    Err(StartError::Retry(error)) => {
                        tracing::warn!(task = %id, %error, "the task does not start yet; trying again");
                        sleep(Duration::from_millis(500)).await;
                    }
                    Err(error) => {
                        shard.worker.fail(error.to_string());
                        break;
                    }
                }
            }
            shard.starting.borrow_mut().remove(&id);
        };
        let starting = spawn_local(self.worker.clone().watched("starting a task", starting));
        self.starting.borrow_mut().insert(id, starting.abort_handle());
    }

    /// A started task runs from now on.
    pub(crate) fn add(&self, running: Running) {
        self.tasks.borrow_mut().insert(running.task.id, running);
    }

    pub(crate) fn with_running(&self, id: TaskId, call: impl FnOnce(&mut Running)) {
        if let Some(running) = self.tasks.borrow_mut().get_mut(&id) {
            call(running);
        }
    }

    async fn stop(&self, id: TaskId, lost: bool) {
        let starting = self.starting.borrow_mut().remove(&id);
        if let Some(starting) = starting {
            starting.abort();
        }
        if lost {
            self.owned.remove(id);
        }
        let mut taken = None;
        self.with_running(id, |running| {
            taken = Some((running.task.clone(), std::mem::take(&mut running.lanes)));
        });
        // It may be stopped before it runs.
        let Some((task, lanes)) = taken else {
            self.forget(id);
            return;
        };
        task.stop();
        let deadline = Instant::now() + PATIENCE;
        for mut lane in lanes {
            let patience = if lost { Duration::ZERO } else { deadline - Instant::now() };
            if timeout(patience, &mut lane).await.is_err() {
                lane.abort();
                let _ = lane.await;
            }
        }
        for lane in task.lanes.borrow().iter() {
            lane.roll_back();
        }
        if !lost {
            self.commit_now().await;
        }
        self.owned.remove(id);
        self.forget(id);
    }

    fn forget(&self, id: TaskId) {
        let running = self.tasks.borrow_mut().remove(&id);
        if let Some(running) = running {
            for feeder in running.feeders {
                feeder.abort();
            }
            // Lanes and their task hold each other.
            running.task.lanes.borrow_mut().clear();
            for source in &running.task.sources {
                self.worker.monitor.forget_partition(&source.of);
            }
        }
        self.worker.close_stores(id);
        self.worker.monitor.forget_task(id.group, id.partition);
    }

    /// Completes when everything that was done before the call is committed.
    pub(crate) async fn commit_now(&self) {
        let (sender, done) = oneshot::channel();
        self.cut_wanted.borrow_mut().push(sender);
        self.cut_now.notify_one();
        let _ = done.await;
    }

    /// An event is done whose outputs wait for a cut.
    pub(crate) fn outputs_wait(&self, bytes: usize) {
        self.waiting.set(self.waiting.get() + bytes);
    }

    /// Asks for an early cut when rows or outputs that wait for one reach their share, and holds events back while
    /// that cut cannot begin. Called for each event, so it looks at rows only now and then.
    pub(crate) fn check_budget(&self) {
        let events = self.events.get().wrapping_add(1);
        self.events.set(events);
        let outputs = self.waiting.get() > self.stage_bytes;
        if !outputs && !events.is_multiple_of(1024) {
            return;
        }
        let row = (self.budget.used.get() / self.budget.rows.get().max(1)).max(64);
        if !outputs && self.budget.dirty.get() * row <= self.budget.limit / 4 {
            return;
        }
        if self.cutting.get() {
            self.full.set(true);
        } else {
            self.cut_now.notify_one();
        }
    }

    /// Whether events are held back; then the task is woken when they are not.
    pub(crate) fn is_full(&self, cx: &Context<'_>) -> bool {
        if self.full.get() {
            self.held_back.borrow_mut().push(cx.waker().clone());
        }
        self.full.get()
    }

    /// A cut begins: what waited is in it.
    fn make_room(&self) {
        self.waiting.set(0);
        self.full.set(false);
        for waker in self.held_back.borrow_mut().drain(..) {
            waker.wake();
        }
    }

    async fn cut_loop(self: Rc<Self>, interval: Duration) {
        let mut next = Instant::now() + interval;
        loop {
            tokio::select! {
                () = sleep_until(next) => {}
                () = self.cut_now.notified() => {}
            }
            next = Instant::now() + interval;
            let wanted = self.cut_wanted.take();
            self.cutting.set(true);
            let result = self.cut().await;
            self.cutting.set(false);
            if self.full.get() {
                self.cut_now.notify_one();
            }
            if let Err(error) = result {
                self.worker.fail(error.to_string());
                return;
            }
            for sender in wanted {
                let _ = sender.send(());
            }
        }
    }

    /// Commits everything that is done at this instant.
    async fn cut(&self) -> Result<(), CommitError> {
        let started = Instant::now();
        let tasks: Vec<Rc<Task>> = self
            .tasks
            .borrow()
            .values()
            .filter(|running| running.task.has_changes())
            .map(|running| running.task.clone())
            .collect();
        if tasks.is_empty() {
            self.make_room();
            return Ok(());
        }
        let sending = self.sending_latest.lock().await;
        // Up to here and no further: no event can be settled between these lines.
        let latest: Vec<Outbox> = match self.exactly_once {
            true => Vec::new(),
            false => tasks.iter().filter_map(|task| task.take_latest()).collect(),
        };
        let mut cut = Cut::default();
        cut.tasks.extend(tasks.iter().map(|task| task.begin_cut()));
        self.make_room();
        for outbox in &latest {
            self.send_all(outbox).await.map_err(|error| CommitError::Refused(error.to_string()))?;
        }
        if !self.exactly_once {
            cut.deliveries = Some(self.producer.borrow_mut().settle());
        }
        drop(sending);
        self.encode(&tasks, &mut cut).await?;
        let (mut rows, mut outputs) = (0, 0);
        for part in &cut.tasks {
            rows += part.tables.iter().map(|table| table.rows.len() as u64).sum::<u64>();
            outputs += part.outputs.iter().map(|outbox| outbox.len() as u64).sum::<u64>();
        }
        let (sender, outcome) = oneshot::channel();
        if self.committer.send((cut, sender)).is_err() {
            return Ok(());
        }
        let Ok(outcome) = outcome.await else { return Ok(()) };
        let outcome = outcome?;
        for _ in 0..outcome.aborted {
            self.worker.monitor.aborted();
        }
        for task in &tasks {
            if outcome.committed.contains(&task.id) {
                task.cut_stored();
                task.publish_positions();
            }
            task.publish();
        }
        self.worker.monitor.cut(started.elapsed(), rows, outputs);
        Ok(())
    }

    /// Encodes in slices of about a millisecond, so that events and outputs flow meanwhile.
    async fn encode(&self, tasks: &[Rc<Task>], cut: &mut Cut) -> Result<(), CommitError> {
        let mut slice = Instant::now();
        for (task, part) in tasks.iter().zip(&mut cut.tasks) {
            while !task.encode_some()? {
                if slice.elapsed() >= Duration::from_millis(1) {
                    tokio::task::yield_now().await;
                    slice = Instant::now();
                }
            }
            part.tables = task.take_table_cuts();
        }
        Ok(())
    }

    /// Sends to the plain producer, waiting for room.
    pub(crate) async fn send_all(&self, outbox: &Outbox) -> Result<(), SendError> {
        let mut from = 0;
        loop {
            let sent = outbox.each(from, |record| self.producer.borrow_mut().send(record));
            match sent {
                Ok(()) => return Ok(()),
                Err((at, SendError::Full)) => {
                    let room = self.producer.borrow_mut().room();
                    room.await;
                    from = at;
                }
                Err((_, error)) => return Err(error),
            }
        }
    }

    /// Under at-least-once: what `send_latest` holds back leaves after a short while.
    async fn latest_loop(self: Rc<Self>) {
        loop {
            self.latest_first.notified().await;
            let _ = timeout(LATEST, self.latest_now.notified()).await;
            self.latest_pending.set(false);
            self.flush_latest().await;
        }
    }

    /// Something waits in a `send_latest`.
    pub(crate) fn latest_staged(&self) {
        if !self.latest_pending.replace(true) {
            self.latest_first.notify_one();
        }
    }

    /// A queue has run empty: what `send_latest` holds back need not wait.
    pub(crate) fn queue_empty(&self) {
        if self.latest_pending.get() {
            self.latest_now.notify_one();
        }
    }

    /// Sends what `send_latest` holds back.
    async fn flush_latest(&self) {
        let _sending = self.sending_latest.lock().await;
        let tasks: Vec<Rc<Task>> =
            self.tasks.borrow().values().map(|running| running.task.clone()).collect();
        for task in tasks {
            if let Some(outbox) = task.take_latest()
                && let Err(error) = self.send_all(&outbox).await
            {
                self.worker.fail(error.to_string());
            }
        }
    }

    fn settled(&self) -> Option<Vec<(crate::kafka::TopicPartition, i64)>> {
        if !self.starting.borrow().is_empty() {
            return None;
        }
        let tasks = self.tasks.borrow();
        let mut all = Vec::new();
        for running in tasks.values() {
            all.extend(running.task.settled()?);
        }
        Some(all)
    }
}
