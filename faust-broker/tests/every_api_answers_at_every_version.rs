//! A client may use any advertised version. The encoder refuses fields that a version lacks, so
//! each handler is called at each of its versions, with something in every list.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod common;

use common::Cluster;
use common::raw::{NOBODY, Raw, batch, fetch_request, produce, produce_request, text};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Request;
use uuid::Uuid;

/// The frozen list: API number, first and last version.
const ADVERTISED: [(i16, i16, i16); 28] = [
    (0, 3, 9),
    (1, 4, 12),
    (2, 1, 7),
    (3, 0, 12),
    (8, 2, 9),
    (9, 1, 9),
    (10, 0, 4),
    (11, 0, 7),
    (12, 0, 4),
    (13, 0, 5),
    (14, 0, 5),
    (15, 0, 5),
    (16, 0, 5),
    (18, 0, 3),
    (19, 2, 7),
    (20, 1, 5),
    (21, 0, 2),
    (22, 0, 4),
    (23, 2, 4),
    (24, 0, 3),
    (25, 0, 3),
    (26, 0, 3),
    (28, 0, 3),
    (32, 1, 4),
    (33, 0, 2),
    (37, 0, 3),
    (42, 0, 2),
    (68, 0, 1),
];

#[test]
fn the_advertised_list_is_frozen() {
    let cluster = Cluster::in_memory();
    let mut raw = Raw::connect(&cluster.bootstrap);
    for version in 0..=3 {
        let response = raw.call(version, &ApiVersionsRequest::default());
        let mut listed: Vec<_> = response
            .api_keys
            .iter()
            .map(|api| (api.api_key, api.min_version, api.max_version))
            .collect();
        listed.sort_unstable();
        assert_eq!(listed, ADVERTISED);
    }
}

#[test]
fn a_newer_client_is_told_the_list_in_the_oldest_version() {
    let cluster = Cluster::in_memory();
    let mut raw = Raw::connect(&cluster.bootstrap);
    raw.send(4, &ApiVersionsRequest::default());
    let response = raw.receive::<ApiVersionsRequest>(0);
    assert_eq!(response.error_code, 35);
    assert_eq!(response.api_keys.len(), ADVERTISED.len());
}

/// Calls an API at each of its versions with what `request` makes for it.
fn at_every_version<Q: Request>(
    raw: &mut Raw,
    mut request: impl FnMut(i16) -> Q,
    mut check: impl FnMut(i16, Q::Response),
) {
    let (_, first, last) = *ADVERTISED.iter().find(|(key, ..)| *key == Q::KEY).unwrap();
    for version in first..=last {
        let response = raw.call(version, &request(version));
        check(version, response);
    }
}

#[test]
fn records_and_offsets_at_every_version() {
    let cluster = Cluster::in_memory();
    let topic = cluster.topic("versions", 2, &[]);
    let name = || TopicName::from(text(&topic));
    let raw = &mut Raw::connect(&cluster.bootstrap);

    at_every_version(
        raw,
        |_| produce_request(&topic, batch(NOBODY, 1000, &["a", "b"])),
        |version, response: ProduceResponse| {
            let partition = &response.responses[0].partition_responses[0];
            assert_eq!(
                (partition.error_code, partition.base_offset),
                (0, 2 * i64::from(version - 3))
            );
        },
    );
    at_every_version(
        raw,
        |_| fetch_request(&topic, 0, 0).with_isolation_level(1),
        |_, response: FetchResponse| {
            let partition = &response.responses[0].partitions[0];
            assert_eq!((partition.error_code, partition.high_watermark), (0, 14));
            assert!(!partition.records.as_ref().unwrap().is_empty());
        },
    );
    at_every_version(
        raw,
        |_| fetch_request(&topic, 99, 0),
        |_, response: FetchResponse| {
            let partition = &response.responses[0].partitions[0];
            assert_eq!(partition.error_code, 1);
            assert_eq!(partition.records.as_ref().unwrap().len(), 0, "empty, not null");
        },
    );
    for (timestamp, offset) in [(-2, 0), (-1, 14), (1001, 1), (5000, -1)] {
        at_every_version(
            raw,
            |_| {
                let partition = list_offsets_request::ListOffsetsPartition::default();
                let partition = partition.with_timestamp(timestamp);
                let topic = list_offsets_request::ListOffsetsTopic::default();
                let topic = topic.with_name(name()).with_partitions(vec![partition]);
                ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic])
            },
            |_, response: ListOffsetsResponse| {
                let partition = &response.topics[0].partitions[0];
                assert_eq!((partition.error_code, partition.offset), (0, offset));
            },
        );
    }
    at_every_version(
        raw,
        |_| {
            let partition = offset_for_leader_epoch_request::OffsetForLeaderPartition::default();
            let topic = offset_for_leader_epoch_request::OffsetForLeaderTopic::default();
            let topic =
                topic.with_topic(name()).with_partitions(vec![partition.with_leader_epoch(0)]);
            OffsetForLeaderEpochRequest::default().with_topics(vec![topic])
        },
        |_, response: OffsetForLeaderEpochResponse| {
            assert_eq!(response.topics[0].partitions[0].end_offset, 14);
        },
    );
    at_every_version(
        raw,
        |_| {
            let partition =
                delete_records_request::DeleteRecordsPartition::default().with_offset(1);
            let topic = delete_records_request::DeleteRecordsTopic::default();
            let topic = topic.with_name(name()).with_partitions(vec![partition]);
            DeleteRecordsRequest::default().with_topics(vec![topic])
        },
        |_, response: DeleteRecordsResponse| {
            let partition = &response.topics[0].partitions[0];
            assert_eq!((partition.error_code, partition.low_watermark), (0, 1));
        },
    );
}

#[test]
fn topics_and_configs_at_every_version() {
    let cluster = Cluster::in_memory();
    let raw = &mut Raw::connect(&cluster.bootstrap);
    let name = |version: i16| TopicName::from(text(&format!("topic-{version}")));

    at_every_version(
        raw,
        |version| {
            let config = create_topics_request::CreatableTopicConfig::default()
                .with_name(text("cleanup.policy"))
                .with_value(Some(text("compact")));
            let topic = create_topics_request::CreatableTopic::default().with_name(name(version));
            let topic =
                topic.with_num_partitions(2).with_replication_factor(1).with_configs(vec![config]);
            CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000)
        },
        |version, response: CreateTopicsResponse| {
            assert_eq!(response.topics[0].error_code, 0);
            assert_eq!(response.topics[0].topic_id != Uuid::nil(), version >= 7);
        },
    );
    let assigned = create_topics_request::CreatableReplicaAssignment::default()
        .with_broker_ids(vec![1.into()]);
    at_every_version(
        raw,
        |_| {
            let topic = create_topics_request::CreatableTopic::default().with_name(name(2));
            let topic = topic.with_assignments(vec![assigned.clone()]).with_num_partitions(-1);
            CreateTopicsRequest::default().with_topics(vec![topic.with_replication_factor(-1)])
        },
        |_, response: CreateTopicsResponse| assert_eq!(response.topics[0].error_code, 36),
    );
    at_every_version(
        raw,
        |_| {
            let topic = metadata_request::MetadataRequestTopic::default().with_name(Some(name(2)));
            MetadataRequest::default()
                .with_topics(Some(vec![topic]))
                .with_allow_auto_topic_creation(true)
        },
        |_, response: MetadataResponse| {
            assert_eq!(response.topics[0].partitions.len(), 2);
            assert_eq!(response.brokers.len(), 1);
        },
    );
    let mut made = 0;
    at_every_version(
        raw,
        |_| {
            let topic =
                create_partitions_request::CreatePartitionsTopic::default().with_name(name(3));
            made += 1;
            let assignment = create_partitions_request::CreatePartitionsAssignment::default();
            let topic = topic.with_count(2 + made);
            let topic =
                topic.with_assignments(Some(vec![assignment.with_broker_ids(vec![1.into()])]));
            CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000)
        },
        |_, response: CreatePartitionsResponse| assert_eq!(response.results[0].error_code, 0),
    );
    at_every_version(
        raw,
        |_| {
            let resource = |kind, name: &str| {
                let resource = describe_configs_request::DescribeConfigsResource::default();
                resource
                    .with_resource_type(kind)
                    .with_resource_name(text(name))
                    .with_configuration_keys(Some(vec![
                        text("cleanup.policy"),
                        text("num.partitions"),
                    ]))
            };
            let resources = vec![resource(2, "topic-2"), resource(4, "1"), resource(2, "missing")];
            DescribeConfigsRequest::default().with_resources(resources).with_include_synonyms(true)
        },
        |_, response: DescribeConfigsResponse| {
            let errors: Vec<_> = response.results.iter().map(|result| result.error_code).collect();
            assert_eq!(errors, [0, 0, 3]);
            assert_eq!(response.results[0].configs[0].value, Some(text("compact")));
        },
    );
    at_every_version(
        raw,
        |_| {
            let config = alter_configs_request::AlterableConfig::default()
                .with_name(text("retention.ms"))
                .with_value(Some(text("1000")));
            let resource =
                alter_configs_request::AlterConfigsResource::default().with_resource_type(2);
            let resource = resource.with_resource_name(text("topic-2")).with_configs(vec![config]);
            AlterConfigsRequest::default().with_resources(vec![resource])
        },
        |_, response: AlterConfigsResponse| assert_eq!(response.responses[0].error_code, 0),
    );
    at_every_version(
        raw,
        |version| DeleteTopicsRequest::default().with_topic_names(vec![name(version)]),
        |version, response: DeleteTopicsResponse| {
            assert_eq!(response.responses[0].error_code, if version == 1 { 3 } else { 0 });
        },
    );
}

#[test]
fn groups_at_every_version() {
    let cluster = Cluster::in_memory();
    let topic = cluster.topic("groups", 1, &[]);
    let raw = &mut Raw::connect(&cluster.bootstrap);
    let group = |version: i16| GroupId::from(text(&format!("group-{version}")));

    at_every_version(
        raw,
        |version| {
            let request = FindCoordinatorRequest::default();
            if version < 4 {
                return request.with_key(text("group"));
            }
            request.with_coordinator_keys(vec![text("group"), text("other")])
        },
        |version, response: FindCoordinatorResponse| {
            let coordinators = response.coordinators.len();
            assert_eq!((response.error_code, coordinators), (0, if version < 4 { 0 } else { 2 }));
        },
    );
    let join = |version, member: &str| {
        let protocol = join_group_request::JoinGroupRequestProtocol::default()
            .with_name(text("own"))
            .with_metadata(bytes::Bytes::from_static(b"anything"));
        let instance = (version >= 5).then(|| text("instance"));
        JoinGroupRequest::default()
            .with_group_id(group(version))
            .with_session_timeout_ms(10_000)
            .with_member_id(text(member))
            .with_group_instance_id(instance)
            .with_protocol_type(text("own-type"))
            .with_protocols(vec![protocol])
    };
    let mut members = Vec::new();
    at_every_version(
        raw,
        |version| join(version, ""),
        |version, response: JoinGroupResponse| {
            // Version 4 hands the id out first; later versions have an instance here.
            assert_eq!(response.error_code, if version == 4 { 79 } else { 0 });
            if version != 4 {
                assert_eq!(response.leader, response.member_id);
                assert_eq!(response.members.len(), 1);
                assert_eq!(response.protocol_name, Some(text("own")));
            }
            members.push(response.member_id);
        },
    );
    let joined = raw.call(4, &join(4, &members[4]));
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    let instance = |version: i16, since: i16, group: i16| {
        (version >= since && group >= 5).then(|| text("instance"))
    };
    at_every_version(
        raw,
        |version| {
            let member = &members[usize::try_from(version).unwrap()];
            let assignment = sync_group_request::SyncGroupRequestAssignment::default()
                .with_member_id(member.clone())
                .with_assignment(bytes::Bytes::from_static(b"part"));
            let protocol = |name: &str| (version >= 5).then(|| text(name));
            SyncGroupRequest::default()
                .with_group_id(group(version))
                .with_generation_id(1)
                .with_member_id(member.clone())
                .with_group_instance_id(instance(version, 3, version))
                .with_protocol_type(protocol("own-type"))
                .with_protocol_name(protocol("own"))
                .with_assignments(vec![assignment])
        },
        |_, response: SyncGroupResponse| {
            assert_eq!((response.error_code, &response.assignment[..]), (0, &b"part"[..]));
        },
    );
    at_every_version(
        raw,
        |version| {
            let member = members[usize::try_from(version).unwrap()].clone();
            let request = HeartbeatRequest::default().with_group_id(group(version));
            request.with_generation_id(1).with_member_id(member)
        },
        |_, response: HeartbeatResponse| assert_eq!(response.error_code, 0),
    );
    at_every_version(
        raw,
        |_| DescribeGroupsRequest::default().with_groups(vec![group(0), group(5), group(99)]),
        |_, response: DescribeGroupsResponse| {
            let states: Vec<_> =
                response.groups.iter().map(|group| group.group_state.as_str()).collect();
            assert_eq!(states, ["Stable", "Stable", "Dead"]);
            assert_eq!(&response.groups[0].members[0].member_metadata[..], b"anything");
        },
    );
    at_every_version(
        raw,
        |version| {
            let request = ListGroupsRequest::default();
            let request = if version >= 4 {
                request.with_states_filter(vec![text("stable")])
            } else {
                request
            };
            if version >= 5 { request.with_types_filter(vec![text("classic")]) } else { request }
        },
        |version, response: ListGroupsResponse| {
            // Groups 6 and 7 have not been assigned.
            assert_eq!(response.groups.len(), if version >= 4 { 6 } else { 8 });
        },
    );
    let commit = |version: i16| {
        let partition = offset_commit_request::OffsetCommitRequestPartition::default()
            .with_committed_offset(5)
            .with_committed_metadata(Some(text("note")));
        let topic = offset_commit_request::OffsetCommitRequestTopic::default()
            .with_name(text(&topic).into())
            .with_partitions(vec![partition]);
        OffsetCommitRequest::default()
            .with_group_id(text(&format!("simple-{version}")).into())
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic])
    };
    at_every_version(raw, commit, |_, response: OffsetCommitResponse| {
        assert_eq!(response.topics[0].partitions[0].error_code, 0);
    });
    for all in [false, true] {
        at_every_version(
            raw,
            |version| {
                let id = GroupId::from(text("simple-9"));
                if version >= 8 {
                    let topics = offset_fetch_request::OffsetFetchRequestTopics::default()
                        .with_name(text(&topic).into())
                        .with_partition_indexes(vec![0]);
                    let group =
                        offset_fetch_request::OffsetFetchRequestGroup::default().with_group_id(id);
                    let group =
                        group.with_member_epoch(-1).with_topics((!all).then(|| vec![topics]));
                    return OffsetFetchRequest::default().with_groups(vec![group]);
                }
                let topics = offset_fetch_request::OffsetFetchRequestTopic::default()
                    .with_name(text(&topic).into())
                    .with_partition_indexes(vec![0]);
                let topics = (!all || version < 2).then(|| vec![topics]);
                OffsetFetchRequest::default().with_group_id(id).with_topics(topics)
            },
            |version, response: OffsetFetchResponse| {
                let (offset, metadata) = match version {
                    8.. => {
                        let partition = &response.groups[0].topics[0].partitions[0];
                        (partition.committed_offset, partition.metadata.clone())
                    }
                    _ => {
                        let partition = &response.topics[0].partitions[0];
                        (partition.committed_offset, partition.metadata.clone())
                    }
                };
                assert_eq!((offset, metadata), (5, Some(text("note"))));
            },
        );
    }
    at_every_version(
        raw,
        |version| {
            let id = members[usize::try_from(version).unwrap()].clone();
            let request = LeaveGroupRequest::default().with_group_id(group(version));
            if version < 3 {
                return request.with_member_id(id);
            }
            let member = leave_group_request::MemberIdentity::default().with_member_id(id);
            request.with_members(vec![member])
        },
        |version, response: LeaveGroupResponse| {
            assert_eq!(response.error_code, 0);
            assert_eq!(response.members.len(), usize::from(version >= 3));
        },
    );
    at_every_version(
        raw,
        |version| DeleteGroupsRequest::default().with_groups_names(vec![group(version), group(7)]),
        |_, response: DeleteGroupsResponse| {
            let errors: Vec<_> = response.results.iter().map(|result| result.error_code).collect();
            assert_eq!(errors, [0, 68]);
        },
    );
    at_every_version(
        raw,
        |version| {
            let request = ConsumerGroupHeartbeatRequest::default()
                .with_group_id(text(&format!("modern-{version}")).into())
                .with_member_id(text("me"))
                .with_rebalance_timeout_ms(5000)
                .with_subscribed_topic_names(Some(vec![text(&topic).into()]))
                .with_topic_partitions(Some(Vec::new()));
            if version >= 1 {
                request.with_subscribed_topic_regex(Some(text("none.*")))
            } else {
                request
            }
        },
        |_, response: ConsumerGroupHeartbeatResponse| {
            assert_eq!((response.error_code, response.member_epoch), (0, 1));
            let assignment = response.assignment.unwrap();
            assert_eq!(assignment.topic_partitions[0].partitions, [0]);
        },
    );
}

#[test]
fn transactions_at_every_version() {
    let cluster = Cluster::in_memory();
    let topic = cluster.topic("transactions", 1, &[]);
    let raw = &mut Raw::connect(&cluster.bootstrap);
    let id = |version: i16| TransactionalId::from(text(&format!("id-{version}")));

    let mut producers = Vec::new();
    at_every_version(
        raw,
        |version| {
            let request = InitProducerIdRequest::default().with_transactional_id(Some(id(version)));
            request
                .with_transaction_timeout_ms(60_000)
                .with_producer_id((-1).into())
                .with_producer_epoch(-1)
        },
        |_, response: InitProducerIdResponse| {
            assert_eq!(response.error_code, 0);
            producers.push(response.producer_id);
        },
    );
    let producer = |version: i16| producers[usize::try_from(version).unwrap()];
    at_every_version(
        raw,
        |version| {
            let topic = add_partitions_to_txn_request::AddPartitionsToTxnTopic::default();
            let topic = topic.with_name(text("missing").into());
            AddPartitionsToTxnRequest::default()
                .with_v3_and_below_transactional_id(id(version))
                .with_v3_and_below_producer_id(producer(version))
                .with_v3_and_below_topics(vec![topic.with_partitions(vec![0])])
        },
        |_, response: AddPartitionsToTxnResponse| {
            let partition = &response.results_by_topic_v3_and_below[0].results_by_partition[0];
            assert_eq!(partition.partition_error_code, 3, "the topic does not exist");
        },
    );
    at_every_version(
        raw,
        |version| {
            AddOffsetsToTxnRequest::default()
                .with_transactional_id(id(version))
                .with_producer_id(producer(version))
                .with_group_id(text("group").into())
        },
        |_, response: AddOffsetsToTxnResponse| assert_eq!(response.error_code, 0),
    );
    at_every_version(
        raw,
        |version| {
            let partition = txn_offset_commit_request::TxnOffsetCommitRequestPartition::default();
            let topic = txn_offset_commit_request::TxnOffsetCommitRequestTopic::default()
                .with_name(text(&topic).into())
                .with_partitions(vec![partition.with_committed_offset(3)]);
            TxnOffsetCommitRequest::default()
                .with_transactional_id(id(version))
                .with_group_id(text("group").into())
                .with_producer_id(producer(version))
                .with_generation_id(-1)
                .with_topics(vec![topic])
        },
        |_, response: TxnOffsetCommitResponse| {
            assert_eq!(response.topics[0].partitions[0].error_code, 0);
        },
    );
    at_every_version(
        raw,
        |version| {
            EndTxnRequest::default()
                .with_transactional_id(id(version))
                .with_producer_id(producer(version))
                .with_committed(true)
        },
        |_, response: EndTxnResponse| assert_eq!(response.error_code, 0),
    );
    assert_eq!(produce(raw, &topic, batch(NOBODY, 0, &["still there"])), (0, 0));
}
