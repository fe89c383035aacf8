//! Where rows live: numbered places that stay where they are. They come in chunks, so that growing copies nothing and
//! takes no more than the rows do.

/// Places in a chunk.
const CHUNK: usize = 1024;

pub(super) struct Slab<S> {
    chunks: Vec<Vec<Option<S>>>,
    free: Vec<u32>,
}

impl<S> Slab<S> {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), free: Vec::new() }
    }

    /// As many places as there were ever rows at a time.
    pub(super) fn places(&self) -> u32 {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        (full + self.chunks.last().map_or(0, Vec::len)) as u32
    }

    pub(super) fn get(&self, row: u32) -> Option<&S> {
        self.chunks.get(row as usize / CHUNK)?.get(row as usize % CHUNK)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, row: u32) -> Option<&mut S> {
        self.chunks.get_mut(row as usize / CHUNK)?.get_mut(row as usize % CHUNK)?.as_mut()
    }

    /// Gives a row a place.
    pub(super) fn insert(&mut self, row: S) -> u32 {
        if let Some(number) = self.free.pop() {
            let chunk = self.chunks.get_mut(number as usize / CHUNK);
            if let Some(place) = chunk.and_then(|chunk| chunk.get_mut(number as usize % CHUNK)) {
                *place = Some(row);
            }
            return number;
        }
        let number = self.places();
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(Some(row)),
            _ => {
                // The first grows as rows come; where there are as many as a chunk holds, there will be more.
                let capacity = if self.chunks.is_empty() { 1 } else { CHUNK };
                let mut chunk = Vec::with_capacity(capacity);
                chunk.push(Some(row));
                self.chunks.push(chunk);
            }
        }
        number
    }

    /// Takes a row out; its place is free.
    pub(super) fn remove(&mut self, number: u32) -> Option<S> {
        let chunk = self.chunks.get_mut(number as usize / CHUNK)?;
        let row = chunk.get_mut(number as usize % CHUNK)?.take();
        if row.is_some() {
            self.free.push(number);
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_places_while_others_come_and_go() {
        let mut slab = Slab::new();
        let rows = 2 * CHUNK as u32 + 7;
        for row in 0..rows {
            assert_eq!(slab.insert(row * 3), row);
        }
        assert_eq!(slab.places(), rows);
        for row in (0..rows).step_by(2) {
            assert_eq!(slab.remove(row), Some(row * 3));
            assert_eq!(slab.remove(row), None);
        }
        for row in (1..rows).step_by(2) {
            assert_eq!(slab.get(row), Some(&(row * 3)));
        }
        // Free places are taken first, each once.
        let mut again: Vec<u32> = (0..rows.div_ceil(2)).map(|_| slab.insert(1)).collect();
        again.sort_unstable();
        assert!(again.into_iter().eq((0..rows).step_by(2)));
        assert_eq!(slab.insert(1), rows);
        assert_eq!(slab.get(rows + 1), None);
    }
}
