use kafka_protocol::ResponseError::{
    GroupIdNotFound, GroupSubscribedToTopic, IllegalGeneration, NonEmptyGroup, OffsetMetadataTooLarge,
    RebalanceInProgress, UnknownMemberId, UnknownTopicOrPartition,
};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::{
    DeleteGroupsRequest, GroupId, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::groups::{Member, stable_member};
use super::wire::{Wire, is_closed, subject, subscription, text, topic_name, unique};

/// A commit from outside the group.
fn commit_request(group: &str, topic: &TopicName, offset: i64, metadata: &str) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(offset)
        .with_committed_leader_epoch(-1)
        .with_committed_metadata(Some(text(metadata)));
    let topic = OffsetCommitRequestTopic::default().with_name(topic.clone()).with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

async fn commit(wire: &mut Wire, request: &OffsetCommitRequest) -> i16 {
    wire.call(8, request).await.topics[0].partitions[0].error_code
}

async fn commit_as(member: &mut Member, topic: &TopicName, offset: i64) -> i16 {
    let request = commit_request(&member.group, topic, offset, "")
        .with_member_id(member.id.clone())
        .with_generation_id_or_member_epoch(member.generation);
    commit(&mut member.wire, &request).await
}

/// Offset and metadata of partition 0.
async fn committed(wire: &mut Wire, group: &str, topic: &TopicName) -> (i64, String) {
    let topics = OffsetFetchRequestTopics::default().with_name(topic.clone()).with_partition_indexes(vec![0]);
    let group = OffsetFetchRequestGroup::default().with_group_id(GroupId(text(group))).with_topics(Some(vec![topics]));
    let response = wire.call(8, &OffsetFetchRequest::default().with_groups(vec![group])).await;
    assert_eq!(response.groups[0].error_code, 0);
    let partition = &response.groups[0].topics[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    (partition.committed_offset, partition.metadata.as_deref().unwrap_or("null").to_owned())
}

#[tokio::test]
async fn what_is_committed_is_given_back_with_its_metadata() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("commit", 1, &[]).await;
    let group = unique("commit");
    assert_eq!(committed(&mut wire, &group, &topic).await, (-1, String::new()));
    for metadata in ["", "intent é", &"x".repeat(4096)] {
        assert_eq!(commit(&mut wire, &commit_request(&group, &topic, 5, metadata)).await, 0);
        assert_eq!(committed(&mut wire, &group, &topic).await, (5, metadata.to_owned()));
    }
    assert_eq!(commit(&mut wire, &commit_request(&group, &topic, 3, "back")).await, 0);
    assert_eq!(committed(&mut wire, &group, &topic).await, (3, "back".to_owned()));
}

#[tokio::test]
async fn metadata_above_the_limit_is_refused_and_changes_nothing() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("large", 1, &[]).await;
    let group = unique("large");
    assert_eq!(commit(&mut wire, &commit_request(&group, &topic, 1, "kept")).await, 0);
    let refused = commit_request(&group, &topic, 2, &"x".repeat(4097));
    assert_eq!(commit(&mut wire, &refused).await, OffsetMetadataTooLarge.code());
    assert_eq!(committed(&mut wire, &group, &topic).await, (1, "kept".to_owned()));
    // The limit counts characters, not bytes.
    assert_eq!(commit(&mut wire, &commit_request(&group, &topic, 2, &"é".repeat(4096))).await, 0);
    // A string that no signed 16 bits can count ends the connection.
    wire.send(8, &commit_request(&group, &topic, 2, &"x".repeat(40_000))).await;
    assert!(is_closed(&mut wire).await);
}

#[tokio::test]
async fn a_commit_for_a_partition_that_is_not_there_is_refused_alone() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("alone", 1, &[]).await;
    let group = unique("alone");
    let mut request = commit_request(&group, &topic, 7, "");
    let mut absent = request.topics[0].partitions[0].clone();
    absent.partition_index = 1;
    request.topics[0].partitions.push(absent);
    let response = wire.call(8, &request).await;
    for partition in &response.topics[0].partitions {
        let expected = if partition.partition_index == 0 { 0 } else { UnknownTopicOrPartition.code() };
        assert_eq!(partition.error_code, expected, "{partition:?}");
    }
    assert_eq!(committed(&mut wire, &group, &topic).await.0, 7);
    let absent = topic_name(&unique("absent"));
    assert_eq!(commit(&mut wire, &commit_request(&group, &absent, 1, "")).await, UnknownTopicOrPartition.code());
}

#[tokio::test]
async fn commits_are_fenced_by_member_and_generation() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("fence", 1, &[]).await;
    let group = unique("fence");
    let mut member = stable_member(&subject, &group).await;
    assert_eq!(commit_as(&mut member, &topic, 1).await, 0);
    // From outside, while a member is at work.
    assert_eq!(commit(&mut wire, &commit_request(&group, &topic, 9, "")).await, UnknownMemberId.code());
    member.generation = 0;
    assert_eq!(commit_as(&mut member, &topic, 9).await, IllegalGeneration.code());
    member.generation = 1;
    let id = std::mem::replace(&mut member.id, text("nobody"));
    assert_eq!(commit_as(&mut member, &topic, 9).await, UnknownMemberId.code());
    member.id = id;

    // A rebalance: while members are being called, the old generation may still commit.
    let mut second = Member::new(&subject, &group).await;
    let begun = tokio::spawn(async move {
        second.join().await;
        second
    });
    loop {
        let heard = member.heartbeat().await;
        if heard == RebalanceInProgress.code() {
            break;
        }
        assert_eq!(heard, 0);
    }
    assert_eq!(commit_as(&mut member, &topic, 2).await, 0);
    // When all have joined, the old generation is over and the new one not yet begun.
    assert_eq!(member.join().await.generation_id, 2);
    assert_eq!(commit_as(&mut member, &topic, 9).await, RebalanceInProgress.code());
    member.generation = 1;
    assert_eq!(commit_as(&mut member, &topic, 9).await, IllegalGeneration.code());
    member.generation = 2;
    let second = begun.await.expect("the second member joins");
    let ids = (member.id.clone(), second.id.clone());
    assert_eq!(member.sync(&[(&ids.0, b"a"), (&ids.1, b"b")]).await.error_code, 0);
    // Who owns the partition does not matter to the broker, only whose generation it is.
    assert_eq!(commit_as(&mut member, &topic, 3).await, 0);
    assert_eq!(committed(&mut wire, &group, &topic).await.0, 3);

    assert_eq!(member.leave().await, 0);
    assert_eq!(commit_as(&mut member, &topic, 9).await, UnknownMemberId.code());
    assert_eq!(committed(&mut wire, &group, &topic).await.0, 3);
}

#[tokio::test]
async fn a_generation_of_a_group_that_is_not_there_is_refused() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("gone", 1, &[]).await;
    let request = commit_request(&unique("gone"), &topic, 1, "")
        .with_generation_id_or_member_epoch(4)
        .with_member_id(StrBytes::from_static_str("m"));
    assert_eq!(commit(&mut wire, &request).await, IllegalGeneration.code());
    let response = wire.call(9, &request).await;
    assert_eq!(response.topics[0].partitions[0].error_code, GroupIdNotFound.code());
}

#[tokio::test]
async fn offsets_and_groups_are_deleted_when_nobody_uses_them() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("delete", 1, &[]).await;
    let group = unique("delete");
    assert_eq!(commit(&mut wire, &commit_request(&group, &topic, 5, "")).await, 0);
    let delete_offset = |group: &str| {
        let topics = OffsetDeleteRequestTopic::default()
            .with_name(topic.clone())
            .with_partitions(vec![OffsetDeleteRequestPartition::default()]);
        OffsetDeleteRequest::default().with_group_id(GroupId(text(group))).with_topics(vec![topics])
    };
    let delete_group = |group: &str| DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(group))]);

    let mut member = Member::new(&subject, &group).await;
    member.protocols = vec![("range", subscription(&[&topic], b""))];
    member.settle().await;
    let response = wire.call(0, &delete_offset(&group)).await;
    assert_eq!(response.error_code, 0);
    assert_eq!(response.topics[0].partitions[0].error_code, GroupSubscribedToTopic.code());
    assert_eq!(wire.call(2, &delete_group(&group)).await.results[0].error_code, NonEmptyGroup.code());
    assert_eq!(member.leave().await, 0);

    let response = wire.call(0, &delete_offset(&group)).await;
    assert_eq!((response.error_code, response.topics[0].partitions[0].error_code), (0, 0));
    assert_eq!(committed(&mut wire, &group, &topic).await.0, -1);
    assert_eq!(commit(&mut wire, &commit_request(&group, &topic, 5, "")).await, 0);
    assert_eq!(wire.call(2, &delete_group(&group)).await.results[0].error_code, 0);
    assert_eq!(committed(&mut wire, &group, &topic).await.0, -1);
    assert_eq!(wire.call(2, &delete_group(&group)).await.results[0].error_code, GroupIdNotFound.code());
    assert_eq!(wire.call(0, &delete_offset(&group)).await.error_code, GroupIdNotFound.code());
}
