//! The one setting of the allocator that decides throughput.

use std::{
    env,
    ffi::{c_int, c_long},
    time::Duration,
};

/// `mi_option_purge_delay` of mimalloc's `mi_option_t`; the crate does not name it.
const PURGE_DELAY: c_int = 15;

/// Keeps memory that was freed for so long before it goes back to the operating system.
///
/// One fetch becomes some ten megabytes of messages, which are freed a moment later. mimalloc gives memory back after a
/// second; then the kernel has to clear as many pages again for the next fetches.
///
/// To be called once, early in `main`, before there are threads. The environment variable `MIMALLOC_PURGE_DELAY`
/// (milliseconds) wins.
pub fn keep_freed_memory(time: Duration) {
    if env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        let millis = c_long::try_from(time.as_millis()).unwrap_or(c_long::MAX);
        // SAFETY: an option that exists; mimalloc reads it atomically, so that a thread that allocates meanwhile sees
        // the old value or the new one.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, millis) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_memory_is_kept_for_as_long_as_was_said() {
        if env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
            keep_freed_memory(Duration::from_secs(7));
            // SAFETY: an option that exists.
            assert_eq!(unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) }, 7_000);
        }
    }
}
