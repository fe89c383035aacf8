//! Consumer groups: who is a member, who reads what, and how far each group has come.
//!
//! A group is *classic* (its members compute the assignment) or of the *consumer* protocol of
//! KIP-848 (the broker does). It becomes one or the other when its first member joins.

pub(crate) mod classic;
pub(crate) mod consumer;
pub(crate) mod offsets;

use std::collections::BTreeMap;
use std::time::Instant;

use kafka_protocol::ResponseError;

use classic::ClassicGroup;
use consumer::ConsumerGroup;
use offsets::Offsets;

/// The members of a group.
#[derive(Debug)]
pub(crate) enum Members {
    Classic(ClassicGroup),
    Consumer(ConsumerGroup),
}

/// One group: its members and its offsets.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) members: Members,
    pub(crate) offsets: Offsets,
}

impl Default for Group {
    fn default() -> Self {
        Self { members: Members::Classic(ClassicGroup::default()), offsets: Offsets::default() }
    }
}

/// Who says so: what a commit carries besides offsets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Committer<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) instance_id: Option<&'a str>,
    /// The generation of a classic group, or the member epoch of a consumer group.
    pub(crate) generation: i32,
    pub(crate) transactional: bool,
}

impl Group {
    pub(crate) fn is_empty(&self) -> bool {
        match &self.members {
            Members::Classic(group) => group.is_empty(),
            Members::Consumer(group) => group.is_empty(),
        }
    }

    /// The classic group, which this one becomes if it has no members.
    pub(crate) fn classic(&mut self) -> Result<&mut ClassicGroup, ResponseError> {
        if matches!(&self.members, Members::Consumer(group) if group.is_empty()) {
            self.members = Members::Classic(ClassicGroup::default());
        }
        match &mut self.members {
            Members::Classic(group) => Ok(group),
            Members::Consumer(_) => Err(ResponseError::InconsistentGroupProtocol),
        }
    }

    /// The consumer group, which this one becomes if it has no members.
    pub(crate) fn consumer(&mut self) -> Result<&mut ConsumerGroup, ResponseError> {
        if matches!(&self.members, Members::Classic(group) if group.is_empty()) {
            self.members = Members::Consumer(ConsumerGroup::default());
        }
        match &mut self.members {
            Members::Consumer(group) => Ok(group),
            Members::Classic(_) => Err(ResponseError::GroupIdNotFound),
        }
    }

    /// Whether this committer may commit now.
    pub(crate) fn check_committer(
        &mut self,
        committer: Committer<'_>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        match &mut self.members {
            Members::Classic(group) => group.check_committer(committer, now),
            Members::Consumer(group) => group.check_committer(committer),
        }
    }
}

/// All groups by id.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    by_id: BTreeMap<String, Group>,
    /// Generations of groups go on from here.
    first_generation: i32,
}

impl Groups {
    /// Lets generations begin above those of earlier lives of the broker, which are not kept: a member that slept
    /// through a restart must not take what it had for the latest word.
    pub(crate) fn in_life(lives: i32) -> Self {
        /// More rebalances than a group has in one life of a development broker.
        const GENERATIONS: i32 = 100_000;
        Self { first_generation: lives.wrapping_mul(GENERATIONS).max(0), ..Self::default() }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Group> {
        self.by_id.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Group> {
        self.by_id.get_mut(id)
    }

    pub(crate) fn get_or_create(&mut self, id: &str) -> &mut Group {
        let first_generation = self.first_generation;
        self.by_id.entry(id.to_owned()).or_insert_with(|| {
            let mut group = Group::default();
            if let Members::Classic(members) = &mut group.members {
                members.generation = first_generation;
            }
            group
        })
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.by_id.remove(id);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Group)> {
        self.by_id.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut Group)> {
        self.by_id.iter_mut()
    }
}
