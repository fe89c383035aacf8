//! The app's group in memory: cooperative rebalances, static members, a session timeout. As in Kafka, what a member
//! must give up is revoked first, and only its answer brings the next assignment.

use super::*;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::mpsc;

const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Group {
    members: BTreeMap<String, Joined>,
    joins: u64,
    /// A rebalance is wanted, but a member has not answered yet.
    wanted: bool,
}

struct Joined {
    process: Process,
    config: MemberConfig,
    /// What the last rebalance gave it.
    owned: BTreeSet<TopicPartition>,
    plan: Vec<u8>,
    /// What it was told to give up and has not yet.
    revoking: bool,
    events: mpsc::UnboundedSender<MemberEvent>,
}

impl Group {
    /// Whether this process is a member.
    pub(super) fn holds(&self, process: &Process) -> bool {
        self.members.values().any(|member| member.process.same(process))
    }
}

impl State {
    fn rebalance(&mut self) {
        if self.group.members.values().any(|member| member.revoking && member.process.alive()) {
            self.group.wanted = true;
            return;
        }
        self.group.wanted = false;
        let infos: Vec<MemberInfo> = self
            .group
            .members
            .iter()
            .map(|(id, member)| MemberInfo {
                id: id.clone(),
                owned: member.owned.iter().cloned().collect(),
                user_data: member.config.assignor.user_data(),
            })
            .collect();
        let Some(leader) = self.group.members.values().find(|member| member.process.alive()) else {
            return;
        };
        let subscribed: BTreeSet<&Arc<str>> =
            self.group.members.values().flat_map(|member| &member.config.topics).collect();
        let topics: Vec<(Arc<str>, u32)> = subscribed
            .into_iter()
            .filter_map(|name| Some((name.clone(), self.topics.get(name)?.len() as u32)))
            .collect();
        for plan in leader.config.assignor.clone().assign(infos, &topics) {
            let Some(member) = self.group.members.get_mut(&plan.id) else { continue };
            if member.process.alive() {
                member.config.assignor.assigned(&plan.user_data);
            }
            let plan_data = plan.user_data;
            let plan: BTreeSet<TopicPartition> = plan.partitions.into_iter().collect();
            let gone: Vec<_> = member.owned.difference(&plan).cloned().collect();
            let new: Vec<_> = plan.difference(&member.owned).cloned().collect();
            member.owned = plan;
            member.plan = plan_data;
            if !gone.is_empty() {
                member.revoking = true;
                let _ = member.events.send(MemberEvent::Revoked { partitions: gone, lost: false });
            }
            let _ = member.events.send(MemberEvent::Assigned(new));
        }
    }
}

pub(super) struct Membership {
    cluster: Cluster,
    process: Process,
    id: String,
    events: mpsc::UnboundedReceiver<MemberEvent>,
}

impl Membership {
    pub(super) fn join(cluster: Cluster, process: Process, config: MemberConfig) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let mut state = cluster.lock();
        state.group.joins += 1;
        let id = match &config.instance_id {
            Some(id) => format!("static-{id}"),
            None => format!("member-{:04}", state.group.joins),
        };
        let joined = Joined {
            process: process.clone(),
            config,
            owned: BTreeSet::new(),
            plan: Vec::new(),
            revoking: false,
            events: sender,
        };
        match state.group.members.get_mut(&id) {
            // A static member that comes back has what the last rebalance gave it, and nobody else notices.
            Some(known) => {
                let (owned, plan) =
                    (std::mem::take(&mut known.owned), std::mem::take(&mut known.plan));
                joined.config.assignor.assigned(&plan);
                *known = Joined { owned, plan, ..joined };
                let _ =
                    known.events.send(MemberEvent::Assigned(known.owned.iter().cloned().collect()));
                if state.group.wanted {
                    state.rebalance();
                }
            }
            None => {
                state.group.members.insert(id.clone(), joined);
                state.rebalance();
            }
        }
        drop(state);
        tokio::spawn(watch(cluster.clone(), process.clone(), id.clone()));
        Self { cluster, process, id, events }
    }
}

/// Removes a member some time after its process died, unless another has taken its place.
async fn watch(cluster: Cluster, process: Process, id: String) {
    process.death().await;
    tokio::time::sleep(SESSION_TIMEOUT).await;
    let mut state = cluster.lock();
    if state.group.members.get(&id).is_some_and(|member| member.process.same(&process)) {
        state.group.members.remove(&id);
        state.rebalance();
    }
}

#[cfg(test)]
impl Cluster {
    /// Takes a static member for another process's: it is done for.
    pub(crate) fn fence(&self, instance: &str) {
        let mut state = self.lock();
        if let Some(member) = state.group.members.remove(&format!("static-{instance}")) {
            let cause = "FENCED_INSTANCE_ID".into();
            let error = KafkaError::Refused { what: "the group".into(), cause };
            let _ = member.events.send(MemberEvent::Dead(error));
            state.rebalance();
        }
    }
}

impl Member for Membership {
    fn next(&mut self) -> BoxFuture<'_, MemberEvent> {
        async {
            match self.events.recv().await {
                Some(event) if self.process.may("member event") => event,
                _ => std::future::pending().await,
            }
        }
        .boxed()
    }

    fn answer(&mut self) {
        if !self.process.may("answer") {
            return;
        }
        let mut state = self.cluster.lock();
        let Some(member) = state.group.members.get_mut(&self.id) else { return };
        if std::mem::take(&mut member.revoking) || state.group.wanted {
            state.rebalance();
        }
    }

    fn rejoin(&mut self) {
        if self.process.may("rejoin") {
            self.cluster.lock().rebalance();
        }
    }

    fn leave(&mut self) -> BoxFuture<'_, ()> {
        async {
            self.process.step("leave").await;
            let mut state = self.cluster.lock();
            if state.group.members.remove(&self.id).is_some() {
                state.rebalance();
            }
        }
        .boxed()
    }
}
