use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::{
    AlterConfigsRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteGroupsRequest, DeleteRecordsRequest,
    DeleteTopicsRequest, DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest,
    DescribeTopicPartitionsRequest, FetchRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest,
    IncrementalAlterConfigsRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest,
    MetadataRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest,
    ProduceRequest, SyncGroupRequest, TopicName,
};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, RequestHeader, RequestKind, ResponseHeader, ResponseKind};
use kafka_protocol::protocol::{Decodable as _, Encodable as _, StrBytes};
use uuid::Uuid;

use super::wire::{NOBODY, Wire, api_versions, batch, init_producer_id, key, subject, subscription, text, unique};

/// What the requests of this test speak of.
struct Scene {
    topic: TopicName,
    id: Uuid,
    group: StrBytes,
    /// Groups that do not exist, so that each JoinGroup is the first.
    run: String,
}

/// A request of that API and version that touches as much of its answer as one can.
#[expect(clippy::too_many_lines, reason = "one match with an arm for each API")]
fn request(api: ApiKey, version: i16, scene: &Scene) -> Option<RequestKind> {
    use kafka_protocol::messages as m;
    let (topic, group) = (scene.topic.clone(), GroupId(scene.group.clone()));
    Some(match api {
        ApiKey::Produce if version < 3 => return None,
        ApiKey::Produce => {
            let partition =
                m::produce_request::PartitionProduceData::default().with_records(Some(batch(NOBODY, &[b"value"])));
            let mut data = m::produce_request::TopicProduceData::default().with_partition_data(vec![partition]);
            if version >= 13 {
                data.topic_id = scene.id;
            } else {
                data.name = topic;
            }
            ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![data]).into()
        }
        ApiKey::Fetch => {
            let partition = m::fetch_request::FetchPartition::default().with_partition_max_bytes(10_000);
            let mut wanted = m::fetch_request::FetchTopic::default().with_partitions(vec![partition]);
            if version >= 13 {
                wanted.topic_id = scene.id;
            } else {
                wanted.topic = topic;
            }
            let request =
                FetchRequest::default().with_max_bytes(10_000).with_topics(vec![wanted]).with_isolation_level(1);
            if version >= 7 { request.with_session_epoch(-1) } else { request }.into()
        }
        ApiKey::ListOffsets => {
            let partition = m::list_offsets_request::ListOffsetsPartition::default().with_timestamp(-1);
            let wanted =
                m::list_offsets_request::ListOffsetsTopic::default().with_name(topic).with_partitions(vec![partition]);
            ListOffsetsRequest::default().with_topics(vec![wanted]).into()
        }
        ApiKey::Metadata => {
            let by = |name| m::metadata_request::MetadataRequestTopic::default().with_name(Some(name));
            let absent = TopicName(text(&format!("{}-absent", scene.run)));
            let mut request = MetadataRequest::default().with_topics(Some(vec![by(topic), by(absent)]));
            request.allow_auto_topic_creation = version < 4;
            request.into()
        }
        ApiKey::OffsetCommit => {
            let partition = m::offset_commit_request::OffsetCommitRequestPartition::default()
                .with_committed_offset(4)
                .with_committed_metadata(Some(text("metadata")));
            let wanted = m::offset_commit_request::OffsetCommitRequestTopic::default()
                .with_name(topic)
                .with_partitions(vec![partition]);
            OffsetCommitRequest::default()
                .with_group_id(group)
                .with_generation_id_or_member_epoch(-1)
                .with_topics(vec![wanted])
                .into()
        }
        ApiKey::OffsetFetch if version < 8 => {
            let wanted = m::offset_fetch_request::OffsetFetchRequestTopic::default()
                .with_name(topic)
                .with_partition_indexes(vec![0, 1]);
            OffsetFetchRequest::default().with_group_id(group).with_topics(Some(vec![wanted])).into()
        }
        ApiKey::OffsetFetch => {
            let wanted = m::offset_fetch_request::OffsetFetchRequestTopics::default()
                .with_name(topic)
                .with_partition_indexes(vec![0, 1]);
            let group = m::offset_fetch_request::OffsetFetchRequestGroup::default()
                .with_group_id(group)
                .with_topics(Some(vec![wanted]));
            let group = if version >= 9 { group.with_member_epoch(-1) } else { group };
            OffsetFetchRequest::default().with_groups(vec![group]).into()
        }
        ApiKey::FindCoordinator if version < 4 => {
            FindCoordinatorRequest::default().with_key(scene.group.clone()).into()
        }
        ApiKey::FindCoordinator => {
            FindCoordinatorRequest::default().with_coordinator_keys(vec![scene.group.clone()]).into()
        }
        ApiKey::JoinGroup => {
            let protocol = m::join_group_request::JoinGroupRequestProtocol::default()
                .with_name(text("range"))
                .with_metadata(subscription(&[], b""));
            let request = JoinGroupRequest::default()
                .with_group_id(GroupId(text(&format!("{}-{version}", scene.run))))
                .with_session_timeout_ms(10_000)
                .with_protocol_type(text("consumer"))
                .with_protocols(vec![protocol]);
            let request = if version >= 1 { request.with_rebalance_timeout_ms(10_000) } else { request };
            if version >= 5 { request.with_group_instance_id(Some(text("static"))) } else { request }.into()
        }
        ApiKey::Heartbeat => HeartbeatRequest::default().with_group_id(group).into(),
        ApiKey::LeaveGroup if version < 3 => LeaveGroupRequest::default().with_group_id(group).into(),
        ApiKey::LeaveGroup => {
            let member = m::leave_group_request::MemberIdentity::default().with_member_id(text("nobody"));
            LeaveGroupRequest::default().with_group_id(group).with_members(vec![member]).into()
        }
        ApiKey::SyncGroup => {
            let request = SyncGroupRequest::default().with_group_id(group);
            let kind = if version >= 5 { Some(text("consumer")) } else { None };
            request.with_protocol_type(kind.clone()).with_protocol_name(kind).into()
        }
        ApiKey::DescribeGroups => {
            // A group with a static member is there from the JoinGroup above, and one is not.
            let groups = vec![GroupId(text(&format!("{}-9", scene.run))), GroupId(text("absent"))];
            DescribeGroupsRequest::default().with_groups(groups).into()
        }
        ApiKey::ListGroups => ListGroupsRequest::default().into(),
        ApiKey::ApiVersions => if version < 3 { ApiVersionsRequest::default() } else { api_versions() }.into(),
        ApiKey::CreateTopics => {
            let name = TopicName(text(&format!("{}-create-{version}", scene.run)));
            let new = m::create_topics_request::CreatableTopic::default()
                .with_name(name)
                .with_num_partitions(1)
                .with_replication_factor(1);
            CreateTopicsRequest::default().with_topics(vec![new]).with_timeout_ms(1000).into()
        }
        ApiKey::DeleteTopics => {
            let name = TopicName(text(&format!("{}-create-{version}", scene.run)));
            let request = DeleteTopicsRequest::default().with_timeout_ms(1000);
            if version >= 6 {
                let by_name = m::delete_topics_request::DeleteTopicState::default().with_name(Some(name));
                request.with_topics(vec![by_name]).into()
            } else {
                request.with_topic_names(vec![name]).into()
            }
        }
        ApiKey::DeleteRecords => {
            let partition = m::delete_records_request::DeleteRecordsPartition::default();
            let wanted = m::delete_records_request::DeleteRecordsTopic::default()
                .with_name(topic)
                .with_partitions(vec![partition]);
            DeleteRecordsRequest::default().with_topics(vec![wanted]).with_timeout_ms(1000).into()
        }
        ApiKey::InitProducerId => init_producer_id().into(),
        ApiKey::OffsetForLeaderEpoch => {
            let partition = m::offset_for_leader_epoch_request::OffsetForLeaderPartition::default();
            let wanted = m::offset_for_leader_epoch_request::OffsetForLeaderTopic::default()
                .with_topic(topic)
                .with_partitions(vec![partition]);
            OffsetForLeaderEpochRequest::default().with_topics(vec![wanted]).into()
        }
        ApiKey::DescribeConfigs => {
            let resource = |kind, name: &str| {
                m::describe_configs_request::DescribeConfigsResource::default()
                    .with_resource_type(kind)
                    .with_resource_name(text(name))
                    .with_configuration_keys(None)
            };
            let resources = vec![resource(2, &topic), resource(2, "absent"), resource(4, "1")];
            DescribeConfigsRequest::default().with_resources(resources).with_include_synonyms(true).into()
        }
        ApiKey::AlterConfigs => {
            let entry = m::alter_configs_request::AlterableConfig::default()
                .with_name(text("retention.ms"))
                .with_value(Some(text("100000")));
            let resource = m::alter_configs_request::AlterConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(topic.0)
                .with_configs(vec![entry]);
            AlterConfigsRequest::default().with_resources(vec![resource]).into()
        }
        ApiKey::IncrementalAlterConfigs => {
            let entry = m::incremental_alter_configs_request::AlterableConfig::default()
                .with_name(text("retention.ms"))
                .with_value(Some(text("100000")));
            let resource = m::incremental_alter_configs_request::AlterConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(topic.0)
                .with_configs(vec![entry]);
            IncrementalAlterConfigsRequest::default().with_resources(vec![resource]).into()
        }
        ApiKey::CreatePartitions => {
            let wanted = m::create_partitions_request::CreatePartitionsTopic::default()
                .with_name(topic)
                .with_count(i32::from(version) + 3)
                .with_assignments(None);
            CreatePartitionsRequest::default().with_topics(vec![wanted]).with_timeout_ms(1000).into()
        }
        ApiKey::DeleteGroups => DeleteGroupsRequest::default().with_groups_names(vec![group]).into(),
        ApiKey::OffsetDelete => {
            let wanted = m::offset_delete_request::OffsetDeleteRequestTopic::default()
                .with_name(topic)
                .with_partitions(vec![m::offset_delete_request::OffsetDeleteRequestPartition::default()]);
            OffsetDeleteRequest::default().with_group_id(group).with_topics(vec![wanted]).into()
        }
        ApiKey::DescribeCluster => DescribeClusterRequest::default().into(),
        ApiKey::DescribeTopicPartitions => {
            let wanted = |name| m::describe_topic_partitions_request::TopicRequest::default().with_name(name);
            let topics = vec![wanted(topic), wanted(TopicName(text("absent")))];
            DescribeTopicPartitionsRequest::default().with_topics(topics).with_response_partition_limit(100).into()
        }
        other => panic!("{other:?} is claimed, and nothing asks for it here"),
    })
}

/// The codec refuses to encode a field that a version does not have, so that an answer that is right in one version may
/// be none in another: each is asked for.
#[tokio::test]
async fn every_claimed_version_of_every_request_is_answered() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("versions", 2, &[]).await;
    let id = wire.topic_id(&topic).await.expect("the topic has an id");
    let run = unique("versions");
    let scene = Scene { topic, id, group: text(&unique("group")), run };
    let claimed = wire.call(3, &api_versions()).await.api_keys;
    assert!(claimed.len() >= 27);
    let ours = |api: ApiKey| {
        use ApiKey as K;
        // What a real Kafka claims beyond us is not asked.
        matches!(
            api,
            K::Produce
                | K::Fetch
                | K::ListOffsets
                | K::Metadata
                | K::OffsetCommit
                | K::OffsetFetch
                | K::FindCoordinator
                | K::JoinGroup
                | K::Heartbeat
                | K::LeaveGroup
                | K::SyncGroup
                | K::DescribeGroups
                | K::ListGroups
                | K::ApiVersions
                | K::CreateTopics
                | K::DeleteTopics
                | K::DeleteRecords
                | K::InitProducerId
                | K::OffsetForLeaderEpoch
                | K::DescribeConfigs
                | K::AlterConfigs
                | K::CreatePartitions
                | K::DeleteGroups
                | K::IncrementalAlterConfigs
                | K::OffsetDelete
                | K::DescribeCluster
                | K::DescribeTopicPartitions
        )
    };
    let is_real = claimed.iter().any(|entry| entry.api_key == key(ApiKey::EndTxn));
    let mut asked = 0;
    for entry in claimed {
        let api = ApiKey::try_from(entry.api_key).expect("a known API");
        if is_real && !ours(api) {
            continue;
        }
        for version in entry.min_version..=entry.max_version {
            let Some(request) = request(api, version, &scene) else { continue };
            let mut wire = Wire::connect(subject.addr).await;
            let header = RequestHeader::default()
                .with_request_api_key(entry.api_key)
                .with_request_api_version(version)
                .with_correlation_id(77)
                .with_client_id(Some(text("tester")));
            let mut frame = BytesMut::new();
            frame.put_i32(0);
            header.encode(&mut frame, api.request_header_version(version)).expect("the header encodes");
            request.encode(&mut frame, version).unwrap_or_else(|error| panic!("{api:?} {version}: {error:#}"));
            let length = (frame.len() - 4) as i32;
            frame[..4].copy_from_slice(&length.to_be_bytes());
            wire.send_raw(&frame).await;
            let mut answer: Bytes = wire.frame().await.unwrap_or_else(|| panic!("{api:?} {version} is not answered"));
            let header = ResponseHeader::decode(&mut answer, api.response_header_version(version)).expect("a header");
            assert_eq!(header.correlation_id, 77);
            ResponseKind::decode(api, &mut answer, version)
                .unwrap_or_else(|error| panic!("{api:?} {version}: {error:#}"));
            assert!(!answer.has_remaining(), "{api:?} {version}: {} bytes too many", answer.remaining());
            asked += 1;
        }
    }
    assert!(asked > 120, "{asked}");
}
