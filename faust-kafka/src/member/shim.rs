//! The Rust side of `shim/assignor.c`: plain structures in, calls of an [`Assignor`] out.

use std::{
    any::Any,
    collections::HashSet,
    ffi::{CString, c_char, c_int, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
    slice,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
};

use rdkafka_sys as sys;

use super::assignor::{Assigned, Assignor, MemberInfo};
use crate::{
    Code, Error, Result, TopicPartition,
    native::{c_name, entries, text},
};

unsafe extern "C" {
    fn faust_assignor_install(
        rk: *mut sys::rd_kafka_t,
        name: *const c_char,
        opaque: *mut c_void,
    ) -> c_int;
    fn faust_assignor_rejoin(rk: *mut sys::rd_kafka_t);
    fn faust_sink_user_data(sink: *mut c_void, data: *const c_void, len: usize, generation: i32);
    fn faust_sink_partition(sink: *mut c_void, member: usize, topic: *const c_char, partition: i32);
    fn faust_sink_member_data(sink: *mut c_void, member: usize, data: *const c_void, len: usize);
}

/// What the callbacks of one client share with its member.
pub(super) struct Hooks {
    assignor: Arc<dyn Assignor>,
    /// The generation of the last assignment: it goes with the claim to what was assigned then.
    generation: AtomicI32,
    /// A rejoin that was asked for and has not begun.
    pub(super) rejoin: AtomicBool,
    /// What went wrong in callbacks, for the next poll.
    pub(super) failed: Mutex<Option<Error>>,
}

impl Hooks {
    pub(super) fn new(assignor: Arc<dyn Assignor>) -> Self {
        let generation = AtomicI32::new(-1);
        Self { assignor, generation, rejoin: AtomicBool::new(false), failed: Mutex::new(None) }
    }

    /// Makes the assignor the client's only one.
    ///
    /// # Safety
    /// The client has not subscribed, and these hooks outlive it where they are.
    pub(super) unsafe fn install(&self, rk: *mut sys::rd_kafka_t) -> Result<()> {
        let name = self.assignor.name();
        let c_name = c_name("assignor", name)?;
        let opaque = std::ptr::from_ref(self).cast_mut().cast();
        // SAFETY: as promised by the caller; the name is copied.
        match Code(unsafe { faust_assignor_install(rk, c_name.as_ptr(), opaque) }) {
            Code::NONE => Ok(()),
            code => Err(Error::Argument {
                what: format!("the assignor's name {name:?}"),
                reason: format!("librdkafka has one of that name ({code})"),
            }),
        }
    }

    /// Joins again if a rejoin is wanted and the member is at rest.
    pub(super) fn rejoin_if_wanted(&self, rk: *mut sys::rd_kafka_t) {
        if self.rejoin.load(Ordering::Acquire) {
            // SAFETY: the client is alive.
            unsafe { faust_assignor_rejoin(rk) };
        }
    }

    fn fail(&self, reason: String) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert(Error::Assignor { reason });
    }

    /// Runs a callback; a panic becomes an event, for it must not unwind into C.
    fn guard<T>(&self, what: &str, call: impl FnOnce() -> T) -> Option<T> {
        catch_unwind(AssertUnwindSafe(call))
            .map_err(|panic| self.fail(format!("`{what}` panicked: {}", message(&*panic))))
            .ok()
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// A member, as the C side lays it out.
#[repr(C)]
struct RawMember {
    id: *const c_char,
    id_len: usize,
    instance: *const c_char,
    instance_len: usize,
    user_data: *const c_void,
    user_data_len: usize,
    topics: *const sys::rd_kafka_topic_partition_list_t,
    owned: *const sys::rd_kafka_topic_partition_list_t,
    generation: i32,
}

/// A topic, as the C side lays it out.
#[repr(C)]
struct RawTopic {
    name: *const c_char,
    partitions: i32,
}

/// # Safety
/// `data` is NULL or points to `len` bytes that live for 'a.
unsafe fn bytes<'a>(data: *const c_void, len: usize) -> &'a [u8] {
    if data.is_null() {
        return &[];
    }
    // SAFETY: as promised.
    unsafe { slice::from_raw_parts(data.cast(), len) }
}

/// # Safety
/// As [`entries`].
unsafe fn partitions(list: *const sys::rd_kafka_topic_partition_list_t) -> Vec<TopicPartition> {
    // SAFETY: as promised.
    unsafe { entries(list) }.into_iter().map(|entry| entry.partition).collect()
}

impl RawMember {
    /// # Safety
    /// All pointers are NULL or valid with their lengths.
    unsafe fn info(&self) -> MemberInfo {
        // SAFETY: as promised.
        unsafe {
            let utf8 = |data: *const c_char, len| {
                String::from_utf8_lossy(bytes(data.cast(), len)).into_owned()
            };
            MemberInfo {
                id: utf8(self.id, self.id_len),
                instance: (!self.instance.is_null())
                    .then(|| utf8(self.instance, self.instance_len)),
                topics: partitions(self.topics).into_iter().map(|entry| entry.topic).collect(),
                owned: partitions(self.owned),
                generation: self.generation,
                user_data: bytes(self.user_data, self.user_data_len).to_vec(),
            }
        }
    }
}

/// Asked at each join.
#[unsafe(no_mangle)]
unsafe extern "C" fn faust_assignor_user_data(
    opaque: *mut c_void,
    owned: *const sys::rd_kafka_topic_partition_list_t,
    sink: *mut c_void,
) {
    // SAFETY: the hooks outlive the client; the list is alive for this call.
    let (hooks, owned) = unsafe { (&*opaque.cast::<Hooks>(), partitions(owned)) };
    // This join is the one that was asked for, if one was: what comes later is asked for anew.
    hooks.rejoin.store(false, Ordering::Release);
    let Some(data) = hooks.guard("user_data", || hooks.assignor.user_data(&owned)) else { return };
    let generation = hooks.generation.load(Ordering::Acquire);
    // SAFETY: the sink is the one that C waits for; the data is copied.
    unsafe { faust_sink_user_data(sink, data.as_ptr().cast(), data.len(), generation) };
}

/// Runs on the leader. Not 0: nothing could be assigned.
#[unsafe(no_mangle)]
unsafe extern "C" fn faust_assignor_assign(
    opaque: *mut c_void,
    members: *const RawMember,
    member_count: usize,
    topics: *const RawTopic,
    topic_count: usize,
    sink: *mut c_void,
) -> c_int {
    // SAFETY: the hooks outlive the client; both arrays are alive for this call, and never NULL.
    let (hooks, members, topics) = unsafe {
        let members = slice::from_raw_parts(members, member_count);
        let topics = slice::from_raw_parts(topics, topic_count);
        (
            &*opaque.cast::<Hooks>(),
            members.iter().map(|member| member.info()).collect::<Vec<_>>(),
            topics.iter().map(|topic| (text(topic.name), topic.partitions)).collect::<Vec<_>>(),
        )
    };
    let assign = || hooks.assignor.assign(&members, &topics);
    let Some(plan) = hooks.guard("assign", assign) else { return 1 };
    match checked(&members, plan) {
        Ok(plan) => {
            for (member, Share { partitions, user_data }) in plan.iter().enumerate() {
                for (topic, partition) in partitions {
                    // SAFETY: the sink is the array of all members, and the index is one of theirs;
                    // the name is copied.
                    unsafe { faust_sink_partition(sink, member, topic.as_ptr(), *partition) };
                }
                // SAFETY: as above; the data is copied.
                unsafe {
                    let data = user_data.as_ptr().cast();
                    faust_sink_member_data(sink, member, data, user_data.len());
                }
            }
            0
        }
        Err(reason) => {
            hooks.fail(reason);
            1
        }
    }
}

/// What one member gets, ready for C.
#[derive(Default)]
struct Share {
    partitions: Vec<(CString, i32)>,
    user_data: Vec<u8>,
}

/// The plan in the order of the members, or why it cannot be carried out. Nothing is written before
/// all of it is good.
fn checked(members: &[MemberInfo], plan: Vec<Assigned>) -> Result<Vec<Share>, String> {
    let mut shares: Vec<Share> = members.iter().map(|_| Share::default()).collect();
    let mut given = HashSet::new();
    for assigned in plan {
        let place = members.iter().position(|member| member.id == assigned.member);
        let Some(share) = place.and_then(|place| shares.get_mut(place)) else {
            return Err(format!("it assigned partitions to {:?}, no member", assigned.member));
        };
        for place in assigned.partitions {
            if !given.insert(place.clone()) {
                return Err(format!("it assigned {place} twice"));
            }
            let topic =
                CString::new(place.topic).map_err(|_| "a topic's name holds a zero byte")?;
            share.partitions.push((topic, place.partition));
        }
        share.user_data = assigned.user_data;
    }
    Ok(shares)
}

/// Runs on every member when it has got its partitions.
#[unsafe(no_mangle)]
unsafe extern "C" fn faust_assignor_assigned(
    opaque: *mut c_void,
    list: *const sys::rd_kafka_topic_partition_list_t,
    user_data: *const c_void,
    user_data_len: usize,
    generation: i32,
) {
    // SAFETY: the hooks outlive the client; list and data are alive for this call.
    let (hooks, list, user_data) =
        unsafe { (&*opaque.cast::<Hooks>(), partitions(list), bytes(user_data, user_data_len)) };
    hooks.generation.store(generation, Ordering::Release);
    hooks.guard("assigned", || hooks.assignor.assigned(&list, user_data, generation));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str) -> MemberInfo {
        MemberInfo { id: id.to_owned(), ..MemberInfo::default() }
    }

    fn gets(member: &str, partitions: &[i32]) -> Assigned {
        let partitions = partitions.iter().map(|n| TopicPartition::new("t", *n)).collect();
        Assigned { member: member.to_owned(), partitions, user_data: b"plan".to_vec() }
    }

    #[test]
    fn a_plan_is_put_in_the_order_of_the_members() {
        let plan = checked(&[member("a"), member("b")], vec![gets("b", &[0, 1])]).unwrap();
        assert_eq!(plan.iter().map(|share| share.partitions.len()).collect::<Vec<_>>(), [0, 2]);
        assert_eq!((plan[0].user_data.len(), plan[1].user_data.len()), (0, 4));
    }

    #[test]
    fn a_plan_that_names_a_stranger_or_a_partition_twice_is_refused() {
        let members = [member("a"), member("b")];
        let stranger = checked(&members, vec![gets("c", &[0])]).err().unwrap();
        assert!(stranger.contains("\"c\""), "{stranger}");
        let twice = checked(&members, vec![gets("a", &[0, 1]), gets("b", &[1])]).err().unwrap();
        assert!(twice.contains("t[1] twice"), "{twice}");
    }
}
