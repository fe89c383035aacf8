//! What the stores on disk share: what they are called, what their keys look like, and what a damaged folder becomes.
//!
//! A store is named `table/partition@n`. Of several n the highest counts; one that is set aside stays under its own.

use super::*;
use std::fmt::Display;
use std::path::Path;

/// The key of the mark sorts before every row, and lies beside them: no torn file loses one without the other.
pub(super) const MARK: [u8; 1] = [0];
/// What the keys of rows begin with.
pub(super) const ROW: u8 = 1;

/// The key of a row as it is stored.
pub(super) fn row_key(key: &[u8]) -> Vec<u8> {
    let mut prefixed = Vec::with_capacity(1 + key.len());
    prefixed.push(ROW);
    prefixed.extend_from_slice(key);
    prefixed
}

/// The name of a store.
pub(super) fn name(table: &str, partition: u32, n: u32) -> String {
    format!("{table}/{partition}@{n}")
}

/// Of the names in a folder, the highest n of a store.
pub(super) fn generation<'a>(
    names: impl IntoIterator<Item = &'a str>,
    table: &str,
    partition: u32,
) -> Option<u32> {
    generations(names, table, partition).pop()
}

/// Of the names in a folder, every n of a store, in their order.
pub(super) fn generations<'a>(
    names: impl IntoIterator<Item = &'a str>,
    table: &str,
    partition: u32,
) -> Vec<u32> {
    let prefix = name(table, partition, 0);
    let prefix = prefix.trim_end_matches('0');
    let numbers = names.into_iter().filter_map(|name| name.strip_prefix(prefix)?.parse().ok());
    let mut numbers: Vec<u32> = numbers.collect();
    numbers.sort_unstable();
    numbers
}

/// Of the names in a folder, the partitions of a table.
pub(super) fn partitions<'a>(
    names: impl IntoIterator<Item = &'a str>,
    table: &str,
) -> BTreeSet<u32> {
    let of_table = names.into_iter().filter_map(|name| name.strip_prefix(table)?.strip_prefix('/'));
    of_table.filter_map(|name| name.split_once('@')?.0.parse().ok()).collect()
}

/// The format of stores: of the mark's text, and of the keys and values beside it.
const FORMAT: u32 = 1;

pub(super) fn encode(mark: &Mark, path: &Path) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(&Mark { format: FORMAT, ..mark.clone() }).map_err(|error| io(path, &error))
}

pub(super) fn decode(mark: &[u8], path: &Path) -> Result<Mark, StoreError> {
    /// What every format begins with.
    #[derive(serde::Deserialize)]
    struct Format {
        #[serde(default)]
        v: u32,
    }
    let failed = |error| damaged(path, &error);
    let Format { v: found } = serde_json::from_slice(mark).map_err(failed)?;
    if found > FORMAT {
        let path = path.display().to_string();
        return Err(StoreError::Newer { path, found, known: FORMAT });
    }
    serde_json::from_slice(mark).map_err(failed)
}

pub(super) fn io(path: &Path, cause: &dyn Display) -> StoreError {
    StoreError::Io { path: path.display().to_string(), cause: cause.to_string() }
}

pub(super) fn damaged(path: &Path, cause: &dyn Display) -> StoreError {
    StoreError::Damaged { path: path.display().to_string(), cause: cause.to_string() }
}

/// Lies in a folder that opened and turned out to be damaged; it says how.
const FOUND: &str = "DAMAGED";

/// Damage that is found in use: the next start sets the folder aside, or it would find it again and again.
pub(super) fn found(path: &Path, cause: &dyn Display) -> StoreError {
    match std::fs::write(path.join(FOUND), cause.to_string()) {
        Ok(()) => damaged(path, cause),
        Err(error) => io(path, &format!("{cause}, and that cannot be noted: {error}")),
    }
}

/// Opens a folder. One that is damaged is renamed, said so, and made anew: changelogs have everything.
pub(super) fn open_or_set_aside<T>(
    path: &Path,
    open: impl Fn(&Path) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let opened = match std::fs::read_to_string(path.join(FOUND)) {
        Ok(cause) => Err(damaged(path, &cause)),
        Err(_) => open(path),
    };
    let cause = match opened {
        Err(StoreError::Damaged { cause, .. }) => cause,
        opened => return opened,
    };
    let stamp = crate::time::Timestamp::wall().as_millis();
    let aside = path.with_extension(format!("damaged-{stamp}"));
    tracing::error!(
        path = %path.display(), aside = %aside.display(), cause,
        "the stores are damaged: they are set aside and rebuilt from their changelogs"
    );
    std::fs::rename(path, &aside).map_err(|error| io(path, &error))?;
    delete_older(path, &aside);
    open(path)
}

/// Of the folders that were set aside only the newest is kept.
fn delete_older(path: &Path, newest: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
    let prefix = format!("{}.damaged-", name.to_string_lossy());
    let beside = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in beside.filter(|entry| entry.path() != newest) {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            tracing::info!(path = %entry.path().display(), "deleting what was set aside before");
            // It is in nobody's way.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
