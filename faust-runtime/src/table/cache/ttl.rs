//! Rows that have outlived their table's `ttl`. No event sees them any more; here they go. They are found by walking
//! through the store, a stride a cut, and longer strides where many have died: so an index by time, and its two writes
//! for each write of a row, is not needed, and no cut is slow.

use super::{Found, Inner};
use crate::codec::Key;
use crate::define::{Row, lives, split};
use crate::table::store::StoreError;
use crate::time::{Timestamp, millis};

/// How many rows a cut looks at: at least, and at most.
const LEAST: usize = 256;
const MOST: usize = 16 << 10;

/// Where the walk is.
pub(super) struct Sweep {
    /// The key to go on from; empty between two rounds.
    from: Vec<u8>,
    stride: usize,
    /// The stream time at which the next round begins.
    next: i64,
}

impl Sweep {
    pub(super) const fn new() -> Self {
        Self { from: Vec::new(), stride: LEAST, next: i64::MIN }
    }
}

impl<T: Row> Inner<T> {
    /// Removes some rows that have died, in the cut that is about to begin.
    pub(super) fn sweep(&mut self, stream_time: i64) -> crate::Result<()> {
        let Some(ttl) = Self::DEF.ttl else { return Ok(()) };
        if self.sweep.from.is_empty() {
            if stream_time < self.sweep.next {
                return Ok(());
            }
            self.sweep.next = stream_time.saturating_add((millis(ttl) / 8).max(1));
        }
        for key in self.dead(Timestamp::from_millis(stream_time))? {
            let key = T::Key::decode(&key)?;
            let Found::Row(row) = self.find(0, &key, -1)? else { continue };
            let Some(slot) = self.rows.get_mut(row).filter(|slot| slot.staged == 0) else {
                continue;
            };
            // It may have been written since it was stored.
            let written = slot.value.as_ref().and_then(T::written);
            let lives = |written| lives(&Self::DEF, written, Timestamp::from_millis(stream_time));
            if written.is_some_and(|written| !lives(written)) {
                slot.value = None;
                self.touch(row);
            }
        }
        Ok(())
    }

    /// The keys of the dead among the next rows.
    fn dead(&mut self, now: Timestamp) -> Result<Vec<Vec<u8>>, StoreError> {
        let (mut seen, mut dead, mut last) = (0, Vec::new(), Vec::new());
        let stride = self.sweep.stride;
        self.store.scan(&self.sweep.from, &mut |key, stored| {
            seen += 1;
            if !lives(&Self::DEF, split(stored).0, now) {
                dead.push(key.to_vec());
            }
            if seen == stride {
                last.extend_from_slice(key);
                last.push(0);
            }
            seen < stride
        })?;
        self.sweep.from = last;
        self.sweep.stride = match dead.len() * 4 > seen {
            true => MOST.min(stride * 2),
            false => LEAST.max(stride / 2),
        };
        Ok(dead)
    }
}
