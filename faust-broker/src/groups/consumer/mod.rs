//! A group of the consumer protocol (KIP-848): the broker assigns, and each member moves towards
//! its part one heartbeat at a time: first it gives up what others shall have, then it gets what
//! others have given up.

mod assignor;
mod member;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use uuid::Uuid;

use super::Committer;
use crate::topics::Topics;
pub(crate) use assignor::Assignor;
use member::Member;

/// How often members shall say that they are alive.
pub(crate) const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(500);
/// A member that is silent for so long is removed.
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

/// The epoch with which a member joins.
const JOIN: i32 = 0;
/// The epoch with which a member leaves for good.
const LEAVE: i32 = -1;
/// The epoch with which a static member leaves, to come back.
const LEAVE_FOR_A_WHILE: i32 = -2;

/// Partitions by topic id.
pub(crate) type Partitions = BTreeSet<(Uuid, i32)>;

/// What a member says. `None` means: as before.
#[derive(Debug, Default)]
pub(crate) struct Heartbeat {
    pub(crate) member_id: String,
    pub(crate) member_epoch: i32,
    pub(crate) instance_id: Option<String>,
    pub(crate) rebalance_timeout: Option<Duration>,
    pub(crate) topics: Option<Vec<String>>,
    pub(crate) regex: Option<String>,
    pub(crate) assignor: Option<Assignor>,
    pub(crate) owned: Option<Partitions>,
}

/// What a member is told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) member_id: String,
    pub(crate) member_epoch: i32,
    /// Its partitions, when they are new to it.
    pub(crate) assignment: Option<Partitions>,
}

/// One group of the consumer protocol.
#[derive(Debug, Default)]
pub(crate) struct ConsumerGroup {
    /// Counts the changes of members, subscriptions and topics.
    pub(crate) epoch: i32,
    /// The partitions of all subscribed topics, as of the last assignment.
    known: Partitions,
    pub(crate) members: BTreeMap<String, Member>,
}

impl ConsumerGroup {
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Kafka's name for where the group is.
    pub(crate) fn state(&self) -> &'static str {
        match self.members.values().all(|member| member.is_settled(self.epoch)) {
            _ if self.members.is_empty() => "Empty",
            true => "Stable",
            false => "Reconciling",
        }
    }

    /// A member reports, and is told where it stands.
    pub(crate) fn heartbeat(
        &mut self,
        mut heartbeat: Heartbeat,
        topics: &Topics,
        now: Instant,
    ) -> Result<Told, ResponseError> {
        match heartbeat.member_epoch {
            LEAVE => return self.leave(&heartbeat, topics),
            LEAVE_FOR_A_WHILE => return self.leave_for_a_while(&heartbeat, now),
            JOIN => self.admit(&mut heartbeat, now)?,
            _ => self.check_member(&heartbeat)?,
        }
        let is_full = heartbeat.member_epoch == JOIN
            || heartbeat.owned.is_some() && heartbeat.topics.is_some();
        let member =
            self.members.get_mut(&heartbeat.member_id).ok_or(ResponseError::UnknownMemberId)?;
        member.expires = now + SESSION_TIMEOUT;
        let changed = member.hear(&heartbeat)?;
        let before = member.assigned.clone();
        if changed || heartbeat.member_epoch == JOIN || self.partitions(topics) != self.known {
            self.assign(topics);
        }
        let taken = self.taken_from(&heartbeat.member_id);
        let epoch = self.epoch;
        let member =
            self.members.get_mut(&heartbeat.member_id).ok_or(ResponseError::UnknownMemberId)?;
        member.reconcile(heartbeat.owned.as_ref(), &taken, epoch, now);
        let is_news = is_full || member.assigned != before;
        Ok(Told {
            member_id: heartbeat.member_id,
            member_epoch: member.epoch,
            assignment: is_news.then(|| member.assigned.clone()),
        })
    }

    /// Removes members that are silent, or that keep what they were asked to give up.
    pub(crate) fn expire(&mut self, topics: &Topics, now: Instant) {
        let members = self.members.len();
        self.members.retain(|id, member| {
            let stays = !member.has_expired(now);
            if !stays {
                tracing::info!(member = id, "a member's session is over");
            }
            stays
        });
        if self.members.len() < members {
            self.assign(topics);
        }
    }

    /// Whether a commit comes from a member in its current epoch.
    pub(crate) fn check_committer(&self, committer: Committer<'_>) -> Result<(), ResponseError> {
        if committer.generation < 0 && (self.members.is_empty() || committer.transactional) {
            return Ok(());
        }
        let member = self.members.get(committer.member_id).ok_or(ResponseError::UnknownMemberId)?;
        match committer.generation == member.epoch {
            true => Ok(()),
            false if committer.transactional => Err(ResponseError::IllegalGeneration),
            false => Err(ResponseError::StaleMemberEpoch),
        }
    }

    /// Lets a member in, new or known.
    fn admit(&mut self, heartbeat: &mut Heartbeat, now: Instant) -> Result<(), ResponseError> {
        if heartbeat.member_id.is_empty() {
            heartbeat.member_id = Uuid::new_v4().to_string();
        }
        if heartbeat.topics.is_none() && heartbeat.regex.is_none() {
            return Err(ResponseError::InvalidRequest);
        }
        let of_instance =
            heartbeat.instance_id.as_deref().and_then(|instance| self.member_of_instance(instance));
        let member = match of_instance {
            Some(id) if id == heartbeat.member_id => self.members.remove(&id),
            Some(id) => match self.members.remove(&id) {
                // The former process said that it would be back: this is its successor.
                Some(member) if member.epoch == LEAVE_FOR_A_WHILE => Some(member),
                Some(member) => {
                    self.members.insert(id, member);
                    return Err(ResponseError::UnreleasedInstanceId);
                }
                None => None,
            },
            None => self.members.remove(&heartbeat.member_id),
        };
        let mut member = member.unwrap_or_else(|| Member::new(heartbeat, now + SESSION_TIMEOUT));
        member.join();
        self.members.insert(heartbeat.member_id.clone(), member);
        Ok(())
    }

    fn check_member(&self, heartbeat: &Heartbeat) -> Result<(), ResponseError> {
        let member = self.members.get(&heartbeat.member_id);
        if let Some(instance) = &heartbeat.instance_id
            && let Some(id) = self.member_of_instance(instance)
            && id != heartbeat.member_id
        {
            return Err(ResponseError::FencedInstanceId);
        }
        let member = member.ok_or(ResponseError::UnknownMemberId)?;
        let current = heartbeat.member_epoch == member.epoch;
        // The answer that carried the new epoch may have been lost.
        let lost_answer = heartbeat.member_epoch == member.previous_epoch
            && heartbeat.owned.as_ref().is_some_and(|owned| owned.is_subset(&member.assigned));
        (current || lost_answer).then_some(()).ok_or(ResponseError::FencedMemberEpoch)
    }

    fn leave(&mut self, heartbeat: &Heartbeat, topics: &Topics) -> Result<Told, ResponseError> {
        self.members.remove(&heartbeat.member_id).ok_or(ResponseError::UnknownMemberId)?;
        self.assign(topics);
        Ok(Told { member_id: heartbeat.member_id.clone(), member_epoch: LEAVE, assignment: None })
    }

    fn leave_for_a_while(
        &mut self,
        heartbeat: &Heartbeat,
        now: Instant,
    ) -> Result<Told, ResponseError> {
        let member =
            self.members.get_mut(&heartbeat.member_id).ok_or(ResponseError::UnknownMemberId)?;
        member.epoch = LEAVE_FOR_A_WHILE;
        member.expires = now + SESSION_TIMEOUT;
        let member_id = heartbeat.member_id.clone();
        Ok(Told { member_id, member_epoch: LEAVE_FOR_A_WHILE, assignment: None })
    }

    /// Begins an epoch: every member gets a target.
    fn assign(&mut self, topics: &Topics) {
        self.epoch += 1;
        self.known = self.partitions(topics);
        let ranges =
            self.members.values().filter(|member| member.assignor == Some(Assignor::Range)).count();
        let assignor =
            if ranges * 2 > self.members.len() { Assignor::Range } else { Assignor::Uniform };
        let wishes = self
            .members
            .iter()
            .map(|(id, member)| {
                (id.clone(), member.subscription.partitions(topics), member.target.clone())
            })
            .collect();
        for (id, target) in assignor.assign(wishes) {
            if let Some(member) = self.members.get_mut(&id) {
                member.target = target;
            }
        }
    }

    /// The partitions of every topic that some member subscribes to.
    fn partitions(&self, topics: &Topics) -> Partitions {
        self.members.values().flat_map(|member| member.subscription.partitions(topics)).collect()
    }

    /// The partitions that other members have not given up yet.
    fn taken_from(&self, id: &str) -> Partitions {
        let others = self.members.iter().filter(|(other, _)| *other != id);
        others.flat_map(|(_, member)| member.assigned.union(&member.revoking)).copied().collect()
    }

    fn member_of_instance(&self, instance: &str) -> Option<String> {
        let of_instance = |member: &Member| member.instance_id.as_deref() == Some(instance);
        self.members.iter().find(|(_, member)| of_instance(member)).map(|(id, _)| id.clone())
    }
}
