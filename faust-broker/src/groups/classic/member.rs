//! A member of a classic group, and the answers it may be waiting for.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;

/// An assignor that a member can use, with what it wants to tell the leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub(crate) name: String,
    pub(crate) metadata: Bytes,
}

/// A request to join.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    /// Empty at the first attempt.
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: String,
    pub(crate) protocols: Vec<Protocol>,
    /// Since version 4 a member is told its id first and joins with it then, so that a lost
    /// answer leaves no ghost in the group.
    pub(crate) must_know_id: bool,
}

/// What a member learns when the group is complete.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) generation: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) leader: String,
    pub(crate) member_id: String,
    /// Everybody, for the leader; nobody for the others.
    pub(crate) members: Vec<JoinedMember>,
}

/// One member, as the leader sees it.
#[derive(Debug)]
pub(crate) struct JoinedMember {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) metadata: Bytes,
}

/// A join that failed. The id is the one to come back with.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: ResponseError,
    pub(crate) member_id: String,
}

pub(crate) type JoinAnswer = Result<Joined, Refused>;

/// What a member learns when the leader has assigned.
#[derive(Debug)]
pub(crate) struct Synced {
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) assignment: Bytes,
}

pub(crate) type SyncAnswer = Result<Synced, ResponseError>;

/// One member.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) assignment: Bytes,
    /// When the session ends, unless an answer is still owed to the member.
    pub(crate) expires: Instant,
    pub(crate) joining: Option<Sender<JoinAnswer>>,
    pub(crate) syncing: Option<Sender<SyncAnswer>>,
}

impl Member {
    pub(crate) fn new(id: String, join: &Join, now: Instant) -> Self {
        Self {
            id,
            instance_id: join.instance_id.clone(),
            client_id: join.client_id.clone(),
            client_host: join.client_host.clone(),
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols: join.protocols.clone(),
            assignment: Bytes::new(),
            expires: now + join.session_timeout,
            joining: None,
            syncing: None,
        }
    }

    /// Takes over what a new request to join says.
    pub(crate) fn update(&mut self, join: &Join, now: Instant) {
        self.client_id.clone_from(&join.client_id);
        self.client_host.clone_from(&join.client_host);
        self.session_timeout = join.session_timeout;
        self.rebalance_timeout = join.rebalance_timeout;
        self.protocols.clone_from(&join.protocols);
        self.touch(now);
    }

    pub(crate) fn touch(&mut self, now: Instant) {
        self.expires = now + self.session_timeout;
    }

    pub(crate) fn has_expired(&self, now: Instant) -> bool {
        self.joining.is_none() && self.syncing.is_none() && self.expires <= now
    }

    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|known| known.name == protocol);
        found.map(|known| known.metadata.clone()).unwrap_or_default()
    }

    /// Answers a JoinGroup that waits. A client that has gone is no concern of the group.
    pub(crate) fn answer_join(&mut self, answer: JoinAnswer) {
        if let Some(waiting) = self.joining.take() {
            let _ = waiting.send(answer);
        }
    }

    /// Answers a SyncGroup that waits.
    pub(crate) fn answer_sync(&mut self, answer: SyncAnswer) {
        if let Some(waiting) = self.syncing.take() {
            let _ = waiting.send(answer);
        }
    }

    /// Tells the member to go away, whatever it waits for.
    pub(crate) fn dismiss(&mut self, error: ResponseError) {
        let member_id = self.id.clone();
        self.answer_join(Err(Refused { error, member_id }));
        self.answer_sync(Err(error));
    }
}
