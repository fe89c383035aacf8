//! A cache's part in events and cuts: what an event staged takes effect or is forgotten; a cut encodes each written row
//! once, as of the instant at which it began.

use super::{Cache, Inner, encode_row_key, overhead, window_prefix};
use crate::commit::{RowChange, TableCut};
use crate::define::Row;
use crate::error::HandleError;
use crate::kafka::Messages;
use crate::table::store::StoreError;
use crate::table::{AnyTable, Counts, Rows};
use std::any::Any;
use std::sync::atomic::Ordering::Relaxed;

/// A cut whose rows are being encoded.
pub(super) struct Encoding {
    left: Vec<u32>,
    cut: TableCut,
    /// A row that cannot be in it.
    failed: Option<StoreError>,
}

impl<T: Row> AnyTable for Cache<T> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn foresee(&self, messages: &dyn Messages, from: usize) {
        self.lock().foresee(messages, from);
    }

    fn grows(&self) -> bool {
        std::mem::needs_drop::<T::Value>()
    }

    fn check(&self, row: u32, each: bool) -> crate::Result<()> {
        self.lock().check(row, each)
    }

    fn settle(&self, row: u32, done: bool) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let Some(value) = inner.unstage(row).filter(|_| done) else { return Ok(()) };
        // A cut that is still being encoded must get the row as it was.
        if inner.encoding.is_some() {
            inner.encode_if_of_cut(row);
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

    fn closed_below(&self, stream_time: i64) -> i64 {
        T::TABLE.closed_below(stream_time)
    }

    fn expire(&self, stream_time: i64, closing: i64) {
        let mut inner = self.lock();
        inner.time.store(stream_time, Relaxed);
        if let Err(error) = inner.sweep(stream_time) {
            // The next cut tries again; a store that cannot be read at all fails events and commits.
            tracing::error!(%error, table = T::TABLE.name, "rows that have expired are not removed");
        }
        let below = T::TABLE.kept_from(stream_time).min(closing);
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
            name: T::TABLE.name,
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
        inner.encoding = Some(Encoding { left, cut, failed: None });
    }

    fn encode_some(&self) -> Result<bool, StoreError> {
        let mut inner = self.lock();
        for _ in 0..256 {
            let Some(row) = inner.encoding.as_mut().and_then(|encoding| encoding.left.pop()) else {
                // One that an event has encoded.
                let failed = inner.encoding.as_mut().and_then(|encoding| encoding.failed.take());
                return failed.map_or(Ok(true), Err);
            };
            // A row that was written again has gone into the cut already.
            inner.encode_if_of_cut(row);
            if let Some(error) = inner.encoding.as_mut().and_then(|it| it.failed.take()) {
                return Err(error);
            }
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

/// An encoded key for people, without the window in front of it.
fn shown<T: Row>(key: Option<&[u8]>) -> String {
    let window = if T::TABLE.window.is_some() { 8 } else { 0 };
    String::from_utf8_lossy(key.and_then(|key| key.get(window..)).unwrap_or_default()).into_owned()
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
    fn encode(&mut self, row: u32) {
        let Some(encoding) = &mut self.encoding else { return };
        let Some(slot) = self.rows.get_mut(row) else { return };
        if slot.encoded || slot.dirty == 0 {
            return;
        }
        slot.encoded = true;
        if slot.start < self.expired_below {
            slot.value = None;
            slot.stored = false;
            return;
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
                let (table, cause) = (Self::DEF.name, error.to_string());
                encoding.failed = Some(StoreError::Row { table, cause });
                return;
            }
        };
        let bytes = cut.bytes.len() - start;
        if bytes > self.budget.row_limit {
            let key = shown::<T>(cut.bytes.get(start..middle));
            let (table, limit) = (Self::DEF.name, self.budget.row_limit);
            let error = HandleError::RowTooLarge { table, key, bytes, limit };
            encoding.failed = Some(StoreError::TooLarge(error.to_string()));
            return;
        }
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
                return;
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
    }

    /// Encodes what an event has made of a row, if that may be too large: a row that is new, or was large before. What
    /// grows from small to too large within one cut is left for the cut to find, unless `each` row is to be looked at.
    fn check(&mut self, row: u32, each: bool) -> crate::Result<()> {
        let limit = self.budget.row_limit;
        let Some(slot) = self.rows.get(row) else { return Ok(()) };
        if !each && slot.stored && (slot.charge as usize) < limit / 4 {
            return Ok(());
        }
        let at = (slot.staged as usize).checked_sub(1).and_then(|at| self.staged.get(at));
        let Some(value) = at.and_then(|staged| staged.value.as_ref()) else { return Ok(()) };
        self.scratch.clear();
        encode_row_key::<T>(slot.start, &slot.key, &mut self.scratch)?;
        let middle = self.scratch.len();
        T::encode_value(value, &mut self.scratch)?;
        let bytes = self.scratch.len();
        if bytes > limit {
            let key = shown::<T>(self.scratch.get(..middle));
            self.scratch = Vec::new();
            return Err(
                HandleError::RowTooLarge { table: Self::DEF.name, key, bytes, limit }.into()
            );
        }
        Ok(())
    }

    /// Encodes a row unless an event has put it into the next cut meanwhile; then it went into this one before.
    fn encode_if_of_cut(&mut self, row: u32) {
        let filling = self.cut;
        if self.rows.get_mut(row).is_some_and(|slot| slot.dirty != filling) {
            self.encode(row);
        }
    }
}
