//! Every partition has one reader in a group, whoever comes, goes or dies.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::collections::BTreeSet;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::raw::{Raw, text};
use common::{Cluster, admin_options, eventually, unique};
use futures::executor::block_on;
use kafka_protocol::messages::*;
use rdkafka::consumer::{BaseConsumer, Consumer};

behaviours!(
    members_share_what_there_is_under_range,
    members_share_what_there_is_under_cooperative_sticky,
    members_share_what_there_is_under_the_consumer_protocol,
    any_protocol_with_any_user_data_is_passed_on,
    the_protocol_is_one_that_all_members_have,
    a_static_member_comes_back_to_its_place_and_fences_its_former_self,
    a_silent_member_is_removed,
    only_members_of_this_generation_commit,
    long_metadata_is_refused_and_short_metadata_is_kept,
    a_group_is_deleted_when_it_is_empty,
);

fn partitions(consumer: &BaseConsumer) -> BTreeSet<i32> {
    consumer.assignment().unwrap().elements().iter().map(|element| element.partition()).collect()
}

fn share(cluster: &Cluster, configs: &[(&str, &str)]) {
    let (topic, group) = (cluster.topic("shared", 6, &[]), unique("group"));
    let join = || {
        let mut all = vec![("group.id", group.as_str())];
        all.extend_from_slice(configs);
        let consumer = cluster.consumer(&all);
        consumer.subscribe(&[&topic]).unwrap();
        consumer
    };
    let settled = |members: &[&BaseConsumer]| {
        members.iter().for_each(|member| {
            let _ = member.poll(Duration::from_millis(10));
        });
        let shares: Vec<_> = members.iter().map(|member| partitions(member)).collect();
        let all: BTreeSet<i32> = shares.iter().flatten().copied().collect();
        let even = shares.iter().all(|share| share.len() == 6 / members.len());
        even && all.len() == 6
    };
    let first = join();
    eventually("one member has all", || settled(&[&first]));
    let (second, third) = (join(), join());
    eventually("three members share", || settled(&[&first, &second, &third]));
    drop(second);
    eventually("two members share", || settled(&[&first, &third]));
}

fn members_share_what_there_is_under_range(cluster: &Cluster) {
    let heartbeat = ("heartbeat.interval.ms", "200");
    share(cluster, &[("partition.assignment.strategy", "range"), heartbeat]);
}

fn members_share_what_there_is_under_cooperative_sticky(cluster: &Cluster) {
    let heartbeat = ("heartbeat.interval.ms", "200");
    share(cluster, &[("partition.assignment.strategy", "cooperative-sticky"), heartbeat]);
}

fn members_share_what_there_is_under_the_consumer_protocol(cluster: &Cluster) {
    share(cluster, &[("group.protocol", "consumer")]);
}

/// A member that speaks the protocol itself.
struct Member {
    raw: Raw,
    group: String,
    id: String,
    instance: Option<String>,
    generation: i32,
    protocols: Vec<(&'static str, &'static str)>,
}

impl Member {
    fn new(
        cluster: &Cluster,
        group: &str,
        instance: Option<&str>,
        protocols: &[(&'static str, &'static str)],
    ) -> Self {
        Self {
            raw: Raw::connect(&cluster.bootstrap),
            group: group.to_owned(),
            id: String::new(),
            instance: instance.map(str::to_owned),
            generation: -1,
            protocols: protocols.to_vec(),
        }
    }

    /// Joins, with the id it is given where it is given one first.
    fn join(&mut self) -> JoinGroupResponse {
        let protocol = |(name, metadata): &(&'static str, &'static str)| {
            join_group_request::JoinGroupRequestProtocol::default()
                .with_name(text(name))
                .with_metadata(Bytes::from_static(metadata.as_bytes()))
        };
        loop {
            let request = JoinGroupRequest::default()
                .with_group_id(text(&self.group).into())
                .with_session_timeout_ms(6000)
                .with_rebalance_timeout_ms(10_000)
                .with_member_id(text(&self.id))
                .with_group_instance_id(self.instance.as_deref().map(text))
                .with_protocol_type(text("stream"))
                .with_protocols(self.protocols.iter().map(protocol).collect());
            let response = self.raw.call(7, &request);
            if response.error_code != 79 {
                if response.error_code == 0 {
                    self.id = response.member_id.to_string();
                    self.generation = response.generation_id;
                }
                return response;
            }
            self.id = response.member_id.to_string();
        }
    }

    fn sync(&mut self, assignments: &[(&str, &'static str)]) -> SyncGroupResponse {
        let assignment = |(id, part): &(&str, &'static str)| {
            sync_group_request::SyncGroupRequestAssignment::default()
                .with_member_id(text(id))
                .with_assignment(Bytes::from_static(part.as_bytes()))
        };
        let request = SyncGroupRequest::default()
            .with_group_id(text(&self.group).into())
            .with_generation_id(self.generation)
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance.as_deref().map(text))
            .with_assignments(assignments.iter().map(assignment).collect());
        self.raw.call(4, &request)
    }

    fn heartbeat(&mut self) -> i16 {
        let request = HeartbeatRequest::default()
            .with_group_id(text(&self.group).into())
            .with_generation_id(self.generation)
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance.as_deref().map(text));
        self.raw.call(4, &request).error_code
    }

    fn leave(&mut self) -> i16 {
        let request = LeaveGroupRequest::default().with_group_id(text(&self.group).into());
        self.raw.call(1, &request.with_member_id(text(&self.id))).error_code
    }

    fn join_in_background(mut self) -> JoinHandle<(Self, JoinGroupResponse)> {
        std::thread::spawn(move || {
            let response = self.join();
            (self, response)
        })
    }
}

/// A group of two that have joined; the first is the leader.
fn pair(
    first: Member,
    second: Member,
) -> ((Member, JoinGroupResponse), (Member, JoinGroupResponse)) {
    let mut first = first;
    assert_eq!(first.join().error_code, 0);
    let id = first.id.clone();
    first.sync(&[(&id, "")]);
    let second = second.join_in_background();
    eventually("the leader is told of the other", || first.heartbeat() == 27);
    let answer = first.join();
    ((first, answer), second.join().unwrap())
}

fn any_protocol_with_any_user_data_is_passed_on(cluster: &Cluster) {
    let group = unique("group");
    let first = Member::new(cluster, &group, None, &[("own", "endpoint of a")]);
    let second = Member::new(cluster, &group, None, &[("own", "endpoint of b")]);
    let ((mut first, leader), (mut second, follower)) = pair(first, second);
    assert_eq!(leader.leader, leader.member_id);
    assert_eq!((follower.leader, follower.members.len()), (leader.leader.clone(), 0));
    assert_eq!(leader.protocol_name, Some(text("own")));
    assert_eq!(leader.protocol_type, Some(text("stream")));
    let mut told: Vec<_> = leader.members.iter().map(|member| member.metadata.clone()).collect();
    told.sort();
    assert_eq!(told, ["endpoint of a", "endpoint of b"]);

    let (a, b) = (first.id.clone(), second.id.clone());
    assert_eq!(first.sync(&[(&a, "to a"), (&b, "to b")]).assignment, "to a");
    assert_eq!(second.sync(&[]).assignment, "to b");
    assert_eq!((first.heartbeat(), second.heartbeat()), (0, 0));
    // A follower that says the same again stays; one that says something new calls all together.
    assert_eq!(second.join().generation_id, follower.generation_id);
    second.protocols = vec![("own", "another endpoint")];
    let second = second.join_in_background();
    eventually("a rebalance", || first.heartbeat() == 27);
    assert_eq!(first.join().generation_id, follower.generation_id + 1);
    assert_eq!(second.join().unwrap().1.error_code, 0);
}

fn the_protocol_is_one_that_all_members_have(cluster: &Cluster) {
    let group = unique("group");
    let first = Member::new(cluster, &group, None, &[("own", ""), ("range", "")]);
    let second = Member::new(cluster, &group, None, &[("sticky", ""), ("range", "")]);
    let ((_, leader), _) = pair(first, second);
    assert_eq!(leader.protocol_name, Some(text("range")));
    let mut stranger = Member::new(cluster, &group, None, &[("other", "")]);
    assert_eq!(stranger.join().error_code, 23, "INCONSISTENT_GROUP_PROTOCOL");
}

fn a_static_member_comes_back_to_its_place_and_fences_its_former_self(cluster: &Cluster) {
    let group = unique("group");
    let protocols = &[("own", "")];
    let first = Member::new(cluster, &group, Some("one"), protocols);
    let second = Member::new(cluster, &group, Some("two"), protocols);
    let ((mut first, _), (mut former, answer)) = pair(first, second);
    let (a, b) = (first.id.clone(), former.id.clone());
    assert_eq!(first.sync(&[(&a, "to a"), (&b, "to b")]).error_code, 0);
    assert_eq!(former.sync(&[]).assignment, "to b");

    let mut back = Member::new(cluster, &group, Some("two"), protocols);
    let again = back.join();
    assert_eq!((again.error_code, again.generation_id), (0, answer.generation_id));
    assert_ne!(again.member_id, answer.member_id);
    assert_eq!(back.sync(&[]).assignment, "to b");
    assert_eq!(first.heartbeat(), 0, "the other member notices nothing");
    assert_eq!(former.heartbeat(), 82, "FENCED_INSTANCE_ID");

    // The leader too: it has its place, and does not assign.
    let mut leader = Member::new(cluster, &group, Some("one"), protocols);
    let again = leader.join();
    assert_eq!((again.error_code, again.generation_id), (0, answer.generation_id));
    assert_ne!(again.leader, again.member_id);
    assert_eq!(leader.sync(&[]).assignment, "to a");
    assert_eq!(back.heartbeat(), 0);
}

fn a_silent_member_is_removed(cluster: &Cluster) {
    let group = unique("group");
    let first = Member::new(cluster, &group, None, &[("own", "")]);
    let second = Member::new(cluster, &group, None, &[("own", "")]);
    let ((mut first, _), _silent) = pair(first, second);
    let id = first.id.clone();
    assert_eq!(first.sync(&[(&id, "")]).error_code, 0);
    let begin = Instant::now();
    eventually("a rebalance", || first.heartbeat() == 27);
    assert!(begin.elapsed() > Duration::from_secs(4), "{:?}", begin.elapsed());
    let answer = first.join();
    assert_eq!((answer.error_code, answer.members.len()), (0, 1));
    assert_eq!(first.leave(), 0);
    assert_eq!(first.heartbeat(), 25, "UNKNOWN_MEMBER_ID");
}

fn commit(raw: &mut Raw, group: &str, topic: &str, member: (&str, i32), metadata: &str) -> i16 {
    let partition = offset_commit_request::OffsetCommitRequestPartition::default()
        .with_committed_offset(5)
        .with_committed_metadata(Some(text(metadata)));
    let topic = offset_commit_request::OffsetCommitRequestTopic::default()
        .with_name(text(topic).into())
        .with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(text(group).into())
        .with_member_id(text(member.0))
        .with_generation_id_or_member_epoch(member.1)
        .with_topics(vec![topic]);
    raw.call(7, &request).topics[0].partitions[0].error_code
}

fn only_members_of_this_generation_commit(cluster: &Cluster) {
    let (topic, group) = (cluster.topic("commits", 1, &[]), unique("group"));
    let raw = &mut Raw::connect(&cluster.bootstrap);
    let mut member = Member::new(cluster, &group, None, &[("own", "")]);
    assert_eq!(member.join().error_code, 0);
    let (id, generation) = (member.id.clone(), member.generation);
    member.sync(&[(&id, "")]);
    assert_eq!(commit(raw, &group, &topic, (&id, generation), ""), 0);
    assert_eq!(commit(raw, &group, &topic, (&id, generation + 1), ""), 22, "ILLEGAL_GENERATION");
    assert_eq!(commit(raw, &group, &topic, ("stranger", generation), ""), 25, "UNKNOWN_MEMBER_ID");
    assert_eq!(commit(raw, &group, &topic, ("", -1), ""), 25, "the group has members");
    assert_eq!(member.leave(), 0);
    assert_eq!(commit(raw, &group, &topic, ("", -1), ""), 0, "the group has none");
}

fn long_metadata_is_refused_and_short_metadata_is_kept(cluster: &Cluster) {
    let (topic, group) = (cluster.topic("metadata", 1, &[]), unique("group"));
    let raw = &mut Raw::connect(&cluster.bootstrap);
    let longest = "m".repeat(4096);
    assert_eq!(commit(raw, &group, &topic, ("", -1), &longest), 0);
    assert_eq!(commit(raw, &group, &topic, ("", -1), &format!("{longest}m")), 12);
    assert_eq!(cluster.committed(&group, &topic), Some((5, longest)));
}

fn a_group_is_deleted_when_it_is_empty(cluster: &Cluster) {
    let (topic, group) = (cluster.topic("deleted", 1, &[]), unique("group"));
    let raw = &mut Raw::connect(&cluster.bootstrap);
    let mut member = Member::new(cluster, &group, None, &[("own", "")]);
    member.join();
    let (id, generation) = (member.id.clone(), member.generation);
    member.sync(&[(&id, "")]);
    assert_eq!(commit(raw, &group, &topic, (&id, generation), ""), 0);
    let delete = || {
        let deleted = block_on(cluster.admin().delete_groups(&[&group], &admin_options())).unwrap();
        deleted.into_iter().next().unwrap().is_ok()
    };
    assert!(!delete(), "it has a member");
    assert_eq!(member.leave(), 0);
    assert!(delete());
    assert_eq!(cluster.committed(&group, &topic), None);
}
