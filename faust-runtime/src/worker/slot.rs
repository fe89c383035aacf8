//! A worker's place in the app's data folder: `DATA/worker-N`, the first that no living process holds. It keeps the
//! worker's identity, so that a killed worker that comes back is the same member of the group and finds its stores.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// How many workers may share a data folder.
const SLOTS: usize = 1024;

/// A place, held until it is dropped or the process ends.
pub(crate) struct Slot {
    folder: PathBuf,
    id: Uuid,
    /// The lock goes when this closes; the operating system sees to it after `kill -9` too.
    lock: File,
}

/// Why no place was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SlotError {
    /// Make the folder writable, or choose another with `--data`.
    #[error("data folder {}: {cause}; make it writable, or choose another with `--data`", path.display())]
    Folder { path: PathBuf, cause: io::Error },
    /// Each worker of this machine needs a place: give some of them another folder with `--data`.
    #[error("data folder {}: {SLOTS} workers use it already; choose another with `--data`", path.display())]
    Full { path: PathBuf },
}

impl Slot {
    /// Takes the first free place, making it if need be.
    pub(crate) fn take(data: &Path) -> Result<Self, SlotError> {
        for n in 0..SLOTS {
            if let Some(slot) = Self::hold(data.join(format!("worker-{n}")))? {
                return Ok(slot);
            }
        }
        Err(SlotError::Full { path: data.into() })
    }

    /// Takes this place, unless a living process has it.
    pub(crate) fn hold(folder: PathBuf) -> Result<Option<Self>, SlotError> {
        let failed = |cause| SlotError::Folder { path: folder.clone(), cause };
        fs::create_dir_all(&folder).map_err(failed)?;
        let lock = folder.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(lock);
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {
                let id = identity(&folder).map_err(failed)?;
                Ok(Some(Self { folder, id, lock }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What its worker is known by: the group's instance id and the transactional ids are made of it.
    pub(crate) fn id(&self) -> String {
        self.id.to_string()
    }

    /// Says where this worker answers over HTTP, for commands of other processes.
    pub(crate) fn announce(&self, endpoint: &str) -> Result<(), SlotError> {
        let path = self.folder.join("endpoint");
        write(&path, endpoint).map_err(|cause| SlotError::Folder { path, cause })
    }

    /// Where the living workers of a data folder answer.
    pub(crate) fn endpoints(data: &Path) -> Vec<String> {
        let held = |folder: &Path| {
            let lock = File::open(folder.join("lock"));
            lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
        };
        // The lock is only tried where a worker has been that did not take its leave: a try takes it for a moment.
        let endpoint = |folder: PathBuf| {
            fs::read_to_string(folder.join("endpoint")).ok().filter(|_| held(&folder))
        };
        Self::folders(data).into_iter().filter_map(endpoint).collect()
    }

    /// The places that were ever taken, in order.
    pub(crate) fn folders(data: &Path) -> Vec<PathBuf> {
        let folders = (0..SLOTS).map(|n| data.join(format!("worker-{n}")));
        folders.take_while(|folder| folder.is_dir()).collect()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        match fs::remove_file(self.folder.join("endpoint")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(folder = %self.folder.display(), %error, "the endpoint stays announced");
            }
            _ => {}
        }
        // By name: a child that is just being spawned holds this handle too, until it is another program.
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(folder = %self.folder.display(), %error, "the place stays taken until this process ends");
        }
    }
}

/// The uuid of a place, made once.
fn identity(folder: &Path) -> io::Result<Uuid> {
    let path = folder.join("id");
    match fs::read_to_string(&path) {
        Ok(text) => match text.trim().parse() {
            Ok(id) => return Ok(id),
            Err(error) => tracing::warn!(
                path = %path.display(), %error,
                "the worker's identity is damaged: it joins its group as a new one"
            ),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let id = Uuid::new_v4();
    write(&path, &id.to_string())?;
    Ok(id)
}

/// Writes a small file whole or not at all.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_keeps_its_identity_and_is_held_once() {
        let data = tempfile::tempdir().unwrap();
        let first = Slot::take(data.path()).unwrap();
        let second = Slot::take(data.path()).unwrap();
        let id = first.id();
        assert_ne!(id, second.id());
        assert!(second.folder().ends_with("worker-1"));
        assert!(Slot::hold(first.folder().into()).unwrap().is_none());

        first.announce("http://127.0.0.1:6066").unwrap();
        assert_eq!(Slot::endpoints(data.path()), ["http://127.0.0.1:6066"]);
        drop(first);
        assert_eq!(Slot::endpoints(data.path()), [] as [String; 0]);
        assert_eq!(Slot::take(data.path()).unwrap().id(), id);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Slot::take(file.path()).err().unwrap().to_string();
        assert!(error.contains(&file.path().display().to_string()), "{error}");
        assert!(error.contains("--data"), "{error}");
    }
}
