//! A consumer group's partitions as a [`transit::Source`]: the membership says what is ours, the fetcher reads it.

use std::collections::{HashMap, VecDeque};

use data::{Offset, TopicPartition};
use fault::Fault;
use transit::{Assignment, Budget, Source, SourceEvent};

use crate::cluster::Cluster;
use crate::fetch::{Delivery, FetchOptions, Fetcher, Gauge};
use crate::group::{Group, GroupCommitter, GroupEvent, GroupOptions, Restart, Rewound};
use crate::records::FetchedRecords;

/// A member of a group that fetches what it is assigned.
#[derive(Debug)]
pub struct KafkaSource {
    group: Group,
    fetcher: Fetcher,
    held: HashMap<TopicPartition, Assignment>,
    /// What the group has still to be told of logs that were cut back or made anew.
    rewinds: VecDeque<(TopicPartition, Assignment, Restart)>,
    /// The assignments that follow from that and have not been resumed yet.
    restarts: HashMap<TopicPartition, (Assignment, Restart)>,
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
        let group = Group::join(cluster, options);
        Self { group, fetcher, held: HashMap::new(), rewinds: VecDeque::new(), restarts: HashMap::new() }
    }

    /// What can be seen of it from outside.
    pub fn stats(&self) -> SourceStats {
        SourceStats(self.fetcher.gauge())
    }

    fn take_in(&mut self, event: GroupEvent) -> SourceEvent<FetchedRecords> {
        match event {
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
            // To a task it is a loss like any other: what it has read under that assignment must not be committed.
            GroupEvent::Rewound(Rewound { partition, was, now, restart }) => {
                let lost = vec![(partition.clone(), was)];
                self.forget(&lost);
                self.restarts.insert(partition, (now, restart));
                SourceEvent::Lost(lost)
            }
        }
    }

    fn forget(&mut self, partitions: &[(TopicPartition, Assignment)]) {
        for (partition, assignment) in partitions {
            if self.held.get(partition) == Some(assignment) {
                self.held.remove(partition);
                self.restarts.remove(partition);
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
        loop {
            // Not taken out before it is sent: this call may be dropped while it waits.
            while let Some((partition, assignment, restart)) = self.rewinds.front().cloned() {
                self.group.rewound(partition, assignment, restart).await;
                self.rewinds.pop_front();
            }
            tokio::select! {
                // What is ours comes first: records of what is not any more need not be taken up.
                biased;
                event = self.group.next() => return Ok(self.take_in(event?)),
                delivery = self.fetcher.next() => match delivery? {
                    Delivery::Records(records) => return Ok(SourceEvent::Fetched(records)),
                    Delivery::Rewound { partition, assignment, at, anew } => {
                        self.rewinds.push_back((partition, assignment, Restart { at, anew, settled: false }));
                    }
                },
            }
        }
    }

    fn resume(&mut self, partition: &TopicPartition, assignment: Assignment, at: Offset) {
        if self.held.get(partition) != Some(&assignment) {
            return;
        }
        match self.restarts.remove(partition) {
            // The intent beside the committed offset is finished, and leads to where the log it was about went on.
            Some((number, restart)) if number == assignment && !restart.settled && restart.forbids(at) => {
                let settled = Restart { settled: true, ..restart };
                self.rewinds.push_back((partition.clone(), assignment, settled));
            }
            Some(_) | None => self.fetcher.add(partition.clone(), assignment, at),
        }
    }

    async fn leave(self) {
        let Self { group, fetcher, .. } = self;
        drop(fetcher);
        group.leave().await;
    }
}
