//! A consumer group's partitions as a [`transit::Source`]: the membership says what is ours, the fetcher reads it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use data::{Offset, TopicPartition};
use fault::{Blame, Code, Diagnose, Fault, Retry};
use transit::{Assignment, Budget, Source, SourceEvent};

use crate::cluster::Cluster;
use crate::fetch::{Delivery, FetchOptions, Fetcher, Gauge};
use crate::group::{Group, GroupCommitter, GroupEvent, GroupOptions};
use crate::records::FetchedRecords;

/// A member of a group that fetches what it is assigned.
#[derive(Debug)]
pub struct KafkaSource {
    group: Group,
    fetcher: Fetcher,
    held: HashMap<TopicPartition, Assignment>,
}

/// What can be seen of a source from outside. Cloning shares it.
#[derive(Debug, Clone)]
pub struct SourceStats(Gauge);

impl SourceStats {
    /// The end of a partition as its leader last said.
    pub fn end_offset(&self, partition: &TopicPartition) -> Option<Offset> {
        self.0.progress().into_iter().find(|one| one.partition == *partition)?.high_watermark
    }
}

impl KafkaSource {
    /// Joins.
    pub fn join(cluster: Cluster, options: GroupOptions, fetch: FetchOptions, budget: &Budget) -> Self {
        let fetcher = Fetcher::start(cluster.clone(), fetch, budget);
        Self { group: Group::join(cluster, options), fetcher, held: HashMap::new() }
    }

    /// What can be seen of it from outside.
    pub fn stats(&self) -> SourceStats {
        SourceStats(self.fetcher.gauge())
    }

    fn forget(&mut self, partitions: &[(TopicPartition, Assignment)]) {
        for (partition, assignment) in partitions {
            if self.held.get(partition) == Some(assignment) {
                self.held.remove(partition);
                self.fetcher.remove(partition);
            }
        }
    }
}

impl Source for KafkaSource {
    type Fetched = FetchedRecords;
    type Committer = GroupCommitter;

    fn committer(&self) -> GroupCommitter {
        self.group.committer()
    }

    async fn next(&mut self) -> Result<SourceEvent<FetchedRecords>, Fault> {
        tokio::select! {
            // What is ours comes first: records of what is not any more need not be taken up.
            biased;
            event = self.group.next() => Ok(match event? {
                GroupEvent::Assigned(assigned) => {
                    for one in &assigned {
                        self.held.insert(one.partition.clone(), one.assignment);
                    }
                    SourceEvent::Assigned(assigned)
                }
                GroupEvent::Revoked(revoked) => {
                    self.forget(&revoked.partitions);
                    SourceEvent::Revoked(revoked)
                }
                GroupEvent::Lost(lost) => {
                    self.forget(&lost);
                    SourceEvent::Lost(lost)
                }
            }),
            delivery = self.fetcher.next() => match delivery? {
                Delivery::Records(records) => Ok(SourceEvent::Fetched(records)),
                // Its offsets begin to mean other records: whether what is stored of them still counts, and where to go
                // on, is not ours to guess.
                Delivery::Rewound { partition, at, .. } => {
                    Err(Fault::new(LogTruncated { group: self.group.options().group.clone(), partition, at }))
                }
            },
        }
    }

    fn resume(&mut self, partition: &TopicPartition, assignment: Assignment, at: Offset) {
        if self.held.get(partition) == Some(&assignment) {
            self.fetcher.add(partition.clone(), assignment, at);
        }
    }

    async fn leave(self) {
        let Self { group, fetcher, .. } = self;
        drop(fetcher);
        group.leave().await;
    }
}

/// The log of a partition ends before the offset that we had come to.
#[derive(Debug, thiserror::Error)]
#[error("{partition} ends before the offset that group {group} has come to; its log now goes on at {at}")]
pub struct LogTruncated {
    /// Whose offset.
    pub group: Arc<str>,
    /// Which partition.
    pub partition: TopicPartition,
    /// Where its log goes on.
    pub at: Offset,
}

impl Diagnose for LogTruncated {
    fn code(&self) -> Code {
        "kafka.log-truncated"
    }
    fn blame(&self) -> Blame {
        Blame::Operator
    }
    fn retry(&self) -> Retry {
        Retry::Never
    }
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(
            "the topic was made anew or lost records in an unclean leader election: choose where to go on with \
             kafka-consumer-groups --reset-offsets, which takes effect at the next try"
                .into(),
        )
    }
}
