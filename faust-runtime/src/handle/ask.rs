//! Asking an agent and getting its reply.

use crate::agent::{Agent, AgentName, AgentOutput, AgentParam, Bind, Param, TopicsOf, Use};
use crate::codec::Value;
use crate::define::{AnyKey, Records};
use crate::error::HandleError;
use crate::handle::sink::partition_of;
use crate::kafka::{Outgoing, SendError};
use crate::partition::{LaneState, with_current};
use crate::rpc::{CORRELATION_ID, Pending, REPLY_TO};
use crate::worker::Worker;
use std::marker::PhantomData;
use tokio::time::timeout;

type RecordOf<'m, A> = <TopicsOf<A> as Records>::Of<'m>;
type ReplyOf<A> = <<A as Agent>::Output as AgentOutput>::Reply;

/// Asks an agent: sends it a record and waits for what it returns.
///
/// The request is sent at once, also in an agent: it is not a part of the event. In an agent the request's id derives
/// from the event, so that a retry repeats it.
///
/// ```
/// use faust::prelude::*;
///
/// #[topic("words", key = word)]
/// struct Word { word: String }
///
/// #[table("counts")]
/// struct Count { key: String, value: u64 }
///
/// #[agent]
/// async fn count(word: Event<Word>, counts: Table<Count>) -> Result<u64> {
///     counts.update(&word.word, |n| { *n += 1; *n }).await
/// }
///
/// #[page("/vote/{word}", method = post)]
/// async fn vote(Path(word): Path<String>, count: Ask<count>) -> Result<Json<u64>> {
///     Ok(Json(count.ask(Word { word }).await?))
/// }
/// ```
pub struct Ask<A> {
    /// Outside of events.
    worker: Option<Worker>,
    agent: PhantomData<fn() -> A>,
}

impl<A> Clone for Ask<A> {
    fn clone(&self) -> Self {
        Self { worker: self.worker.clone(), agent: PhantomData }
    }
}

/// A request on its way.
struct Request {
    worker: Worker,
    pending: Pending,
}

impl<A: Agent> Ask<A> {
    /// Sends a record to the agent and waits for its reply, at most for the setting `ask_timeout`.
    pub async fn ask(&self, record: RecordOf<'_, A>) -> crate::Result<ReplyOf<A>> {
        let Request { worker, mut pending } = self.send(record, true).await?;
        let agent = A::OPTIONS.name;
        let patience = worker.settings.ask_timeout;
        let answer = timeout(patience, pending.answer()).await;
        match answer {
            Ok(Some(Ok(value))) => Ok(ReplyOf::<A>::decode(Some(&value))?),
            Ok(Some(Err(error))) => Err(HandleError::Failed { agent, error }.into()),
            Ok(None) | Err(_) => {
                Err(HandleError::NoReply { agent, seconds: patience.as_secs() }.into())
            }
        }
    }

    /// Sends a record to the agent without waiting for anything.
    pub async fn cast(&self, record: RecordOf<'_, A>) -> crate::Result<()> {
        self.send(record, false).await.map(|_| ())
    }

    /// Asks for each of the records, all at once; the replies are in the order of the records.
    pub async fn map<'m>(
        &self,
        records: impl IntoIterator<Item = RecordOf<'m, A>>,
    ) -> crate::Result<Vec<ReplyOf<A>>> {
        futures::future::try_join_all(records.into_iter().map(|record| self.ask(record))).await
    }

    async fn send(&self, record: RecordOf<'_, A>, reply: bool) -> crate::Result<Request> {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let key = record.write_key(&mut key)?.then_some(key);
        let value = record.write_value(&mut value)?.then_some(value);
        let topic = TopicsOf::<A>::TOPICS.get(record.topic()).ok_or("a record of no topic")?;
        drop(record);
        let name = topic.topic.name;
        let (worker, id, partition) = self.address(name, key.as_deref())?;
        if reply {
            worker.replies.start(&worker).await?;
        }
        let pending = worker.replies.expect(id.clone());
        let topic = worker.broker.topic_id(&worker.topic_name(name));
        let headers = [
            (REPLY_TO.to_string(), worker.replies.topic().into()),
            (CORRELATION_ID.to_string(), id.as_bytes().to_vec()),
        ];
        let outgoing = Outgoing {
            topic,
            partition,
            key: key.as_deref(),
            value: value.as_deref(),
            timestamp: None,
            headers: if reply { &headers } else { &[] },
        };
        loop {
            let sent = worker.outside().send(&outgoing);
            match sent {
                Ok(()) => return Ok(Request { worker, pending }),
                Err(SendError::Full) => worker.room().await,
                Err(error) => {
                    return Err(
                        HandleError::Send { topic: name.into(), cause: error.to_string() }.into()
                    );
                }
            }
        }
    }

    /// The worker, the correlation id and the partition of a request.
    fn address(&self, name: &str, key: Option<&[u8]>) -> crate::Result<(Worker, String, u32)> {
        let partitions = |worker: &Worker| {
            worker.partitions_of(worker.broker.topic_id(&worker.topic_name(name))).unwrap_or(1)
        };
        if let Some(worker) = &self.worker {
            let id = uuid::Uuid::new_v4().to_string();
            return Ok((worker.clone(), id, partition_of(key, partitions(worker))));
        }
        with_current(
            || format!("asking agent `{}`", A::OPTIONS.name),
            |lane, event| {
                let worker = &lane.task.worker;
                let partition = partition_of(key, partitions(worker));
                let agent = lane.agent.name();
                if agent == A::OPTIONS.name && partition == lane.task.id.partition {
                    return Err(HandleError::AskOfSelf { agent, asked: A::OPTIONS.name }.into());
                }
                let n = lane.asks.get();
                lane.asks.set(n + 1);
                let group = &worker.topology.group;
                let source = source(lane);
                let id = format!("{group}/{agent}/{source}/{}/{n}", event.offset);
                Ok((worker.clone(), id, partition))
            },
        )
    }
}

/// Where an event comes from: its partition, and the number of its topic where its agent reads several.
fn source(lane: &LaneState) -> String {
    let partition = lane.task.id.partition;
    match lane.reader.of.input {
        0 => partition.to_string(),
        input => format!("{partition}.{input}"),
    }
}

impl<A: Agent> AgentParam for Ask<A> {
    type PartitionKey = AnyKey;
    const USES: &'static [Use] = &[Use::Ask(AgentName::of::<A>())];

    fn bind(_: &Bind<'_>) -> crate::Result<Self> {
        Ok(Self { worker: None, agent: PhantomData })
    }
}

impl<A: Agent> Param for Ask<A> {
    const USES: &'static [Use] = &[Use::Ask(AgentName::of::<A>())];

    fn bind(worker: &Worker) -> crate::Result<Self> {
        Ok(Self { worker: Some(worker.clone()), agent: PhantomData })
    }
}
