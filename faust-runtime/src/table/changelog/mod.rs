//! The changelog: cuts write it (`commit/`), recovery reads it back into the store, standbys follow it.

mod load;
mod pace;
mod recovery;
mod standby;
#[cfg(test)]
mod tests;

pub(crate) use pace::Pace;
pub(crate) use recovery::{Recovered, RecoveryError, recover};
pub(crate) use standby::{Watch, follow};
