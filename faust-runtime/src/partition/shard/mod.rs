//! A shard: the tasks of one thread, cut and committed together.

mod careful;
mod cuts;
mod outputs;

use super::standbys::Writer;
use super::start;
use super::task::{Task, TaskId};
use crate::app::Guarantee;
use crate::commit::{CommitError, Cut, Outcome, Owned};
use crate::kafka::{Producer, SendError};
use crate::table::Budget;
use crate::worker::Worker;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle, spawn_local};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

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
    outputs: outputs::Outputs,
    /// A cut is on its way.
    pub(crate) cutting: Cell<bool>,
    committer: mpsc::UnboundedSender<CutOrder>,
    producer: RefCell<Box<dyn Producer>>,
    tasks: RefCell<BTreeMap<TaskId, Running>>,
    starting: RefCell<BTreeMap<TaskId, AbortHandle>>,
    /// Bytes of outputs that wait: under exactly-once for a cut, else to be sent.
    waiting: Cell<usize>,
    /// As much waits as may: no event is begun until the next cut begins.
    full: Cell<bool>,
    held_back: RefCell<Vec<Waker>>,
    cut_now: Notify,
    cut_wanted: RefCell<Vec<oneshot::Sender<()>>>,
    events: Cell<u32>,
    careful: careful::Careful,
}

/// A task with everything that runs for it.
pub(crate) struct Running {
    pub(crate) task: Rc<Task>,
    pub(crate) lanes: Vec<JoinHandle<()>>,
    pub(crate) feeders: Vec<JoinHandle<()>>,
    /// Its stores are written by it alone.
    pub(crate) writer: Writer,
}

/// How long a task that goes may take for the events that it is at; then they are rolled back and run elsewhere.
const PATIENCE: Duration = Duration::from_secs(1);

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
            budget: Rc::new(Budget {
                limit: config.cache_bytes,
                row_limit: config.worker.broker.record_limit(),
                ..Budget::default()
            }),
            worker: config.worker,
            id: config.id,
            owned: config.owned,
            outputs: outputs::Outputs::default(),
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
            careful: careful::Careful::default(),
        });
        let worker = shard.worker.clone();
        let cuts = shard.clone().cut_loop(settings.commit_interval);
        let cuts = spawn_local(worker.clone().watched("a shard's cuts", cuts));
        let outputs = shard.clone().outputs_loop();
        let outputs = (!shard.exactly_once)
            .then(|| spawn_local(worker.clone().watched("a shard's outputs", outputs)));
        while let Some(command) = commands.recv().await {
            match command {
                ShardCommand::Start(task) => shard.start(task),
                ShardCommand::Stop { task, lost, done } => {
                    shard.careful.comes_back_not(task);
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
        if let Some(outputs) = outputs {
            outputs.abort();
        }
    }

    fn start(self: &Rc<Self>, id: TaskId) {
        let shard = self.clone();
        let starting = async move {
            start::start(&shard, id).await;
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

    /// Stops a task: its agents end after the event that they are at, and what is done is committed. A task that is
    /// lost commits nothing any more; a cut that has it in and is on its way ends before this does, because with the
    /// member's next generation it would be accepted.
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
        if let Some((task, lanes)) = taken {
            task.stop();
            end(lanes, if lost { Duration::ZERO } else { PATIENCE }).await;
            for lane in task.lanes.borrow().iter() {
                lane.roll_back();
            }
        }
        // Nobody else writes its stores before a cut that is on its way has been stored.
        let _writer = if lost { self.forget(id) } else { None };
        self.commit_now().await;
        self.owned.remove(id);
        drop(self.forget(id));
    }

    /// Forgets a task; the right to write its stores is left to be given up.
    fn forget(&self, id: TaskId) -> Option<Writer> {
        let running = self.tasks.borrow_mut().remove(&id);
        let mut writer = None;
        if let Some(running) = running {
            writer = Some(running.writer);
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
        writer
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

/// Waits for the loops of a task; those that take too long are ended where they are.
async fn end(lanes: Vec<JoinHandle<()>>, patience: Duration) {
    let deadline = Instant::now() + patience;
    for mut lane in lanes {
        if timeout(deadline - Instant::now(), &mut lane).await.is_err() {
            lane.abort();
            let _ = lane.await;
        }
    }
}
