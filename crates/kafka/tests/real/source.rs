//! The source over logs that do not stay as they were.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use data::{Arena, Offset, TopicPartition};
use kafka::Cluster;
use kafka::admin::NewTopic;
use kafka::fetch::{FetchOptions, OffsetReset};
use kafka::group::{GroupOptions, GroupProtocol};
use kafka::produce::{Producer, ProducerConfig, Record};
use kafka::source::KafkaSource;
use transit::{Assigned, Assignment, Budget, Commit, CommitOutcome, Committer, Fetched, Source, SourceEvent};

use crate::group::{Follower, SOON, member};
use crate::support::{Kafka, fresh, kafka};

const PROTOCOLS: [(&str, GroupProtocol); 2] =
    [("classic", GroupProtocol::Classic(Vec::new())), ("consumer", GroupProtocol::Consumer(None))];

fn options(group: &str, topic: &str, protocol: &GroupProtocol) -> GroupOptions {
    let classic = matches!(protocol, GroupProtocol::Classic(_));
    let protocol = if classic { GroupProtocol::default() } else { protocol.clone() };
    member(group, topic, &protocol)
}

/// A source that is driven as a task drives it.
struct Reader {
    source: KafkaSource,
    /// What is held, and where each began.
    held: BTreeMap<TopicPartition, Assigned>,
    lost: Vec<(TopicPartition, Assignment)>,
    /// Offset and value of what was read, since the partition was last assigned.
    read: Vec<(i64, String)>,
}

impl Reader {
    fn join(cluster: &Cluster, options: GroupOptions, reset: OffsetReset) -> Self {
        let fetch = FetchOptions { reset, max_wait: Duration::from_millis(100), ..FetchOptions::default() };
        let source = KafkaSource::join(cluster.clone(), options, fetch, &Budget::new(64 << 20));
        Self { source, held: BTreeMap::new(), lost: Vec::new(), read: Vec::new() }
    }

    /// Follows events until `done`, and has each assigned partition read from where `place` says.
    async fn until(&mut self, what: &str, place: impl Fn(&Assigned) -> Offset, done: impl Fn(&Self) -> bool) {
        let follow = async {
            while !done(self) {
                self.step(&place).await.unwrap_or_else(|fault| panic!("{what}: {fault}"));
            }
        };
        let done = tokio::time::timeout(SOON, follow).await.is_ok();
        assert!(done, "{what}: held {:?}, lost {:?}, read {:?}", self.held, self.lost, self.read);
    }

    async fn step(&mut self, place: impl Fn(&Assigned) -> Offset) -> Result<(), fault::Fault> {
        match self.source.next().await? {
            SourceEvent::Assigned(assigned) => {
                for one in assigned {
                    self.read.clear();
                    self.source.resume(&one.partition, one.assignment, place(&one));
                    let before = self.held.insert(one.partition.clone(), one);
                    assert!(before.is_none(), "assigned what is held: {before:?}");
                }
            }
            SourceEvent::Fetched(mut fetched) => {
                let held = &self.held[fetched.partition()];
                assert_eq!(held.assignment, fetched.assignment(), "records of an assignment that is over");
                let mut arena = Arena::new();
                while fetched.decode(&mut arena).expect("sound batches") {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let records = arena.records().map(|it| (it.offset.0, it.value.map(text).unwrap_or_default()));
                    self.read.extend(records);
                }
            }
            SourceEvent::Revoked(revoked) => self.forget(&revoked.partitions),
            SourceEvent::Lost(lost) => {
                self.forget(&lost);
                self.lost.extend(lost);
            }
        }
        Ok(())
    }

    fn forget(&mut self, over: &[(TopicPartition, Assignment)]) {
        for (partition, assignment) in over {
            let held = self.held.remove(partition);
            assert_eq!(held.map(|held| held.assignment), Some(*assignment));
        }
    }

    fn offsets(&self) -> Vec<i64> {
        self.read.iter().map(|(offset, _)| *offset).collect()
    }

    async fn commit(&self, partition: &TopicPartition, offset: i64) -> CommitOutcome {
        let assignment = self.held[partition].assignment;
        let commit = Commit { partition: partition.clone(), assignment, offset: Offset(offset), metadata: "".into() };
        self.source.committer().commit(vec![commit]).await.expect("no fault")
    }
}

async fn create(cluster: &Cluster, topic: &Arc<str>) {
    let new = NewTopic { name: topic.clone(), partitions: 1, replication_factor: 1, configs: BTreeMap::new() };
    // Deleting goes on behind the answer to it.
    crate::support::eventually("the topic is created", SOON, async || cluster.create_topic(&new).await.ok()).await;
}

/// Values are `NAME-0`, `NAME-1` and so on.
async fn produce(cluster: &Cluster, topic: &Arc<str>, name: &str, count: i64) {
    let producer = Producer::new(cluster.clone(), ProducerConfig::default());
    for number in 0..count {
        let value = format!("{name}-{number}");
        let record = Record {
            topic,
            partition: Some(0),
            key: None,
            value: Some(value.as_bytes()),
            headers: &[],
            timestamp: None,
        };
        drop(producer.send(&record).await.unwrap());
    }
    producer.close().await;
}

async fn stage(kafka: &Kafka) -> (Cluster, Arc<str>, TopicPartition) {
    let cluster = kafka.connect().await;
    let topic: Arc<str> = fresh("changing").into();
    create(&cluster, &topic).await;
    produce(&cluster, &topic, "old", 20).await;
    let zero = TopicPartition::new(topic.clone(), 0);
    (cluster, topic, zero)
}

/// A group that has committed `offset`, whether the log has it or not.
async fn committed(cluster: &Cluster, options: &GroupOptions, zero: &TopicPartition, offset: i64, metadata: &str) {
    let before = Follower::start(cluster, options.clone());
    before.holds("one partition", |seen| seen.held.len() == 1).await;
    assert_eq!(before.commit(zero, offset, metadata).await, CommitOutcome::Done);
    before.leave().await;
}

#[tokio::test]
async fn records_that_were_deleted_before_they_were_read_are_passed_over() {
    let Some(kafka) = kafka("records_that_were_deleted_before_they_were_read_are_passed_over") else { return };
    let (cluster, topic, _) = stage(kafka).await;
    let delete = tempfile::NamedTempFile::new().unwrap();
    let wish = format!(r#"{{"partitions":[{{"topic":"{topic}","partition":0,"offset":15}}],"version":1}}"#);
    std::fs::write(delete.path(), wish).unwrap();
    let path = delete.path().to_str().unwrap();
    kafka.script("tool", &["org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file", path]);
    let protocol = GroupProtocol::default();
    let mut reader = Reader::join(&cluster, member(&fresh("group"), &topic, &protocol), OffsetReset::Earliest);
    // Where the group was before they were deleted.
    reader.until("what is left is read", |_| Offset(3), |reader| reader.read.len() == 5).await;
    assert_eq!(reader.offsets(), [15, 16, 17, 18, 19]);
    assert!(reader.lost.is_empty(), "nothing of what is left means anything else now");
    reader.source.leave().await;

    let mut strict = Reader::join(&cluster, member(&fresh("group"), &topic, &protocol), OffsetReset::None);
    let failure = tokio::time::timeout(SOON, async {
        loop {
            if let Err(fault) = strict.step(|_| Offset(3)).await {
                return fault;
            }
        }
    });
    let failure = failure.await.expect("without auto.offset.reset it fails");
    assert_eq!(failure.code(), "kafka.offset-out-of-range");
    assert!(failure.to_string().contains(&format!("offset 3 of {topic}-0")), "{failure}");
    strict.source.leave().await;
}

#[tokio::test]
async fn a_log_that_ends_before_the_committed_offset_goes_on_by_the_reset_under_another_assignment() {
    let name = "a_log_that_ends_before_the_committed_offset_goes_on_by_the_reset_under_another_assignment";
    let Some(kafka) = kafka(name) else { return };
    let (cluster, topic, zero) = stage(kafka).await;
    for (name, protocol) in &PROTOCOLS {
        for (reset, expected) in [(OffsetReset::Earliest, 0), (OffsetReset::Latest, 20)] {
            let options = options(&fresh(name), &topic, protocol);
            committed(&cluster, &options, &zero, 50, "").await;
            let mut reader = Reader::join(&cluster, options, reset);
            let begins = |reader: &Reader| reader.held.get(&zero).is_some_and(|held| held.position == Offset(expected));
            reader.until(name, |assigned| assigned.position, begins).await;
            assert_eq!(reader.lost.len(), 1, "{name}");
            assert_ne!(reader.lost[0].1, reader.held[&zero].assignment);
            assert!(!reader.held[&zero].committed);
            reader.until(name, |assigned| assigned.position, |it| it.read.len() as i64 == 20 - expected).await;
            assert_eq!(reader.offsets(), (expected..20).collect::<Vec<_>>());
            assert_eq!(reader.commit(&zero, 20).await, CommitOutcome::Done, "{name}");
            reader.source.leave().await;
        }
    }
}

#[tokio::test]
async fn an_intent_beyond_the_end_of_a_log_is_finished_before_it_goes_on() {
    let Some(kafka) = kafka("an_intent_beyond_the_end_of_a_log_is_finished_before_it_goes_on") else { return };
    let (cluster, topic, zero) = stage(kafka).await;
    for (name, protocol) in &PROTOCOLS {
        let options = options(&fresh(name), &topic, protocol);
        committed(&cluster, &options, &zero, 50, "an intent").await;
        let mut reader = Reader::join(&cluster, options, OffsetReset::Earliest);
        // A task that finishes the intent, which leads to 60.
        let finish = |assigned: &Assigned| if assigned.metadata.is_empty() { assigned.position } else { Offset(60) };
        reader.until(name, finish, |reader| reader.read.len() == 20).await;
        assert_eq!(reader.offsets(), (0..20).collect::<Vec<_>>(), "{name}");
        // As it was first assigned; as it was assigned anew, with the intent; then without it.
        assert_eq!(reader.lost.len(), 2, "{name}");
        reader.source.leave().await;
    }
}

#[tokio::test]
async fn a_topic_that_is_made_anew_is_read_from_its_beginning() {
    let Some(kafka) = kafka("a_topic_that_is_made_anew_is_read_from_its_beginning") else { return };
    for (name, protocol) in &PROTOCOLS {
        let (cluster, topic, zero) = stage(kafka).await;
        let mut reader = Reader::join(&cluster, options(&fresh(name), &topic, protocol), OffsetReset::Earliest);
        reader.until(name, |assigned| assigned.position, |reader| reader.read.len() == 20).await;
        assert_eq!(reader.commit(&zero, 7).await, CommitOutcome::Done, "{name}");
        let before = reader.held[&zero].assignment;
        cluster.delete_topic(&topic).await.unwrap();
        create(&cluster, &topic).await;
        // More than there were, so that the old position is one of the new log too.
        produce(&cluster, &topic, "new", 30).await;
        reader
            .until(
                name,
                |assigned| assigned.position,
                |reader| {
                    reader.held.get(&zero).is_some_and(|held| held.assignment != before) && reader.read.len() == 30
                },
            )
            .await;
        assert_eq!(reader.offsets(), (0..30).collect::<Vec<_>>(), "{name}");
        assert!(reader.read.iter().all(|(_, value)| value.starts_with("new-")), "{name}");
        assert_eq!(reader.commit(&zero, 30).await, CommitOutcome::Done, "{name}");
        reader.source.leave().await;
    }
}
