//! Whoever is behind the proxy stays there: no answer names another address.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use bytes::{Bytes, BytesMut};
use faust_broker::{Broker, Config};
use faust_tests::Proxy;
use kafka_protocol::messages::{
    ApiVersionsRequest, DescribeClusterRequest, FindCoordinatorRequest, MetadataRequest,
    RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, Request, StrBytes};
use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::TcpStream;

struct Client(TcpStream);

impl Client {
    fn call<Q: Request>(&mut self, version: i16, request: &Q) -> Q::Response {
        let mut frame = BytesMut::from(&[0; 4][..]);
        let header = RequestHeader::default().with_request_api_key(Q::KEY);
        let header = header.with_request_api_version(version).with_client_id(None);
        header.encode(&mut frame, Q::header_version(version)).unwrap();
        request.encode(&mut frame, version).unwrap();
        let length = (frame.len() - 4) as u32;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.0.write_all(&frame).unwrap();
        let mut length = [0; 4];
        self.0.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut answer).unwrap();
        let mut answer = Bytes::from(answer);
        ResponseHeader::decode(&mut answer, Q::Response::header_version(version)).unwrap();
        Q::Response::decode(&mut answer, version).unwrap()
    }

    /// Calls at every version that both sides know; the answers as text.
    fn call_all<Q: Request + Message>(&mut self, request: impl Fn(i16) -> Q) -> Vec<String>
    where
        Q::Response: Debug,
    {
        let served = self.call(0, &ApiVersionsRequest::default());
        let served = served.api_keys.iter().find(|api| api.api_key == Q::KEY);
        let versions = served.into_iter().flat_map(|api| {
            api.min_version.max(Q::VERSIONS.min)..=api.max_version.min(Q::VERSIONS.max)
        });
        versions.map(|version| format!("{:?}", self.call(version, &request(version)))).collect()
    }
}

#[test]
fn answers_of_every_version_name_the_proxy_instead_of_the_broker() {
    let broker = Broker::start(Config::default()).unwrap();
    let given = std::env::var("KAFKA_BOOTSTRAP").ok();
    let address = given.clone().unwrap_or_else(|| broker.bootstrap_servers());
    let (proxy, front) = Proxy::start(&address);
    let port = |address: &str| format!("port: {}", address.rsplit(':').next().unwrap());
    let mut client = Client(TcpStream::connect(&front).unwrap());
    let mut answers = client.call_all(|_| MetadataRequest::default().with_topics(Some(Vec::new())));
    answers.extend(client.call_all(|version| {
        let key = StrBytes::from_static_str("group");
        match version {
            4.. => FindCoordinatorRequest::default().with_coordinator_keys(vec![key]),
            _ => FindCoordinatorRequest::default().with_key(key),
        }
    }));
    answers.extend(client.call_all(|_| DescribeClusterRequest::default()));
    assert!(answers.len() >= 18, "{answers:?}");
    for answer in &answers {
        assert!(answer.contains(&port(&front)), "{answer}");
        assert!(!answer.contains(&port(&address)), "{answer}");
    }

    proxy.cut();
    assert_eq!(client.0.read(&mut [0]).unwrap_or(0), 0, "the connection is closed");
    let mut refused = TcpStream::connect(&front).unwrap();
    assert_eq!(refused.read(&mut [0]).unwrap_or(0), 0, "so is the next one");
    proxy.restore();
    Client(TcpStream::connect(&front).unwrap()).call(0, &ApiVersionsRequest::default());
}
