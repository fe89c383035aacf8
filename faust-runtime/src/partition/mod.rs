//! One task for each partition of a co-partitioned group: it owns the partition's state and runs its agents, all on
//! one thread.

mod closer;
mod fill;
mod lane;
mod latest;
mod reader;
mod shard;
mod source;
pub(crate) mod standbys;
mod start;
mod task;

pub(crate) use closer::{ClosedTo, Closer};
pub(crate) use lane::{LaneState, with_current};
pub(crate) use reader::Delivery;
pub(crate) use shard::{CutOrder, Shard, ShardCommand, ShardConfig};
pub(crate) use standbys::{Held, Standbys};
pub(crate) use task::{Task, TaskId};
