//! Asking agents: Faust's protocol. A request is a record of the agent's topic with the headers
//! `Faust-Ag-ReplyTo` and `Faust-Ag-CorrelationId`; the reply is a `ReqRepResponse` in the asker's reply topic. A
//! request that failed for good is answered with the header `Faust-Ag-Error`, which Faust does not know.

mod replies;

pub(crate) use replies::{Pending, Replies};

use crate::codec::{CodecError, Value};
use crate::partition::{Delivery, LaneState};

/// Where the reply goes.
pub(crate) const REPLY_TO: &str = "Faust-Ag-ReplyTo";
/// Which request it answers.
pub(crate) const CORRELATION_ID: &str = "Faust-Ag-CorrelationId";
/// Why there is no value.
pub(crate) const ERROR: &str = "Faust-Ag-Error";

/// Stages the reply to whoever asked, as a part of the event.
#[inline]
pub(crate) fn reply<R: Value>(
    lane: &LaneState,
    delivery: &Delivery,
    reply: &R,
) -> crate::Result<()> {
    if !delivery.has_headers {
        return Ok(());
    }
    let Some((topic, id)) = asked_by(delivery) else { return Ok(()) };
    stage(lane, delivery, &topic, &id, Vec::new(), &|out| reply.encode(out))
}

/// Stages the answer that there will be no reply.
pub(crate) fn reply_failed(lane: &LaneState, delivery: &Delivery, error: &str) {
    let Some((topic, id)) = asked_by(delivery) else { return };
    let headers = vec![(ERROR.to_string(), error.as_bytes().to_vec())];
    if let Err(error) = stage(lane, delivery, &topic, &id, headers, &|_| Ok(false)) {
        tracing::error!(%error, topic, "an asker cannot be told of a failure");
    }
}

fn stage(
    lane: &LaneState,
    delivery: &Delivery,
    topic: &str,
    id: &str,
    headers: Vec<(String, Vec<u8>)>,
    encode: &dyn Fn(&mut Vec<u8>) -> Result<bool, CodecError>,
) -> crate::Result<()> {
    let worker = &lane.task.worker;
    let topic_id = worker.broker.topic_id(topic);
    if worker.partitions_of(topic_id).is_none() && !topic.starts_with(replies::PREFIX) {
        tracing::error!(
            topic,
            agent = lane.agent.name(),
            "a reply is wanted in a topic that is not there; it is dropped"
        );
        return Ok(());
    }
    let key = delivery.message().key.map(String::from_utf8_lossy);
    lane.stage(|outbox| {
        outbox.push(
            topic_id,
            Some(delivery.timestamp),
            headers,
            |_| Ok::<_, CodecError>(false),
            |out| {
                out.extend_from_slice(b"{\"key\":");
                serde_json::to_writer(&mut *out, &key).map_err(CodecError::Value)?;
                out.extend_from_slice(b",\"value\":");
                if !encode(out)? {
                    out.extend_from_slice(b"null");
                }
                out.extend_from_slice(b",\"correlation_id\":");
                serde_json::to_writer(&mut *out, id).map_err(CodecError::Value)?;
                out.push(b'}');
                Ok(true)
            },
            |_| 0,
        )
    })
}

/// Who asked, if anybody did.
fn asked_by(delivery: &Delivery) -> Option<(String, String)> {
    let (mut topic, mut id) = (None, None);
    for (name, value) in delivery.headers() {
        let text = || Some(String::from_utf8_lossy(value?).into_owned());
        match name {
            REPLY_TO => topic = text(),
            CORRELATION_ID => id = text(),
            _ => {}
        }
    }
    Some((topic?, id?))
}
