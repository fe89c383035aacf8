//! A member of a KIP-848 group, and its way from what it has to what it shall have.

use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use regex_lite::Regex;

use super::{Assignor, Heartbeat, Partitions};
use crate::topics::Topics;

/// How long a member may take to give partitions up, unless it says otherwise.
const REBALANCE_TIMEOUT: Duration = Duration::from_secs(60);

/// What a member wants to read.
#[derive(Debug, Default)]
pub(crate) struct Subscription {
    pub(crate) names: Vec<String>,
    regex: Option<Regex>,
}

impl Subscription {
    /// All partitions of the topics that exist by now.
    pub(crate) fn partitions(&self, topics: &Topics) -> Partitions {
        let wants = |name: &String| {
            self.names.contains(name)
                || self.regex.as_ref().is_some_and(|regex| regex.is_match(name))
        };
        let wanted = topics.iter().filter(|(name, _)| wants(name));
        wanted.flat_map(|(_, topic)| (0..topic.partition_count()).map(|p| (topic.id, p))).collect()
    }
}

/// One member.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) instance_id: Option<String>,
    pub(crate) epoch: i32,
    pub(crate) previous_epoch: i32,
    rebalance_timeout: Duration,
    pub(crate) subscription: Subscription,
    pub(crate) assignor: Option<Assignor>,
    /// What the member shall have in the end.
    pub(super) target: Partitions,
    /// What the member may read now.
    pub(crate) assigned: Partitions,
    /// What the member was asked to give up and has not yet.
    pub(super) revoking: Partitions,
    revoke_by: Option<Instant>,
    pub(crate) expires: Instant,
}

impl Member {
    pub(super) fn new(heartbeat: &Heartbeat, expires: Instant) -> Self {
        Self {
            instance_id: heartbeat.instance_id.clone(),
            epoch: 0,
            previous_epoch: 0,
            rebalance_timeout: REBALANCE_TIMEOUT,
            subscription: Subscription::default(),
            assignor: None,
            target: Partitions::new(),
            assigned: Partitions::new(),
            revoking: Partitions::new(),
            revoke_by: None,
            expires,
        }
    }

    /// A member that joins owns nothing, whatever it had before. A static member that comes back
    /// finds its old target.
    pub(super) fn join(&mut self) {
        self.epoch = 0;
        self.previous_epoch = 0;
        self.assigned.clear();
        self.revoking.clear();
        self.revoke_by = None;
    }

    /// Takes over what the member says; whether its subscription changed.
    pub(super) fn hear(&mut self, heartbeat: &Heartbeat) -> Result<bool, ResponseError> {
        let mut changed = false;
        if let Some(timeout) = heartbeat.rebalance_timeout {
            self.rebalance_timeout = timeout;
        }
        if let Some(names) = &heartbeat.topics {
            changed |= self.subscription.names != *names;
            self.subscription.names.clone_from(names);
        }
        if let Some(pattern) = &heartbeat.regex {
            let regex = match pattern.as_str() {
                "" => None,
                // Kafka matches whole names.
                pattern => Some(
                    Regex::new(&format!("^(?:{pattern})$"))
                        .map_err(|_| ResponseError::InvalidRegularExpression)?,
                ),
            };
            let source =
                |regex: &Option<Regex>| regex.as_ref().map(|regex| regex.as_str().to_owned());
            changed |= source(&self.subscription.regex) != source(&regex);
            self.subscription.regex = regex;
        }
        if heartbeat.assignor.is_some() {
            changed |= self.assignor != heartbeat.assignor;
            self.assignor = heartbeat.assignor;
        }
        Ok(changed)
    }

    /// One step towards the target. `taken` is what others still hold.
    pub(super) fn reconcile(
        &mut self,
        owned: Option<&Partitions>,
        taken: &Partitions,
        group_epoch: i32,
        now: Instant,
    ) {
        if let Some(owned) = owned
            && owned.is_disjoint(&self.revoking)
        {
            self.revoking.clear();
            self.revoke_by = None;
        }
        if !self.revoking.is_empty() {
            return;
        }
        let surplus: Partitions = self.assigned.difference(&self.target).copied().collect();
        if !surplus.is_empty() {
            self.assigned.retain(|partition| !surplus.contains(partition));
            self.revoking = surplus;
            self.revoke_by = Some(now + self.rebalance_timeout);
            return;
        }
        self.assigned.extend(self.target.difference(taken));
        if self.epoch != group_epoch {
            self.previous_epoch = self.epoch;
            self.epoch = group_epoch;
        }
    }

    pub(super) fn has_expired(&self, now: Instant) -> bool {
        self.expires <= now || self.revoke_by.is_some_and(|deadline| deadline <= now)
    }

    /// Whether the member has all that this epoch gives it.
    pub(super) fn is_settled(&self, group_epoch: i32) -> bool {
        self.epoch == group_epoch && self.assigned == self.target
    }
}
