use jiff::Timestamp;
use serde::Serialize;

use super::{ControlPlane, PartitionOffset, Refusal};
use crate::{Caller, ClusterId};

/// A change of offsets that was asked for through Confluent's API, which does it by and by.
#[derive(Debug, Clone, Serialize)]
pub struct OffsetRequest {
    /// The offsets to set; `None`: take all away.
    pub offsets: Option<Vec<PartitionOffset>>,
    /// When.
    pub requested_at: Timestamp,
    /// How far it is.
    pub state: OffsetRequestState,
    /// What was there before.
    pub previous: Vec<PartitionOffset>,
    /// When it was done.
    pub applied_at: Option<Timestamp>,
}

/// How far a change of offsets is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum OffsetRequestState {
    /// The connector is being stopped for it.
    Pending,
    /// It was done; the connector goes on.
    Applied,
    /// It was not done; why.
    Failed(String),
}

impl ControlPlane {
    /// Where the connector's group is, by topic and partition.
    pub async fn offsets(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
    ) -> Result<Vec<PartitionOffset>, Refusal> {
        let _ = (caller, cluster, name);
        todo!("store")
    }

    /// Sets offsets of a stopped connector (KIP-875).
    pub async fn alter_offsets(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        offsets: Vec<PartitionOffset>,
    ) -> Result<(), Refusal> {
        let _ = (caller, cluster, name, offsets);
        todo!("store")
    }

    /// Takes all offsets of a stopped connector away.
    pub async fn reset_offsets(&self, caller: &Caller, cluster: &ClusterId, name: &str) -> Result<(), Refusal> {
        let _ = (caller, cluster, name);
        todo!("store")
    }

    /// The same for a connector that runs: it is stopped for it, and goes on. One at a time.
    pub async fn request_offsets(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        offsets: Option<Vec<PartitionOffset>>,
    ) -> Result<OffsetRequest, Refusal> {
        let _ = (caller, cluster, name, offsets);
        todo!("store")
    }

    /// The last request of that kind.
    pub async fn offsets_request(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
    ) -> Result<Option<OffsetRequest>, Refusal> {
        let _ = (caller, cluster, name);
        todo!("store")
    }
}
