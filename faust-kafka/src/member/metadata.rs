//! A member's place in its group, which vouches for a commit.

use std::ffi::{CStr, c_char};

use rdkafka_sys as sys;

use crate::{Error, Result, native::c_name};

/// A member's place in its group: group, generation, member and instance. Brokers compare it with
/// what they know, so that one who has lost a partition cannot commit for it.
#[derive(Debug)]
pub struct GroupMetadata(*mut sys::rd_kafka_consumer_group_metadata_t);

// SAFETY: plain memory that nobody writes to.
unsafe impl Send for GroupMetadata {}
// SAFETY: as above.
unsafe impl Sync for GroupMetadata {}

impl GroupMetadata {
    /// # Safety
    /// `metadata` is not NULL, and nobody else destroys it.
    pub(super) unsafe fn own(metadata: *mut sys::rd_kafka_consumer_group_metadata_t) -> Self {
        Self(metadata)
    }

    /// A place that was put down in writing: for tools, and for tests of what happens to a member
    /// that is gone.
    ///
    /// ```
    /// # use faust_kafka::GroupMetadata;
    /// let group = GroupMetadata::new("my-app", 7, "member-1", None)?;
    /// assert_eq!((group.group(), group.generation()), ("my-app", 7));
    /// # Ok::<(), faust_kafka::Error>(())
    /// ```
    pub fn new(group: &str, generation: i32, member: &str, instance: Option<&str>) -> Result<Self> {
        if generation < 0 || member.is_empty() {
            // Brokers take commits without a generation for those of a group without members, and
            // check nothing.
            return Err(Error::Argument {
                what: format!("generation {generation} of member {member:?}"),
                reason: "that is no place in a group".to_owned(),
            });
        }
        let (group, member) = (c_name("group", group)?, c_name("member", member)?);
        let instance = instance.map(|name| c_name("instance", name)).transpose()?;
        let instance = instance.as_ref().map_or(std::ptr::null(), |name| name.as_ptr());
        // SAFETY: all strings are alive, and are copied.
        let metadata = unsafe {
            sys::rd_kafka_consumer_group_metadata_new_with_genid(
                group.as_ptr(),
                generation,
                member.as_ptr(),
                instance,
            )
        };
        Ok(Self(metadata))
    }

    pub(crate) fn ptr(&self) -> *mut sys::rd_kafka_consumer_group_metadata_t {
        self.0
    }

    /// The group.
    pub fn group(&self) -> &str {
        // SAFETY: the metadata is alive, and so is its string.
        unsafe { str_of(sys::rd_kafka_consumer_group_metadata_group_id(self.0)) }.unwrap_or("")
    }

    /// The generation: it counts the group's rebalances.
    pub fn generation(&self) -> i32 {
        // SAFETY: the metadata is alive.
        unsafe { sys::rd_kafka_consumer_group_metadata_generation_id(self.0) }
    }

    /// The member's id, which the brokers gave it.
    pub fn member(&self) -> &str {
        // SAFETY: the metadata is alive, and so is its string.
        unsafe { str_of(sys::rd_kafka_consumer_group_metadata_member_id(self.0)) }.unwrap_or("")
    }

    /// The static member's name.
    pub fn instance(&self) -> Option<&str> {
        // SAFETY: the metadata is alive, and so is its string.
        unsafe { str_of(sys::rd_kafka_consumer_group_metadata_group_instance_id(self.0)) }
    }

    /// Whether it is a place at all.
    pub(super) fn joined(&self) -> bool {
        self.generation() >= 0 && !self.member().is_empty()
    }
}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.0) };
    }
}

/// # Safety
/// `text` is NULL or a C string that lives for 'a.
unsafe fn str_of<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: as promised.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}
