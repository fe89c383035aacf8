//! The harness of the behaviours in `tests/`: a broker, programs as real processes, and what is in their topics.
//!
//! With `KAFKA_BOOTSTRAP` the broker is the one that it names; else each app has a development broker in the test's
//! process. A behaviour feeds an [`App`], starts [`Worker`]s of it, does something terrible to them, and compares what
//! they leave with what it computes itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test harness"
)]

mod app;
mod broker;
pub mod chaos;
mod load;
mod proxy;
mod text;
mod topics;
mod worker;

pub use app::{App, Finished};
pub use broker::BrokerProcess;
pub use load::{Arrivals, Load, longest_gap, preload};
pub use proxy::Proxy;
pub use text::{assert_rows, counted, letters, lines, words};
pub use topics::{Record, is_development_broker};
pub use worker::Worker;

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than anything takes, shorter than anybody wants to wait.
pub const LONG: Duration = Duration::from_secs(90);

/// Waits until there is something.
pub fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < LONG, "never: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// A moment that is random and always the same: the `n`-th of a seed, below a number of milliseconds.
/// `FAUST_TEST_SEED` gives other moments.
pub fn moment(seed: u64, n: u64, below: u64) -> Duration {
    let other: u64 = std::env::var("FAUST_TEST_SEED").map_or(0, |seed| seed.parse().unwrap());
    Duration::from_millis(split_mix(seed.wrapping_add(other << 8), n) % below)
}

/// The `n`-th number of a seed, by SplitMix64.
pub(crate) fn split_mix(seed: u64, n: u64) -> u64 {
    let mut x = seed.wrapping_add((n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
