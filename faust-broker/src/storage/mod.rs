//! Where bytes are kept: batches in segments, everything else in the journal, both in one folder.

pub(crate) mod batch;
pub(crate) mod folder;
pub(crate) mod journal;
pub(crate) mod records;
pub(crate) mod rewrite;
pub(crate) mod segment;
mod walk;
