//! `/table/..`: rows as JSON. A row is answered by the worker that owns it: another worker's is fetched from there.

use super::remote::{self, Ask};
use super::row::{Printer, parse_time, stored_key, windows};
use crate::define::Scope;
use crate::table::store::Store;
use crate::time::Timestamp;
use crate::worker::{Lookup, Worker};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How much of a list is sent at once.
const CHUNK: usize = 32 << 10;

/// What can be said behind the `?`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The key, for keys that do not fit into a path.
    key: Option<String>,
    /// The window's start: RFC 3339, or milliseconds since 1970.
    window: Option<String>,
    /// At most so many rows.
    limit: Option<u64>,
    /// Rows of other workers too.
    #[serde(default)]
    everywhere: bool,
}

/// An answer other than 200.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(serde_json::json!({ "error": self.1 }))).into_response()
    }
}

fn internal(error: impl std::fmt::Display) -> Refusal {
    tracing::error!(%error, "a table cannot be read");
    Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

/// `GET /table/{name}/{key}`
pub(super) async fn row(
    State(worker): State<Worker>,
    Path((name, key)): Path<(String, String)>,
    Query(params): Query<Params>,
    headers: HeaderMap,
) -> Response {
    let params = Params { key: Some(key), ..params };
    rows(State(worker), Path(name), Query(params), headers).await
}

/// `GET /table/{name}`
pub(super) async fn rows(
    State(worker): State<Worker>,
    Path(name): Path<String>,
    Query(params): Query<Params>,
    headers: HeaderMap,
) -> Response {
    answer(worker, &name, params, &headers).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(
    worker: Worker,
    name: &str,
    params: Params,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let Some(table) = worker.topology.table_index(name) else {
        let names: Vec<_> = worker.topology.tables.iter().map(|table| table.def.name).collect();
        let error = format!("there is no table `{name}`; the app has: {}", names.join(", "));
        return Err(Refusal(StatusCode::NOT_FOUND, error));
    };
    let Some(key) = params.key else {
        return Ok(list(worker, table, params.limit, params.everywhere));
    };
    let window = match &params.window {
        None => None,
        Some(text) => Some(parse_time(text).ok_or_else(|| {
            let error = format!("window `{text}` is neither RFC 3339 nor milliseconds since 1970");
            Refusal(StatusCode::BAD_REQUEST, error)
        })?),
    };
    match find(&worker, table, &key, window)? {
        Found::Rows(rows) => show(&worker, table, rows, window, headers),
        // Owners are learned from the group: after a rebalance two workers may each take the other for it.
        Found::At(endpoint) if headers.contains_key(remote::FORWARDED) => Err(Refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the row moves to {endpoint}; ask again"),
        )),
        Found::At(endpoint) => {
            let ask = Ask { endpoint: &endpoint, table: name, key: &key, window };
            ask.relay(headers.get(header::ACCEPT)).await.map_err(|error| {
                Refusal(
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!("{endpoint}, which owns the row: {error}"),
                )
            })
        }
        Found::Moving => Err(Refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            "the row's partition moves; ask again".into(),
        )),
    }
}

enum Found {
    Rows(Vec<(Vec<u8>, Bytes)>),
    At(String),
    Moving,
}

fn find(
    worker: &Worker,
    index: usize,
    key: &str,
    window: Option<Timestamp>,
) -> Result<Found, Refusal> {
    let Some(table) = worker.topology.tables.get(index) else { return Ok(Found::Rows(Vec::new())) };
    let refused = |what: String| Refusal(StatusCode::BAD_REQUEST, what);
    let partition_key = (table.ops.partition_key)(key.as_bytes()).map_err(|error| {
        refused(format!("`{key}` is not a key of table `{}`: {error}", table.def.name))
    })?;
    let start = match (table.def.window, window) {
        (None, Some(_)) => {
            return Err(refused(format!("table `{}` has no windows", table.def.name)));
        }
        (Some(def), Some(time)) => Some(def.window(time).start),
        (Some(_), None) => Some(Timestamp::default()),
        (None, None) => None,
    };
    let stored = stored_key(start, key.as_bytes());
    // Rows of a partition's scope have no home: what is here is all there is to ask.
    let lookup = match table.def.scope {
        Scope::Key => worker.row(index, &stored, &partition_key),
        Scope::Partition => Lookup::Here(None),
    };
    let all_windows = table.def.window.is_some() && window.is_none();
    match lookup {
        Lookup::At(endpoint) => Ok(Found::At(endpoint)),
        Lookup::Moving => Ok(Found::Moving),
        Lookup::Here(row) if table.def.scope == Scope::Key && !all_windows => {
            Ok(Found::Rows(row.map(|value| (stored, value)).into_iter().collect()))
        }
        Lookup::Here(_) => {
            let mut rows = Vec::new();
            for store in stores(worker, index) {
                if all_windows {
                    rows.extend(windows(&*store, key.as_bytes()).map_err(internal)?);
                } else {
                    rows.extend(
                        store.get(&stored).map_err(internal)?.map(|value| (stored.clone(), value)),
                    );
                }
            }
            Ok(Found::Rows(rows))
        }
    }
}

/// One row as an object, several as a list; with `Accept: application/octet-stream` the value as it is stored.
fn show(
    worker: &Worker,
    index: usize,
    rows: Vec<(Vec<u8>, Bytes)>,
    window: Option<Timestamp>,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let Some(table) = worker.topology.tables.get(index) else {
        return Err(internal("no such table"));
    };
    let many =
        table.def.scope == Scope::Partition || (table.def.window.is_some() && window.is_none());
    let Some((stored, value)) = rows.first() else {
        return Err(Refusal(StatusCode::NOT_FOUND, "there is no such row".into()));
    };
    if headers.get(header::ACCEPT).is_some_and(|accept| accept == remote::BYTES) {
        return Ok(([(header::CONTENT_TYPE, remote::BYTES)], value.clone()).into_response());
    }
    let printer = Printer::new(table);
    let text = if many {
        let rows = rows.iter().map(|(stored, value)| printer.print(stored, value));
        format!("[\n{}\n]\n", rows.collect::<Vec<_>>().join(",\n"))
    } else {
        printer.print(stored, value) + "\n"
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// The stores of a table that are here, in the order of their partitions.
fn stores(worker: &Worker, index: usize) -> Vec<Arc<dyn Store>> {
    let stores = worker.stores.read().unwrap_or_else(PoisonError::into_inner);
    let mut here: Vec<_> = stores.iter().filter(|((table, _), _)| *table == index).collect();
    here.sort_by_key(|((_, partition), _)| *partition);
    here.into_iter().map(|(_, store)| store.clone()).collect()
}

/// A JSON list, a row a line, as it is read: a table may be larger than memory.
fn list(worker: Worker, index: usize, limit: Option<u64>, everywhere: bool) -> Response {
    let (lines, chunks) = channel(8);
    tokio::spawn(async move {
        let left = limit.unwrap_or(u64::MAX);
        let mut page = Lines { lines, text: String::new(), left, first: true };
        if let Err(error) = page.write(&worker, index, everywhere).await {
            tracing::error!(%error, "a table cannot be listed");
            // The reader sees a body that breaks off, not one that looks whole. If it is gone, nobody needs to know.
            let _ = page.lines.send(Err(error)).await;
        }
    });
    let body = stream::unfold(chunks, |mut chunks: Receiver<_>| async move {
        chunks.recv().await.map(|chunk| (chunk, chunks))
    });
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(body)).into_response()
}

struct Lines {
    lines: Sender<crate::Result<String>>,
    /// What waits to be sent.
    text: String,
    left: u64,
    first: bool,
}

impl Lines {
    async fn write(
        &mut self,
        worker: &Worker,
        index: usize,
        everywhere: bool,
    ) -> crate::Result<()> {
        let Some(table) = worker.topology.tables.get(index) else { return Ok(()) };
        let printer = Printer::new(table);
        for store in stores(worker, index) {
            let mut from = Vec::new();
            // A page at a time: no store is held open while the reader takes its time.
            while let Some(last) = self.page(&*store, &printer, &from).await? {
                from = last;
                from.push(0);
            }
        }
        if everywhere {
            for endpoint in others(worker, table.group) {
                let mut rows =
                    remote::fetch_rows(&endpoint, table.def.name, Some(self.left)).await?;
                while let Some(row) = rows.next().await? {
                    self.line(row).await?;
                }
            }
        }
        self.text.push_str(if self.first { "[]\n" } else { "\n]\n" });
        Ok(self.lines.send(Ok(std::mem::take(&mut self.text))).await?)
    }

    /// Writes some rows; the key of the last one, if there may be more.
    async fn page(
        &mut self,
        store: &dyn Store,
        printer: &Printer,
        from: &[u8],
    ) -> crate::Result<Option<Vec<u8>>> {
        const ROWS: usize = 500;
        let mut rows = Vec::new();
        let mut last = None;
        store.scan(from, &mut |stored, value| {
            rows.push(printer.print(stored, value));
            let more = rows.len() < ROWS;
            if !more {
                last = Some(stored.to_vec());
            }
            more
        })?;
        for row in rows {
            self.line(row).await?;
        }
        Ok(last.filter(|_| self.left > 0))
    }

    async fn line(&mut self, row: String) -> crate::Result<()> {
        if self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        self.text.push_str(if std::mem::take(&mut self.first) { "[\n" } else { ",\n" });
        self.text.push_str(&row);
        if self.text.len() >= CHUNK {
            self.lines.send(Ok(std::mem::take(&mut self.text))).await?;
        }
        Ok(())
    }
}

/// The other workers that own partitions of a group.
fn others(worker: &Worker, group: Option<usize>) -> BTreeSet<String> {
    let owners = worker.owners.read().unwrap_or_else(PoisonError::into_inner);
    owners.iter().filter(|((of, _), _)| Some(*of) == group).map(|(_, at)| at.clone()).collect()
}
