//! One connection: a frame in, an answer out, in order.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable};

use super::{Hangup, Shared};
use crate::api::{self, Context};
use crate::faults::{Effect, refusal};

/// The largest request (Kafka's `socket.request.max.bytes`).
const MAX_FRAME_BYTES: usize = 100 * 1024 * 1024;
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Serves a connection until the client closes it. Whatever cannot be understood ends it too.
pub(crate) fn serve(shared: &Shared, stream: &TcpStream) -> Result<(), Hangup> {
    let lost = |error: std::io::Error| Hangup(error.to_string());
    stream.set_nodelay(true).map_err(lost)?;
    let host = stream.peer_addr().map_err(lost)?.ip().to_string();
    let mut reader = BufReader::with_capacity(READ_BUFFER_BYTES, stream);
    let mut writer = stream;
    while let Some(frame) = read_frame(&mut reader)? {
        let effect = shared.faults.strike(&frame);
        let answer = match effect {
            Some(Effect::Drop) => return Ok(()),
            Some(Effect::Silence) => return listen_only(&mut reader),
            Some(Effect::Error(code)) => refusal(&frame, code),
            Some(Effect::Delay(_) | Effect::LoseAnswer) | None => {
                if let Some(Effect::Delay(delay)) = effect {
                    std::thread::sleep(delay);
                }
                answer(shared, &host, frame)?
            }
        };
        if effect == Some(Effect::LoseAnswer) {
            return Ok(());
        }
        if let Some(answer) = answer {
            match writer.write_all(&answer) {
                Ok(()) => {}
                Err(error) if is_gone(&error) => return Ok(()),
                Err(error) => return Err(lost(error)),
            }
        }
    }
    Ok(())
}

/// Takes requests and answers none, until the client has enough.
fn listen_only(reader: &mut impl Read) -> Result<(), Hangup> {
    while read_frame(reader)?.is_some() {}
    Ok(())
}

/// The next request; `None` when the client has closed the connection.
fn read_frame(reader: &mut impl Read) -> Result<Option<Bytes>, Hangup> {
    let mut length = [0; 4];
    match reader.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if is_gone(&error) => return Ok(None),
        Err(error) => return Err(Hangup(error.to_string())),
    }
    let length = i32::from_be_bytes(length);
    let size = usize::try_from(length).ok().filter(|size| *size <= MAX_FRAME_BYTES);
    let size = size.ok_or_else(|| Hangup(format!("a frame cannot have {length} bytes")))?;
    // The frame grows as its bytes come: a length alone shall not cost memory.
    let mut frame = Vec::with_capacity(size.min(READ_BUFFER_BYTES));
    match reader.take(size as u64).read_to_end(&mut frame) {
        Ok(read) if read == size => Ok(Some(frame.into())),
        Ok(_) => Ok(None),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(Hangup(error.to_string())),
    }
}

/// Answers one request; `None` if it wants no answer.
fn answer(shared: &Shared, host: &str, mut frame: Bytes) -> Result<Option<BytesMut>, Hangup> {
    let malformed = |what: &str| Hangup(format!("malformed request: {what}"));
    let mut start = frame.get(..8).ok_or_else(|| malformed("shorter than a header"))?;
    let (key, version, correlation_id) = (start.get_i16(), start.get_i16(), start.get_i32());
    let unknown = || malformed(&format!("no API has the number {key}"));
    let key = ApiKey::try_from(key).map_err(|()| unknown())?;
    let api = api::advertised(key).ok_or_else(unknown)?;

    if !api.versions().contains(&version) {
        // A client that is newer than the broker asks in its own version first.
        if key == ApiKey::ApiVersions {
            return encode(key, 0, correlation_id, &api::unsupported_version()).map(Some);
        }
        return Err(malformed(&format!("{key:?} has no version {version} here")));
    }
    let header = RequestHeader::decode(&mut frame, key.request_header_version(version))
        .map_err(|error| malformed(&error.to_string()))?;
    let client_id = header.client_id.map(|id| id.to_string()).unwrap_or_default();
    let context = Context { shared, version, client_id, host, correlation_id };
    api::dispatch(&context, key, frame)
}

/// Puts an answer into a frame.
pub(crate) fn encode<R: Encodable>(
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    response: &R,
) -> Result<BytesMut, Hangup> {
    let cannot = |error: &dyn std::fmt::Display| {
        // A field that this version does not have: a bug of the handler.
        tracing::error!(?key, version, %error, "cannot encode a response");
        Hangup(format!("cannot encode {key:?} version {version}: {error}"))
    };
    let size = response.compute_size(version).map_err(|error| cannot(&error))?;
    let mut frame = BytesMut::with_capacity(size + 16);
    frame.extend_from_slice(&[0; 4]);
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    header
        .encode(&mut frame, key.response_header_version(version))
        .map_err(|error| cannot(&error))?;
    response.encode(&mut frame, version).map_err(|error| cannot(&error))?;
    let length = i32::try_from(frame.len() - 4).map_err(|error| cannot(&error))?;
    if let Some(place) = frame.get_mut(..4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(frame)
}

/// Whether the other side has gone, which is its right.
fn is_gone(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
    )
}
