use std::sync::Arc;

use ::connectors::ConnectorPlan;

use super::Supervisor;
use crate::plane::PartitionOffset;

impl Supervisor {
    /// Where a connector's group is.
    pub(crate) async fn offsets(&self, plan: &Arc<ConnectorPlan>) -> Result<Vec<PartitionOffset>, fault::Fault> {
        let _ = plan;
        todo!("supervisor")
    }

    /// Sets offsets of a group without members.
    pub(crate) async fn alter_offsets(
        &self,
        plan: &Arc<ConnectorPlan>,
        offsets: &[PartitionOffset],
    ) -> Result<(), fault::Fault> {
        let _ = (plan, offsets);
        todo!("supervisor")
    }

    /// Takes all offsets of a group without members away.
    pub(crate) async fn reset_offsets(&self, plan: &Arc<ConnectorPlan>) -> Result<(), fault::Fault> {
        let _ = plan;
        todo!("supervisor")
    }
}
