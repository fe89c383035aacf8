//! The process: what everything in it shares, how it starts, and how it stops.

#[cfg(feature = "dev-broker")]
pub(crate) mod dev_broker;
pub(crate) mod slot;

use crate::app::{AppDef, Settings};
use crate::app::topology::Topology;
use crate::kafka::Broker;
use crate::monitor::Monitor;
use crate::table::store::Store;
use std::collections::HashMap;
use std::sync::{Arc, RwLock};

/// A worker: what pages, timers and tasks are bound to. Cheap to clone.
#[derive(Clone)]
pub struct Worker(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) app: AppDef,
    pub(crate) settings: Arc<Settings>,
    pub(crate) topology: Topology,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) monitor: Monitor,
    /// The stores of the tables' partitions that are here, by table and partition; absent while they recover.
    pub(crate) stores: RwLock<HashMap<(usize, u32), Arc<dyn Store>>>,
    /// Where the tasks of others are: the endpoint (`http://127.0.0.1:6066`) by group and partition.
    pub(crate) owners: RwLock<HashMap<(usize, u32), String>>,
}

impl std::ops::Deref for Worker {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}
