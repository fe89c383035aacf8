//! A client that talks nonsense loses its connection. Everybody else goes on undisturbed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod common;

use bytes::BytesMut;
use common::raw::{NOBODY, Raw, batch, produce, produce_request};
use common::{Cluster, unique};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, Request};

/// A request as bytes, with its length in front.
fn frame<Q: Request>(version: i16, request: &Q) -> Vec<u8> {
    let mut frame = BytesMut::from(&[0; 4][..]);
    let header =
        RequestHeader::default().with_request_api_key(Q::KEY).with_request_api_version(version);
    header.encode(&mut frame, Q::header_version(version)).unwrap();
    request.encode(&mut frame, version).unwrap();
    let length = i32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame.to_vec()
}

fn assert_hangs_up(cluster: &Cluster, bytes: &[u8]) {
    let mut raw = Raw::connect(&cluster.bootstrap);
    raw.write(bytes);
    assert_eq!(raw.frame(), None, "an answer to {bytes:?}");
}

fn assert_works(cluster: &Cluster, topic: &str) {
    let mut raw = Raw::connect(&cluster.bootstrap);
    assert_eq!(produce(&mut raw, topic, batch(NOBODY, 0, &["fine"])).0, 0);
}

#[test]
fn nonsense_is_answered_by_hanging_up() {
    let cluster = Cluster::in_memory();
    let topic = cluster.topic("fine", 1, &[]);
    assert_hangs_up(&cluster, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_hangs_up(&cluster, &[0xff, 0xff, 0xff, 0xff]);
    assert_hangs_up(&cluster, &[0, 0, 0, 2, 0, 3]);
    // An API that does not exist, one that is not served, a version that is not served.
    assert_hangs_up(&cluster, &[0, 0, 0, 8, 0x7f, 0, 0, 0, 0, 0, 0, 1]);
    assert_hangs_up(&cluster, &[0, 0, 0, 8, 0, 17, 0, 0, 0, 0, 0, 1]);
    assert_hangs_up(&cluster, &[0, 0, 0, 8, 0, 0, 0, 99, 0, 0, 0, 1]);
    assert_works(&cluster, &topic);
}

#[test]
fn every_cut_of_a_request_is_noticed() {
    let cluster = Cluster::in_memory();
    let topic = cluster.topic("cut", 1, &[]);
    for version in [3, 9] {
        let whole = frame(version, &produce_request(&topic, batch(NOBODY, 0, &["value"])));
        for end in 4..whole.len() - 1 {
            let mut cut = whole[..end].to_vec();
            cut[..4].copy_from_slice(&i32::try_from(end - 4).unwrap().to_be_bytes());
            let mut raw = Raw::connect(&cluster.bootstrap);
            raw.write(&cut);
            // A cut inside the batch alone leaves a sound request with a bad batch.
            if let Some(answer) = raw.frame() {
                panic!("{end} of {} bytes were answered with {answer:?}", whole.len());
            }
        }
    }
    assert_works(&cluster, &topic);
}

#[test]
fn a_list_that_claims_too_much_costs_nothing() {
    let cluster = Cluster::in_memory();
    let topic = cluster.topic("claims", 1, &[]);
    // Metadata of topics: two thousand million of them, or as many as a varint can say.
    let mut old = frame(1, &MetadataRequest::default().with_topics(Some(Vec::new())));
    let at = old.len() - 4;
    old[at..].copy_from_slice(&i32::MAX.to_be_bytes());
    assert_hangs_up(&cluster, &old);
    let compact = frame(9, &MetadataRequest::default().with_topics(Some(Vec::new())));
    let at = compact.len() - 5;
    let mut huge = compact[..at].to_vec();
    huge.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    huge.extend_from_slice(&compact[at + 1..]);
    let length = i32::try_from(huge.len() - 4).unwrap();
    huge[..4].copy_from_slice(&length.to_be_bytes());
    assert_hangs_up(&cluster, &huge);
    assert_works(&cluster, &topic);
}

#[test]
fn random_bytes_behind_a_sound_header_do_no_harm() {
    let cluster = Cluster::in_memory();
    let topic = cluster.topic("random", 1, &[]);
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let versions = Raw::connect(&cluster.bootstrap).call(0, &ApiVersionsRequest::default());
    for api in versions.api_keys.iter().cycle().take(500) {
        let version = i16::try_from(random() % 10).unwrap().clamp(api.min_version, api.max_version);
        let mut bytes = vec![0, 0, 0, 0];
        bytes.extend_from_slice(&api.api_key.to_be_bytes());
        bytes.extend_from_slice(&version.to_be_bytes());
        bytes.extend_from_slice(&[0, 0, 0, 1, 0xff, 0xff]);
        // Mostly small numbers, so that some of it makes sense.
        bytes.extend(
            (0..random() % 60)
                .map(|_| if random() % 3 > 0 { 0 } else { random().to_le_bytes()[0] }),
        );
        let length = i32::try_from(bytes.len() - 4).unwrap();
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        let mut raw = Raw::connect(&cluster.bootstrap);
        raw.write(&bytes);
        // Whatever comes of it must not outlive the connection.
        drop(raw);
    }
    assert_works(&cluster, &topic);
}

#[test]
fn a_bad_batch_is_refused_and_leaves_nothing() {
    let cluster = Cluster::in_files();
    let topic = cluster.topic("bad", 1, &[("max.message.bytes", "1000")]);
    let raw = &mut Raw::connect(&cluster.bootstrap);
    let sound = batch(NOBODY, 0, &["value"]);

    let mut flipped = BytesMut::from(&sound[..]);
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    assert_eq!(produce(raw, &topic, flipped.freeze()).0, 2, "CORRUPT_MESSAGE");
    let mut old = BytesMut::from(&sound[..]);
    old[16] = 1;
    assert_eq!(produce(raw, &topic, old.freeze()).0, 43, "UNSUPPORTED_FOR_MESSAGE_FORMAT");
    assert_eq!(produce(raw, &topic, sound.slice(..30)).0, 2);
    let two = [&sound[..], &sound[..]].concat();
    assert_eq!(produce(raw, &topic, two.into()).0, 87, "INVALID_RECORD");
    let large = batch(NOBODY, 0, &["x".repeat(2000).as_str()]);
    assert_eq!(produce(raw, &topic, large).0, 10, "MESSAGE_TOO_LARGE");
    assert_eq!(produce(raw, &unique("missing"), sound.clone()).0, 3);
    let mut acks = produce_request(&topic, sound.clone());
    acks.acks = 2;
    assert_eq!(raw.call(7, &acks).responses[0].partition_responses[0].error_code, 21);

    assert_eq!(produce(raw, &topic, sound), (0, 0));
    assert_eq!(cluster.read(&topic, 1, "read_uncommitted").len(), 1);
}

#[test]
fn a_request_without_acknowledgement_gets_no_answer() {
    let cluster = Cluster::in_memory();
    let topic = cluster.topic("acks", 1, &[]);
    let mut raw = Raw::connect(&cluster.bootstrap);
    raw.send(7, &produce_request(&topic, batch(NOBODY, 0, &["silent"])).with_acks(0));
    // The next answer is that of the next request.
    let versions = raw.call(0, &ApiVersionsRequest::default());
    assert_eq!(versions.error_code, 0);
    assert_eq!(cluster.read(&topic, 1, "read_uncommitted").len(), 1);
}
