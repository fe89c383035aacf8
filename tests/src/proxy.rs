//! A proxy that understands Kafka's protocol: clients stay behind it, whatever address a broker tells them, and requests
//! fail, come late or are lost as a test says. It works before any broker.

use bytes::{Bytes, BytesMut};
use faust_broker::{Effect, Faults, refusal};
use kafka_protocol::messages::{
    ApiKey, ProduceRequest, RequestHeader, ResponseHeader, ResponseKind,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};

/// A proxy. It serves as long as the process runs.
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

struct Inner {
    faults: Faults,
    /// The port here for each broker behind.
    fronts: Mutex<HashMap<String, u16>>,
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    /// Nobody gets through.
    cut: bool,
    open: HashMap<u64, [TcpStream; 2]>,
    next: u64,
}

/// A connection has ended.
struct Ended;

impl<E: std::error::Error> From<E> for Ended {
    fn from(_: E) -> Self {
        Self
    }
}

impl Proxy {
    /// Starts one; the address of the front of a broker.
    pub fn start(broker: &str) -> (Self, String) {
        let proxy = Self(Arc::new(Inner {
            faults: Faults::default(),
            fronts: Mutex::default(),
            connections: Mutex::default(),
        }));
        let front = format!("127.0.0.1:{}", proxy.front(broker));
        (proxy, front)
    }

    /// What goes wrong here.
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// Ends all connections, and those to come.
    pub fn cut(&self) {
        let mut connections = self.0.connections.lock().unwrap();
        connections.cut = true;
        for stream in connections.open.drain().flat_map(|(_, streams)| streams) {
            // It may have ended already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets everybody through again.
    pub fn restore(&self) {
        self.0.connections.lock().unwrap().cut = false;
    }

    /// The port of a broker's front, which there is from the first time it is asked for.
    fn front(&self, broker: &str) -> u16 {
        let mut fronts = self.0.fronts.lock().unwrap();
        *fronts.entry(broker.to_string()).or_insert_with(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let (proxy, broker) = (self.clone(), broker.to_string());
            spawn(move || {
                for client in listener.incoming().flatten() {
                    let (proxy, broker) = (proxy.clone(), broker.clone());
                    spawn(move || proxy.connect(&client, &broker));
                }
            });
            port
        })
    }

    /// Serves a connection until either side, or a fault, ends it.
    fn connect(&self, client: &TcpStream, broker: &str) {
        let Ok(upstream) = TcpStream::connect(broker) else { return };
        let Ok(id) = self.open(client, &upstream) else { return };
        let Err(Ended) = self.serve(client, &upstream);
        self.0.connections.lock().unwrap().open.remove(&id);
        let _ = client.shutdown(Shutdown::Both);
        let _ = upstream.shutdown(Shutdown::Both);
    }

    fn open(&self, client: &TcpStream, upstream: &TcpStream) -> Result<u64, Ended> {
        client.set_nodelay(true)?;
        upstream.set_nodelay(true)?;
        let streams = [client.try_clone()?, upstream.try_clone()?];
        let mut connections = self.0.connections.lock().unwrap();
        if connections.cut {
            return Err(Ended);
        }
        connections.next += 1;
        let id = connections.next;
        connections.open.insert(id, streams);
        Ok(id)
    }

    /// One request after the other, as brokers serve a connection.
    fn serve(
        &self,
        mut client: &TcpStream,
        mut upstream: &TcpStream,
    ) -> Result<std::convert::Infallible, Ended> {
        loop {
            let request = read_frame(&mut client)?;
            let effect = self.0.faults.strike(&request);
            match effect {
                Some(Effect::Drop) => return Err(Ended),
                Some(Effect::Silence) => loop {
                    read_frame(&mut client)?;
                },
                Some(Effect::Error(code)) => {
                    client.write_all(&refusal(&request, code).ok_or(Ended)?)?;
                    continue;
                }
                Some(Effect::Delay(delay)) => sleep(delay),
                Some(Effect::LoseAnswer) | None => {}
            }
            write_frame(&mut upstream, &request)?;
            let request = Request::read(request)?;
            if !request.wants_answer {
                continue;
            }
            let answer = read_frame(&mut upstream)?;
            if effect == Some(Effect::LoseAnswer) {
                return Err(Ended);
            }
            write_frame(&mut client, &self.readdressed(&request, answer)?)?;
        }
    }

    /// An answer with our addresses in place of the brokers'.
    fn readdressed(&self, request: &Request, answer: Bytes) -> Result<Bytes, Ended> {
        let &Request { api, version, .. } = request;
        let names_brokers = match api {
            ApiKey::Metadata | ApiKey::FindCoordinator | ApiKey::DescribeCluster => true,
            // Where the leader is now, for those who have asked the wrong one.
            ApiKey::Produce => version >= 10,
            ApiKey::Fetch => version >= 16,
            _ => false,
        };
        if !names_brokers {
            return Ok(answer);
        }
        let mut body = answer;
        let header_version = api.response_header_version(version);
        let header = ResponseHeader::decode(&mut body, header_version).map_err(|_| Ended)?;
        let mut response = ResponseKind::decode(api, &mut body, version).map_err(|_| Ended)?;
        self.readdress(&mut response);
        let mut frame = BytesMut::new();
        header.encode(&mut frame, header_version).map_err(|_| Ended)?;
        response.encode(&mut frame, version).map_err(|_| Ended)?;
        Ok(frame.freeze())
    }

    fn readdress(&self, response: &mut ResponseKind) {
        let front = |host: &mut StrBytes, port: &mut i32| {
            // No coordinator has no address.
            if !host.is_empty() {
                *port = self.front(&format!("{}:{port}", host.as_str())).into();
                *host = StrBytes::from_static_str("127.0.0.1");
            }
        };
        match response {
            ResponseKind::Metadata(metadata) => {
                metadata.brokers.iter_mut().for_each(|it| front(&mut it.host, &mut it.port));
            }
            ResponseKind::FindCoordinator(found) => {
                front(&mut found.host, &mut found.port);
                found.coordinators.iter_mut().for_each(|it| front(&mut it.host, &mut it.port));
            }
            ResponseKind::DescribeCluster(cluster) => {
                cluster.brokers.iter_mut().for_each(|it| front(&mut it.host, &mut it.port));
            }
            ResponseKind::Produce(produced) => {
                produced.node_endpoints.iter_mut().for_each(|it| front(&mut it.host, &mut it.port));
            }
            ResponseKind::Fetch(fetched) => {
                fetched.node_endpoints.iter_mut().for_each(|it| front(&mut it.host, &mut it.port));
            }
            _ => {}
        }
    }
}

/// What must be known of a request to understand its answer.
struct Request {
    api: ApiKey,
    version: i16,
    wants_answer: bool,
}

impl Request {
    fn read(mut frame: Bytes) -> Result<Self, Ended> {
        let start = frame.first_chunk::<4>().ok_or(Ended)?;
        let [api, version] = [[start[0], start[1]], [start[2], start[3]]].map(i16::from_be_bytes);
        let api = ApiKey::try_from(api).map_err(|()| Ended)?;
        let mut wants_answer = true;
        if api == ApiKey::Produce {
            RequestHeader::decode(&mut frame, api.request_header_version(version))
                .map_err(|_| Ended)?;
            let request = ProduceRequest::decode(&mut frame, version).map_err(|_| Ended)?;
            wants_answer = request.acks != 0;
        }
        Ok(Self { api, version, wants_answer })
    }
}

fn read_frame(stream: &mut impl Read) -> Result<Bytes, Ended> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length))?];
    stream.read_exact(&mut frame)?;
    Ok(frame.into())
}

fn write_frame(stream: &mut impl Write, frame: &[u8]) -> Result<(), Ended> {
    let length = i32::try_from(frame.len())?;
    stream.write_all(&[&length.to_be_bytes(), frame].concat())?;
    Ok(())
}
