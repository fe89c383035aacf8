//! One request: asked through a queue of its own, answered by an event.

use std::{
    ffi::{c_char, c_int, c_void},
    ptr,
    time::Duration,
};

use rdkafka_sys as sys;

use super::Admin;
use crate::{
    Code, Error, Result,
    native::{Event, millis, text},
};

unsafe extern "C" {
    fn faust_request_timeout(
        options: *mut sys::rd_kafka_AdminOptions_t,
        timeout_ms: c_int,
        operation: c_int,
    ) -> c_int;
    fn faust_on_main(
        rk: *mut sys::rd_kafka_t,
        run: unsafe extern "C" fn(*mut c_void),
        argument: *mut c_void,
    );
    fn faust_awaited(rk: *mut sys::rd_kafka_t, answers: *mut sys::rd_kafka_queue_t)
    -> *mut Awaited;
    fn faust_answered(awaited: *mut Awaited);
}

/// `rd_kafka_enq_once_t`: by what a question is waited for.
#[repr(C)]
struct Awaited {
    _private: [u8; 0],
}

/// Options of a request.
pub(super) struct Options(*mut sys::rd_kafka_AdminOptions_t);

impl Options {
    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_AdminOptions_t {
        self.0
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { sys::rd_kafka_AdminOptions_destroy(self.0) };
    }
}

impl Admin {
    /// Calls librdkafka on the client's main thread: requests that begin on another one can meet there with themselves.
    fn on_main<F: FnOnce()>(&self, call: F) {
        let mut call = Some(call);
        // SAFETY: the client is alive. The closure stays where it is until it has run, because this waits for that; it
        // holds pointers to objects of librdkafka's, which are made for any thread, and runs on one thread only. A
        // panic does not get out of `run`, whose ABI is C.
        unsafe { faust_on_main(self.0.ptr(), run::<F>, (&raw mut call).cast()) };
    }

    /// Makes a request and waits for its answer. `ask` gets the client, the options and the queue
    /// for the answer.
    pub(super) fn request(
        &self,
        what: &str,
        kind: sys::rd_kafka_admin_op_t,
        timeout: Duration,
        ask: impl FnOnce(*mut sys::rd_kafka_t, &Options, *mut sys::rd_kafka_queue_t),
    ) -> Result<Event> {
        let late = || Error::TimedOut { what: what.to_owned(), after: timeout };
        let queue = self.0.queue()?;
        // SAFETY: the client is alive; the options are ours.
        let options = Options(unsafe { sys::rd_kafka_AdminOptions_new(self.0.ptr(), kind) });
        let operation = matches!(
            kind,
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS
                | sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETETOPICS
                | sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETERECORDS
        );
        // SAFETY: the options are alive.
        unsafe { faust_request_timeout(options.ptr(), millis(timeout), operation.into()) };
        let mut awaited = ptr::null_mut();
        self.on_main(|| {
            ask(self.0.ptr(), &options, queue.ptr());
            // SAFETY: this is the main thread, and client and queue are alive.
            awaited = unsafe { faust_awaited(self.0.ptr(), queue.ptr()) };
        });
        // The request times out by itself; the margin is for that answer to arrive.
        let answer = queue.poll(timeout + Duration::from_millis(500)).ok_or_else(late)?;
        if answer.code() != Code::TIMED_OUT {
            // SAFETY: a reference of ours, let go of once. Where time has run out it is left to librdkafka.
            unsafe { faust_answered(awaited) };
        }
        match answer.code() {
            Code::NONE => Ok(answer),
            Code::TIMED_OUT | Code::REQUEST_TIMED_OUT => Err(late()),
            code => Err(Error::Request { what: what.to_owned(), code, text: answer.text() }),
        }
    }
}

/// Runs the closure that `call` points to.
///
/// # Safety
/// `call` points to an `Option<F>` that nobody else uses meanwhile.
unsafe extern "C" fn run<F: FnOnce()>(call: *mut c_void) {
    // SAFETY: as promised.
    let call = unsafe { &mut *call.cast::<Option<F>>() };
    if let Some(call) = call.take() {
        call();
    }
}

/// What an answer says about one of several things that were asked.
///
/// # Safety
/// `said` is NULL or a C string.
pub(super) unsafe fn single(what: String, code: Code, said: *const c_char) -> Result<()> {
    if code == Code::NONE {
        return Ok(());
    }
    // SAFETY: as promised.
    let said = unsafe { text(said) };
    Err(Error::Request { what, code, text: if said.is_empty() { code.text() } else { said } })
}

/// The elements of an array that librdkafka returns: a pointer to the first, and a count that it
/// sets.
///
/// # Safety
/// `get` returns an array of as many elements as it sets the count to, alive for as long as they
/// are used.
pub(super) unsafe fn array<T: Copy>(get: impl FnOnce(*mut usize) -> *mut T) -> Vec<T> {
    let mut count = 0;
    let first = get(&mut count);
    if first.is_null() {
        return Vec::new();
    }
    // SAFETY: as promised.
    unsafe { std::slice::from_raw_parts(first, count) }.to_vec()
}
