//! State: typed rows in a write-back cache above a store, and the changelog that backs them.

pub(crate) mod store;
