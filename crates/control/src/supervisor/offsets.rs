use std::sync::Arc;

use ::connectors::ConnectorPlan;
use fault::Fault;
use runtime::Offsets;
use transit::{Offset, TopicPartition};

use super::Supervisor;
use crate::plane::PartitionOffset;

impl Supervisor {
    /// Where a connector's group is, by topic and partition.
    pub(crate) async fn offsets(&self, plan: &Arc<ConnectorPlan>) -> Result<Vec<PartitionOffset>, Fault> {
        let offsets = Offsets::open(self.process(), plan).await?.list().await?;
        let shown = offsets.into_iter().map(|(TopicPartition { topic, partition }, offset)| PartitionOffset {
            topic: topic.to_string(),
            partition,
            offset: Some(offset.0),
        });
        Ok(shown.collect())
    }

    /// Sets offsets of a group without members ([`runtime::OffsetsError`]), or takes those away that are `None`. What the
    /// last run had prepared and not finished is finished before.
    pub(crate) async fn alter_offsets(
        &self,
        plan: &Arc<ConnectorPlan>,
        offsets: &[PartitionOffset],
    ) -> Result<(), Fault> {
        let wanted: Vec<_> = offsets
            .iter()
            .map(|one| (TopicPartition::new(one.topic.as_str(), one.partition), one.offset.map(Offset)))
            .collect();
        Offsets::open(self.process(), plan).await?.alter(&wanted).await
    }

    /// Takes all offsets of a group without members away, after what the last run had prepared is finished.
    pub(crate) async fn reset_offsets(&self, plan: &Arc<ConnectorPlan>) -> Result<(), Fault> {
        Offsets::open(self.process(), plan).await?.reset().await
    }
}
