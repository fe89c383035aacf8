//! How the worker is: a page for people, JSON for the page, health for orchestrators, metrics for Prometheus.

use crate::kafka::At;
use crate::monitor::Status;
use crate::worker::Worker;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// One page that asks for `/status.json` once a second; nothing in it comes from elsewhere.
pub(super) async fn index() -> Html<&'static str> {
    Html(include_str!("status.html"))
}

pub(super) async fn json(State(worker): State<Worker>) -> Json<Status> {
    Json(status(&worker))
}

/// The process runs: restart it only when this does not answer.
pub(super) async fn live() -> &'static str {
    "live\n"
}

/// 200 while every assigned task runs: send requests only then.
pub(super) async fn ready(State(worker): State<Worker>) -> (StatusCode, &'static str) {
    if worker.monitor.ready() && worker.copies_are_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: tasks are recovering or not assigned yet\n")
    }
}

pub(super) async fn metrics(State(worker): State<Worker>) -> Response {
    let text = status(&worker).prometheus();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// Keeps up to date what nobody counts: rates, and where partitions end.
pub(super) async fn watch(worker: Worker) {
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        worker.monitor.sample();
        let sources = worker.monitor.sources();
        match worker.broker.offsets(sources.clone(), At::End).await {
            Ok(ends) => worker.monitor.ends(sources.iter().zip(ends)),
            Err(error) => tracing::debug!(%error, "lag is not up to date"),
        }
    }
}

/// The counters, and the rows of the stores that are here.
fn status(worker: &Worker) -> Status {
    let mut status = worker.monitor.snapshot();
    for (index, table) in status.tables.iter_mut().enumerate() {
        let stores = worker.stores_of(index);
        table.rows = stores.iter().map(|store| store.len()).sum();
        table.partitions = stores.len();
    }
    status
}
