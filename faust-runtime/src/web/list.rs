//! A table's rows as a JSON list, sent as they are read: a table may be larger than memory.

use super::remote;
use super::row::Printer;
use crate::error::Unavailable;
use crate::table::store::Store;
use crate::worker::Worker;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;
use std::sync::Arc;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How much of a list is sent at once.
const CHUNK: usize = 32 << 10;

/// Says of how many partitions a list has the rows.
pub(super) const PARTITIONS: &str = "faust-partitions";

/// The rows that are here, or everywhere: a list, a row a line.
pub(super) fn list(worker: Worker, index: usize, limit: Option<u64>, everywhere: bool) -> Response {
    let (lines, chunks) = channel(8);
    let stores = worker.stores_of(index);
    let partitions = stores.len();
    tokio::spawn(async move {
        let left = limit.unwrap_or(u64::MAX);
        let mut page = Lines { lines, text: String::new(), left, first: true };
        if let Err(error) = page.write(&worker, index, stores, everywhere).await {
            tracing::error!(%error, "a table cannot be listed");
            // The reader sees a body that breaks off, not one that looks whole. If it is gone, nobody needs to know.
            let _ = page.lines.send(Err(error)).await;
        }
    });
    let body = stream::unfold(chunks, |mut chunks: Receiver<_>| async move {
        chunks.recv().await.map(|chunk| (chunk, chunks))
    });
    let kind = (header::CONTENT_TYPE.as_str(), "application/json".to_string());
    let partitions = (PARTITIONS, partitions.to_string());
    ([kind, partitions], Body::from_stream(body)).into_response()
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
        stores: Vec<Arc<dyn Store>>,
        everywhere: bool,
    ) -> crate::Result<()> {
        let Some(table) = worker.topology.tables.get(index) else { return Ok(()) };
        let printer = Printer::new(table);
        let mut listed = stores.len() as u32;
        for store in stores {
            let mut from = Vec::new();
            // A page at a time: no store is held open while the reader takes its time.
            while let Some(last) = self.page(&*store, &printer, &from).await? {
                from = last;
                from.push(0);
            }
        }
        if everywhere {
            for endpoint in worker.others(table.group) {
                let mut rows =
                    remote::fetch_rows(&endpoint, table.def.name, Some(self.left)).await?;
                listed += rows.partitions();
                while let Some(row) = rows.next().await? {
                    self.line(row).await?;
                }
            }
        }
        let all = table.group.map_or(0, |group| worker.partitions_of_group(group));
        if everywhere && listed < all {
            let what =
                format!("{} of {all} partitions of table `{}`", all - listed, table.def.name);
            return Err(Unavailable::new(what + " are moving or recovering").into());
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
