//! Membership of a consumer group, without fetching anything.

mod assignor;
mod metadata;
mod shim;

pub use assignor::{Assigned, Assignor, MemberInfo};
pub use metadata::GroupMetadata;

use std::{
    ffi::c_int,
    fmt,
    mem::ManuallyDrop,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::Ordering,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use rdkafka_sys as sys;

use crate::{
    Code, Config, Error, Result, TopicPartition,
    client::RawClient,
    config::Role,
    native::{Event, NativeError, Partitions, entries},
};

use self::shim::Hooks;

unsafe extern "C" {
    fn faust_subscribe(
        rk: *mut sys::rd_kafka_t,
        topics: *const sys::rd_kafka_topic_partition_list_t,
    ) -> c_int;
    fn faust_assign(
        rk: *mut sys::rd_kafka_t,
        partitions: *const sys::rd_kafka_topic_partition_list_t,
    ) -> c_int;
}

/// A member of a consumer group that is never assigned a partition: it only learns which ones are
/// its own.
///
/// librdkafka stops a client's whole fetching, and throws away what it has fetched, as long as a
/// rebalance is not answered. So who is a member does not fetch (a [`Reader`](crate::Reader) does),
/// and a revocation can be answered when the tasks of its partitions have handed over, seconds
/// later, while all others go on.
///
/// One thread polls it, without pauses longer than `max.poll.interval.ms`; the other calls come
/// from any thread. **Every [`MemberEvent::Assigned`] and [`MemberEvent::Revoked`] must be
/// [answered](Self::answer)**, those with empty lists too: the group waits until then. An
/// assignment is answered at once.
///
/// Dropped without [`leave`](Self::leave), it is gone as if the process had died: others get its
/// partitions when its session times out, unless a static member of its name comes back before.
/// Either way it ends a client, which blocks for some milliseconds, and for a second at the most.
///
/// ```no_run
/// # use std::{sync::Arc, time::Duration};
/// # use faust_kafka::{Assignor, Config, Member, MemberEvent, Strategy};
/// # fn example(assignor: Arc<dyn Assignor>) -> Result<(), faust_kafka::Error> {
/// let config = Config::new("localhost:9092");
/// let member = Member::new(&config, "my-app", Some("worker-0"), &["words"], Strategy::Assignor(assignor))?;
/// for _ in 0..100 {
///     match member.poll(Duration::from_millis(100)) {
///         Some(MemberEvent::Assigned(partitions)) => {
///             println!("ours: {partitions:?}");
///             member.answer()?;
///         }
///         Some(MemberEvent::Revoked { partitions, lost }) => {
///             println!("finish and commit {partitions:?}, unless {lost}");
///             member.answer()?;
///         }
///         Some(MemberEvent::Error(error)) => eprintln!("{error}"),
///         _ => {}
///     }
/// }
/// member.leave(Duration::from_secs(5))
/// # }
/// ```
pub struct Member {
    client: Ending,
    group: String,
    topics: Partitions,
    /// What the callbacks of our own assignor share with us; none with `range`.
    hooks: Option<Arc<Hooks>>,
    /// The rebalance that waits for an answer.
    unanswered: Mutex<Option<Rebalance>>,
    /// The id that the member had at its last answer, empty if none: what it owns, it owns under this one. None while
    /// it owns nothing.
    place: Mutex<Option<String>>,
    /// What comes after [`MemberEvent::Expelled`].
    next: Mutex<Option<(Rebalance, MemberEvent)>>,
}

// SAFETY: the subscription is not changed after it was made; all else is Send and Sync.
unsafe impl Send for Member {}
// SAFETY: as above.
unsafe impl Sync for Member {}

/// A client that ends on a thread of its own: librdkafka waits until it is out of the group, which is for ever when that
/// went wrong at some moments of a rebalance.
struct Ending(ManuallyDrop<RawClient>);

/// So long it is waited for.
const END: Duration = Duration::from_secs(1);

impl Deref for Ending {
    type Target = RawClient;

    fn deref(&self) -> &RawClient {
        &self.0
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // SAFETY: taken once, and not used again.
        let client = unsafe { ManuallyDrop::take(&mut self.0) };
        let (ended, has_ended) = mpsc::channel();
        let end = move || {
            drop(client);
            let _ = ended.send(());
        };
        // Without a thread the closure is dropped here, and the client with it.
        if thread::Builder::new().name("kafka-end".to_owned()).spawn(end).is_ok()
            && has_ended.recv_timeout(END) == Err(RecvTimeoutError::Timeout)
        {
            tracing::warn!("a client does not get out of its group: it ends with the process");
        }
    }
}

/// How partitions are distributed in the group. All members must use the same.
#[derive(Clone)]
pub enum Strategy {
    /// By an assignor of the application: cooperative, with user data in both directions.
    Assignor(Arc<dyn Assignor>),
    /// By Kafka's `range`: co-partitioned, but every rebalance revokes everything first.
    Range,
}

/// What a member learns.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum MemberEvent {
    /// These partitions are ours from now on, in addition to those we have. To be answered.
    Assigned(Vec<TopicPartition>),
    /// These partitions are not ours any more. To be answered.
    Revoked {
        /// The partitions.
        partitions: Vec<TopicPartition>,
        /// Whether others may have them already, so that nothing of them can be committed any more.
        lost: bool,
    },
    /// The group had put the member out and took it in anew: others may have had everything that is ours, and nothing
    /// that was done before can be committed. What is ours still or again follows. Not to be answered.
    ///
    /// librdkafka calls nothing lost when it learns this by joining, as one does who was frozen while a rebalance was
    /// under way.
    Expelled,
    /// The group does not work as it should (the handler of [`Config::on_event`] hears of it too).
    /// The member goes on by itself, except after [`Error::Fatal`].
    Error(Error),
}

/// What stands for a partition's number where only topics count.
const NO_PARTITION: i32 = -1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rebalance {
    Assign,
    Revoke,
}

impl Member {
    /// Joins a group for these topics; a name that begins with `^` is a regular expression. With an
    /// `instance` it is a static member: one that comes back under the same name takes its place
    /// without a rebalance.
    pub fn new(
        config: &Config,
        group: &str,
        instance: Option<&str>,
        topics: &[&str],
        strategy: Strategy,
    ) -> Result<Self> {
        let config = match &strategy {
            // Overwritten below; it only has to be cooperative until then.
            Strategy::Assignor(_) => {
                config.clone().set("partition.assignment.strategy", "cooperative-sticky")
            }
            Strategy::Range => config.clone().set("partition.assignment.strategy", "range"),
        };
        let hooks = match strategy {
            Strategy::Assignor(assignor) => Some(Arc::new(Hooks::new(assignor))),
            Strategy::Range => None,
        };
        let mut list = Partitions::new();
        for topic in topics {
            list.add(topic, NO_PARTITION, 0, None)?;
        }
        let role = Role::Member { group, instance };
        let client = RawClient::start(&config, &role, |_| (), Box::new(hooks.clone()))?;
        if let Some(hooks) = &hooks {
            // SAFETY: not subscribed yet; the client's callbacks hold the hooks, and go after it.
            unsafe { hooks.install(client.ptr())? };
        }
        let group = group.to_owned();
        let (unanswered, place, next) = Default::default();
        let client = Ending(ManuallyDrop::new(client));
        let member = Self { client, group, topics: list, hooks, unanswered, place, next };
        member.subscribe()?;
        Ok(member)
    }

    fn subscribe(&self) -> Result<()> {
        // SAFETY: client and list are alive.
        let code = Code(unsafe { faust_subscribe(self.client.ptr(), self.topics.ptr()) });
        self.checked(code, "joining the group")
    }

    /// The next event, waiting for it at most `timeout`. Blocks.
    pub fn poll(&self, timeout: Duration) -> Option<MemberEvent> {
        if let Some((rebalance, event)) = locked(&self.next).take() {
            *locked(&self.unanswered) = Some(rebalance);
            return Some(event);
        }
        if let Some(hooks) = &self.hooks {
            hooks.rejoin_if_wanted(self.client.ptr());
            let failed = hooks.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(error) = failed {
                return Some(MemberEvent::Error(error));
            }
        }
        let event = self.client.main.poll(timeout)?;
        match event.kind() {
            sys::RD_KAFKA_EVENT_REBALANCE => self.rebalance(&event),
            _ => self.client.report(&event).map(MemberEvent::Error),
        }
    }

    /// Makes a [`poll`](Self::poll) that waits return, with nothing.
    pub fn wake(&self) {
        self.client.main.wake();
    }

    fn rebalance(&self, event: &Event) -> Option<MemberEvent> {
        // SAFETY: the event is alive, and so is its list.
        let partitions = unsafe { entries(sys::rd_kafka_event_topic_partition_list(event.ptr())) };
        let partitions = partitions.into_iter().map(|entry| entry.partition).collect();
        let (rebalance, event) = match event.code() {
            Code::ASSIGN_PARTITIONS => (Rebalance::Assign, MemberEvent::Assigned(partitions)),
            // Everything that is not an assignment is a revocation, and must be answered too.
            _ => {
                // SAFETY: the client is alive.
                let lost = unsafe { sys::rd_kafka_assignment_lost(self.client.ptr()) } != 0;
                (Rebalance::Revoke, MemberEvent::Revoked { partitions, lost })
            }
        };
        let mut place = locked(&self.place);
        if matches!(event, MemberEvent::Revoked { lost: true, .. }) {
            *place = None;
        } else if let (Some(then), Some(now)) = (&*place, self.metadata())
            && then != now.member()
        {
            *place = None;
            *locked(&self.next) = Some((rebalance, event));
            return Some(MemberEvent::Expelled);
        }
        *locked(&self.unanswered) = Some(rebalance);
        Some(event)
    }

    /// Answers the last `Assigned` or `Revoked`; does nothing if there is none to answer.
    ///
    /// The answer is always empty: what the member owns follows from the group's assignment, not
    /// from it.
    pub fn answer(&self) -> Result<()> {
        let Some(rebalance) = locked(&self.unanswered).take() else { return Ok(()) };
        if rebalance == Rebalance::Assign {
            let id = self.metadata().map(|now| now.member().to_owned());
            // Without an id it may have been put out since: then any id that comes is another one.
            *locked(&self.place) = Some(id.unwrap_or_default());
        }
        let (rk, none) = (self.client.ptr(), Partitions::new());
        // SAFETY: client and list are alive.
        let answered = unsafe {
            match (rebalance, self.hooks.is_some()) {
                (Rebalance::Assign, true) => {
                    NativeError::take(sys::rd_kafka_incremental_assign(rk, none.ptr()))
                }
                (Rebalance::Revoke, true) => {
                    NativeError::take(sys::rd_kafka_incremental_unassign(rk, none.ptr()))
                }
                // `range` revokes everything first: its answers are not lists to add or to take
                // away.
                (Rebalance::Assign, false) => {
                    let code = Code(faust_assign(rk, none.ptr()));
                    return self.checked(code, "answering an assignment");
                }
                (Rebalance::Revoke, false) => {
                    let code = Code(faust_assign(rk, std::ptr::null()));
                    return self.checked(code, "answering a revocation");
                }
            }
        };
        answered.map_err(|error| error.about("answering a rebalance"))
    }

    /// The place in the group that vouches for a commit; [`Error::NotJoined`] without one, or with one that is so new
    /// that its first rebalance is not answered.
    ///
    /// Take it right before it is used: it asks the client's own thread, not a broker.
    pub fn group_metadata(&self) -> Result<GroupMetadata> {
        let place = locked(&self.place);
        self.metadata()
            .filter(|now| place.as_deref() == Some(now.member()))
            .ok_or_else(|| Error::NotJoined { group: self.group.clone() })
    }

    fn metadata(&self) -> Option<GroupMetadata> {
        // SAFETY: the client is alive; what comes back is ours, if it is not NULL.
        let metadata = unsafe {
            let metadata = sys::rd_kafka_consumer_group_metadata(self.client.ptr());
            (!metadata.is_null()).then(|| GroupMetadata::own(metadata))
        };
        // Without a place librdkafka returns generation -1 and no member, which the brokers take
        // for a commit of a group without members, and do not check.
        metadata.filter(GroupMetadata::joined)
    }

    /// Joins again, so that the user data of all members is exchanged anew. A rebalance that is
    /// under way is finished first; the next polls see to that.
    pub fn rejoin(&self) -> Result<()> {
        match &self.hooks {
            Some(hooks) => {
                hooks.rejoin.store(true, Ordering::Release);
                hooks.rejoin_if_wanted(self.client.ptr());
                Ok(())
            }
            // Where everything is revoked first, subscribing anew is a rejoin.
            None => self.subscribe(),
        }
    }

    /// Leaves the group, answering what is still to be answered, so that others get the partitions
    /// at once; a static member too. Blocks, at the longest for `timeout`. Finish and commit
    /// before.
    pub fn leave(&self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        let late = || Error::TimedOut { what: format!("leaving {}", self.group), after: timeout };
        // A static member does not leave when it is closed, only when it unsubscribes; so that
        // comes first, and the leaving is sent (the member's id is gone then) before the close.
        // SAFETY: the client is alive.
        unsafe { sys::rd_kafka_unsubscribe(self.client.ptr()) };
        self.answer()?;
        while self.metadata().is_some() {
            self.serve_until(deadline).ok_or_else(late)?;
        }
        let queue = &self.client.main;
        // SAFETY: client and queue are alive.
        unsafe {
            NativeError::take(sys::rd_kafka_consumer_close_queue(self.client.ptr(), queue.ptr()))
                .map_err(|error| error.about(format!("leaving {}", self.group)))?;
        }
        // SAFETY: the client is alive.
        while unsafe { sys::rd_kafka_consumer_closed(self.client.ptr()) } == 0 {
            self.serve_until(deadline).ok_or_else(late)?;
        }
        Ok(())
    }

    /// Answers whatever comes next; none when it is too late.
    fn serve_until(&self, deadline: Instant) -> Option<()> {
        let left = deadline.checked_duration_since(Instant::now())?;
        self.poll(left.min(Duration::from_millis(20)));
        if let Err(error) = self.answer() {
            tracing::warn!("{error}");
        }
        Some(())
    }

    fn checked(&self, code: Code, what: &str) -> Result<()> {
        match code {
            Code::NONE => Ok(()),
            Code::FATAL => {
                let (code, text) = crate::log::fatal_of(self.client.ptr());
                Err(Error::Fatal { code, text })
            }
            code => Err(Error::Request {
                what: format!("{what} {}", self.group),
                code,
                text: code.text(),
            }),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("group", &self.group).finish_non_exhaustive()
    }
}

impl fmt::Debug for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Assignor(assignor) => write!(f, "Assignor({:?})", assignor.name()),
            Self::Range => f.write_str("Range"),
        }
    }
}
