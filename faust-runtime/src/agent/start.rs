//! An agent's loop over one partition: bind, take an event, call, settle. Generic only where it must be, since every
//! agent is machine code of its own; the engine behind [`Lane`] is not.

use super::{Agent, AgentInput, AgentOutput, AgentParams, Bind};
use crate::agent::traits::LaneFuture;
use crate::codec::CodecError;
use crate::error::{Error, HandleError};
use crate::partition::{Delivery, LaneState};
use crate::rpc;
use crate::time::Timestamp;
use futures::future::{FutureExt, LocalBoxFuture};
use std::any::Any;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::sleep;

/// Binds an agent's parameters and makes its loop.
pub(super) fn start<A: Agent>(bind: &Bind<'_>, lane: Lane) -> crate::Result<LaneFuture> {
    let params = A::Params::bind(bind)?;
    Ok(<A::Input as AgentInput>::run::<A>(lane, params))
}

/// One agent on one partition, as its loop sees it.
pub struct Lane {
    state: Rc<LaneState>,
    /// Events since the loop last gave way to others.
    streak: Cell<u32>,
}

/// So many events, then the other tasks of the shard have their turn.
const STREAK: u32 = 256;

impl Lane {
    pub(crate) fn new(state: Rc<LaneState>) -> Self {
        Self { state, streak: Cell::new(0) }
    }

    pub(crate) fn state(&self) -> &Rc<LaneState> {
        &self.state
    }

    /// The number of the records' topic among those that the agent reads.
    pub(crate) fn input(&self) -> usize {
        self.state.reader.of.input
    }

    /// Completes when the shard takes more work, or when the loop is to end; gives way to the shard's other tasks now
    /// and then.
    pub(crate) async fn room(&self) {
        poll_fn(|cx| match self.is_held_back(cx) {
            true => Poll::Pending,
            false => {
                self.streak.set(self.streak.get() + 1);
                Poll::Ready(())
            }
        })
        .await
    }

    fn is_held_back(&self, cx: &mut Context<'_>) -> bool {
        if self.streak.get() >= STREAK {
            self.streak.set(0);
            cx.waker().wake_by_ref();
            return true;
        }
        self.state.task.shard.is_full(cx) && !self.stopping()
    }

    /// The next record; `None` when the loop is to end.
    pub(crate) async fn next(&self) -> Option<Delivery> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`next`](Self::next); gives way to the shard's other tasks now and then.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        if self.is_held_back(cx) {
            return Poll::Pending;
        }
        let next = self.state.reader.poll_next(self.state.number, cx);
        match next {
            Poll::Ready(_) => self.streak.set(self.streak.get() + 1),
            Poll::Pending => {
                self.streak.set(0);
                self.state.task.shard.waits_for_records();
            }
        }
        next
    }

    /// Whether the loop is to end.
    pub(crate) fn stopping(&self) -> bool {
        self.state.reader.is_stopping()
    }

    /// Everything of the event takes effect. An engine that cannot do that stops the worker.
    pub(crate) fn settle(&self, delivery: &Delivery) {
        if let Err(error) = self.state.settle(std::slice::from_ref(delivery)) {
            self.state.task.worker.fail(error.to_string());
        }
    }

    /// What to do after a failed attempt at what has this offset.
    pub(crate) fn failed(&self, offset: i64, error: &Error, attempt: &mut u32) -> Verdict {
        self.state.roll_back();
        let agent = self.state.agent.name();
        let worker = &self.state.task.worker;
        let meter = worker.monitor.agent(self.state.reader.of.agent);
        if matches!(error.downcast_ref(), Some(HandleError::Conflict { .. })) {
            return Verdict::Again(Duration::ZERO);
        }
        meter.failed();
        *attempt += 1;
        let (source, attempt) = (self.source(), *attempt);
        if attempt > worker.settings.max_retries {
            tracing::error!(
                agent, source, offset, attempt, %error,
                "an event failed for good; it goes to the dead letters"
            );
            return Verdict::DeadLetter;
        }
        meter.retried();
        tracing::warn!(agent, source, offset, attempt, %error, "an event failed; trying again");
        Verdict::Again(backoff(attempt, offset))
    }

    /// After a failed attempt at an event: waits and is true when there is to be another; else the event ends as a dead
    /// letter. Boxed, so that it is no part of every agent's loop.
    #[cold]
    pub(crate) fn again<'a>(
        &'a self,
        delivery: &'a Delivery,
        error: &'a Error,
        attempt: &'a mut u32,
    ) -> LocalBoxFuture<'a, bool> {
        let again = async move {
            let again = self.failed(delivery.offset, error, attempt).again().await;
            if !again {
                self.dead_letter(delivery, &error.to_string(), *attempt);
            }
            again
        };
        again.boxed_local()
    }

    /// Where the agent's records come from, for messages.
    pub(crate) fn source(&self) -> String {
        let source = self.state.task.sources.get(self.state.reader.of.source);
        source.map(|source| source.of.to_string()).unwrap_or_default()
    }

    /// The record cannot be decoded: counted, said, and kept in the dead letters.
    #[cold]
    pub(crate) fn undecodable(&self, delivery: &Delivery, error: &CodecError) {
        let agent = self.state.agent.name();
        self.state.task.worker.monitor.agent(self.state.reader.of.agent).undecodable();
        tracing::error!(
            agent, source = self.source(), offset = delivery.offset, %error,
            "a record cannot be decoded; it goes to the dead letters"
        );
        self.dead_letter(delivery, &error.to_string(), 0);
    }

    /// Stages the record for the dead-letter topic, with its bytes, place and error, as an effect of its event.
    pub(crate) fn dead_letter(&self, delivery: &Delivery, error: &str, attempts: u32) {
        let task = &self.state.task;
        task.worker.monitor.agent(self.state.reader.of.agent).dead_letter();
        self.state.begin(delivery);
        let message = delivery.message();
        let mut headers: Vec<(String, Vec<u8>)> = delivery
            .headers()
            .into_iter()
            .map(|(name, value)| (name.to_string(), value.unwrap_or_default().to_vec()))
            .collect();
        let source = task.sources.get(self.state.reader.of.source).map(|source| &source.of);
        for (name, value) in [
            ("faust-topic", source.map(|of| of.topic.to_string()).unwrap_or_default()),
            ("faust-partition", source.map(|of| of.partition.to_string()).unwrap_or_default()),
            ("faust-offset", delivery.offset.to_string()),
        ] {
            headers.push((name.into(), value.into_bytes()));
        }
        let letter = DeadLetter {
            key: message.key,
            value: message.value,
            timestamp: delivery.timestamp,
            headers,
            error,
            attempts,
        };
        self.stage_dead_letter(letter);
        rpc::reply_failed(&self.state, delivery, error);
    }

    /// Stages a dead letter, with the agent's name and the error.
    pub(crate) fn stage_dead_letter(&self, letter: DeadLetter<'_>) {
        let task = &self.state.task;
        let mut headers = letter.headers;
        for (name, value) in [
            ("faust-error", letter.error.to_string()),
            ("faust-agent", self.state.agent.name().to_string()),
            ("faust-attempts", letter.attempts.to_string()),
        ] {
            headers.push((name.into(), value.into_bytes()));
        }
        let bytes = letter.key.map_or(0, <[u8]>::len) + letter.value.map_or(0, <[u8]>::len);
        let fits = bytes <= self.state.record_limit();
        if !fits {
            // Its place says where the record itself is.
            headers.push(("faust-left-out".into(), bytes.to_string().into_bytes()));
        }
        let value = letter.value.filter(|_| fits);
        let append = |bytes: Option<&[u8]>, out: &mut Vec<u8>| {
            out.extend_from_slice(bytes.unwrap_or_default());
            Ok(bytes.is_some())
        };
        let topic = task.worker.dead_letters();
        let partitions = task.worker.partitions_of(topic).unwrap_or(1);
        let staged = self.state.stage(|outbox| {
            outbox.push::<CodecError>(
                topic,
                Some(letter.timestamp),
                headers,
                |out| append(letter.key, out),
                |out| append(value, out),
                |_| task.id.partition % partitions.max(1),
            )
        });
        if let Err(error) = staged {
            task.worker.fail(format!("a dead letter cannot be staged: {error}"));
        }
    }
}

/// What goes to the dead-letter topic.
pub(crate) struct DeadLetter<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) timestamp: Timestamp,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) error: &'a str,
    pub(crate) attempts: u32,
}

/// What becomes of a failed event.
pub(crate) enum Verdict {
    Again(Duration),
    DeadLetter,
}

impl Verdict {
    /// Waits until the next attempt; false if there is none.
    pub(crate) async fn again(self) -> bool {
        match self {
            Self::Again(wait) if wait.is_zero() => tokio::task::yield_now().await,
            Self::Again(wait) => sleep(wait).await,
            Self::DeadLetter => return false,
        }
        true
    }
}

/// 5, 25, 125 ms and so on, up to 30 s, up to a quarter shorter by an offset's jitter.
fn backoff(attempt: u32, offset: i64) -> Duration {
    let full = 5u64.saturating_pow(attempt).min(30_000);
    let jitter = (offset.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) * full / 1024;
    Duration::from_millis(full - jitter)
}

/// Polls a user's future; a panic is an error. The future stays where its caller has pinned it: it can be large.
pub(crate) fn poll_guarded<R, F: Future<Output: AgentOutput<Reply = R>>>(
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<crate::Result<R>> {
    match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        Ok(Poll::Ready(output)) => Poll::Ready(output.into_result()),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(panicked(&*panic))),
    }
}

#[cold]
fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "no message"
    };
    format!("panicked: {text}").into()
}
