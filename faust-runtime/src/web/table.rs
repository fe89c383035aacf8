//! `/table/..`: rows as JSON. A row is answered by the worker that owns it: another worker's is fetched from there.

use super::list;
use super::remote::{self, Ask};
use super::row::{Printer, Wanted};
use crate::define::Scope;
use crate::worker::{Home, Worker};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

/// What can be said behind the `?`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The key, for keys that do not fit into a path.
    key: Option<String>,
    /// The window's start: RFC 3339, or milliseconds since 1970.
    window: Option<String>,
    /// What the stored keys begin with of the rows that are wanted, as workers ask each other, ...
    prefix: Option<String>,
    /// ... and what decides their partition.
    home: Option<String>,
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
    let tables = &worker.topology.tables;
    let index = worker.topology.table_index(name);
    let Some((index, table)) = index.and_then(|index| Some((index, tables.get(index)?))) else {
        let names: Vec<_> = tables.iter().map(|table| table.def.name).collect();
        let error = format!("there is no table `{name}`; the app has: {}", names.join(", "));
        return Err(Refusal(StatusCode::NOT_FOUND, error));
    };
    let refused = |what| Refusal(StatusCode::BAD_REQUEST, what);
    let wanted = match (&params.key, &params.prefix, &params.home) {
        (Some(key), ..) => Wanted::new(table, key, params.window.as_deref()).map_err(refused)?,
        (None, Some(prefix), Some(home)) => Wanted::begins(table, prefix, home),
        (None, None, None) => {
            return Ok(list::list(worker, index, params.limit, params.everywhere));
        }
        _ => return Err(refused("`prefix` and `home` go together".to_string())),
    };
    let away = |what| Refusal(StatusCode::SERVICE_UNAVAILABLE, what);
    // Rows of a partition's scope have no home: what is here is all there is to ask.
    let stores = match (wanted.scope, worker.home(index, &wanted.partition_key)) {
        (Scope::Partition, _) => worker.stores_of(index),
        (Scope::Key, Home::Here(store)) => vec![store],
        // Owners are learned from the group: after a rebalance two workers may each take the other for it.
        (Scope::Key, Home::At(endpoint)) if headers.contains_key(remote::FORWARDED) => {
            return Err(away(format!("the row moves to {endpoint}: ask again shortly")));
        }
        (Scope::Key, Home::At(endpoint)) => {
            let window = wanted.window.map(|window| window.to_string());
            let Params { key, prefix, home, .. } = &params;
            let query = [("key", key), ("window", &window), ("prefix", prefix), ("home", home)];
            let query: Vec<_> =
                query.iter().filter_map(|(name, it)| Some((*name, it.as_deref()?))).collect();
            let ask = Ask { endpoint: &endpoint, table: name, query: &query };
            let answer = ask.relay(headers.get(header::ACCEPT)).await;
            return answer
                .map_err(|error| away(format!("{endpoint}, which owns the row: {error}")));
        }
        (Scope::Key, Home::Moving) => {
            return Err(away("the row's partition moves or recovers: ask again shortly".into()));
        }
    };
    let mut rows = Vec::new();
    for store in stores {
        rows.extend(wanted.in_store(&*store).map_err(internal)?);
    }
    show(Printer::new(table), &rows, wanted.many, headers)
}

/// One row as an object, several as a list; with `Accept: application/octet-stream` keys and values as they are
/// stored.
fn show(
    printer: Printer,
    rows: &[(Vec<u8>, Bytes)],
    many: bool,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let Some((stored, value)) = rows.first() else {
        return Err(Refusal(StatusCode::NOT_FOUND, "there is no such row".into()));
    };
    if headers.get(header::ACCEPT).is_some_and(|accept| accept == remote::BYTES) {
        let kind = [(header::CONTENT_TYPE, remote::BYTES)];
        return Ok((kind, remote::join(rows)).into_response());
    }
    let text = if many {
        let rows = rows.iter().map(|(stored, value)| printer.print(stored, value));
        format!("[\n{}\n]\n", rows.collect::<Vec<_>>().join(",\n"))
    } else {
        printer.print(stored, value) + "\n"
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}
