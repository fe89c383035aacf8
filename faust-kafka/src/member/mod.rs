//! Membership of a consumer group.

use std::{sync::Arc, time::Duration};

use crate::{Config, Error, Result, TopicPartition};

/// A member of a consumer group that is never assigned a partition: it only learns which ones are its own.
///
/// One thread polls it, without pauses longer than `max.poll.interval.ms`; all other calls come from anywhere.
/// **Every [`MemberEvent::Assigned`] and [`MemberEvent::Revoked`] must be answered**, those with empty lists too, and
/// the group waits until it is: an assignment at once, a revocation when the tasks of its partitions have handed over.
/// Dropped without [`leave`](Self::leave), it vanishes as if the process had died.
#[derive(Debug)]
pub struct Member {}

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
    /// The group does not work as it should. The member goes on by itself, except after [`Error::Fatal`].
    Error(Error),
}

impl Member {
    /// Joins a group for these topics; a name that begins with `^` is a regular expression.
    ///
    /// A static member is one with a `group.instance.id` in `config`.
    pub fn new(config: &Config, group: &str, topics: &[&str], strategy: Strategy) -> Result<Self> {
        let _ = (config, group, topics, strategy);
        todo!()
    }

    /// The next event, waiting for it at most `timeout`. Blocks.
    pub fn poll(&self, timeout: Duration) -> Option<MemberEvent> {
        let _ = timeout;
        todo!()
    }

    /// Answers the last `Assigned` or `Revoked`; does nothing if there is none to answer.
    pub fn answer(&self) -> Result<()> {
        todo!()
    }

    /// The place in the group that vouches for a commit; [`Error::NotJoined`] without one.
    pub fn group_metadata(&self) -> Result<GroupMetadata> {
        todo!()
    }

    /// Joins again, so that the user data of all members is exchanged anew. Takes effect when a rebalance that is
    /// under way is through.
    pub fn rejoin(&self) -> Result<()> {
        todo!()
    }

    /// Leaves the group, answering what is still to be answered, so that others get the partitions at once; a static
    /// member too. Blocks. Commit before.
    pub fn leave(&self, timeout: Duration) -> Result<()> {
        let _ = timeout;
        todo!()
    }
}

/// A member's place in its group: group, generation, member and instance.
#[derive(Debug)]
pub struct GroupMetadata {}

impl GroupMetadata {
    /// The group.
    pub fn group(&self) -> &str {
        todo!()
    }
    /// The generation.
    pub fn generation(&self) -> i32 {
        todo!()
    }
    /// The member's id.
    pub fn member(&self) -> &str {
        todo!()
    }
    /// The static member's name.
    pub fn instance(&self) -> Option<&str> {
        todo!()
    }
}

/// Distributes the partitions of a group, and carries data between its members.
///
/// All methods run on the client's own thread, heartbeats wait for them: they must return soon and call no client.
pub trait Assignor: Send + Sync {
    /// The name under which the members agree on this assignor.
    fn name(&self) -> &str {
        "faust"
    }

    /// What this member tells the one who assigns; asked at each join. `owned` is what it has now.
    fn user_data(&self, owned: &[TopicPartition]) -> Vec<u8>;

    /// Who gets what; runs on one member (the leader) at each rebalance.
    ///
    /// The lists are final: a partition that moves must be withheld from its new owner as long as another member
    /// owns it; that one joins again once it has given it up, and this is asked anew. Members that are left out get
    /// nothing. `topics` are those that exist, with their partition counts.
    fn assign(&self, members: &[MemberInfo], topics: &[(String, i32)]) -> Vec<Assigned>;

    /// What this member got: all its partitions, and what the leader told it.
    fn assigned(&self, partitions: &[TopicPartition], user_data: &[u8], generation: i32);
}

/// A member of the group, as the leader sees it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MemberInfo {
    /// Its id.
    pub id: String,
    /// Its name, if it is a static member.
    pub instance: Option<String>,
    /// The topics that it reads.
    pub topics: Vec<String>,
    /// The partitions that it says it owns.
    pub owned: Vec<TopicPartition>,
    /// The generation in which it got them (of two that claim the same partition the higher one is right).
    pub generation: i32,
    /// What [`Assignor::user_data`] returned there.
    pub user_data: Vec<u8>,
}

/// What a member gets.
#[derive(Debug, Clone)]
pub struct Assigned {
    /// The member's id.
    pub member: String,
    /// Its partitions.
    pub partitions: Vec<TopicPartition>,
    /// What [`Assignor::assigned`] is told there.
    pub user_data: Vec<u8>,
}
