//! How members join a classic group, and what makes the group complete.

use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use kafka_protocol::ResponseError;
use uuid::Uuid;

use super::member::{Join, JoinAnswer, Joined, JoinedMember, Member, Refused};
use super::{ClassicGroup, Phase};

impl ClassicGroup {
    /// A client wants in, or a member wants to join again. The answer comes when the group is
    /// complete, which may be now.
    pub(crate) fn join(&mut self, join: &Join, now: Instant) -> Receiver<JoinAnswer> {
        let (answer, receiver) = channel();
        let refuse = |error, member_id: &str| {
            let _ = answer.send(Err(Refused::new(error, member_id)));
        };
        if !self.accepts(join) {
            refuse(ResponseError::InconsistentGroupProtocol, &join.member_id);
            return receiver;
        }
        let former =
            join.instance_id.as_deref().and_then(|instance| self.member_of_instance(instance));
        match former {
            Some(former) if join.member_id.is_empty() => self.replace(&former, join, now),
            Some(former) if former != join.member_id => {
                refuse(ResponseError::FencedInstanceId, &join.member_id);
                return receiver;
            }
            _ if join.member_id.is_empty() => {
                let id = new_member_id(join);
                if join.must_know_id && join.instance_id.is_none() {
                    self.promised.insert(id.clone(), now + join.session_timeout);
                    refuse(ResponseError::MemberIdRequired, &id);
                    return receiver;
                }
                self.add(id, join, now, answer);
                return receiver;
            }
            _ if self.promised.remove(&join.member_id).is_some() => {
                self.add(join.member_id.clone(), join, now, answer);
                return receiver;
            }
            _ => {}
        }
        // From here on the client is a member: it has joined before, or it took one's place.
        let replaced = join.member_id.is_empty();
        let id = match &join.instance_id {
            Some(instance) => self.member_of_instance(instance).unwrap_or_default(),
            None => join.member_id.clone(),
        };
        let Some(member) = self.members.iter_mut().find(|member| member.id == id) else {
            refuse(ResponseError::UnknownMemberId, &id);
            return receiver;
        };
        let changed = member.protocols != join.protocols;
        member.update(join, now);
        member.answer_join(Err(Refused::new(ResponseError::RebalanceInProgress, &id)));
        let is_leader = self.leader == id;
        let stays = match self.phase {
            // A static member that restarts has its old place. Nobody else need notice.
            Phase::Stable if replaced => self.select_protocol() == self.protocol,
            // The leader joins again when it wants another assignment.
            Phase::Stable => !changed && !is_leader,
            Phase::CompletingRebalance { .. } => !changed && !replaced,
            Phase::Empty | Phase::PreparingRebalance { .. } => false,
        };
        if stays {
            let _ = answer.send(Ok(self.joined(&id, replaced)));
        } else {
            if let Some(member) = self.member_mut(&id) {
                member.joining = Some(answer);
            }
            self.rebalance(now);
        }
        receiver
    }

    /// Completes the group if everyone has joined.
    pub(super) fn try_complete_join(&mut self, now: Instant) {
        let all_joined = self.members.iter().all(|member| member.joining.is_some());
        let preparing = matches!(self.phase, Phase::PreparingRebalance { .. });
        if preparing && all_joined && self.promised.is_empty() {
            self.complete_join(now);
        }
    }

    /// Begins a generation with those who have joined.
    pub(super) fn complete_join(&mut self, now: Instant) {
        // A static member that is away keeps its place until its session ends.
        self.members.retain(|member| member.joining.is_some() || member.instance_id.is_some());
        let deadline = now + self.rebalance_timeout();
        if self.members.is_empty() {
            self.generation += 1;
            self.phase = Phase::Empty;
            self.protocol.clear();
            self.leader.clear();
            return;
        }
        let leads = |member: &&Member| member.id == self.leader && member.joining.is_some();
        let present = |member: &&Member| member.joining.is_some();
        let leader = self.members.iter().find(leads).or_else(|| self.members.iter().find(present));
        let Some(leader) = leader.map(|member| member.id.clone()) else {
            // Only absent static members are left. There is nobody to answer.
            self.phase = Phase::PreparingRebalance { deadline };
            return;
        };
        self.leader = leader;
        self.generation += 1;
        self.protocol = self.select_protocol();
        self.phase = Phase::CompletingRebalance { deadline };
        let ids: Vec<String> = self.members.iter().map(|member| member.id.clone()).collect();
        for id in ids {
            let joined = self.joined(&id, false);
            if let Some(member) = self.member_mut(&id)
                && member.joining.is_some()
            {
                member.touch(now);
                member.answer_join(Ok(joined));
            }
        }
    }

    /// Whether a client speaks a language that all members speak.
    fn accepts(&self, join: &Join) -> bool {
        if join.protocol_type.is_empty() || join.protocols.is_empty() {
            return false;
        }
        let others = || self.members.iter().filter(|member| member.id != join.member_id);
        let same_type = others().next().is_none() || self.protocol_type == join.protocol_type;
        let shared =
            |name: &str| others().all(|member| member.protocols.iter().any(|p| p.name == name));
        same_type && join.protocols.iter().any(|protocol| shared(&protocol.name))
    }

    fn add(
        &mut self,
        id: String,
        join: &Join,
        now: Instant,
        answer: std::sync::mpsc::Sender<JoinAnswer>,
    ) {
        let mut member = Member::new(id, join, now);
        member.joining = Some(answer);
        self.members.push(member);
        self.protocol_type.clone_from(&join.protocol_type);
        self.rebalance(now);
    }

    /// Gives a static member's place to its new process; the old one is fenced.
    fn replace(&mut self, former: &str, join: &Join, now: Instant) {
        let id = new_member_id(join);
        if self.leader == former {
            self.leader.clone_from(&id);
        }
        if let Some(member) = self.member_mut(former) {
            member.dismiss(ResponseError::FencedInstanceId);
            member.id = id;
            member.touch(now);
        }
    }

    /// What a member is told about the generation.
    fn joined(&self, id: &str, replaced: bool) -> Joined {
        let is_leader = self.leader == id;
        let describe = |member: &Member| JoinedMember {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(&self.protocol),
        };
        // A leader that took its own old place must not assign: a stable group would not pass the
        // assignment on. It is kept from it by a leader's name that is not its own.
        let (leader, leads) = if replaced && is_leader {
            (String::new(), false)
        } else {
            (self.leader.clone(), is_leader)
        };
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader,
            member_id: id.to_owned(),
            members: if leads { self.members.iter().map(describe).collect() } else { Vec::new() },
        }
    }

    /// The assignor that all members have and most of them like best.
    fn select_protocol(&self) -> String {
        let shared =
            |name: &str| self.members.iter().all(|m| m.protocols.iter().any(|p| p.name == name));
        let favourite = |member: &Member| {
            member.protocols.iter().map(|protocol| protocol.name.clone()).find(|name| shared(name))
        };
        let votes: Vec<String> = self.members.iter().filter_map(favourite).collect();
        let count = |name: &String| votes.iter().filter(|vote| *vote == name).count();
        // The earliest member's favourite wins a draw.
        votes.iter().rev().max_by_key(|name| count(name)).cloned().unwrap_or_default()
    }
}

fn new_member_id(join: &Join) -> String {
    let name = join.instance_id.as_deref().unwrap_or(&join.client_id);
    format!("{name}-{}", Uuid::new_v4())
}
