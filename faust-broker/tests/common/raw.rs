//! The protocol itself: one request, one answer, at any version.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

pub(crate) struct Raw {
    stream: TcpStream,
    correlation_id: i32,
}

impl Raw {
    pub(crate) fn connect(bootstrap: &str) -> Self {
        let stream = TcpStream::connect(bootstrap).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, correlation_id: 0 }
    }

    /// Sends a request and reads its answer, to the last byte.
    pub(crate) fn call<Q: Request>(&mut self, version: i16, request: &Q) -> Q::Response {
        self.send(version, request);
        self.receive::<Q>(version)
    }

    pub(crate) fn send<Q: Request>(&mut self, version: i16, request: &Q) {
        self.correlation_id += 1;
        let mut frame = BytesMut::from(&[0; 4][..]);
        let header = RequestHeader::default()
            .with_request_api_key(Q::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(StrBytes::from_static_str("raw")));
        header.encode(&mut frame, Q::header_version(version)).unwrap();
        request.encode(&mut frame, version).unwrap();
        let length = i32::try_from(frame.len() - 4).unwrap();
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame).unwrap();
    }

    pub(crate) fn receive<Q: Request>(&mut self, version: i16) -> Q::Response {
        let mut frame =
            self.frame().unwrap_or_else(|| panic!("API {} version {version}: hung up", Q::KEY));
        let header =
            ResponseHeader::decode(&mut frame, Q::Response::header_version(version)).unwrap();
        assert_eq!(header.correlation_id, self.correlation_id);
        let response = Q::Response::decode(&mut frame, version).unwrap();
        assert!(frame.is_empty(), "bytes behind the answer of API {} version {version}", Q::KEY);
        response
    }

    /// How long [`frame`](Self::frame) waits.
    pub(crate) fn timeout(&self, timeout: Duration) {
        self.stream.set_read_timeout(Some(timeout)).unwrap();
    }

    /// Sends bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next frame; `None` if the broker has hung up.
    pub(crate) fn frame(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut frame).ok()?;
        Some(frame.into())
    }
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Who sends a batch, and with which numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct From {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
    pub(crate) transactional: bool,
}

/// A producer that is not idempotent.
pub(crate) const NOBODY: From =
    From { producer_id: -1, epoch: -1, sequence: -1, transactional: false };

/// A batch of values, a millisecond apart from `timestamp` on.
pub(crate) fn batch(from: From, timestamp: i64, values: &[&str]) -> Bytes {
    let record = |(index, value): (i32, &&str)| Record {
        transactional: from.transactional,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: from.producer_id,
        producer_epoch: from.epoch,
        timestamp_type: TimestampType::Creation,
        offset: i64::from(index),
        sequence: from.sequence + index,
        timestamp: timestamp + i64::from(index),
        key: Some(Bytes::from_static(b"key")),
        value: Some(Bytes::from((*value).to_owned())),
        headers: Default::default(),
    };
    let records: Vec<Record> = (0..).zip(values).map(record).collect();
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
    bytes.freeze()
}

/// A request that puts one batch into partition 0.
pub(crate) fn produce_request(topic: &str, records: Bytes) -> ProduceRequest {
    let partition = produce_request::PartitionProduceData::default().with_records(Some(records));
    let topic = produce_request::TopicProduceData::default()
        .with_name(text(topic).into())
        .with_partition_data(vec![partition]);
    ProduceRequest::default()
        .with_transactional_id(None)
        .with_acks(-1)
        .with_timeout_ms(5000)
        .with_topic_data(vec![topic])
}

/// Produces one batch; error code and base offset.
pub(crate) fn produce(raw: &mut Raw, topic: &str, records: Bytes) -> (i16, i64) {
    let response = raw.call(7, &produce_request(topic, records));
    let partition = &response.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

/// A request for partition 0 from an offset on.
pub(crate) fn fetch_request(topic: &str, offset: i64, max_wait_ms: i32) -> FetchRequest {
    let partition = fetch_request::FetchPartition::default()
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20);
    let topic = fetch_request::FetchTopic::default()
        .with_topic(text(topic).into())
        .with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_topics(vec![topic])
}
