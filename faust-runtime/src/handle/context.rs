//! Where the code runs.

use crate::agent::{AgentParam, Bind, Param};
use crate::define::AnyKey;
use crate::worker::Worker;

/// What a function can know of the worker that it runs in.
///
/// ```
/// use faust::prelude::*;
///
/// #[task]
/// async fn hello(context: Context) -> Result<()> {
///     println!("group {}", context.group());
///     context.stopping().await;
///     println!("bye");
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Context {
    worker: Worker,
    partition: Option<u32>,
}

impl Context {
    /// The consumer group: the app's id, as this deployment has it.
    pub fn group(&self) -> &str {
        &self.worker.topology.group
    }

    /// The partition of the agent's task; `None` outside of agents.
    pub fn partition(&self) -> Option<u32> {
        self.partition
    }

    /// Whether this worker leads the app now: of all workers, one does. It is no lock: while partitions move, nobody
    /// may lead, and a worker that has lost its place may not know it yet.
    pub fn is_leader(&self) -> bool {
        self.worker.is_leader()
    }

    /// Completes when the worker begins to stop.
    pub async fn stopping(&self) {
        self.worker.stopping().await;
    }
}

impl AgentParam for Context {
    type PartitionKey = AnyKey;
    fn bind(bind: &Bind<'_>) -> crate::Result<Self> {
        Ok(Self { worker: bind.worker.clone(), partition: Some(bind.task.id.partition) })
    }
}

impl Param for Context {
    fn bind(worker: &Worker) -> crate::Result<Self> {
        Ok(Self { worker: worker.clone(), partition: None })
    }
}
