//! Going from batch header to batch header of a segment file with few reads.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::batch::{HEADER_BYTES, Header};

/// A stretch of the file, read ahead.
#[derive(Debug)]
pub(crate) struct Walk {
    at: u64,
    bytes: Vec<u8>,
    stride: usize,
}

impl Walk {
    pub(crate) fn new(stride: usize) -> Self {
        Self { at: 0, bytes: Vec::new(), stride }
    }

    pub(crate) fn header(
        &mut self,
        file: &File,
        position: u64,
        end: u64,
    ) -> io::Result<Option<Header>> {
        if position + HEADER_BYTES as u64 > end {
            return Ok(None);
        }
        if let Some(bytes) = self.buffered(position) {
            return Ok(Header::parse(bytes));
        }
        let rest = usize::try_from(end - position).unwrap_or(usize::MAX);
        self.bytes.resize(rest.min(self.stride), 0);
        file.read_exact_at(&mut self.bytes, position)?;
        self.at = position;
        Ok(Header::parse(&self.bytes))
    }

    fn buffered(&self, position: u64) -> Option<&[u8]> {
        let start = usize::try_from(position.checked_sub(self.at)?).ok()?;
        self.bytes.get(start..start + HEADER_BYTES)
    }
}
