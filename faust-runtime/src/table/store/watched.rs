//! A store that tells what is written to it, where somebody listens: cuts write it, so what is told is committed.

use super::*;
use std::sync::OnceLock;
use tokio::sync::broadcast::{Receiver, Sender, channel};

/// So many changes wait for a slow listener; then the oldest are lost to it.
const WAITING: usize = 1024;

/// A row's key and new value as they are stored; `None`: it is removed.
pub(crate) type Changed = (Bytes, Option<Bytes>);

/// What is told of one table, of all its partitions here.
#[derive(Clone, Default)]
pub(crate) struct Feed(Arc<OnceLock<Sender<Changed>>>);

impl Feed {
    /// Listens from now on.
    pub(crate) fn listen(&self) -> Receiver<Changed> {
        self.0.get_or_init(|| channel(WAITING).0).subscribe()
    }

    fn tell(&self, batch: &StoreBatch<'_>) {
        let Some(sender) = self.0.get().filter(|sender| sender.receiver_count() > 0) else {
            return;
        };
        for (key, value) in &batch.rows {
            // Nobody listens any more: that is fine.
            let value = value.map(Bytes::copy_from_slice);
            let _ = sender.send((Bytes::copy_from_slice(key), value));
        }
    }
}

/// The store, with its changes told.
pub(crate) fn watched(store: Arc<dyn Store>, feed: Feed) -> Arc<dyn Store> {
    Arc::new(Watched { store, feed })
}

struct Watched {
    store: Arc<dyn Store>,
    feed: Feed,
}

impl Store for Watched {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.store.get(key)
    }

    fn scan(
        &self,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.store.scan(from, visit)
    }

    fn write(&self, batch: &StoreBatch<'_>, mark: &Mark) -> Result<(), StoreError> {
        self.store.write(batch, mark)?;
        self.feed.tell(batch);
        Ok(())
    }

    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        self.store.mark()
    }

    fn len(&self) -> u64 {
        self.store.len()
    }
}
