use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use connectors::{ConnectorPlan, TopicSelection};
use fault::{Blame, Code, Diagnose, Fault, Retry};
use kafka::Cluster;
use kafka::admin::Place;
use kafka::cluster::Metadata;
use transit::{Offset, TopicPartition};

use crate::consumer;
use crate::process::Process;

/// None of the topics that a drain is about exists: more likely a slip than a drain of nothing.
#[derive(Debug, thiserror::Error)]
#[error("no topic to drain: {0} does not exist, or this client may not see it")]
struct NoTopic(String);

impl Diagnose for NoTopic {
    fn code(&self) -> Code {
        "kafka.no-topic"
    }
    fn blame(&self) -> Blame {
        Blame::Operator
    }
    fn retry(&self) -> Retry {
        Retry::Never
    }
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some("correct topics, create the topic, or give this client's principal the right to describe it".into())
    }
}

/// Warns of each topic that is named and is not there. An error if that is all of them.
fn told_if_missing(plan: &ConnectorPlan, known: &Metadata) -> Result<(), NoTopic> {
    let names = match plan.topics() {
        TopicSelection::Named(names) => names,
        TopicSelection::Matching(pattern) => {
            if !known.topics.keys().any(|name| plan.topics().holds(name)) {
                let pattern = pattern.as_str();
                tracing::warn!(
                    connector = plan.name(),
                    pattern,
                    "no topic matches topics.regex: there is nothing to drain"
                );
            }
            return Ok(());
        }
    };
    let missing = missing(names, known);
    if missing.len() == names.len() {
        return Err(NoTopic(missing.join(", ")));
    }
    for topic in missing {
        warn_of_missing(plan, topic);
    }
    Ok(())
}

/// The topics that are named and of which the cluster has no partition.
pub(crate) fn missing<'a>(names: &'a [String], known: &Metadata) -> Vec<&'a str> {
    let exists =
        |name: &str| known.topics.get(name).is_some_and(|topic| topic.error.is_none() || !topic.partitions.is_empty());
    names.iter().map(String::as_str).filter(|name| !exists(name)).collect()
}

pub(crate) fn warn_of_missing(plan: &ConnectorPlan, topic: &str) {
    tracing::warn!(
        connector = plan.name(),
        topic,
        "the topic does not exist, or this client may not see it; it is read as soon as it is there"
    );
}

/// Tells when a connector has committed everything that was there when the drain began: its own share and that of other
/// members of its group.
#[derive(Debug)]
pub struct Drain {
    plan: Arc<ConnectorPlan>,
    cluster: Cluster,
    ends: HashMap<TopicPartition, Offset>,
    committed: i64,
}

impl Drain {
    /// Looks where the connector's topics end now.
    pub async fn begin(process: &Process, plan: Arc<ConnectorPlan>) -> Result<Self, Fault> {
        let consumer = consumer::consumer(process, &plan)?;
        let cluster = Cluster::connect(consumer.client).await?;
        let topics = match plan.topics() {
            TopicSelection::Named(names) => cluster.topics(names.iter().map(|name| Arc::from(name.as_str()))).await?,
            TopicSelection::Matching(_) => cluster.all_topics().await?,
        };
        told_if_missing(&plan, &topics)?;
        let mut partitions = Vec::new();
        for (name, topic) in &topics.topics {
            if plan.topics().holds(name) {
                let count = topic.partitions.len() as i32;
                partitions.extend((0..count).map(|number| TopicPartition::new(Arc::clone(name), number)));
            }
        }
        // Where a partition begins matters too: one whose records are all gone has nothing to commit.
        let begins = cluster.list_offsets(&partitions, Place::Earliest, consumer.group.isolation).await?;
        let ends = cluster.list_offsets(&partitions, Place::Latest, consumer.group.isolation).await?;
        let ends = ends
            .into_iter()
            .filter_map(|(partition, end)| Some((partition, end?)))
            .filter(|(partition, end)| begins.get(partition).copied().flatten().is_none_or(|begin| begin < *end))
            .collect();
        Ok(Self { plan, cluster, ends, committed: 0 })
    }

    /// Where each partition ended.
    pub fn ends(&self) -> &HashMap<TopicPartition, Offset> {
        &self.ends
    }

    /// The sum of the committed offsets at the last look: it grows as long as something moves.
    pub fn committed(&self) -> i64 {
        self.committed
    }

    /// Whether all of it is committed. A broker that does not answer now is asked again the next time.
    pub async fn is_done(&mut self) -> bool {
        let committed = match self.cluster.committed(self.plan.group()).await {
            Ok(committed) => committed,
            Err(error) => {
                tracing::debug!(error = %fault::Chain(&error), "could not read the committed offsets");
                return false;
            }
        };
        self.committed = committed.values().map(|one| one.offset.0).sum();
        self.ends.iter().all(|(partition, end)| committed.get(partition).is_some_and(|one| one.offset >= *end))
    }
}
