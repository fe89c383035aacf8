//! A cache's part in events and cuts: what an event staged takes effect or is forgotten; a cut encodes each written row
//! once, as of the instant at which it began.

use super::{Cache, Inner, encode_row_key, first_kept, overhead, window_prefix};
use crate::commit::{RowChange, TableCut};
use crate::define::Row;
use crate::kafka::Messages;
use crate::table::store::StoreError;
use crate::table::{AnyTable, Counts, Rows};
use crate::time::millis;
use std::any::Any;
use std::sync::atomic::Ordering::Relaxed;

/// A cut whose rows are being encoded.
pub(super) struct Encoding {
    left: Vec<u32>,
    cut: TableCut,
}

impl<T: Row> AnyTable for Cache<T> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn foresee(&self, messages: &dyn Messages, from: usize) {
        self.lock().foresee(messages, from);
    }

    fn settle(&self, row: u32, done: bool) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let Some(value) = inner.unstage(row).filter(|_| done) else { return Ok(()) };
        // A cut that is still being encoded must get the row as it was.
        if inner.encoding.is_some() {
            inner.encode_if_of_cut(row)?;
        }
        let Some(slot) = inner.rows.get_mut(row) else { return Ok(()) };
        slot.value = value;
        inner.touch(row);
        Ok(())
    }

    fn fill(&self, rows: Rows) -> crate::Result<()> {
        match rows.downcast::<Vec<(T::Key, T::Value)>>() {
            Ok(rows) => self.lock().fill(*rows),
            Err(_) => Err("these are rows of another table".into()),
        }
    }

    fn expire(&self, stream_time: i64) {
        let mut inner = self.lock();
        inner.time.store(stream_time, Relaxed);
        if let Err(error) = inner.sweep(stream_time) {
            // The next cut tries again; a store that cannot be read at all fails events and commits.
            tracing::error!(%error, table = T::TABLE.name, "rows that have expired are not removed");
        }
        let (Some(window), Some(expires)) = (T::TABLE.window, T::TABLE.expires) else { return };
        let below = first_kept(window, millis(expires), stream_time);
        if below <= inner.expired_below {
            return;
        }
        inner.expired_below = below;
        inner.newly_expired = true;
        for row in 0..inner.rows.places() {
            let gone = inner
                .rows
                .get_mut(row)
                .is_some_and(|slot| slot.start < below && slot.dirty == 0 && slot.staged == 0);
            if gone {
                inner.forget(row);
            }
        }
    }

    fn begin_cut(&self) {
        let mut inner = self.lock();
        // 0 stands for "in no cut".
        inner.cut = inner.cut.checked_add(1).unwrap_or(1);
        let left = std::mem::take(&mut inner.dirty);
        let expired = std::mem::take(&mut inner.newly_expired);
        let remove_below = expired.then(|| window_prefix(inner.expired_below).to_vec());
        let cut = TableCut {
            table: inner.index,
            changelog: inner.changelog,
            partition: inner.partition,
            store: inner.store.clone(),
            bytes: Vec::new(),
            rows: Vec::with_capacity(left.len()),
            added: 0,
            remove_below,
            mark: inner.mark.clone(),
        };
        inner.in_flight.clone_from(&left);
        inner.encoding = Some(Encoding { left, cut });
    }

    fn encode_some(&self) -> Result<bool, StoreError> {
        let mut inner = self.lock();
        for _ in 0..256 {
            let Some(row) = inner.encoding.as_mut().and_then(|encoding| encoding.left.pop()) else {
                return Ok(true);
            };
            // A row that was written again has gone into the cut already.
            inner.encode_if_of_cut(row)?;
        }
        Ok(false)
    }

    fn take_cut(&self) -> Option<TableCut> {
        let cut = self.lock().encoding.take()?.cut;
        (!cut.is_empty()).then_some(cut)
    }

    fn cut_stored(&self) {
        let mut inner = self.lock();
        let filling = inner.cut;
        let rows = std::mem::take(&mut inner.in_flight);
        let dirty = inner.budget.dirty.get().saturating_sub(rows.len());
        inner.budget.dirty.set(dirty);
        for row in &rows {
            if let Some(slot) = inner.rows.get_mut(*row)
                && slot.dirty != filling
            {
                slot.dirty = 0;
                slot.encoded = false;
            }
        }
    }

    fn take_counts(&self) -> Counts {
        std::mem::take(&mut self.lock().counts)
    }
}

impl<T: Row> Inner<T> {
    /// The row has a new value, which the cut that is filling will contain.
    pub(super) fn touch(&mut self, row: u32) {
        let number = self.cut;
        let Some(slot) = self.rows.get_mut(row).filter(|slot| slot.dirty != number) else { return };
        slot.dirty = number;
        slot.encoded = false;
        self.dirty.push(row);
        self.budget.dirty.set(self.budget.dirty.get() + 1);
    }

    /// Puts a row's value into the cut that is being encoded.
    fn encode(&mut self, row: u32) -> Result<(), StoreError> {
        let Some(encoding) = &mut self.encoding else { return Ok(()) };
        let Some(slot) = self.rows.get_mut(row) else { return Ok(()) };
        if slot.encoded || slot.dirty == 0 {
            return Ok(());
        }
        slot.encoded = true;
        if slot.start < self.expired_below {
            slot.value = None;
            slot.stored = false;
            return Ok(());
        }
        let cut = &mut encoding.cut;
        let start = cut.bytes.len();
        let key_and_value =
            encode_row_key::<T>(slot.start, &slot.key, &mut cut.bytes).and_then(|()| {
                let end = cut.bytes.len();
                let there = match &slot.value {
                    Some(value) => T::encode_value(value, &mut cut.bytes)?,
                    None => false,
                };
                Ok((end, there))
            });
        let (middle, there) = match key_and_value {
            Ok(done) => done,
            Err(error) => {
                cut.bytes.truncate(start);
                return Err(StoreError::Row { table: Self::DEF.name, cause: error.to_string() });
            }
        };
        if !there {
            // What is written as no value (an `Option` that is `None`) is no row, here neither.
            slot.value = None;
        }
        let end = cut.bytes.len();
        match (there, slot.stored) {
            (true, false) => cut.added += 1,
            (false, true) => cut.added -= 1,
            // Nothing was there and nothing is: the changelog need not know.
            (false, false) => {
                cut.bytes.truncate(start);
                return Ok(());
            }
            (true, true) => {}
        }
        slot.stored = there;
        let charge = (overhead::<T>() + end - start) as u32;
        let used = self.budget.used.get() + charge as usize;
        self.budget.used.set(used.saturating_sub(slot.charge as usize));
        slot.charge = charge;
        cut.rows.push(RowChange {
            key: start as u32..middle as u32,
            value: there.then_some(middle as u32..end as u32),
        });
        Ok(())
    }

    /// Encodes a row unless an event has put it into the next cut meanwhile; then it went into this one before.
    fn encode_if_of_cut(&mut self, row: u32) -> Result<(), StoreError> {
        let filling = self.cut;
        match self.rows.get_mut(row) {
            Some(slot) if slot.dirty != filling => self.encode(row),
            _ => Ok(()),
        }
    }
}
