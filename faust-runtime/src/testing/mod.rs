//! A user's app in a test: in memory, on one thread, with time that passes only when the test says so.

mod app;
#[cfg(test)]
mod simulation;

pub use app::{Output, TestApp, TestTable};
