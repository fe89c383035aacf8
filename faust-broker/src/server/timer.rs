//! What happens when nobody asks: sessions and transactions time out, idle files are closed.

use std::time::{Duration, Instant};

use super::Shared;
use crate::groups::Members;
use crate::state::State;

const TICK: Duration = Duration::from_millis(50);
/// A partition file that was not used for this long is closed.
const FILE_IDLE: Duration = Duration::from_secs(10);

/// Runs until the broker stops.
pub(crate) fn tick(shared: &Shared) {
    let mut next_sweep = Instant::now() + FILE_IDLE;
    loop {
        let Ok(state) = shared.lock() else { return };
        let Ok((mut state, _)) = shared.stopped.wait_timeout(state, TICK) else { return };
        if shared.is_stopping() {
            return;
        }
        let now = Instant::now();
        expire_members(&mut state, now);
        state.expire_transactions(now);
        if now >= next_sweep {
            next_sweep = now + FILE_IDLE;
            let logs = state.topics.iter_mut().flat_map(|(_, topic)| &mut topic.partitions);
            logs.for_each(|log| log.close_idle(now - FILE_IDLE));
        }
    }
}

fn expire_members(state: &mut State, now: Instant) {
    let State { topics, groups, .. } = state;
    for (_, group) in groups.iter_mut() {
        match &mut group.members {
            Members::Classic(members) => members.expire(now),
            Members::Consumer(members) => members.expire(topics, now),
        }
    }
}
