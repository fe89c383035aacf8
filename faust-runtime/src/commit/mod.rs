//! What is done, and saying so: progress per agent, the cut, and the committer that makes it one transaction.

mod committer;
mod cut;
mod progress;

pub(crate) use committer::{CommitError, Committer, Outcome, Owned};
pub(crate) use cut::{Cut, Outbox, RowChange, TableCut, TaskCut};
pub(crate) use progress::{Metadata, Progress};
