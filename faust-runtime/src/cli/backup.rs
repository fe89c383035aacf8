//! `backup` and `restore`: the tables of a data folder, a file a partition. A restored store is as far as its backup
//! was, and a worker that starts on it reads the rest from the changelog.

use super::args::FolderArgs;
use super::connect::connect;
use super::failure::Failure;
use super::rows::furthest;
use super::session::Session;
use super::stores;
use crate::app::topology::Table;
use crate::kafka::{At, Broker, TopicPartition};
use crate::table::store::Stores;
use crate::table::store::backup::{Backup, Header, backup};
use crate::worker::slot::Slot;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many partitions each topic has.
type Counts = HashMap<Arc<str>, u32>;

/// Writes the stores of a data folder, whose workers have stopped, to files.
pub(super) async fn run(session: &Session, to: &FolderArgs) -> Result<(), Failure> {
    let connected = connect(session).await?;
    let counts: Counts = connected.broker.topics().await?.into_iter().collect();
    fs::create_dir_all(&to.folder).map_err(|error| format!("{}: {error}", to.folder.display()))?;
    let (mut files, mut rows) = (0, 0);
    for table in &session.topology.tables {
        let partitions = partitions(table, &counts);
        for (partition, store) in furthest(session, table)? {
            let path = to.folder.join(format!("{}-{partition}.backup", table.name));
            if let Some(n) = backup(&*store, &table.name, partition, partitions, &path)? {
                files += 1;
                rows += n;
            }
        }
    }
    connected.end().await;
    if files == 0 {
        let data = session.data.display();
        return Err(format!("no worker of this app has left rows in {data}").into());
    }
    println!("{rows} rows of {files} partitions are in {}", to.folder.display());
    Ok(())
}

/// How many partitions a table has: as many as its changelog, if it has one.
fn partitions(table: &Table, counts: &Counts) -> u32 {
    counts.get(&table.changelog).copied().unwrap_or(0)
}

/// Puts the files of a backup into the stores of the place that the next worker takes.
pub(super) async fn restore(session: &Session, from: &FolderArgs) -> Result<(), Failure> {
    let mut checked = Vec::new();
    let connected = connect(session).await?;
    let counts: Counts = connected.broker.topics().await?.into_iter().collect();
    // Everything is looked at before anything is written.
    for path in files(&from.folder)? {
        let header = Backup::open(&path)?.header;
        Backup::open(&path)?.verify()?;
        let table = fits(session, &header, &counts)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        in_log(&*connected.broker, table, &header)
            .await
            .map_err(|error| format!("{}: {error}", path.display()))?;
        checked.push((path, header));
    }
    connected.end().await;
    let slot = Slot::take(&session.data)?;
    let stores = stores::to_fill(session.settings.store, slot.folder())?;
    let stores = stores.ok_or("the setting `store` is `memory`: there is no disk to restore to")?;
    let (mut files, mut rows) = (0, 0);
    for (path, header) in checked {
        match put(&*stores, &path, &header)? {
            Some(n) => {
                files += 1;
                rows += n;
            }
            None => println!("{}: what is here is further already", path.display()),
        }
    }
    stores.close();
    println!("{rows} rows of {files} partitions are in {}", slot.folder().display());
    Ok(())
}

/// The files of a backup.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let listed = fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()
    });
    let mut files = listed.map_err(|error| format!("{}: {error}", folder.display()))?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "backup"));
    files.sort();
    match files.is_empty() {
        true => Err(format!("{} has no files of a backup", folder.display()).into()),
        false => Ok(files),
    }
}

/// The table that a file is of, if it fits.
fn fits<'a>(session: &'a Session, header: &Header, counts: &Counts) -> Result<&'a Table, String> {
    let topology = &session.topology;
    let table = topology.tables.iter().find(|table| *table.name == header.table);
    let Some(table) = table else {
        return Err(format!("app `{}` has no table `{}`", topology.group, header.table));
    };
    let owner = topology.store_owner(table);
    if header.mark.owner != owner {
        return Err(format!("it belongs to {}, not to {owner}", header.mark.owner));
    }
    let now = partitions(table, counts);
    if header.partitions != now {
        let (name, then) = (&table.name, header.partitions);
        return Err(format!("table `{name}` had {then} partitions then and has {now} now"));
    }
    Ok(table)
}

/// That a table's changelog still has what comes behind the backup.
async fn in_log(broker: &dyn Broker, table: &Table, header: &Header) -> Result<(), String> {
    if !table.def.changelog {
        return Ok(());
    }
    let of = || vec![TopicPartition::new(table.changelog.clone(), header.partition)];
    let at = header.mark.changelog;
    let one = |offsets: Vec<i64>| offsets.first().copied().unwrap_or(0);
    let start = broker.offsets(of(), At::Start).await.map(one).map_err(|e| e.to_string())?;
    let end = broker.offsets(of(), At::End).await.map(one).map_err(|e| e.to_string())?;
    if at < start || at > end {
        return Err(format!(
            "it is at {at} of its changelog {}, which has {start} to {end}: a worker would read it anew",
            table.changelog
        ));
    }
    Ok(())
}

/// Writes one file to its store; `None` where that is as far already.
fn put(stores: &dyn Stores, path: &Path, header: &Header) -> crate::Result<Option<u64>> {
    let Header { table, partition, mark, .. } = header;
    let known = stores.open(table, *partition)?.mark()?;
    match known {
        Some(known) if known.owner == mark.owner && known.changelog >= mark.changelog => {
            return Ok(None);
        }
        Some(_) => stores.set_aside(table, *partition)?,
        None => {}
    }
    let store = stores.open(table, *partition)?;
    Ok(Some(Backup::open(path)?.restore(&*store)?))
}
