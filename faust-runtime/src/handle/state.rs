//! A user's own resource, one a worker.

use crate::agent::{AgentParam, Bind, Param};
use crate::define::AnyKey;
use crate::worker::Worker;
use std::ops::Deref;
use std::sync::Arc;

/// A resource of the user's own (a pool, a client), made once a worker by its `Default` on first use, and shared.
///
/// ```
/// use faust::prelude::*;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[derive(Default, Clone)]
/// struct Seen(std::sync::Arc<AtomicU64>);
///
/// #[topic("names")]
/// struct Name { name: String }
///
/// #[agent]
/// async fn count(_name: Event<Name>, seen: State<Seen>) -> Result<()> {
///     seen.0.fetch_add(1, Ordering::Relaxed);
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct State<S>(Arc<S>);

impl<S> Deref for State<S> {
    type Target = S;
    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S: Default + Send + Sync + 'static> State<S> {
    fn of(worker: &Worker) -> Self {
        Self(worker.resource::<S>())
    }
}

impl<S: Default + Clone + Send + Sync + 'static> AgentParam for State<S> {
    type PartitionKey = AnyKey;
    fn bind(bind: &Bind<'_>) -> crate::Result<Self> {
        Ok(Self::of(bind.worker))
    }
}

impl<S: Default + Clone + Send + Sync + 'static> Param for State<S> {
    fn bind(worker: &Worker) -> crate::Result<Self> {
        Ok(Self::of(worker))
    }
}
