//! Rows as JSON text, from their bytes: values are JSON already, keys are JSON or plain text.

use super::remote::Stored;
use crate::app::topology::Table;
use crate::define::{Pane, Scope, Window, WindowDef, split_panes, split_session};
use crate::table::store::{Store, StoreError};
use crate::time::Timestamp;
use bytes::Bytes;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// Writes the rows of one table.
#[derive(Clone, Copy)]
pub(crate) struct Printer {
    window: Option<WindowDef>,
    text_keys: bool,
}

impl Printer {
    pub(crate) fn new(table: &Table) -> Self {
        // A lone brace is not JSON: only a key that is plain text can be read from it.
        let text_keys = (table.ops.admit_key)(b"{").is_ok();
        Self { window: table.def.window, text_keys }
    }

    /// `{"key": .., "value": ..}`, with `"window": [start, end]` for a table that has windows. `stored` is the row's
    /// key in its store: behind eight bytes for the window's start, if there are windows.
    pub(crate) fn print(&self, stored: &[u8], value: &[u8]) -> String {
        let (window, key, value) = self.split(stored, value);
        let key = if self.text_keys { quoted(key) } else { json(key) };
        if let Some(WindowDef::Sliding { size }) = self.window {
            let window = |pane: Pane<&[u8]>| {
                let Window { start, end } = pane.window(size);
                format!(r#"{{"window": ["{start}", "{end}"], "value": {}}}"#, json(pane.value))
            };
            let windows: Vec<_> = split_panes(value).flatten().map(window).collect();
            return format!(r#"{{"key": {key}, "windows": [{}]}}"#, windows.join(", "));
        }
        let value = json(value);
        match window {
            None => format!(r#"{{"key": {key}, "value": {value}}}"#),
            Some(Window { start, end }) => {
                format!(r#"{{"key": {key}, "window": ["{start}", "{end}"], "value": {value}}}"#)
            }
        }
    }

    /// Window, key and value of a stored row.
    fn split<'a>(&self, stored: &'a [u8], value: &'a [u8]) -> (Option<Window>, &'a [u8], &'a [u8]) {
        match (self.window, stored.split_first_chunk::<8>()) {
            (Some(WindowDef::Session { .. }), Some((_, key))) => match split_session(value) {
                Some((window, value)) => (Some(window), key, value),
                None => (None, key, value),
            },
            (Some(def), Some((start, key))) => {
                (Some(def.starting(i64::from_be_bytes(*start))), key, value)
            }
            _ => (None, stored, value),
        }
    }
}

/// A row, or several, that a table is asked for.
pub(crate) struct Wanted {
    pub(crate) scope: Scope,
    pub(crate) partition_key: Vec<u8>,
    /// The start of the window that is asked for.
    pub(crate) window: Option<i64>,
    /// Whether several rows may be the answer: all windows of a key, a key of several partitions, all members of a set.
    pub(crate) many: bool,
    rows: Which,
}

enum Which {
    /// The row of this stored key.
    Row(Vec<u8>),
    /// All windows of this key.
    Windows(Vec<u8>),
    /// Those whose stored keys begin so.
    Begin(Vec<u8>),
}

impl Wanted {
    /// Reads key and window as people write them. Without a window all of them are wanted.
    pub(crate) fn new(table: &Table, key: &str, window: Option<&str>) -> Result<Self, String> {
        let name = table.def.name;
        let (key, partition_key) = (table.ops.admit_key)(key.as_bytes())
            .map_err(|error| format!("`{key}` is not a key of table `{name}`: {error}"))?;
        let window = match (table.def.window, window) {
            (None, Some(_)) => return Err(format!("table `{name}` has no windows")),
            (Some(def), Some(text)) => {
                let time = parse_time(text).ok_or_else(|| {
                    format!("window `{text}` is neither RFC 3339 nor milliseconds since 1970")
                })?;
                Some(def.window(time).start)
            }
            (_, None) => None,
        };
        let rows = match (table.def.window, window) {
            (Some(_), None) => Which::Windows(key),
            _ => Which::Row(stored_key(window, &key)),
        };
        Ok(Self {
            scope: table.def.scope,
            partition_key,
            window: window.map(Timestamp::as_millis),
            many: matches!(rows, Which::Windows(_)) || table.def.scope == Scope::Partition,
            rows,
        })
    }

    /// The rows whose stored keys begin so, in the partition of `home`.
    pub(crate) fn begins(table: &Table, prefix: &str, home: &str) -> Self {
        let (prefix, partition_key) = (prefix.into(), home.into());
        let (scope, rows) = (table.def.scope, Which::Begin(prefix));
        Self { scope, partition_key, window: None, many: true, rows }
    }

    /// What one partition has of it.
    pub(crate) fn in_store(&self, store: &dyn Store) -> Result<Vec<Stored>, StoreError> {
        match &self.rows {
            Which::Row(key) => {
                let row = store.get(key)?;
                Ok(row.map(|value| (key.clone(), value)).into_iter().collect())
            }
            Which::Windows(key) => windows(store, key),
            Which::Begin(prefix) => beginning(store, prefix),
        }
    }
}

/// The stored key of a row.
fn stored_key(window: Option<Timestamp>, key: &[u8]) -> Vec<u8> {
    match window {
        Some(start) => [start.as_millis().to_be_bytes().as_slice(), key].concat(),
        None => key.to_vec(),
    }
}

/// All windows of a key in one store. Rows are in the order of their windows, so it goes from window to window.
pub(crate) fn windows(store: &dyn Store, key: &[u8]) -> Result<Vec<Stored>, StoreError> {
    let mut found = Vec::new();
    let mut from = 0u64;
    loop {
        let mut next = None;
        store.scan(&from.to_be_bytes(), &mut |stored, _| {
            next = stored.first_chunk::<8>().map(|start| u64::from_be_bytes(*start));
            false
        })?;
        let Some(start) = next else { return Ok(found) };
        let stored = [start.to_be_bytes().as_slice(), key].concat();
        if let Some(value) = store.get(&stored)? {
            found.push((stored, value));
        }
        let Some(after) = start.checked_add(1) else { return Ok(found) };
        from = after;
    }
}

/// The rows of one store whose keys begin so.
pub(crate) fn beginning(store: &dyn Store, prefix: &[u8]) -> Result<Vec<Stored>, StoreError> {
    let mut found = Vec::new();
    store.scan(prefix, &mut |key, value| {
        let begins = key.starts_with(prefix);
        if begins {
            found.push((key.to_vec(), Bytes::copy_from_slice(value)));
        }
        begins
    })?;
    Ok(found)
}

/// RFC 3339, or milliseconds since 1970.
fn parse_time(text: &str) -> Option<Timestamp> {
    if let Ok(millis) = text.parse() {
        return Some(Timestamp::from_millis(millis));
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(time.as_millisecond()))
}

/// What is JSON as it stands, on one line; anything else as a JSON text.
fn json(bytes: &[u8]) -> Cow<'_, str> {
    match (serde_json::from_slice::<IgnoredAny>(bytes), std::str::from_utf8(bytes)) {
        // Within JSON texts a line break is written `\n`: one that is there is space between tokens.
        (Ok(_), Ok(text)) if text.contains(['\n', '\r']) => text.replace(['\n', '\r'], " ").into(),
        (Ok(_), Ok(text)) => text.into(),
        _ => Cow::Owned(quoted(bytes).into_owned()),
    }
}

fn quoted(bytes: &[u8]) -> Cow<'static, str> {
    Cow::Owned(serde_json::Value::String(String::from_utf8_lossy(bytes).into_owned()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::store::memory::{Disk, MemoryStores};
    use crate::table::store::{Mark, StoreBatch, Stores};
    use std::time::Duration;

    #[test]
    fn a_row_is_one_line_of_json() {
        let text = Printer { window: None, text_keys: true };
        assert_eq!(text.print(b"7", b"{\n\"n\":1}"), r#"{"key": "7", "value": { "n":1}}"#);
        let json = Printer { window: None, text_keys: false };
        assert_eq!(json.print(b"7", b"\"x\""), r#"{"key": 7, "value": "x"}"#);
        assert_eq!(
            json.print(b"[\"a\",1]", b"\xff"),
            "{\"key\": [\"a\",1], \"value\": \"\u{fffd}\"}"
        );
        let minutes = Some(WindowDef::Tumbling { size: Duration::from_secs(60) });
        let windowed = Printer { window: minutes, text_keys: true };
        let key = stored_key(parse_time("1970-01-01T00:01:00Z"), b"the");
        assert_eq!(
            windowed.print(&key, b"3"),
            r#"{"key": "the", "window": ["1970-01-01T00:01:00Z", "1970-01-01T00:02:00Z"], "value": 3}"#
        );
    }

    #[test]
    fn the_windows_of_a_key_are_found_among_others() {
        let store = MemoryStores::new(Disk::default()).open("trend", 0).unwrap();
        let minute = |n: i64, key: &str| {
            stored_key(Some(Timestamp::from_millis(n * 60_000)), key.as_bytes())
        };
        let keys = [minute(0, "a"), minute(0, "b"), minute(1, "b"), minute(9, "b"), minute(9, "c")];
        let rows = keys.iter().map(|key| (key.as_slice(), Some(b"1".as_slice()))).collect();
        store.write(&StoreBatch { rows, ..StoreBatch::default() }, &Mark::default()).unwrap();
        let found: Vec<_> =
            windows(&*store, b"b").unwrap().into_iter().map(|(key, _)| key).collect();
        assert_eq!(found, [minute(0, "b"), minute(1, "b"), minute(9, "b")]);
        assert_eq!(windows(&*store, b"d").unwrap(), []);
    }
}
