use std::collections::HashMap;
use std::sync::Arc;

use connectors::{ConnectorPlan, TopicSelection};
use fault::Fault;
use kafka::Cluster;
use kafka::admin::Place;
use transit::{Offset, TopicPartition};

use crate::consumer;

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
    pub async fn begin(plan: Arc<ConnectorPlan>) -> Result<Self, Fault> {
        let (consumer, _) = consumer::consumer(&plan)?;
        let cluster = Cluster::connect(consumer.client).await?;
        let topics = match plan.topics() {
            TopicSelection::Named(names) => cluster.topics(names.iter().map(|name| Arc::from(name.as_str()))).await?,
            TopicSelection::Matching(_) => cluster.all_topics().await?,
        };
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
