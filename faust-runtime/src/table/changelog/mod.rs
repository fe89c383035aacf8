//! The changelog: cuts write it (`commit/`), recovery reads it back into the store, standbys follow it.

mod recovery;
mod standby;

pub(crate) use recovery::{Recovered, RecoveryError, recover};
pub(crate) use standby::{Pace, Watch, follow};
