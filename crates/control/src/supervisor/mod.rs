//! What runs, and the way from what is wanted to what runs.

use std::sync::Arc;

use ::connectors::ConnectorPlan;
use runtime::{Metrics, Process};

use crate::ConnectorId;
use crate::plane::{PartitionOffset, Restart, Status, Target};

/// Runs connectors as they are wanted. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Supervisor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    #[expect(dead_code, reason = "the contract comes first")]
    process: Process,
    #[expect(dead_code, reason = "the contract comes first")]
    metrics: Metrics,
}

/// What is wanted of one connector.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Which one.
    pub id: ConnectorId,
    /// The revision of the configuration: another one is started anew.
    pub config_revision: u64,
    /// Its plan. A connector whose configuration cannot be planned any more (a reference to a secret that is gone) is
    /// shown as failed with the reason.
    pub plan: Result<Arc<ConnectorPlan>, String>,
    /// What it shall do.
    pub target: Target,
}

impl Supervisor {
    /// One that runs nothing yet.
    pub fn new(process: Process, metrics: Metrics) -> Self {
        Self(Arc::new(Inner { process, metrics }))
    }

    /// Takes note of what is wanted, and brings it about; does not wait for it.
    pub(crate) fn want(&self, wanted: Wanted) {
        let _ = wanted;
        todo!("supervisor")
    }

    /// Ends a connector for good; does not wait for it.
    pub(crate) fn forget(&self, id: &ConnectorId) {
        let _ = id;
        todo!("supervisor")
    }

    /// Starts it anew.
    pub(crate) fn restart(&self, id: &ConnectorId, what: Restart) {
        let _ = (id, what);
        todo!("supervisor")
    }

    /// What it does. `None`: it is not known here.
    pub fn status(&self, id: &ConnectorId) -> Option<Status> {
        let _ = id;
        todo!("supervisor")
    }

    /// The connector itself, while it runs: rates and lag.
    pub fn running(&self, id: &ConnectorId) -> Option<Arc<runtime::Connector>> {
        let _ = id;
        todo!("supervisor")
    }

    /// Waits until nothing of it runs any more, after its target was changed or it was forgotten.
    pub(crate) async fn stopped(&self, id: &ConnectorId) {
        let _ = id;
        todo!("supervisor")
    }

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

    /// Ends everything, within each connector's patience.
    pub(crate) async fn close(&self) {
        todo!("supervisor")
    }
}
