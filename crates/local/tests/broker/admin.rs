use kafka_protocol::ResponseError::{
    InvalidConfig, InvalidPartitions, InvalidReplicaAssignment, InvalidReplicationFactor, InvalidRequest,
    InvalidTopicException, TopicAlreadyExists, UnknownTopicId, UnknownTopicOrPartition,
};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeTopicPartitionsRequest,
    MetadataRequest,
};
use local::broker::{Broker, BrokerError, BrokerOptions};
use uuid::Uuid;

use super::wire::{Wire, subject, text, topic_name, unique};

#[tokio::test]
async fn topics_that_cannot_be_are_refused_with_their_codes() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let there = wire.create_topic("there.already", 1, &[]).await;
    let topic = |name: &str| {
        CreatableTopic::default().with_name(topic_name(name)).with_num_partitions(1).with_replication_factor(1)
    };
    let config = |name: &str, value: &str| {
        vec![CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))]
    };
    let assignment = |index, broker| {
        let assignment = CreatableReplicaAssignment::default().with_partition_index(index);
        assignment.with_broker_ids(vec![BrokerId(broker)])
    };
    let assigned = |assignments| {
        topic(&unique("a")).with_num_partitions(-1).with_replication_factor(-1).with_assignments(assignments)
    };
    let cases = [
        (topic(""), InvalidTopicException),
        (topic("."), InvalidTopicException),
        (topic(".."), InvalidTopicException),
        (topic("../up"), InvalidTopicException),
        (topic("a b"), InvalidTopicException),
        (topic("é"), InvalidTopicException),
        (topic(&"x".repeat(250)), InvalidTopicException),
        (topic(&there.replace('.', "_")), InvalidTopicException),
        (topic(&there), TopicAlreadyExists),
        (topic(&unique("p")).with_num_partitions(0), InvalidPartitions),
        (topic(&unique("r")).with_replication_factor(3), InvalidReplicationFactor),
        (topic(&unique("r")).with_replication_factor(0), InvalidReplicationFactor),
        (topic(&unique("c")).with_configs(config("no.such.key", "1")), InvalidConfig),
        (topic(&unique("c")).with_configs(config("retention.ms", "soon")), InvalidConfig),
        (topic(&unique("c")).with_configs(config("cleanup.policy", "burn")), InvalidConfig),
        (topic(&unique("a")).with_assignments(vec![assignment(0, 1)]), InvalidRequest),
        (assigned(vec![assignment(0, 1), assignment(2, 1)]), InvalidReplicaAssignment),
        (assigned(vec![assignment(0, 7)]), InvalidReplicaAssignment),
    ];
    for (topic, expected) in cases {
        let request = CreateTopicsRequest::default().with_topics(vec![topic.clone()]).with_timeout_ms(10_000);
        let result = wire.call(7, &request).await.topics.remove(0);
        assert_eq!(result.error_code, expected.code(), "{topic:?}: {:?}", result.error_message);
        assert!(result.error_message.is_some(), "{topic:?}");
    }
    let twice = unique("twice");
    let request =
        CreateTopicsRequest::default().with_topics(vec![topic(&twice), topic(&twice)]).with_timeout_ms(10_000);
    let response = wire.call(7, &request).await;
    assert!(response.topics.iter().all(|topic| topic.error_code == InvalidRequest.code()), "{response:?}");
}

#[tokio::test]
async fn validating_creates_nothing() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let name = topic_name(&unique("validate"));
    let topic = CreatableTopic::default().with_name(name.clone()).with_num_partitions(3).with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    let response = wire.call(7, &request.with_validate_only(true)).await;
    assert_eq!((response.topics[0].error_code, response.topics[0].num_partitions), (0, 3));
    assert_eq!(wire.topic_id(&name).await, None);
}

#[tokio::test]
async fn partitions_are_added_but_never_taken_away() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("extend", 2, &[]).await;
    let extend = |count| {
        let topic = CreatePartitionsTopic::default().with_name(topic.clone()).with_count(count).with_assignments(None);
        CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000)
    };
    for (count, expected) in [(2, InvalidPartitions.code()), (1, InvalidPartitions.code()), (5, 0)] {
        assert_eq!(wire.call(3, &extend(count)).await.results[0].error_code, expected, "{count}");
    }
    let partitions = async |wire: &mut Wire| {
        let wanted = MetadataRequestTopic::default().with_name(Some(topic.clone()));
        let response = wire.call(12, &MetadataRequest::default().with_topics(Some(vec![wanted]))).await;
        response.topics[0].partitions.len()
    };
    while partitions(&mut wire).await != 5 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_deleted_topic_is_gone_and_one_of_its_name_is_another() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let name = wire.create_topic("gone", 1, &[]).await;
    let id = wire.topic_id(&name).await.expect("the topic has an id");
    let delete = |state| DeleteTopicsRequest::default().with_topics(vec![state]).with_timeout_ms(10_000);
    let by_name = DeleteTopicState::default().with_name(Some(name.clone()));
    let response = wire.call(6, &delete(by_name.clone())).await;
    assert_eq!((response.responses[0].error_code, response.responses[0].topic_id), (0, id));
    while wire.topic_id(&name).await.is_some() {
        tokio::task::yield_now().await;
    }
    let response = wire.call(6, &delete(by_name)).await;
    assert_eq!(response.responses[0].error_code, UnknownTopicOrPartition.code());
    let by_id = DeleteTopicState::default().with_name(None).with_topic_id(id);
    assert_eq!(wire.call(6, &delete(by_id)).await.responses[0].error_code, UnknownTopicId.code());

    let again = CreatableTopic::default().with_name(name.clone()).with_num_partitions(1).with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![again]).with_timeout_ms(10_000);
    let created = wire.call(7, &request).await.topics.remove(0);
    assert_eq!(created.error_code, 0);
    assert!(created.topic_id != id && created.topic_id != Uuid::nil());
}

#[tokio::test]
async fn topics_are_described_page_by_page() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let run = unique("page");
    let mut names = Vec::new();
    for letter in ["a", "b"] {
        names.push(wire.create_topic(&format!("{run}-{letter}"), 3, &[]).await);
    }
    let (mut cursor, mut seen) = (None, Vec::new());
    loop {
        let topics = names.iter().map(|name| TopicRequest::default().with_name(name.clone()));
        let request = DescribeTopicPartitionsRequest::default()
            .with_topics(topics.collect())
            .with_response_partition_limit(2)
            .with_cursor(cursor);
        let response = wire.call(0, &request).await;
        for topic in &response.topics {
            let name = topic.name.clone().expect("a name");
            seen.extend(topic.partitions.iter().map(|partition| (name.clone(), partition.partition_index)));
        }
        let Some(next) = response.next_cursor else { break };
        cursor = Some(Cursor::default().with_topic_name(next.topic_name).with_partition_index(next.partition_index));
    }
    let all: Vec<_> = names.iter().flat_map(|name| (0..3).map(|index| (name.clone(), index))).collect();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn a_topic_that_is_asked_for_comes_into_being_only_where_that_is_wanted() {
    for auto_create_topics in [true, false] {
        let options = BrokerOptions { auto_create_topics, default_partitions: 4, ..BrokerOptions::default() };
        let broker = Broker::start(options).await.expect("the broker starts");
        let mut wire = Wire::connect(broker.addr()).await;
        for (allowed, name) in [(false, "no"), (true, "yes")] {
            let wanted = MetadataRequestTopic::default().with_name(Some(topic_name(name)));
            let request =
                MetadataRequest::default().with_topics(Some(vec![wanted])).with_allow_auto_topic_creation(allowed);
            let topic = wire.call(9, &request).await.topics.remove(0);
            if auto_create_topics && allowed {
                assert_eq!((topic.error_code, topic.partitions.len()), (0, 4));
            } else {
                assert_eq!(topic.error_code, UnknownTopicOrPartition.code());
            }
        }
    }
}

#[tokio::test]
async fn the_owner_of_a_broker_is_refused_what_a_client_is() {
    let broker = Broker::start(BrokerOptions::default()).await.expect("the broker starts");
    broker.create_topic("orders", 3, &[("retention.ms", "1000")]).await.expect("the topic is created");
    let again = broker.create_topic("orders", 3, &[]).await.expect_err("it is there already");
    assert!(matches!(again, BrokerError::Topic { code: TopicAlreadyExists, .. }), "{again:?}");
    let odd = broker.create_topic("other", 3, &[("retention", "1")]).await.expect_err("there is no such key");
    assert!(matches!(odd, BrokerError::Topic { code: InvalidConfig, .. }), "{odd:?}");
}
