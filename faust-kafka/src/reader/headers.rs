//! The headers of a message.

use std::{ffi::CStr, marker::PhantomData, ptr};

use rdkafka_sys as sys;

use super::batch::bytes;

/// The headers of a message, in order.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    /// NULL: there are none.
    list: *mut sys::rd_kafka_headers_t,
    next: usize,
    message: PhantomData<&'a ()>,
}

/// One header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name; bytes, for brokers do not insist on UTF-8.
    pub name: &'a [u8],
    /// Its value.
    pub value: Option<&'a [u8]>,
}

impl<'a> Headers<'a> {
    pub(super) const NONE: Self = Self { list: ptr::null_mut(), next: 0, message: PhantomData };

    /// # Safety
    /// The message is alive for 'a and used by this thread alone.
    pub(super) unsafe fn of(message: *mut sys::rd_kafka_message_t) -> Self {
        let mut list = ptr::null_mut();
        // SAFETY: the message is alive; if it has no headers, or broken ones, `list` stays NULL.
        unsafe { sys::rd_kafka_message_headers(message, &mut list) };
        Self { list, next: 0, message: PhantomData }
    }

    /// The value of the last header of a name: the one that counts where names are unique.
    pub fn last(self, name: &str) -> Option<&'a [u8]> {
        self.filter(|header| header.name == name.as_bytes()).last().and_then(|header| header.value)
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.list.is_null() {
            return None;
        }
        let (mut name, mut value, mut len) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the list belongs to the message, which is alive for 'a; librdkafka sets all three
        // or returns that there is no such header. A name ends with a zero byte.
        unsafe {
            let found =
                sys::rd_kafka_header_get_all(self.list, self.next, &mut name, &mut value, &mut len);
            if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return None;
            }
            self.next += 1;
            Some(Header { name: CStr::from_ptr(name).to_bytes(), value: bytes(value, len) })
        }
    }
}
