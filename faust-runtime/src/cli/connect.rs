//! The way to a broker: the one that is configured, or the development broker.

use super::session::Session;
use crate::kafka::Broker;
use crate::kafka::client;
use crate::table::store::Stores;
use crate::table::store::memory::{Disk, MemoryStores};
use crate::worker::{Place, Worker, WorkerConfig};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use uuid::Uuid;

#[cfg(feature = "dev-broker")]
use crate::worker::dev_broker::DevBroker;

/// The way to a broker.
pub(super) struct Connected {
    pub(super) broker: Arc<dyn Broker>,
    /// Where the development broker runs, if it is that one.
    pub(super) development: Option<&'static str>,
    /// Dropping it ends the broker, if it runs in this process.
    #[cfg(feature = "dev-broker")]
    _share: Option<DevBroker>,
}

/// A client of the broker of the settings; without one the development broker is started or joined.
pub(super) async fn connect(session: &Session) -> crate::Result<Connected> {
    match &session.settings.broker {
        Some(address) => Ok(Connected {
            broker: broker(address, session)?,
            development: None,
            #[cfg(feature = "dev-broker")]
            _share: None,
        }),
        None => development(session).await,
    }
}

#[cfg(feature = "dev-broker")]
async fn development(session: &Session) -> crate::Result<Connected> {
    let data = session.data.clone();
    // Reading its files back may take a moment.
    let share = tokio::task::spawn_blocking(move || DevBroker::share(&data)).await??;
    let broker = broker(&share.address().to_string(), session)?;
    let place = if share.is_here() { "in this process" } else { "in another process" };
    Ok(Connected { broker, development: Some(place), _share: Some(share) })
}

#[cfg(not(feature = "dev-broker"))]
async fn development(_: &Session) -> crate::Result<Connected> {
    Err("no broker is configured: give one with `--broker HOST:PORT` or the setting `broker` (this program is built without the development broker)".into())
}

fn broker(address: &str, session: &Session) -> crate::Result<Arc<dyn Broker>> {
    Ok(client::connect(address, &session.topology.group, &session.settings)?)
}

impl Connected {
    /// Ends the development broker, if it runs here, after its clients: one that outlives it would complain.
    pub(super) async fn end(self) {
        let mut patience = 50;
        while Arc::strong_count(&self.broker) > 1 && patience > 0 {
            patience -= 1;
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// The worker of a slot of the data folder.
    pub(super) async fn worker(
        &self,
        session: &Session,
        stores: Arc<dyn Stores>,
        id: String,
    ) -> crate::Result<Worker> {
        let config = WorkerConfig {
            app: session.app,
            settings: session.settings.clone(),
            broker: self.broker.clone(),
            stores,
            place: Place::Threads,
            id,
        };
        Ok(Worker::open(config).await?)
    }

    /// A worker that only sends and asks: it is no member of the group, and keeps nothing.
    pub(super) async fn visitor(&self, session: &Session) -> crate::Result<Worker> {
        let stores = Arc::new(MemoryStores::new(Disk::default()));
        self.worker(session, stores, Uuid::new_v4().to_string()).await
    }
}
