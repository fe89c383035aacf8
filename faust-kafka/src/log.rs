//! librdkafka's log lines and errors, on their way to `tracing` and to the application.

use std::{
    ffi::{c_char, c_int},
    panic::{AssertUnwindSafe, catch_unwind},
};

use rdkafka_sys as sys;

use crate::{
    Code, Error,
    native::{Event, text},
};

unsafe extern "C" {
    fn faust_fatal_code(rk: *mut sys::rd_kafka_t, text: *mut c_char, size: usize) -> c_int;
}

/// librdkafka's log callback: runs on any of its threads.
pub(crate) unsafe extern "C" fn log(
    rk: *const sys::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    line: *const c_char,
) {
    // SAFETY: all three are alive for this call, and the last two are C strings.
    let (client, facility, line) = unsafe {
        let client = if rk.is_null() { String::new() } else { text(sys::rd_kafka_name(rk)) };
        (client, text(facility), text(line))
    };
    // A subscriber of the application's may panic; that must not unwind into C.
    let _ = catch_unwind(AssertUnwindSafe(|| write(&client, level, &facility, &line)));
}

fn write(client: &str, level: c_int, facility: &str, line: &str) {
    // A broker that cannot be reached is logged again and again under these names. It is an event
    // as well, and the application says it once.
    let noise = matches!(facility, "FAIL" | "ERROR");
    match level {
        0..=3 if !noise => tracing::error!(target: "librdkafka", client, facility, "{line}"),
        4 if !noise => tracing::warn!(target: "librdkafka", client, facility, "{line}"),
        5..=6 if !noise => tracing::info!(target: "librdkafka", client, facility, "{line}"),
        _ => tracing::debug!(target: "librdkafka", client, facility, "{line}"),
    }
}

/// What an error event says; none for what only concerns one connection and mends itself.
pub(crate) fn error_of(rk: *mut sys::rd_kafka_t, event: &Event) -> Option<Error> {
    let (code, said) = (event.code(), event.text());
    match code {
        Code::FATAL => {
            let (code, text) = fatal_of(rk);
            Some(Error::Fatal { code, text })
        }
        code if event.is_fatal() => Some(Error::Fatal { code, text: said }),
        Code::TRANSPORT | Code::RESOLVE => {
            tracing::debug!(target: "librdkafka", %code, "{said}");
            None
        }
        Code::ALL_BROKERS_DOWN => Some(Error::Unreachable { text: said }),
        code => {
            Some(Error::Request { what: "a Kafka client reports".to_owned(), code, text: said })
        }
    }
}

/// Why a client has failed for good.
pub(crate) fn fatal_of(rk: *mut sys::rd_kafka_t) -> (Code, String) {
    let mut reason: [c_char; 512] = [0; 512];
    // SAFETY: the client is alive; `reason` has the given size and is a C string afterwards.
    unsafe {
        let code = faust_fatal_code(rk, reason.as_mut_ptr(), reason.len());
        (Code(code), text(reason.as_ptr()))
    }
}
