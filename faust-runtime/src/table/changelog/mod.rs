//! The changelog: cuts write it (`commit/`), recovery reads it back into the store, standbys and copies follow it.

mod follow;
mod load;
mod pace;
mod recovery;
mod seen;
#[cfg(test)]
mod tests;

pub(crate) use follow::{Watch, follow};
pub(crate) use pace::Pace;
pub(crate) use recovery::{Recovered, RecoveryError, recover};
