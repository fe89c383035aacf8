//! `table`: rows of a running app over HTTP; where none runs, from the stores that its workers left here.

use super::args::TableArgs;
use super::failure::Failure;
use super::output::Format;
use super::session::Session;
use super::stores;
use crate::app::topology::Table;
use crate::error::NotFound;
use crate::kafka::Offset;
use crate::table::store::{Store, StreamTime, shown};
use crate::web::{Printer, Rows, Wanted, table_url};
use crate::worker::slot::Slot;
use comfy_table::presets::NOTHING;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

/// Shows rows.
pub(super) async fn run(session: &Session, what: &TableArgs) -> Result<(), Failure> {
    let topology = &session.topology;
    let index = topology.table_index(&what.name);
    let Some(table) = index.and_then(|index| topology.tables.get(index)) else {
        let names: Vec<_> = topology.tables.iter().map(|table| table.def.name).collect();
        return Err(format!(
            "there is no table `{}`; the app has: {}",
            what.name,
            names.join(", ")
        )
        .into());
    };
    let wanted = match &what.key {
        Some(key) => Some(Wanted::new(table, key, what.window.as_deref())?),
        None => None,
    };
    let mut show = Show::new(what.how.format, table.def.window.is_some());
    match Slot::endpoints(&session.data).first() {
        Some(endpoint) => remote(endpoint, table, what, &mut show).await?,
        None => local(session, table, wanted.as_ref(), what.limit, &mut show)?,
    }
    show.end();
    if what.key.is_some() && show.n == 0 {
        return Err(NotFound::new("there is no such row").into());
    }
    Ok(())
}

async fn remote(
    endpoint: &str,
    table: &Table,
    what: &TableArgs,
    show: &mut Show,
) -> crate::Result<()> {
    let mut url = table_url(endpoint, table.def.name)?;
    match (&what.key, &what.window, what.limit) {
        (Some(key), window, _) => {
            url.query_pairs_mut().append_pair("key", key);
            if let Some(window) = window {
                url.query_pairs_mut().append_pair("window", window);
            }
        }
        (None, _, limit) => {
            url.query_pairs_mut().append_pair("everywhere", "true");
            if let Some(limit) = limit {
                url.query_pairs_mut().append_pair("limit", &limit.to_string());
            }
        }
    }
    let mut rows = Rows::get(url).await?;
    while let Some(row) = rows.next().await? {
        show.row(row)?;
    }
    Ok(())
}

fn local(
    session: &Session,
    table: &Table,
    wanted: Option<&Wanted>,
    limit: Option<u64>,
    show: &mut Show,
) -> crate::Result<()> {
    let printer = Printer::new(table);
    let limit = limit.unwrap_or(u64::MAX);
    let found = furthest(session, table)?;
    if found.is_empty() {
        let (data, name) = (session.data.display(), table.def.name);
        return Err(format!(
            "no worker of this app runs on {data}, and none has left rows of `{name}` there"
        )
        .into());
    }
    for store in found.into_values() {
        let store = shown(&table.def, store, StreamTime::default());
        if let Some(wanted) = wanted {
            for (stored, value) in wanted.in_store(&*store)? {
                show.row(printer.print(&stored, &value))?;
            }
            continue;
        }
        let mut failed = Ok(());
        store.scan(&[], &mut |stored, value| {
            if show.n < limit {
                failed = show.row(printer.print(stored, value));
            }
            failed.is_ok() && show.n < limit
        })?;
        failed?;
    }
    Ok(())
}

/// Of each partition the store that is the furthest: several workers may have had it.
pub(super) fn furthest(
    session: &Session,
    table: &Table,
) -> crate::Result<BTreeMap<u32, Arc<dyn Store>>> {
    let mut furthest: BTreeMap<u32, (Offset, Arc<dyn Store>)> = BTreeMap::new();
    for folder in Slot::folders(&session.data) {
        let Some(slot) = Slot::hold(folder.clone())? else {
            let folder = folder.display();
            return Err(
                format!("{folder} is held by a worker that does not answer over HTTP").into()
            );
        };
        let Some(stores) = stores::left(session.settings.store, slot.folder())? else { continue };
        for partition in stores.partitions(&table.name) {
            let store = stores.open(&table.name, partition)?;
            let at = store.mark()?.map_or(0, |mark| mark.changelog);
            match furthest.get(&partition) {
                Some((other, _)) if *other >= at => {}
                _ => {
                    furthest.insert(partition, (at, store));
                }
            }
        }
    }
    Ok(furthest.into_iter().map(|(partition, (_, store))| (partition, store)).collect())
}

/// Rows as they come, in JSON; or all of them at the end, as a table.
struct Show {
    format: Format,
    windowed: bool,
    rows: comfy_table::Table,
    n: u64,
}

impl Show {
    fn new(format: Format, windowed: bool) -> Self {
        let mut rows = comfy_table::Table::new();
        rows.load_style(NOTHING);
        let columns: &[&str] =
            if windowed { &["KEY", "WINDOW", "VALUE"] } else { &["KEY", "VALUE"] };
        rows.set_header(columns.iter().copied());
        Self { format, windowed, rows, n: 0 }
    }

    fn row(&mut self, row: String) -> crate::Result<()> {
        self.n += 1;
        if self.format == Format::Json {
            return match writeln!(io::stdout().lock(), "{row}") {
                // The reader has seen enough: `table counts --format json | head`.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
                written => Ok(written?),
            };
        }
        let row: Value = serde_json::from_str(&row)?;
        let cell = |name: &str| row.get(name).map(text).unwrap_or_default();
        let start = row.pointer("/window/0").map(text).unwrap_or_default();
        if self.windowed {
            self.rows.add_row([cell("key"), start, cell("value")]);
        } else {
            self.rows.add_row([cell("key"), cell("value")]);
        }
        Ok(())
    }

    fn end(&self) {
        if self.format == Format::Table && self.n > 0 {
            println!("{}", self.rows.trim_fmt());
        }
    }
}

/// A text without its quotes, anything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}
