//! Who gets which partition: the application's part.

use crate::TopicPartition;

/// Distributes the partitions of a group, and carries data between its members.
///
/// All methods run on the client's own thread, and heartbeats wait for them: they return soon and
/// call no client. A panic is caught: the group then keeps what it has and tries again, and the
/// member reports [`Error::Assignor`](crate::Error::Assignor).
///
/// ```
/// # use faust_kafka::{Assigned, Assignor, MemberInfo, TopicPartition};
/// /// Gives everything to the member that is first by name.
/// struct First;
///
/// impl Assignor for First {
///     fn user_data(&self, _owned: &[TopicPartition]) -> Vec<u8> {
///         b"http://this-worker:6066".to_vec()
///     }
///
///     fn assign(&self, members: &[MemberInfo], topics: &[(String, i32)]) -> Vec<Assigned> {
///         let Some(first) = members.iter().min_by_key(|member| &member.id) else { return Vec::new() };
///         let all = topics.iter().flat_map(|(topic, partitions)| {
///             (0..*partitions).map(move |partition| TopicPartition::new(topic, partition))
///         });
///         // What another member still owns is withheld until it has given it up.
///         let others: Vec<_> = members.iter().filter(|m| m.id != first.id).flat_map(|m| &m.owned).collect();
///         let partitions = all.filter(|partition| !others.contains(&partition)).collect();
///         vec![Assigned { member: first.id.clone(), partitions, user_data: Vec::new() }]
///     }
///
///     fn assigned(&self, partitions: &[TopicPartition], _user_data: &[u8], generation: i32) {
///         println!("generation {generation}: {partitions:?}");
///     }
/// }
/// ```
pub trait Assignor: Send + Sync {
    /// The name under which the members agree on this assignor.
    fn name(&self) -> &str {
        "faust"
    }

    /// What this member tells the one who assigns; asked at each join. `owned` is what it has now.
    fn user_data(&self, owned: &[TopicPartition]) -> Vec<u8>;

    /// Who gets what; runs on one member (the leader) at each rebalance.
    ///
    /// The lists are final. A partition that moves must be given to nobody as long as another
    /// member owns it: that one gives it up, joins again, and this is asked anew. Members that are
    /// left out get nothing. `topics` are those that exist and that a member reads, with their
    /// partition counts.
    fn assign(&self, members: &[MemberInfo], topics: &[(String, i32)]) -> Vec<Assigned>;

    /// What this member got: all its partitions, and what the leader told it. It comes before the
    /// events.
    fn assigned(&self, partitions: &[TopicPartition], user_data: &[u8], generation: i32);
}

/// A member of the group, as the leader sees it.
#[derive(Debug, Clone, Default)]
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
    /// The generation in which it got them, -1 if in none: of two that claim the same partition the
    /// higher one is right, the other was away for a while.
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
