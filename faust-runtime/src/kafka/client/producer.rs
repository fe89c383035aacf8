//! Sending: handles of the plain producer, and the transactional one on its committer's thread.

use super::*;
use faust_kafka::{Code, Deliveries, Record, SlotOffset, TopicHandle, TxnErrorKind};

/// How long a call of a transaction may take.
const TXN: Duration = Duration::from_secs(30);
/// When a queue is full it is looked again after this long.
const ROOM: Duration = Duration::from_micros(500);

/// The handles of one producer's topics. Its error says that nothing was sent.
#[derive(Default)]
struct Handles(Vec<Option<TopicHandle>>);

impl Handles {
    fn get(
        &mut self,
        id: TopicId,
        make: impl FnOnce() -> native::Result<TopicHandle>,
    ) -> Result<&TopicHandle, (usize, SendError)> {
        let index = id.0 as usize;
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        match self.0.get_mut(index) {
            Some(Some(handle)) => Ok(handle),
            Some(empty) => {
                let handle = make().map_err(|error| (0, SendError::Refused(error.to_string())))?;
                Ok(empty.insert(handle))
            }
            None => Err((0, SendError::Refused("no such topic".into()))),
        }
    }
}

fn record<'a>(outgoing: &Outgoing<'a>, headers: &'a [Header<'a>]) -> Record<'a> {
    Record {
        partition: outgoing.partition as i32,
        key: outgoing.key,
        value: outgoing.value,
        timestamp: outgoing.timestamp.map(Timestamp::as_millis),
        headers,
    }
}

type Header<'a> = (&'a str, Option<&'a [u8]>);

fn headers<'a>(outgoing: &Outgoing<'a>) -> Vec<Header<'a>> {
    outgoing.headers.iter().map(|(name, value)| (name.as_str(), Some(&value[..]))).collect()
}

/// How many records are handed to librdkafka at a time.
const PARCEL: usize = 64;

/// Hands records to `send` in parcels for one partition, until one is not taken; then how many were.
fn in_parcels<'a>(
    records: &mut dyn Iterator<Item = Outgoing<'a>>,
    mut send: impl FnMut(TopicId, &[Record<'_>]) -> Result<(), (usize, SendError)>,
) -> Result<(), (usize, SendError)> {
    let mut records = records.peekable();
    let mut sent = 0;
    while let Some(first) = records.next() {
        let headers = headers(&first);
        let destination = (first.topic, first.partition);
        let alike = |next: &Outgoing<'_>| {
            (next.topic, next.partition) == destination && next.headers.is_empty()
        };
        let mut parcel = Vec::with_capacity(PARCEL);
        parcel.push(record(&first, &headers));
        while parcel.len() < PARCEL
            && let Some(next) = records.next_if(alike)
        {
            parcel.push(record(&next, &[]));
        }
        send(first.topic, &parcel).map_err(|(taken, error)| (sent + taken, error))?;
        sent += parcel.len();
    }
    Ok(())
}

fn refused(error: native::SendError) -> SendError {
    match error {
        native::SendError::QueueFull => SendError::Full,
        native::SendError::Fatal { .. } => SendError::Failed(TxnError::Unknown(error.to_string())),
        native::SendError::Refused { .. } => {
            SendError::Failed(TxnError::Abortable(error.to_string()))
        }
        error => SendError::Refused(error.to_string()),
    }
}

/// A handle of the worker's plain producer, with deliveries of its own.
pub(super) struct Plain {
    inner: Arc<Inner>,
    producer: Arc<native::Producer>,
    handles: Handles,
    deliveries: Deliveries,
}

impl Plain {
    pub(super) fn new(inner: Arc<Inner>, producer: Arc<native::Producer>) -> Self {
        Self { inner, producer, handles: Handles::default(), deliveries: Deliveries::new(1) }
    }

    fn send_counted<'a>(
        &mut self,
        records: &mut dyn Iterator<Item = Outgoing<'a>>,
        deliveries: &Deliveries,
    ) -> Result<(), (usize, SendError)> {
        let (inner, producer, handles) = (&self.inner, &self.producer, &mut self.handles);
        in_parcels(records, |topic, parcel| {
            let topic = handles.get(topic, || producer.topic(&inner.topic_name(topic)))?;
            let sent = producer.send_all(topic, parcel, Some((deliveries, 0)));
            sent.map_err(|(taken, error)| (taken, refused(error)))
        })
    }
}

impl Producer for Plain {
    fn send_all<'a>(
        &mut self,
        records: &mut dyn Iterator<Item = Outgoing<'a>>,
    ) -> Result<(), (usize, SendError)> {
        let deliveries = self.deliveries.clone();
        self.send_counted(records, &deliveries)
    }

    fn room(&mut self) -> BoxFuture<'static, ()> {
        tokio::time::sleep(ROOM).boxed()
    }

    fn settle(&mut self) -> BoxFuture<'static, Result<(), KafkaError>> {
        if self.deliveries.sent() == 0 {
            return std::future::ready(Ok(())).boxed();
        }
        let sent = std::mem::replace(&mut self.deliveries, Deliveries::new(1));
        async move { sent.settled().await.map_err(|error| failed("sending", error)) }.boxed()
    }

    fn deliver(
        &mut self,
        outgoing: &Outgoing<'_>,
    ) -> Result<BoxFuture<'static, Result<Option<Offset>, KafkaError>>, SendError> {
        let deliveries = Deliveries::new(1);
        self.send_counted(&mut std::iter::once(*outgoing), &deliveries)
            .map_err(|(_, error)| error)?;
        Ok(async move {
            deliveries.settled().await.map_err(|error| failed("sending", error))?;
            Ok(offset(&deliveries, 0))
        }
        .boxed())
    }
}

fn offset(deliveries: &Deliveries, slot: u32) -> Option<Offset> {
    match deliveries.offset(slot) {
        SlotOffset::Known(offset) => Some(offset),
        SlotOffset::None | SlotOffset::Unknown => None,
    }
}

/// A transactional producer. Its calls block.
pub(super) struct Txn {
    inner: Arc<Inner>,
    producer: native::TransactionalProducer,
    handles: Handles,
    /// One slot for each that is wanted, and one for everything else.
    deliveries: Deliveries,
    slots: u32,
}

impl Txn {
    pub(super) fn new(inner: Arc<Inner>, producer: native::TransactionalProducer) -> Self {
        Self {
            inner,
            producer,
            handles: Handles::default(),
            deliveries: Deliveries::new(1),
            slots: 0,
        }
    }
}

/// Makes a call again while that may help.
fn again(mut call: impl FnMut() -> Result<(), native::TxnError>) -> Result<(), TxnError> {
    let started = Instant::now();
    loop {
        let Err(error) = call() else { return Ok(()) };
        match error.kind {
            TxnErrorKind::Retriable if started.elapsed() < TXN => {
                std::thread::sleep(Duration::from_millis(20));
            }
            TxnErrorKind::Abortable => return Err(TxnError::Abortable(error.to_string())),
            TxnErrorKind::Lasting if error.code == Code::MESSAGE_TOO_LARGE => {
                return Err(TxnError::TooLarge(error.to_string()));
            }
            TxnErrorKind::Lasting => return Err(TxnError::Lasting(error.to_string())),
            _ => return Err(TxnError::Unknown(error.to_string())),
        }
    }
}

impl Transactional for Txn {
    fn begin(&mut self, slots: u32) -> Result<(), TxnError> {
        self.slots = slots;
        self.deliveries = Deliveries::new(slots + 1);
        again(|| self.producer.begin())
    }

    fn send_all<'a>(
        &mut self,
        records: &mut dyn Iterator<Item = Outgoing<'a>>,
        slot: Option<u32>,
    ) -> Result<(), (usize, SendError)> {
        let (inner, producer, handles) = (&self.inner, &self.producer, &mut self.handles);
        let slot = slot.unwrap_or(self.slots);
        in_parcels(records, |topic, parcel| {
            let topic = handles.get(topic, || producer.topic(&inner.topic_name(topic)))?;
            let sent = producer.send_all(topic, parcel, Some((&self.deliveries, slot)));
            sent.map_err(|(taken, error)| match self.deliveries.failure() {
                // The transaction takes nothing more because of this one.
                Some(native::Error::Delivery { code: Code::MESSAGE_TOO_LARGE, .. }) => {
                    (taken, SendError::Failed(TxnError::TooLarge(error.to_string())))
                }
                Some(cause) if cause.is_lasting() => {
                    (taken, SendError::Failed(TxnError::Lasting(cause.to_string())))
                }
                _ => (taken, refused(error)),
            })
        })
    }

    fn room(&mut self) -> BoxFuture<'_, ()> {
        tokio::time::sleep(ROOM).boxed()
    }

    fn commit(
        &mut self,
        offsets: &[Commit],
    ) -> BoxFuture<'_, Result<Vec<Option<Offset>>, TxnError>> {
        let result = self.commit_now(offsets);
        std::future::ready(result).boxed()
    }

    fn abort(&mut self) -> BoxFuture<'_, Result<(), TxnError>> {
        std::future::ready(again(|| self.producer.abort(TXN))).boxed()
    }
}

impl Txn {
    fn commit_now(&self, offsets: &[Commit]) -> Result<Vec<Option<Offset>>, TxnError> {
        let offsets: Vec<_> =
            offsets.iter().map(|c| (to_tp(&c.partition), c.offset, c.metadata.as_str())).collect();
        // The group's generation may have changed since the last cut: what counts is the one of this moment.
        let member =
            self.inner.member().ok_or_else(|| TxnError::Abortable("not in the group".into()))?;
        let group =
            member.group_metadata().map_err(|error| TxnError::Abortable(error.to_string()))?;
        again(|| self.producer.send_offsets(&offsets, &group, TXN))?;
        again(|| self.producer.commit(TXN))?;
        Ok((0..self.slots).map(|slot| offset(&self.deliveries, slot)).collect())
    }
}
