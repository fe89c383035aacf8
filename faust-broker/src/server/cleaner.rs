//! What keeps logs from growing for ever: retention and compaction, now and then.

use std::io;
use std::time::Duration;

use uuid::Uuid;

use super::{Hangup, Shared};
use crate::state::now_ms;

const PAUSE: Duration = Duration::from_millis(500);

/// Runs until the broker stops.
pub(crate) fn clean(shared: &Shared) {
    loop {
        let Ok(state) = shared.lock() else { return };
        let Ok((mut state, _)) = shared.stopped.wait_timeout(state, PAUSE) else { return };
        if shared.is_stopping() {
            return;
        }
        state.retain(now_ms());
        let compacted: Vec<_> = state
            .topics
            .iter()
            .filter(|(_, topic)| topic.settings.is_compacted)
            .map(|(name, topic)| (name.clone(), topic.id, topic.partition_count()))
            .collect();
        drop(state);
        for (name, id, partitions) in compacted {
            for partition in 0..partitions {
                match compact(shared, &name, id, partition) {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        tracing::error!(topic = name, partition, %error, "cannot compact a partition");
                    }
                    Err(Hangup(_)) => return,
                }
            }
        }
    }
}

fn compact(
    shared: &Shared,
    name: &str,
    id: Uuid,
    partition: i32,
) -> Result<io::Result<()>, Hangup> {
    let plan = {
        let mut state = shared.lock()?;
        let topic = state.topics.get_mut(name).filter(|topic| topic.id == id);
        topic.and_then(|topic| {
            let settings = topic.settings.clone();
            topic.partition(partition)?.plan_compaction(&settings, now_ms())
        })
    };
    let Some(plan) = plan else { return Ok(Ok(())) };
    // Here the log goes on without us.
    let compacted = match plan.run() {
        Ok(compacted) => compacted,
        Err(error) => return Ok(Err(error)),
    };
    let mut state = shared.lock()?;
    // A topic that was deleted meanwhile has taken its files along.
    let topic = state.topics.get_mut(name).filter(|topic| topic.id == id);
    let log = topic.and_then(|topic| topic.partition(partition));
    Ok(log.map_or(Ok(()), |log| log.install(compacted)))
}
