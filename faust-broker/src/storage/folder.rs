//! The data folder: one lock, one journal, and a folder for every partition.
//!
//! ```text
//! DATA/lock                                      held while a broker serves the folder
//! DATA/journal                                   everything but records
//! DATA/topics/<name>/<topic id>/<partition>/<base offset>.log
//! ```

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::Error;

/// A data folder that this broker has for itself.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// The lock goes with the handle: also when the process is killed.
    lock: File,
}

impl Drop for Folder {
    /// Unlocks by name: a child that is just being spawned elsewhere holds this handle too, until it is another program.
    fn drop(&mut self) {
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(folder = %self.path.display(), %error, "the data folder stays locked");
        }
    }
}

impl Folder {
    /// Creates the folder if need be, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Data { path, source }
        };
        std::fs::create_dir_all(path).map_err(fail(path))?;
        let path = path.canonicalize().map_err(fail(path))?;
        let lock_path = path.join("lock");
        let mut options = File::options();
        let lock = options.write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(fail(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, lock }),
            Err(TryLockError::WouldBlock) => Err(Error::DataLocked { folder: path }),
            Err(TryLockError::Error(source)) => Err(Error::Data { path: lock_path, source }),
        }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// Where the partitions of a topic live. The id keeps a topic that was deleted and created
    /// again apart from its former self.
    pub(crate) fn topic(&self, name: &str, id: Uuid) -> PathBuf {
        self.path.join("topics").join(name).join(id.to_string())
    }

    /// Removes what a deleted topic left behind.
    pub(crate) fn remove_topic(&self, name: &str, id: Uuid) {
        let folder = self.topic(name, id);
        for result in [std::fs::remove_dir_all(&folder), remove_if_empty(folder.parent())] {
            if let Err(error) = result
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::error!(folder = %folder.display(), %error, "cannot remove a deleted topic");
            }
        }
    }

    /// Removes the folders of topics that `is_known` does not know: their deletion was cut short.
    pub(crate) fn remove_strangers(&self, is_known: impl Fn(&str, Uuid) -> bool) -> io::Result<()> {
        let topics = self.path.join("topics");
        if !topics.exists() {
            return Ok(());
        }
        for topic in std::fs::read_dir(topics)? {
            let topic = topic?;
            let Ok(name) = topic.file_name().into_string() else { continue };
            for home in std::fs::read_dir(topic.path())? {
                let id = home?.file_name().to_str().and_then(|id| Uuid::parse_str(id).ok());
                if let Some(id) = id.filter(|id| !is_known(&name, *id)) {
                    self.remove_topic(&name, id);
                }
            }
        }
        Ok(())
    }
}

fn remove_if_empty(folder: Option<&Path>) -> io::Result<()> {
    match folder.map(std::fs::remove_dir) {
        Some(Err(error)) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(error),
        _ => Ok(()),
    }
}
