//! Replies on their way back: one topic a worker, and who waits for what.

use super::ERROR;
use crate::kafka::{At, Batch, KafkaError, NewTopic, Offset, TopicPartition};
use crate::worker::Worker;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OnceCell, oneshot};
use tokio::time::{Instant, sleep};

/// How the names of reply topics begin, as in Faust.
pub(super) const PREFIX: &str = "f-reply-";

/// A reply's value as JSON, or why there is none.
pub(crate) type Answer = Result<Vec<u8>, String>;

/// The replies that this worker waits for.
#[derive(Clone)]
pub(crate) struct Replies(Arc<Inner>);

struct Inner {
    topic: String,
    pending: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    started: OnceCell<()>,
}

/// A reply that is waited for. Dropping it forgets the question.
pub(crate) struct Pending {
    replies: Replies,
    id: String,
    answer: oneshot::Receiver<Answer>,
}

impl Replies {
    pub(crate) fn new(worker_id: &str) -> Self {
        let topic = format!("{PREFIX}{worker_id}");
        Self(Arc::new(Inner { topic, pending: Mutex::default(), started: OnceCell::new() }))
    }

    /// The reply topic of this worker.
    pub(crate) fn topic(&self) -> &str {
        &self.0.topic
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Answer>>> {
        self.0.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the reply with this correlation id from now on.
    pub(crate) fn expect(&self, id: String) -> Pending {
        let (sender, answer) = oneshot::channel();
        self.pending().insert(id.clone(), sender);
        Pending { replies: self.clone(), id, answer }
    }

    /// Makes sure that replies are read: the topic and its reader are made by the first question.
    pub(crate) async fn start(&self, worker: &Worker) -> Result<(), KafkaError> {
        let start = || async {
            worker
                .broker
                .create_topics(vec![self.new_topic(worker.settings.topic_replicas)])
                .await?;
            let of = TopicPartition::new(self.topic(), 0);
            // A topic that was just made has no leader for a moment, on a busy cluster for seconds.
            let until = Instant::now() + worker.settings.ask_timeout;
            let end = loop {
                match worker.broker.offsets(vec![of.clone()], At::End).await {
                    Ok(end) => break end.first().copied().unwrap_or(0),
                    Err(error) if Instant::now() >= until => return Err(error),
                    Err(_) => {}
                }
                sleep(Duration::from_millis(100)).await;
            };
            let (replies, worker) = (self.clone(), worker.clone());
            worker.clone().place.spawn("faust-replies", move || replies.run(worker, of, end));
            Ok(())
        };
        self.0.started.get_or_try_init(start).await.map(|_| ())
    }

    /// Reads the reply topic until the worker stops. What was asked before is not waited for any more.
    async fn run(self, worker: Worker, of: TopicPartition, from: Offset) {
        let mut next = from;
        loop {
            let error = tokio::select! {
                error = self.read(&worker, &of, &mut next) => error,
                () = worker.stopping() => return,
            };
            tracing::warn!(%error, topic = self.topic(), "replies cannot be read; trying again");
            sleep(Duration::from_secs(1)).await;
        }
    }

    async fn read(&self, worker: &Worker, of: &TopicPartition, next: &mut Offset) -> KafkaError {
        let mut reader = match worker.broker.source(of, *next) {
            Ok(reader) => reader,
            Err(error) => return error,
        };
        loop {
            match poll_fn(|cx| reader.poll_batch(cx)).await {
                Ok(batch) => {
                    self.take(&batch);
                    let last =
                        batch.messages.len().checked_sub(1).and_then(|i| batch.messages.get(i));
                    *next = last.map_or(*next, |last| last.offset + 1);
                }
                Err(error) => return error,
            }
        }
    }

    fn take(&self, batch: &Batch) {
        #[derive(Deserialize)]
        struct Reply<'a> {
            #[serde(borrow)]
            value: Option<&'a RawValue>,
            correlation_id: String,
        }
        for index in 0..batch.messages.len() {
            let Some(value) = batch.messages.get(index).and_then(|message| message.value) else {
                continue;
            };
            let Ok(reply) = serde_json::from_slice::<Reply<'_>>(value) else {
                tracing::warn!(topic = self.topic(), "a reply that is not one was skipped");
                continue;
            };
            // A reply that nobody waits for came too late, or belongs to an earlier process.
            let Some(sender) = self.pending().remove(&reply.correlation_id) else { continue };
            let headers = batch.messages.headers(index);
            let error = headers.iter().find(|(name, _)| *name == ERROR).and_then(|(_, text)| *text);
            let answer = match error {
                Some(error) => Err(String::from_utf8_lossy(error).into_owned()),
                None => Ok(reply.value.map_or("null", RawValue::get).as_bytes().to_vec()),
            };
            let _ = sender.send(answer);
        }
    }

    /// The reply topic, to be created.
    fn new_topic(&self, replicas: u16) -> NewTopic {
        NewTopic {
            name: self.topic().into(),
            partitions: 1,
            replicas,
            config: vec![("retention.ms".into(), "86400000".into())],
        }
    }
}

impl Pending {
    /// The answer, when it comes.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.replies.pending().remove(&self.id);
    }
}
