//! The changelog: cuts write it (`commit/`), recovery reads it back into the store.

mod recovery;

pub(crate) use recovery::{Recovered, RecoveryError, recover};
pub(super) use recovery::{apply, open};
