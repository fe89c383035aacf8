//! [`TestApp`]: send, run until idle, look.

use crate::agent::{Agent, AgentInput, AgentOutput, Param};
use crate::app::{App, AppDef, Settings};
use crate::define::{ByTime, OwnedRecord, Record, Records, Row, Unwindowed};
use crate::error::Result;
use crate::handle::{Ask, View};
use crate::kafka::memory::{Cluster, Connection, Process};
use crate::kafka::partition_for;
use crate::table::store::memory::{Disk, MemoryStores};
use crate::time::Timestamp;
use crate::worker::{Place, Running, Worker, WorkerConfig};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::LocalSet;

/// An app in memory. Time is virtual: timers and timeouts pass without waiting, and only while the test runs the app.
///
/// Everything else is the engine itself: partitions, transactions, changelogs, recovery.
///
/// ```
/// use faust::prelude::*;
/// use faust::testing::TestApp;
///
/// #[topic("lines")]
/// struct Line { text: String }
///
/// #[topic("words", key = word)]
/// struct Word { word: String }
///
/// #[table("counts")]
/// struct Count { key: String, value: u64 }
///
/// #[agent]
/// async fn split(line: Event<Line>, words: Sink<Word>) -> Result<()> {
///     for word in line.text.split_whitespace() {
///         words.send(Word { word: word.into() }).await?;
///     }
///     Ok(())
/// }
///
/// #[agent]
/// async fn count(word: Event<Word>, counts: Table<Count>) -> Result<u64> {
///     counts.update(&word.word, |n| { *n += 1; *n }).await
/// }
///
/// #[app("words", agents(split, count))]
/// struct Words;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = TestApp::start::<Words>().await?;
/// app.send(Line { text: "to be or not to be".into() }).await?;
/// app.run_until_idle().await?;
/// assert_eq!(app.table::<Count>().get(&"be".into()).await?, Some(2));
/// assert_eq!(app.outputs::<Word>()?.len(), 6);
/// assert_eq!(app.ask::<count>(Word { word: "be".into() }).await?, 3);
/// # Ok(())
/// # }
/// ```
///
/// It needs a tokio runtime with one thread: `#[tokio::test]`, or `#[tokio::main(flavor = "current_thread")]`. It
/// pauses that runtime's clock.
pub struct TestApp {
    local: LocalSet,
    cluster: Cluster,
    disk: Disk,
    app: AppDef,
    settings: Settings,
    running: Option<Running>,
    worker: Worker,
}

/// A record that is in a topic.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Output<T> {
    /// The record.
    pub record: T,
    /// Its partition.
    pub partition: u32,
    /// Its timestamp.
    pub timestamp: Timestamp,
}

impl TestApp {
    /// Starts an app with default settings.
    pub async fn start<A: App>() -> Result<Self> {
        Self::start_with::<A>(Settings::default()).await
    }

    /// Starts an app with settings of the test's own.
    pub async fn start_with<A: App>(settings: Settings) -> Result<Self> {
        let cluster = Cluster::new();
        pause();
        let settings = Settings { shards: 1, ..settings };
        let (local, disk) = (LocalSet::new(), Disk::default());
        let (worker, running) = local.run_until(open(&A::APP, &settings, &cluster, &disk)).await?;
        let mut this = Self { local, cluster, disk, app: A::APP, settings, running: None, worker };
        this.running = Some(running);
        this.run_until_idle().await?;
        Ok(this)
    }

    /// Stops the app cleanly and starts it again on what it has left: topics, committed offsets and stores.
    pub async fn restart(&mut self) -> Result<()> {
        if let Some(running) = self.running.take() {
            self.local.run_until(running.stop(Duration::MAX)).await;
        }
        self.local = LocalSet::new();
        let opened = open(&self.app, &self.settings, &self.cluster, &self.disk);
        let (worker, running) = self.local.run_until(opened).await?;
        self.worker = worker;
        self.running = Some(running);
        self.run_until_idle().await
    }

    /// Puts a record into its topic, as of now.
    pub async fn send<T: Record>(&self, record: T) -> Result<()> {
        self.send_at(record, self.now()).await
    }

    /// Puts a record into its topic with a timestamp.
    pub async fn send_at<T: Record>(&self, record: T, timestamp: Timestamp) -> Result<()> {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let key = record.encode_key(&mut key)?.then_some(key);
        let value = record.encode_value(&mut value)?.then_some(value);
        self.send_bytes(T::TOPIC.name, key.as_deref(), value.as_deref(), timestamp)
    }

    /// Puts bytes into a topic, which need not be a record of it.
    pub fn send_bytes(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Timestamp,
    ) -> Result<()> {
        let topic = self.worker.topic_name(topic);
        let partitions = self.cluster.partitions(&topic).unwrap_or(0);
        let partition = key.map_or(0, |key| partition_for(key, partitions));
        match self.cluster.append(&topic, partition, key, value, Some(timestamp)) {
            Some(_) => Ok(()),
            None => Err(format!("the app has no topic `{topic}`").into()),
        }
    }

    /// Runs the app until its tasks have returned and everything that is in its topics is processed and committed.
    /// Fails with the error that stops the worker, if one does.
    pub async fn run_until_idle(&self) -> Result<()> {
        let Some(running) = &self.running else { return Ok(()) };
        self.local
            .run_until(async {
                tokio::select! {
                    done = running.until_end() => done.map_err(Into::into),
                    error = running.failed() => Err(error.into()),
                }
            })
            .await
    }

    /// Lets time pass: timers fire, deadlines end.
    pub async fn advance(&self, span: Duration) -> Result<()> {
        self.local.run_until(tokio::time::sleep(span)).await;
        self.run_until_idle().await
    }

    /// The time of the test's clock.
    pub fn now(&self) -> Timestamp {
        self.cluster.now()
    }

    /// The committed rows of a table.
    pub fn table<T: Row>(&self) -> TestTable<'_, T> {
        TestTable { app: self, row: PhantomData }
    }

    /// Every committed record of a topic, in the order of partitions and offsets. Where the app's records borrow, a
    /// test declares the topic again by a record of its own, which owns what it holds.
    pub fn outputs<T: OwnedRecord>(&self) -> Result<Vec<Output<T>>> {
        let seen = self.cluster.records(&self.worker.topic_name(T::TOPIC.name));
        seen.into_iter()
            .map(|seen| {
                let record = T::decode(seen.key.as_deref(), seen.value.as_deref())?;
                Ok(Output { record, partition: seen.partition, timestamp: seen.timestamp })
            })
            .collect()
    }

    /// The records that could not be processed: their headers, as text.
    pub fn dead_letters(&self) -> Vec<Vec<(String, String)>> {
        let seen = self.cluster.records(&self.worker.topology.dead_letters());
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = seen.into_iter().map(|seen| seen.headers);
        headers
            .map(|headers| headers.into_iter().map(|(name, value)| (name, text(&value))).collect())
            .collect()
    }

    /// Asks an agent and waits for its reply.
    pub async fn ask<A: Agent>(
        &self,
        record: <<A::Input as AgentInput>::Records as Records>::Of<'_>,
    ) -> Result<<A::Output as AgentOutput>::Reply> {
        let ask = <Ask<A> as Param>::bind(&self.worker)?;
        self.local.run_until(ask.ask(record)).await
    }

    /// Calls a page: the status and the body of its answer.
    pub async fn get(&self, path: &str) -> Result<(u16, String)> {
        let answer = crate::web::call(&self.worker, path);
        self.local.run_until(answer).await
    }
}

/// Pauses the runtime's clock, unless it is paused: a clock that stands still for a moment is.
pub(super) fn pause() {
    let (begun, before) = (std::time::Instant::now(), tokio::time::Instant::now());
    while begun.elapsed() < Duration::from_millis(1) {
        std::hint::spin_loop();
    }
    if tokio::time::Instant::now() != before {
        tokio::time::pause();
    }
}

async fn open(
    app: &AppDef,
    settings: &Settings,
    cluster: &Cluster,
    disk: &Disk,
) -> Result<(Worker, Running)> {
    let worker = Worker::open(WorkerConfig {
        app: *app,
        settings: settings.clone(),
        broker: Arc::new(Connection::new(cluster.clone(), Process::default())),
        stores: Arc::new(MemoryStores::new(disk.clone())),
        place: Place::Local,
        id: "test".into(),
    })
    .await?;
    worker.announce(String::new());
    let running = Running::start(worker.clone())?;
    Ok((worker, running))
}

/// The committed rows of a table, in a test.
pub struct TestTable<'a, T> {
    app: &'a TestApp,
    row: PhantomData<fn() -> T>,
}

impl<T: Row> TestTable<'_, T> {
    /// Every row, with the start of its window (0 without windows).
    pub fn rows(&self) -> Result<Vec<(Timestamp, T::Key, T::Value)>> {
        View::<T>::new(&self.app.worker)?.local().rows()
    }

    /// How many rows there are.
    pub fn count(&self) -> Result<u64> {
        Ok(View::<T>::new(&self.app.worker)?.local().len())
    }
}

impl<T: Row<Window = Unwindowed<L>>, L> TestTable<'_, T> {
    /// A row's value.
    pub async fn get(&self, key: &T::Key) -> Result<Option<T::Value>> {
        View::<T>::new(&self.app.worker)?.get(key).await
    }
}

impl<T: Row<Window: ByTime>> TestTable<'_, T> {
    /// A row's value in the window of a moment.
    pub async fn get_at(&self, time: Timestamp, key: &T::Key) -> Result<Option<T::Value>> {
        View::<T>::new(&self.app.worker)?.at_time(time).get(key).await
    }
}
