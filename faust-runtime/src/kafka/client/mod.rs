//! The port on librdkafka: the only place that names `faust_kafka`. Calls that block run on tokio's threads for
//! blocking work, or on the committer's own.

mod convert;
mod member;
mod producer;
mod source;

use super::*;
use crate::app::Settings;
use convert::{failed, from_tp, to_tp};
use faust_kafka as native;
use faust_kafka::{Admin, Config, Isolation, OffsetSpec, Reader};
use futures::FutureExt;
use producer::{Plain, Txn};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{OnceCell, Semaphore};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many requests may be under way: the tasks of all partitions start at once.
const REQUESTS: usize = 8;
/// How long the first request may take: somebody waits for it.
const FIRST: Duration = Duration::from_secs(3);

/// librdkafka's setting for the largest record, and its default.
const RECORD_LIMIT: (&str, usize) = ("message.max.bytes", 1_000_000);

/// Lets the allocator keep what one fetch has freed for the next ones.
#[cfg(feature = "mimalloc")]
pub(crate) fn keep_freed_memory() {
    native::keep_freed_memory(Duration::from_secs(10));
}

/// One worker's connection to Kafka.
pub(crate) struct Client(Arc<Inner>);

struct Inner {
    address: String,
    group: String,
    config: Config,
    session_timeout: Duration,
    /// From the first answer until the client is dropped: whoever waits for the first one says so itself.
    in_use: Arc<AtomicBool>,
    record_limit: usize,
    admin: Admin,
    /// Each request has a thread while it waits for its answer.
    requests: Semaphore,
    data: Once<Reader>,
    restore: Once<Reader>,
    standby: Once<Reader>,
    copy: Once<Reader>,
    plain: Once<Arc<native::Producer>>,
    /// Lends its metadata to transactions.
    member: RwLock<Option<Arc<native::Member>>>,
    topics: Mutex<Topics>,
}

#[derive(Default)]
struct Topics {
    ids: HashMap<Arc<str>, TopicId>,
    names: Vec<Arc<str>>,
    /// Asked for once, however many partitions recover at a time.
    uuids: HashMap<Arc<str>, Arc<OnceCell<Option<String>>>>,
}

/// A client of the brokers at an address, for the app's group. It waits for nobody.
pub(crate) fn connect(
    address: &str,
    group: &str,
    settings: &Settings,
) -> Result<Arc<dyn Broker>, KafkaError> {
    Ok(Arc::new(Client::new(address, group, settings.session_timeout, &settings.kafka)?))
}

impl Client {
    /// Prepares clients for a broker. `settings` are librdkafka's own and win over what the engine chooses.
    fn new(
        address: &str,
        group: &str,
        session_timeout: Duration,
        settings: &BTreeMap<String, String>,
    ) -> Result<Self, KafkaError> {
        let in_use = Arc::new(AtomicBool::new(false));
        let mut config = Config::new(address).on_event(report(address.to_string(), in_use.clone()));
        for (key, value) in settings {
            config = config.set(key, value);
        }
        let record_limit = settings.get(RECORD_LIMIT.0).and_then(|bytes| bytes.parse().ok());
        let admin = Admin::new(&config).map_err(|error| KafkaError::failed("settings", error))?;
        Ok(Self(Arc::new(Inner {
            address: address.into(),
            group: group.into(),
            config,
            session_timeout,
            in_use,
            record_limit: record_limit.unwrap_or(RECORD_LIMIT.1),
            admin,
            requests: Semaphore::new(REQUESTS),
            data: Once::default(),
            restore: Once::default(),
            standby: Once::default(),
            copy: Once::default(),
            plain: Once::default(),
            member: RwLock::new(None),
            topics: Mutex::default(),
        })))
    }

    /// Makes a request, when it is its turn.
    fn request<R: Send + 'static>(
        &self,
        call: impl FnOnce(&Inner) -> Result<R, KafkaError> + Send + 'static,
    ) -> BoxFuture<'_, Result<R, KafkaError>> {
        async {
            let _turn = self.0.requests.acquire().await;
            self.blocking(call).await
        }
        .boxed()
    }

    /// Runs a blocking call away from the runtime's thread.
    fn blocking<R: Send + 'static>(
        &self,
        call: impl FnOnce(&Inner) -> Result<R, KafkaError> + Send + 'static,
    ) -> BoxFuture<'static, Result<R, KafkaError>> {
        let inner = self.0.clone();
        async move {
            match tokio::task::spawn_blocking(move || call(&inner)).await {
                Ok(result) => result,
                Err(error) => Err(KafkaError::failed("a call to Kafka", error)),
            }
        }
        .boxed()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.0.in_use.store(false, Ordering::Relaxed);
    }
}

/// Says what clients report by themselves: an outage once in a while, not once a client and second.
fn report(
    address: String,
    in_use: Arc<AtomicBool>,
) -> impl Fn(&native::ClientEvent) + Send + Sync + 'static {
    let started = Instant::now();
    let said = AtomicU64::new(0);
    move |event| match &event.error {
        native::Error::Unreachable { .. } if !in_use.load(Ordering::Relaxed) => {}
        native::Error::Unreachable { text } => {
            let now = started.elapsed().as_secs() + 30;
            let last = said.load(Ordering::Relaxed);
            let mine = now >= last + 30 || last == 0;
            if mine
                && said.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            {
                tracing::warn!(
                    address,
                    "no Kafka broker answers ({text}); the client goes on trying"
                );
            }
        }
        error => tracing::warn!(client = event.client, "{error}"),
    }
}

impl Inner {
    fn unreachable(&self, what: &str, error: native::Error) -> KafkaError {
        match error {
            native::Error::TimedOut { .. } | native::Error::Unreachable { .. } => {
                KafkaError::Unreachable { address: self.address.clone(), cause: error.to_string() }
            }
            native::Error::UnstableOffsets { group } => KafkaError::Unstable { group },
            error => failed(what, error),
        }
    }

    fn topic_name(&self, id: TopicId) -> Arc<str> {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.names.get(id.0 as usize).cloned().unwrap_or_default()
    }

    fn data(&self) -> Result<Reader, KafkaError> {
        self.data.get(|| Reader::data(&self.config, &self.group))
    }

    fn restoring(&self) -> Result<Reader, KafkaError> {
        self.restore.get(|| Reader::restore(&self.config, &self.restore_group()))
    }

    fn following(&self) -> Result<Reader, KafkaError> {
        self.standby.get(|| Reader::standby(&self.config, &self.restore_group()))
    }

    fn restore_group(&self) -> String {
        format!("{}-restore", self.group)
    }

    fn copying(&self) -> Result<Reader, KafkaError> {
        let group = format!("{}-copy", self.group);
        self.copy.get(|| Reader::restore(&self.config, &group))
    }

    /// The member, once joined.
    fn member(&self) -> Option<Arc<native::Member>> {
        self.member.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Takes over the producer's id, as long as that may help.
fn init(
    producer: &native::TransactionalProducer,
    patience: Instant,
) -> Result<(), native::TxnError> {
    loop {
        match producer.init(patience.saturating_duration_since(Instant::now())) {
            Err(error)
                if error.kind == native::TxnErrorKind::Retriable && Instant::now() < patience =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            done => return done,
        }
    }
}

/// A client that is made once, when it is first needed.
struct Once<T>(Mutex<Option<T>>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Once<T> {
    fn get(&self, make: impl FnOnce() -> native::Result<T>) -> Result<T, KafkaError> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*made {
            return Ok(made.clone());
        }
        let new = make().map_err(|error| failed("a Kafka client", error))?;
        Ok(made.insert(new).clone())
    }
}

impl Broker for Client {
    fn address(&self) -> String {
        self.0.address.clone()
    }

    fn now(&self) -> Timestamp {
        Timestamp::wall()
    }

    fn topics(&self) -> BoxFuture<'_, Result<Vec<(Arc<str>, u32)>, KafkaError>> {
        self.request(|inner| {
            let topics = inner.admin.topics(FIRST).map_err(|e| inner.unreachable("topics", e))?;
            inner.in_use.store(true, Ordering::Relaxed);
            Ok(topics.into_iter().map(|t| (t.name.into(), t.partitions.max(0) as u32)).collect())
        })
    }

    fn create_topics(&self, topics: Vec<NewTopic>) -> BoxFuture<'_, Result<(), KafkaError>> {
        self.request(move |inner| {
            let new = |topic: &NewTopic| {
                let new = native::NewTopic::new(&*topic.name, topic.partitions as i32)
                    .replicas(i32::from(topic.replicas));
                topic.config.iter().fold(new, |new, (key, value)| new.set(key, value))
            };
            let new: Vec<_> = topics.iter().map(new).collect();
            let results = inner
                .admin
                .create_topics(&new, TIMEOUT)
                .map_err(|e| inner.unreachable("creating topics", e))?;
            for (topic, result) in topics.iter().zip(results) {
                match result {
                    Ok(()) | Err(native::Error::TopicExists { .. }) => {}
                    Err(error) => {
                        return Err(failed(&format!("creating topic `{}`", topic.name), error));
                    }
                }
            }
            Ok(())
        })
    }

    fn topic_uuid(&self, topic: &str) -> BoxFuture<'_, Result<Option<String>, KafkaError>> {
        let name: Arc<str> = topic.into();
        let known = {
            let mut topics = self.0.topics.lock().unwrap_or_else(PoisonError::into_inner);
            topics.uuids.entry(name.clone()).or_default().clone()
        };
        async move {
            let ask = || {
                self.request(move |inner| match inner.admin.topic_id(&name, TIMEOUT) {
                    Ok(id) => Ok(id),
                    // Old brokers know of no ids.
                    Err(error) if error.is_lasting() => Ok(None),
                    Err(error) => Err(inner.unreachable("the id of a topic", error)),
                })
            };
            known.get_or_try_init(ask).await.cloned()
        }
        .boxed()
    }

    fn topic_setting(
        &self,
        topic: &str,
        name: &'static str,
    ) -> BoxFuture<'_, Result<Option<String>, KafkaError>> {
        let topic = topic.to_string();
        self.request(move |inner| {
            let settings = inner.admin.topic_config(&topic, TIMEOUT);
            match settings.map_err(|error| inner.unreachable("settings of a topic", error)) {
                Ok(settings) => {
                    let found = settings.into_iter().find(|entry| entry.name == name);
                    Ok(found.and_then(|entry| entry.value))
                }
                // Not everybody is allowed to know.
                Err(KafkaError::Refused { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn offsets(
        &self,
        of: Vec<TopicPartition>,
        at: At,
    ) -> BoxFuture<'_, Result<Vec<Offset>, KafkaError>> {
        if of.is_empty() {
            return std::future::ready(Ok(Vec::new())).boxed();
        }
        self.request(move |inner| {
            let spec = match at {
                At::Start => OffsetSpec::Earliest,
                At::End => OffsetSpec::Latest,
                At::Time(time) => OffsetSpec::Time(time.as_millis()),
            };
            let list = |spec: OffsetSpec, of: &[TopicPartition]| {
                let specs: Vec<_> = of.iter().map(|of| (to_tp(of), spec)).collect();
                let listed = inner.admin.list_offsets(&specs, Isolation::ReadUncommitted, TIMEOUT);
                let listed = listed.map_err(|e| inner.unreachable("offsets", e))?;
                listed
                    .into_iter()
                    .map(|offset| offset.map_err(|e| inner.unreachable("offsets", e)))
                    .collect::<Result<Vec<Option<i64>>, _>>()
            };
            let mut offsets = list(spec, &of)?;
            // No record of that time or later: the end.
            if offsets.contains(&None) {
                for (offset, end) in offsets.iter_mut().zip(list(OffsetSpec::Latest, &of)?) {
                    *offset = offset.or(end);
                }
            }
            let missing = || KafkaError::failed("offsets", "a log without an end");
            offsets.into_iter().collect::<Option<_>>().ok_or_else(missing)
        })
    }

    fn committed(
        &self,
        of: Vec<TopicPartition>,
        stable: bool,
    ) -> BoxFuture<'_, Result<Vec<Option<Committed>>, KafkaError>> {
        if of.is_empty() {
            return std::future::ready(Ok(Vec::new())).boxed();
        }
        self.request(move |inner| {
            let partitions: Vec<_> = of.iter().map(to_tp).collect();
            let committed = inner
                .admin
                .committed(&inner.group, &partitions, stable, TIMEOUT)
                .map_err(|e| inner.unreachable("committed offsets", e))?;
            let ours = |c: native::Committed| Committed { offset: c.offset, metadata: c.metadata };
            Ok(committed.into_iter().map(|committed| committed.map(ours)).collect())
        })
    }

    fn delete_records(
        &self,
        before: Vec<(TopicPartition, Offset)>,
    ) -> BoxFuture<'_, Result<(), KafkaError>> {
        self.request(move |inner| {
            let before: Vec<_> = before.iter().map(|(of, offset)| (to_tp(of), *offset)).collect();
            let deleted = inner.admin.delete_records(&before, TIMEOUT);
            for result in deleted.map_err(|e| inner.unreachable("deleting records", e))? {
                result.map_err(|e| failed("deleting records", e))?;
            }
            Ok(())
        })
    }

    fn join(&self, config: MemberConfig) -> Result<Box<dyn Member>, KafkaError> {
        let session_timeout = self.0.session_timeout.as_millis().to_string();
        let client = self.0.config.clone().set("session.timeout.ms", session_timeout);
        let member = member::Membership::join(&client, &self.0.group, config)?;
        let shared = member.native();
        *self.0.member.write().unwrap_or_else(PoisonError::into_inner) = Some(shared);
        // They connect while the group decides who reads what.
        self.0.restoring()?;
        self.0.data()?;
        Ok(Box::new(member))
    }

    fn source(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError> {
        source::open(&self.0.data()?, of, from)
    }

    fn restore(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError> {
        source::open(&self.0.restoring()?, of, from)
    }

    fn follow(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError> {
        source::open(&self.0.following()?, of, from)
    }

    fn record_limit(&self) -> usize {
        self.0.record_limit
    }

    fn copy(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError> {
        source::open(&self.0.copying()?, of, from)
    }

    fn topic_id(&self, name: &str) -> TopicId {
        let mut topics = self.0.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = topics.ids.get(name) {
            return *id;
        }
        let id = TopicId(topics.names.len() as u32);
        let name: Arc<str> = name.into();
        topics.names.push(name.clone());
        topics.ids.insert(name, id);
        id
    }

    fn producer(&self) -> Result<Box<dyn Producer>, KafkaError> {
        let producer = self.0.plain.get(|| native::Producer::new(&self.0.config).map(Arc::new))?;
        Ok(Box::new(Plain::new(self.0.clone(), producer)))
    }

    fn transactional(&self, id: &str) -> BoxFuture<'_, Result<Box<dyn Transactional>, KafkaError>> {
        let id = id.to_string();
        let shared = self.0.clone();
        self.blocking(move |inner| {
            let producer = native::TransactionalProducer::new(&inner.config, &id)
                .map_err(|error| failed("a transactional producer", error))?;
            let patience = Instant::now() + TIMEOUT * 3;
            init(&producer, patience).map_err(|error| failed("init_transactions", error.into()))?;
            Ok(Box::new(Txn::new(shared, producer)) as _)
        })
    }
}
