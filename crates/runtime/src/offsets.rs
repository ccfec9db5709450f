use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use connectors::ConnectorPlan;
use fault::{Blame, Code, Diagnose, Fault, Retry};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use kafka::admin::{Committed, Outsider};
use kafka::{Cluster, ErrorCode, cluster};
use transit::intent::Recipe;
use transit::{Assigned, Assignment, Offset, Router as _, Settled, TopicPartition, settle};

use crate::process::Process;
use crate::{consumer, open};

/// The offsets of a connector's group, seen and changed from outside while nothing of it runs (KIP-875).
///
/// An intent may stand beside an offset: objects that were about to become visible when the last run was killed. Whoever
/// moves the offset takes the intent away, and nobody would finish it any more. So all intents of the group are finished
/// first, as the next run would have done, and where that does not succeed nothing is changed.
#[derive(Debug)]
pub struct Offsets<'a> {
    process: &'a Process,
    plan: &'a Arc<ConnectorPlan>,
    cluster: Cluster,
}

/// What finishing may take. The store is asked again for as long as it does not answer, and whoever wants offsets changed
/// does not wait for ever.
const FINISHING: Duration = Duration::from_mins(1);
/// Intents that are finished side by side.
const SIDE_BY_SIDE: usize = 8;

/// Why offsets were not changed. Nothing was, unless a failure of Kafka itself came in between.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OffsetsError {
    /// The group has members. Kafka Connect's own words, which its clients know.
    #[error(
        "Failed to {action} consumer group offsets for connector {connector} either because its tasks haven't stopped \
         completely yet or the connector was resumed before the request to {action} its offsets could be successfully \
         completed. If the connector is in a stopped state, this operation can be safely retried. If it doesn't \
         eventually succeed, the Connect cluster may need to be restarted to get rid of the zombie sink tasks."
    )]
    InUse {
        /// `alter` or `reset`.
        action: &'static str,
        /// Whose.
        connector: String,
    },
    /// There is no such partition.
    #[error("there is no partition {partition}, or this client may not see it")]
    NoPartition {
        /// Which one.
        partition: TopicPartition,
    },
    /// No offset is below zero.
    #[error("offset {offset} of {partition} is below zero")]
    Negative {
        /// Of which partition.
        partition: TopicPartition,
        /// What was given.
        offset: i64,
    },
    /// An intent can only be dealt with by running.
    #[error("a cut of {partition} that begins at offset {from} is only half visible: it is made whole by running")]
    Torn {
        /// Of which partition.
        partition: TopicPartition,
        /// Where it begins.
        from: Offset,
    },
    /// The store did not answer in time.
    #[error("what the last run had prepared could not be finished within {} s", .0.as_secs())]
    Unfinished(Duration),
}

impl Diagnose for OffsetsError {
    fn code(&self) -> Code {
        match self {
            Self::InUse { .. } => "offsets.in-use",
            Self::NoPartition { .. } => "offsets.no-partition",
            Self::Negative { .. } => "offsets.negative",
            Self::Torn { .. } => "offsets.torn-cut",
            Self::Unfinished(_) => "offsets.unfinished",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::InUse { .. } | Self::Unfinished(_) => Blame::Remote,
            Self::NoPartition { .. } | Self::Negative { .. } | Self::Torn { .. } => Blame::Operator,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::InUse { .. } | Self::Unfinished(_) => Retry::Backoff,
            Self::NoPartition { .. } | Self::Negative { .. } | Self::Torn { .. } => Retry::Never,
        }
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::InUse { .. } => "end whatever else is in its group: kafka-consumer-groups --describe names it".into(),
            Self::NoPartition { .. } => "name a partition that its topic has".into(),
            Self::Negative { .. } => "give 0 or more, or null to take the partition back to its beginning".into(),
            Self::Torn { .. } => "resume the connector, and stop it once it runs; or give the cut up by setting the \
                                  group's offsets with kafka-consumer-groups --reset-offsets"
                .into(),
            Self::Unfinished(_) => "see whether its bucket can be reached, then try again".into(),
        })
    }
}

impl<'a> Offsets<'a> {
    /// Asks the connector's cluster who its brokers are.
    pub async fn open(process: &'a Process, plan: &'a Arc<ConnectorPlan>) -> Result<Self, Fault> {
        let cluster = Cluster::connect(consumer::consumer(process, plan)?.client).await?;
        Ok(Self { process, plan, cluster })
    }

    /// What the group has committed, by topic and partition.
    pub async fn list(&self) -> Result<Vec<(TopicPartition, Offset)>, Fault> {
        let committed = self.cluster.committed(self.plan.group()).await?;
        let mut all: Vec<_> = committed.into_iter().map(|(partition, one)| (partition, one.offset)).collect();
        all.sort();
        Ok(all)
    }

    /// Sets offsets; `None` takes that of a partition away.
    pub async fn alter(&self, offsets: &[(TopicPartition, Option<Offset>)]) -> Result<(), Fault> {
        let (mut set, mut taken) = (Vec::new(), Vec::new());
        for (partition, offset) in offsets {
            match offset {
                Some(offset) if offset.0 < 0 => {
                    let (partition, offset) = (partition.clone(), offset.0);
                    return Err(OffsetsError::Negative { partition, offset }.into());
                }
                Some(offset) => set.push((partition.clone(), *offset)),
                None => taken.push(partition.clone()),
            }
        }
        let topics: HashSet<_> = set.iter().map(|(partition, _)| Arc::clone(&partition.topic)).collect();
        if !topics.is_empty() {
            let known = self.cluster.topics(topics).await?;
            let is_known = |partition: &TopicPartition| {
                let topic = known.topics.get(&partition.topic);
                topic.is_some_and(|topic| (0..topic.partitions.len()).contains(&(partition.partition as usize)))
            };
            if let Some((partition, _)) = set.iter().find(|(partition, _)| !is_known(partition)) {
                return Err(OffsetsError::NoPartition { partition: partition.clone() }.into());
            }
        }
        self.finish_intents("alter").await?;
        let group = self.plan.group();
        // What is taken away comes first: Kafka refuses that, too, as long as there is a member.
        self.cluster.delete_committed(group, &taken).await.map_err(|error| self.refused("alter", error))?;
        self.cluster.commit_from_outside(group, &set).await.map_err(|error| self.refused("alter", error))
    }

    /// Takes all offsets away.
    pub async fn reset(&self) -> Result<(), Fault> {
        self.finish_intents("reset").await?;
        self.cluster.delete_group(self.plan.group()).await.map_err(|error| self.refused("reset", error))
    }

    fn in_use(&self, action: &'static str) -> OffsetsError {
        OffsetsError::InUse { action, connector: self.plan.name().to_owned() }
    }

    fn refused(&self, action: &'static str, error: cluster::Error) -> Fault {
        match error.kafka_code() {
            Some(ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::NON_EMPTY_GROUP | ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC) => {
                self.in_use(action).into()
            }
            _ => error.into(),
        }
    }

    /// Finishes what stands beside the group's offsets.
    async fn finish_intents(&self, action: &'static str) -> Result<(), Fault> {
        let committed = self.cluster.committed(self.plan.group()).await?;
        let intents: Vec<_> = committed.into_iter().filter(|(_, one)| !one.metadata.is_empty()).collect();
        if intents.is_empty() {
            return Ok(());
        }
        let sink = self.process.clients().s3(self.plan.connection(), open::s3_options(self.plan))?;
        let outsider = Outsider::new(self.cluster.clone(), self.plan.group());
        let (recipe, lanes) = (self.plan.recipe().as_deref().map(Recipe::name_of), self.plan.router().lanes());
        let finish = async |partition: TopicPartition, committed: Committed| {
            let assigned = Assigned {
                partition: partition.clone(),
                // Nobody was assigned anything; the committer does not look at it.
                assignment: Assignment(0),
                position: committed.offset,
                committed: true,
                metadata: committed.metadata,
            };
            match settle(&assigned, &sink, &outsider, recipe.as_ref(), lanes).await? {
                Settled::Done => Ok(()),
                Settled::Torn { from } => Err(Fault::new(OffsetsError::Torn { partition, from })),
                Settled::Fenced => Err(Fault::new(self.in_use(action))),
            }
        };
        let finishing = stream::iter(intents)
            .map(|(partition, committed)| finish(partition, committed))
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect::<()>();
        tokio::time::timeout(FINISHING, finishing)
            .await
            .unwrap_or_else(|_| Err(OffsetsError::Unfinished(FINISHING).into()))
    }
}
