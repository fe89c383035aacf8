//! Many rows at once: what the store has, with what it does not have yet laid over it.

use super::{Inner, window_prefix};
use crate::codec::Key;
use crate::define::Row;
use crate::table::store::StoreError;
use std::any::TypeId;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Which rows of a window (or of a table without windows) are wanted.
pub(crate) struct Span<'a, T: Row> {
    /// The start of the window; 0 without windows.
    pub(crate) start: i64,
    /// Nothing below this encoded key is wanted.
    pub(crate) from: Vec<u8>,
    /// What an encoded key begins with that is wanted.
    pub(crate) prefix: &'a [u8],
    /// No more rows than these.
    pub(crate) most: usize,
    /// Whether a key is before, in, or behind what is wanted.
    pub(crate) place: &'a dyn Fn(&T::Key) -> Ordering,
}

/// Whether encoded keys are in the order of the keys: those of texts are, JSON numbers are not.
pub(crate) fn in_order<T: Row>() -> bool {
    TypeId::of::<T::Key>() == TypeId::of::<String>()
}

impl<T: Row> Inner<T> {
    /// The rows as the event of this lane sees them, in the order of their encoded keys. `touched`: what the event has
    /// written.
    pub(crate) fn scan(
        &self,
        span: &Span<'_, T>,
        lane: u32,
        touched: impl Iterator<Item = u32>,
    ) -> crate::Result<Vec<(T::Key, T::Value)>> {
        let mut rows = Vec::new();
        if span.start < self.expired_below {
            return Ok(rows);
        }
        let prefix = match T::TABLE.window {
            Some(_) => window_prefix(span.start).to_vec(),
            None => Vec::new(),
        };
        let mut newer = self.newer(span, lane, touched)?.into_iter().peekable();
        // Takes a row; false when no more can follow.
        let mut take = |key: T::Key, value: Option<T::Value>| {
            let place = (span.place)(&key);
            if let Some(value) = value.filter(|_| place.is_eq()) {
                rows.push((key, value));
            }
            (place.is_le() || !in_order::<T>()) && rows.len() < span.most
        };
        let mut failed = None;
        let mut goes_on = true;
        let from = [&prefix, &span.from[..]].concat();
        self.store.scan(&from, &mut |bytes, value| {
            let Some(key) = bytes.strip_prefix(&prefix[..]) else { return false };
            if !key.starts_with(span.prefix) {
                return false;
            }
            while goes_on
                && let Some((_, (key, value))) = newer.next_if(|(newer, _)| **newer < *key)
            {
                goes_on = take(key, value);
            }
            if !goes_on {
                return false;
            }
            if let Some((_, (key, value))) = newer.next_if(|(newer, _)| **newer == *key) {
                goes_on = take(key, value);
                return goes_on;
            }
            let row = T::Key::decode(key).and_then(|key| Ok((key, T::decode_value(value)?)));
            match row {
                Ok((key, value)) => goes_on = take(key, Some(value)),
                Err(error) => {
                    failed = Some(error);
                    goes_on = false;
                }
            }
            goes_on
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        while goes_on && let Some((_, (key, value))) = newer.next() {
            goes_on = take(key, value);
        }
        Ok(rows)
    }

    /// The start of the first window from `from` on and below `below` that may have rows.
    pub(crate) fn first_window(&self, from: i64, below: i64) -> Result<Option<i64>, StoreError> {
        let mut stored = None;
        self.store.scan(&window_prefix(from), &mut |key, _| {
            stored = key.first_chunk::<8>().map(|start| i64::from_be_bytes(*start));
            false
        })?;
        let waiting = self.dirty.iter().chain(&self.in_flight);
        let waiting = waiting.filter_map(|row| Some(self.rows.get(*row)?.start));
        let waiting = waiting.filter(|start| *start >= from).min();
        Ok(stored.into_iter().chain(waiting).min().filter(|start| *start < below))
    }

    /// The start of a row's window.
    pub(crate) fn window_of(&self, row: u32) -> Option<i64> {
        self.rows.get(row).map(|slot| slot.start)
    }

    /// Rows that the store does not have as they are, by their encoded keys.
    fn newer(
        &self,
        span: &Span<'_, T>,
        lane: u32,
        touched: impl Iterator<Item = u32>,
    ) -> crate::Result<BTreeMap<Vec<u8>, (T::Key, Option<T::Value>)>> {
        let mut newer = BTreeMap::new();
        let waiting = self.dirty.iter().chain(&self.in_flight).copied();
        for row in waiting.chain(touched) {
            let Some(slot) = self.rows.get(row).filter(|slot| slot.start == span.start) else {
                continue;
            };
            let mut encoded = Vec::new();
            slot.key.encode(&mut encoded)?;
            if encoded >= span.from && encoded.starts_with(span.prefix) {
                newer.insert(encoded, (slot.key.clone(), self.read(row, lane).cloned()));
            }
        }
        Ok(newer)
    }
}
