use std::collections::BTreeMap;
use std::time::Duration;

use data::{Offset, TopicPartition};
use kafka::ErrorCode;
use kafka::admin::{Isolation, NewTopic, Place};
use kafka::cluster::{CoordinatorKey, Purpose};

use crate::support::{Kafka, eventually, fresh, kafka, topic, wanted};

#[tokio::test]
async fn a_topic_is_created_seen_and_deleted() {
    let Some(kafka) = kafka("a_topic_is_created_seen_and_deleted") else { return };
    let cluster = kafka.connect().await;
    let name = topic(&cluster, 3).await;
    let again = NewTopic { name: (*name).into(), partitions: 3, replication_factor: 1, configs: BTreeMap::new() };
    let error = cluster.create_topic(&again).await.unwrap_err();
    assert_eq!(error.kafka_code(), Some(ErrorCode::TOPIC_ALREADY_EXISTS), "{error}");

    let all = cluster.all_topics().await.unwrap();
    assert_eq!(all.topics[&*name].partitions.len(), 3);
    let leader = cluster.leader(&TopicPartition::new(&*name, 2)).await.unwrap();
    assert_eq!(leader.node, 1);
    assert!(leader.epoch >= 0);

    cluster.delete_topic(&name).await.unwrap();
    eventually("the topic is gone", Duration::from_secs(20), async || {
        (!cluster.all_topics().await.unwrap().topics.contains_key(&*name)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_unknown_topic_is_named_in_the_error() {
    let Some(kafka) = kafka("an_unknown_topic_is_named_in_the_error") else { return };
    let cluster = kafka.connect().await;
    let error = cluster.leader(&TopicPartition::new("no-such-topic", 0)).await.unwrap_err();
    assert_eq!(error.to_string(), "metadata of no-such-topic-0 failed: UNKNOWN_TOPIC_OR_PARTITION");
}

#[tokio::test]
async fn an_empty_partition_begins_and_ends_at_zero() {
    let Some(kafka) = kafka("an_empty_partition_begins_and_ends_at_zero") else { return };
    let cluster = kafka.connect().await;
    let name = topic(&cluster, 4).await;
    let partitions: Vec<_> = (0..4).map(|index| TopicPartition::new(&*name, index)).collect();
    for (place, expected) in
        [(Place::Earliest, Some(Offset(0))), (Place::Latest, Some(Offset(0))), (Place::At(0), None)]
    {
        let found = cluster.list_offsets(&partitions, place, Isolation::ReadCommitted).await.unwrap();
        assert_eq!(found.len(), 4);
        assert!(found.values().all(|offset| *offset == expected), "{place:?}: {found:?}");
    }
}

#[tokio::test]
async fn a_group_without_commits_has_a_coordinator_and_nothing_committed() {
    let Some(kafka) = kafka("a_group_without_commits_has_a_coordinator_and_nothing_committed") else { return };
    let cluster = kafka.connect().await;
    let group = fresh("group");
    assert_eq!(cluster.coordinator(&CoordinatorKey::Group((*group).into())).await.unwrap(), 1);
    assert!(cluster.committed(&group).await.unwrap().is_empty());
}

#[tokio::test]
async fn each_purpose_has_one_connection() {
    let Some(kafka) = kafka("each_purpose_has_one_connection") else { return };
    let cluster = kafka.connect().await;
    let fetch = cluster.node(1, Purpose::Fetch).await.unwrap();
    let again = cluster.node(1, Purpose::Fetch).await.unwrap();
    let group = cluster.node(1, Purpose::Group).await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&fetch, &again));
    assert!(!std::sync::Arc::ptr_eq(&fetch, &group));
}

#[tokio::test]
async fn a_killed_leader_is_replaced_and_a_killed_coordinator_found_again() {
    if !wanted("a_killed_leader_is_replaced_and_a_killed_coordinator_found_again") {
        return;
    }
    let kafka = Kafka::start(&[("KAFKA_NODES", "3"), ("KAFKA_HEAP", "256m")]);
    let cluster = kafka.connect().await;
    eventually("three brokers are up", Duration::from_mins(1), async || {
        (cluster.refresh().await.unwrap().brokers.len() == 3).then_some(())
    })
    .await;
    let name = fresh("topic");
    let new = NewTopic { name: (*name).into(), partitions: 1, replication_factor: 3, configs: BTreeMap::new() };
    cluster.create_topic(&new).await.unwrap();
    let partition = TopicPartition::new(&*name, 0);
    // The broker that is asked may not have heard of the topic yet.
    let leader = cluster.retried(|| cluster.leader(&partition)).await.unwrap();
    // A group that the same node coordinates, so that one kill moves both.
    let mut group = CoordinatorKey::Group("none".into());
    for number in 0..1000 {
        group = CoordinatorKey::Group(format!("group-{number}").into());
        if cluster.coordinator(&group).await.unwrap() == leader.node {
            break;
        }
    }

    kafka.script("kill", &[&leader.node.to_string()]);
    let found =
        cluster.list_offsets(std::slice::from_ref(&partition), Place::Latest, Isolation::default()).await.unwrap();
    assert_eq!(found[&partition], Some(Offset(0)));
    let after = cluster.leader(&partition).await.unwrap();
    assert_ne!(after.node, leader.node);
    assert!(after.epoch > leader.epoch);
    let connection = eventually("the group has another coordinator", Duration::from_mins(1), async || {
        let (node, connection) = cluster.coordinator_connection(&group).await.ok()?;
        (node != leader.node).then_some(connection)
    })
    .await;
    assert!(connection.ended().is_none());

    kafka.script("resume", &[&leader.node.to_string()]);
    eventually("the node is back", Duration::from_mins(1), async || {
        (cluster.refresh().await.unwrap().brokers.len() == 3).then_some(())
    })
    .await;
    cluster.node(leader.node, Purpose::Fetch).await.unwrap();
}
