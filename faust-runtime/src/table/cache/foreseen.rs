//! Rows that the next events will ask for, looked up some at a time: the processor then waits for all of their cache
//! lines at once, where one event after the other would wait for each. Only a guess: `find` looks whether it is right.

use super::Inner;
use crate::codec::Key;
use crate::define::{Row, Scope};
use crate::kafka::{Messages, Offset};
use crate::table::AHEAD;
use std::any::TypeId;
use std::hash::{BuildHasher, Hash, Hasher};
use std::mem::needs_drop;

/// Where the rows of the keys of the next events are, by the last bits of their offsets.
pub(super) struct Foreseen([u32; AHEAD]);

const NOWHERE: u32 = u32::MAX;

impl Foreseen {
    pub(super) const fn new() -> Self {
        Self([NOWHERE; AHEAD])
    }

    /// Where the row may be that an event asks for.
    pub(super) fn row(&self, event: Offset) -> u32 {
        self.0.get(event as usize % AHEAD).copied().unwrap_or(NOWHERE)
    }

    fn set(&mut self, event: Offset, row: u32) {
        if let Some(place) = self.0.get_mut(event as usize % AHEAD) {
            *place = row;
        }
    }
}

/// A text that nobody has checked to be one; it hashes as a `str` does.
struct Text<'m>(&'m [u8]);

impl Hash for Text<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0);
        state.write_u8(0xff);
    }
}

impl<T: Row> Inner<T> {
    /// Looks for the rows with the keys of the next messages, as far as that can be done without allocating.
    pub(super) fn foresee(&mut self, messages: &dyn Messages, from: usize) {
        if T::TABLE.window.is_some() || T::TABLE.scope != Scope::Key {
            return;
        }
        if !needs_drop::<T::Key>() {
            self.look(messages, from, |key| T::Key::decode(key).ok());
        } else if TypeId::of::<T::Key>() == TypeId::of::<String>() {
            self.look(messages, from, |key| Some(Text(key)));
        }
    }

    fn look<'m, K: Hash>(
        &mut self,
        messages: &'m dyn Messages,
        from: usize,
        read: impl Fn(&'m [u8]) -> Option<K>,
    ) {
        let wanted = |at| {
            let message = messages.get(from + at)?;
            let key = message.key.and_then(&read)?;
            Some((message.offset, self.hasher.hash_one((0i64, &key))))
        };
        // One loop after the other: the shorter each is, the more events of it the processor is at.
        let (mut hashes, mut rows) = ([None; AHEAD], [NOWHERE; AHEAD]);
        for (at, hash) in hashes.iter_mut().enumerate() {
            *hash = wanted(at);
        }
        for (row, (event, hash)) in rows.iter_mut().zip(hashes.into_iter().flatten()) {
            *row = self.by_key.guess(hash).unwrap_or(NOWHERE);
            self.foreseen.set(event, *row);
        }
        for row in rows {
            if let Some(slot) = self.rows.get_mut(row) {
                slot.used = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_hashes_as_a_row_s_key_does() {
        let hasher = foldhash::fast::FixedState::default();
        for key in ["", "tea", "a text that is longer than two words of the machine"] {
            let text = hasher.hash_one((0i64, Text(key.as_bytes())));
            assert_eq!(text, hasher.hash_one((0i64, key)));
            assert_eq!(text, hasher.hash_one((0i64, key.to_string())));
        }
    }
}
