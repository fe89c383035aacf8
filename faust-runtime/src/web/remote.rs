//! Rows of other workers, asked for over HTTP.

use super::list::PARTITIONS;
use crate::error::{NotFound, Unavailable};
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::{Buf, Bytes, BytesMut};
use reqwest::{Client, Url};
use std::sync::LazyLock;
use std::time::Duration;

/// Marks a request that a worker has passed on, so that it is not passed on again.
pub(super) const FORWARDED: &str = "faust-forwarded";
/// What is asked for to get a value as it is stored.
pub(super) const BYTES: &str = "application/octet-stream";

/// Connections to other workers, shared by everything in the process.
static CLIENT: LazyLock<Client> = LazyLock::new(Client::new);

const PATIENCE: Duration = Duration::from_secs(5);

/// A row as it is stored: key and value.
pub(crate) type Stored = (Vec<u8>, Bytes);

/// Rows of another worker that fit the query.
pub(crate) async fn fetch_stored(
    endpoint: &str,
    table: &str,
    query: &[(&str, &str)],
) -> crate::Result<Vec<Stored>> {
    let ask = Ask { endpoint, table, query };
    let gone =
        |error: reqwest::Error| Unavailable::new(format!("worker {endpoint}: {}", cause(&error)));
    let response = ask.request(HeaderValue::from_static(BYTES))?.send().await.map_err(gone)?;
    match response.status() {
        StatusCode::OK => split(response.bytes().await.map_err(gone)?)
            .ok_or_else(|| format!("worker {endpoint}: its rows break off").into()),
        StatusCode::NOT_FOUND => Ok(Vec::new()),
        StatusCode::SERVICE_UNAVAILABLE => {
            Err(Unavailable::new(format!("table `{table}` at {endpoint}")).into())
        }
        status => Err(format!("worker {endpoint}: {status}: {}", response.text().await?).into()),
    }
}

/// Rows in one body: each key and each value behind its length in four bytes, big-endian.
pub(super) fn join(rows: &[Stored]) -> Vec<u8> {
    let mut joined = Vec::new();
    for part in rows.iter().flat_map(|(key, value)| [key.as_slice(), value]) {
        joined.extend_from_slice(&(part.len() as u32).to_be_bytes());
        joined.extend_from_slice(part);
    }
    joined
}

/// The rows of a body; `None` where it is not one.
fn split(mut body: Bytes) -> Option<Vec<Stored>> {
    let mut rows = Vec::new();
    let part = |body: &mut Bytes| {
        let len = u32::from_be_bytes(*body.first_chunk()?) as usize;
        body.advance(4);
        (len <= body.len()).then(|| body.split_to(len))
    };
    while !body.is_empty() {
        rows.push((part(&mut body)?.to_vec(), part(&mut body)?));
    }
    Some(rows)
}

/// Rows, asked for.
pub(super) struct Ask<'a> {
    pub(super) endpoint: &'a str,
    pub(super) table: &'a str,
    /// In the query and not in the path, where `..` would mean something.
    pub(super) query: &'a [(&'a str, &'a str)],
}

impl Ask<'_> {
    fn request(&self, accept: HeaderValue) -> crate::Result<reqwest::RequestBuilder> {
        let mut url = table_url(self.endpoint, self.table)?;
        url.query_pairs_mut().extend_pairs(self.query);
        let request = CLIENT.get(url).timeout(PATIENCE).header(FORWARDED, "1");
        Ok(request.header(header::ACCEPT, accept))
    }

    /// The other worker's answer as ours.
    pub(super) async fn relay(&self, accept: Option<&HeaderValue>) -> crate::Result<Response> {
        let accept = accept.cloned().unwrap_or(HeaderValue::from_static("*/*"));
        let theirs = self.request(accept)?.send().await.map_err(|error| cause(&error))?;
        let mut ours = Response::new(Body::empty());
        *ours.status_mut() = theirs.status();
        if let Some(kind) = theirs.headers().get(header::CONTENT_TYPE) {
            ours.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
        }
        *ours.body_mut() = Body::from(theirs.bytes().await.map_err(|error| cause(&error))?);
        Ok(ours)
    }
}

/// The rows that another worker has of a table, a row a line.
pub(super) async fn fetch_rows(
    endpoint: &str,
    table: &str,
    limit: Option<u64>,
) -> crate::Result<Rows> {
    let mut url = table_url(endpoint, table)?;
    if let Some(limit) = limit {
        url.query_pairs_mut().append_pair("limit", &limit.to_string());
    }
    Rows::get(url).await
}

/// Rows as they come.
pub(crate) struct Rows {
    response: reqwest::Response,
    read: BytesMut,
}

impl Rows {
    /// Asks; anything but 200 is an error with the worker's words.
    pub(crate) async fn get(url: Url) -> crate::Result<Self> {
        let response = CLIENT.get(url.clone()).send().await.map_err(|error| {
            Unavailable::new(format!("worker {}: {}", url.authority(), cause(&error)))
        })?;
        let status = response.status();
        if status != StatusCode::OK {
            let text = response.text().await?;
            let told: Option<String> = serde_json::from_str::<serde_json::Value>(&text)
                .ok()
                .and_then(|json| Some(json.get("error")?.as_str()?.to_string()));
            let told = told.unwrap_or(text);
            return Err(match status {
                StatusCode::NOT_FOUND => NotFound::new(told).into(),
                StatusCode::SERVICE_UNAVAILABLE => Unavailable::new(told).into(),
                _ => told.into(),
            });
        }
        Ok(Self { response, read: BytesMut::new() })
    }

    /// Of how many partitions these are the rows.
    pub(super) fn partitions(&self) -> u32 {
        let said = self.response.headers().get(PARTITIONS).and_then(|said| said.to_str().ok());
        said.and_then(|said| said.parse().ok()).unwrap_or(0)
    }

    /// The next row, without what joins it to the list.
    pub(crate) async fn next(&mut self) -> crate::Result<Option<String>> {
        loop {
            let line = match self.read.iter().position(|byte| *byte == b'\n') {
                Some(end) => self.read.split_to(end + 1).freeze(),
                None => match self.response.chunk().await? {
                    Some(chunk) => {
                        self.read.extend_from_slice(&chunk);
                        continue;
                    }
                    None if self.read.is_empty() => return Ok(None),
                    None => self.read.split().freeze(),
                },
            };
            if let Some(row) = row(&line)? {
                return Ok(Some(row));
            }
        }
    }
}

fn row(line: &Bytes) -> crate::Result<Option<String>> {
    let text = std::str::from_utf8(line)?.trim_end().trim_end_matches(',');
    Ok((!matches!(text, "" | "[" | "]" | "[]")).then(|| text.to_string()))
}

/// `{endpoint}/table/{name}`
pub(crate) fn table_url(endpoint: &str, table: &str) -> crate::Result<Url> {
    let mut url: Url =
        endpoint.parse().map_err(|error| format!("endpoint `{endpoint}`: {error}"))?;
    match url.path_segments_mut() {
        Ok(mut path) => {
            path.pop_if_empty().extend(["table", table]);
        }
        Err(()) => {
            return Err(
                format!("endpoint `{endpoint}` has no path: write `http://host:port`").into()
            );
        }
    }
    Ok(url)
}

/// The innermost cause: the outer ones only say that a request failed.
fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_their_way_and_a_body_that_breaks_off_is_told() {
        let row =
            |key: &str, value: &'static str| (key.into(), Bytes::from_static(value.as_bytes()));
        let rows = vec![row("a", "1"), row("", ""), row("b", "{}")];
        let joined = Bytes::from(join(&rows));
        assert_eq!(split(joined.clone()), Some(rows));
        assert_eq!(split(Bytes::new()), Some(Vec::new()));
        let whole = [0, 10, 18];
        for end in (0..joined.len()).filter(|end| !whole.contains(end)) {
            assert_eq!(split(joined.slice(..end)), None, "{end}");
        }
    }
}
