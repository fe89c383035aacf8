//! Replies on their way back: one topic a worker, and who waits for what.

use super::ERROR;
use crate::kafka::{At, Batch, KafkaError, NewTopic, TopicPartition};
use crate::worker::Worker;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep;

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
        Self(Arc::new(Inner { topic, pending: Mutex::default() }))
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

    /// Reads the reply topic until the worker stops.
    pub(crate) async fn run(self, worker: Worker) {
        loop {
            if let Err(error) = self.read(&worker).await {
                tracing::warn!(%error, topic = self.topic(), "replies cannot be read; trying again");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }

    async fn read(&self, worker: &Worker) -> Result<(), KafkaError> {
        let of = TopicPartition::new(self.topic(), 0);
        // What was asked before this process is not waited for any more.
        let end = worker.broker.offsets(vec![of.clone()], At::End).await?;
        let mut reader = worker.broker.source(&of, end.first().copied().unwrap_or(0))?;
        loop {
            let batch = poll_fn(|cx| reader.poll_batch(cx)).await?;
            self.take(&batch);
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
            let Some(value) = batch.messages.get(index).and_then(|message| message.value) else { continue };
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
    pub(crate) fn new_topic(&self, replicas: u16) -> NewTopic {
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
