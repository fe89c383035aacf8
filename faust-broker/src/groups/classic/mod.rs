//! A classic group: members join, one of them is the leader and assigns, all get their part.
//!
//! ```text
//! Empty ─► PreparingRebalance ─► CompletingRebalance ─► Stable
//!             members join         the leader assigns     │
//!             ▲────────────── a member comes, goes, changes
//! ```

mod join;
pub(crate) mod member;

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::Committer;
use member::{Member, Refused, SyncAnswer, Synced};

/// Where a group is between two assignments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Empty,
    /// Members have until the deadline to join again.
    PreparingRebalance {
        deadline: Instant,
    },
    /// The leader has until the deadline to assign.
    CompletingRebalance {
        deadline: Instant,
    },
    Stable,
}

/// One classic group.
#[derive(Debug, Default)]
pub(crate) struct ClassicGroup {
    phase: Phase,
    pub(crate) generation: i32,
    pub(crate) protocol_type: String,
    /// The assignor that all members share.
    pub(crate) protocol: String,
    leader: String,
    /// In the order in which they joined.
    pub(crate) members: Vec<Member>,
    /// Ids that were handed out and not used yet, and until when they are kept.
    promised: HashMap<String, Instant>,
}

/// Who leaves: by its id, or a static member by its instance alone.
#[derive(Debug)]
pub(crate) struct Leave<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) instance_id: Option<&'a str>,
}

impl ClassicGroup {
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.promised.is_empty()
    }

    /// Kafka's name for the phase.
    pub(crate) fn state(&self) -> &'static str {
        match self.phase {
            Phase::Empty => "Empty",
            Phase::PreparingRebalance { .. } => "PreparingRebalance",
            Phase::CompletingRebalance { .. } => "CompletingRebalance",
            Phase::Stable => "Stable",
        }
    }

    /// A member wants its part of the assignment; the leader brings everyone's.
    pub(crate) fn sync(
        &mut self,
        committer: Committer<'_>,
        protocol: (Option<&str>, Option<&str>),
        assignments: Vec<(String, Bytes)>,
        now: Instant,
    ) -> Receiver<SyncAnswer> {
        let (answer, receiver) = channel();
        let (protocol_type, protocol_name) = protocol;
        let agrees = protocol_type.is_none_or(|name| name == self.protocol_type)
            && protocol_name.is_none_or(|name| name == self.protocol);
        let unknown = self.check_member(committer);
        let checked = match self.phase {
            _ if unknown.is_err() => unknown,
            Phase::Empty => Err(ResponseError::UnknownMemberId),
            _ if committer.generation != self.generation => Err(ResponseError::IllegalGeneration),
            _ if !agrees => Err(ResponseError::InconsistentGroupProtocol),
            Phase::PreparingRebalance { .. } => Err(ResponseError::RebalanceInProgress),
            Phase::CompletingRebalance { .. } | Phase::Stable => Ok(()),
        };
        let is_leader = committer.member_id == self.leader;
        match (checked, self.member_mut(committer.member_id)) {
            (Ok(()), Some(member)) => {
                member.touch(now);
                member.answer_sync(Err(ResponseError::RebalanceInProgress));
                member.syncing = Some(answer);
            }
            (Err(error), _) => {
                let _ = answer.send(Err(error));
                return receiver;
            }
            (Ok(()), None) => {
                let _ = answer.send(Err(ResponseError::UnknownMemberId));
                return receiver;
            }
        }
        if is_leader && matches!(self.phase, Phase::CompletingRebalance { .. }) {
            self.members.iter_mut().for_each(|member| member.assignment = Bytes::new());
            for (id, assignment) in assignments {
                if let Some(member) = self.member_mut(&id) {
                    member.assignment = assignment;
                }
            }
            self.phase = Phase::Stable;
        }
        if self.phase == Phase::Stable {
            self.hand_out(now);
        }
        receiver
    }

    /// A member says that it is alive.
    pub(crate) fn heartbeat(
        &mut self,
        committer: Committer<'_>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        self.check_member(committer)?;
        if committer.generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        if let Some(member) = self.member_mut(committer.member_id) {
            member.touch(now);
        }
        match self.phase {
            Phase::PreparingRebalance { .. } => Err(ResponseError::RebalanceInProgress),
            Phase::Empty => Err(ResponseError::UnknownMemberId),
            Phase::CompletingRebalance { .. } | Phase::Stable => Ok(()),
        }
    }

    /// A member goes for good.
    pub(crate) fn leave(&mut self, leave: &Leave<'_>, now: Instant) -> Result<(), ResponseError> {
        if self.promised.remove(leave.member_id).is_some() {
            self.try_complete_join(now);
            return Ok(());
        }
        let of_instance = leave.instance_id.map(|instance| self.member_of_instance(instance));
        let member = match of_instance {
            // A static member may be told to leave by its instance alone.
            Some(Some(id)) if leave.member_id.is_empty() || id == leave.member_id => id,
            Some(Some(_)) => return Err(ResponseError::FencedInstanceId),
            Some(None) => return Err(ResponseError::UnknownMemberId),
            None => leave.member_id.to_owned(),
        };
        self.remove(&member, ResponseError::UnknownMemberId, now)
    }

    /// Removes members whose session or turn is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        let promised = self.promised.len();
        self.promised.retain(|_, until| *until > now);
        if self.promised.len() < promised {
            self.try_complete_join(now);
        }
        let is_late = |member: &&Member| match self.phase {
            Phase::CompletingRebalance { deadline } => deadline <= now && member.syncing.is_none(),
            _ => false,
        };
        let gone: Vec<String> = self
            .members
            .iter()
            .filter(|member| member.has_expired(now) || is_late(member))
            .map(|member| member.id.clone())
            .collect();
        for id in gone {
            tracing::info!(member = id, "a member's session is over");
            let _ = self.remove(&id, ResponseError::UnknownMemberId, now);
        }
        if matches!(self.phase, Phase::PreparingRebalance { deadline } if deadline <= now) {
            self.complete_join(now);
        }
    }

    /// Whether a commit comes from a member of this generation.
    pub(crate) fn check_committer(
        &mut self,
        committer: Committer<'_>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let is_member = committer.generation >= 0
            || !committer.member_id.is_empty()
            || committer.instance_id.is_some();
        // Without membership: a simple consumer, or a producer too old to say for whom it commits.
        if committer.generation < 0 && self.phase == Phase::Empty {
            return Ok(());
        }
        if !is_member {
            return if committer.transactional {
                Ok(())
            } else {
                Err(ResponseError::UnknownMemberId)
            };
        }
        self.check_member(committer)?;
        if committer.generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        if let Some(member) = self.member_mut(committer.member_id) {
            member.touch(now);
        }
        let completing = matches!(self.phase, Phase::CompletingRebalance { .. });
        if completing && !committer.transactional {
            return Err(ResponseError::RebalanceInProgress);
        }
        Ok(())
    }

    fn check_member(&self, committer: Committer<'_>) -> Result<(), ResponseError> {
        if let Some(instance) = committer.instance_id {
            return match self.member_of_instance(instance) {
                Some(id) if id == committer.member_id => Ok(()),
                Some(_) => Err(ResponseError::FencedInstanceId),
                None => Err(ResponseError::UnknownMemberId),
            };
        }
        let known = self.members.iter().any(|member| member.id == committer.member_id);
        known.then_some(()).ok_or(ResponseError::UnknownMemberId)
    }

    fn remove(&mut self, id: &str, why: ResponseError, now: Instant) -> Result<(), ResponseError> {
        let index = self.members.iter().position(|member| member.id == id);
        let mut member = self.members.remove(index.ok_or(ResponseError::UnknownMemberId)?);
        member.dismiss(why);
        if self.leader == id {
            self.leader = String::new();
        }
        match self.phase {
            Phase::PreparingRebalance { .. } => self.try_complete_join(now),
            Phase::CompletingRebalance { .. } | Phase::Stable => self.rebalance(now),
            Phase::Empty => {}
        }
        Ok(())
    }

    /// Asks all members to join again.
    fn rebalance(&mut self, now: Instant) {
        if let Phase::CompletingRebalance { .. } = self.phase {
            for member in &mut self.members {
                member.assignment = Bytes::new();
                member.answer_sync(Err(ResponseError::RebalanceInProgress));
            }
        }
        if !matches!(self.phase, Phase::PreparingRebalance { .. }) {
            self.phase = Phase::PreparingRebalance { deadline: now + self.rebalance_timeout() };
        }
        self.try_complete_join(now);
    }

    /// Gives every waiting member its assignment.
    fn hand_out(&mut self, now: Instant) {
        for member in &mut self.members {
            let synced = Synced {
                protocol_type: self.protocol_type.clone(),
                protocol: self.protocol.clone(),
                assignment: member.assignment.clone(),
            };
            if member.syncing.is_some() {
                member.touch(now);
                member.answer_sync(Ok(synced));
            }
        }
    }

    fn rebalance_timeout(&self) -> Duration {
        let longest = self.members.iter().map(|member| member.rebalance_timeout).max();
        longest.unwrap_or_default()
    }

    fn member_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == id)
    }

    fn member_of_instance(&self, instance: &str) -> Option<String> {
        let of_instance = |member: &&Member| member.instance_id.as_deref() == Some(instance);
        self.members.iter().find(of_instance).map(|member| member.id.clone())
    }
}

impl Refused {
    fn new(error: ResponseError, member_id: &str) -> Self {
        Self { error, member_id: member_id.to_owned() }
    }
}
