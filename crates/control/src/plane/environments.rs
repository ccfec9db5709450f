use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{ControlPlane, Refusal};
use crate::{Caller, ClusterId, EnvironmentId};

/// Whose installation this is.
#[derive(Debug, Clone, Serialize)]
pub struct Organization {
    /// A UUID.
    pub id: String,
    /// A number for clients that know it by that: 1.
    pub number: u32,
    /// What people call it.
    pub display_name: String,
}

/// What one tenant has.
#[derive(Debug, Clone, Serialize)]
pub struct Environment {
    /// Its id.
    pub id: EnvironmentId,
    /// What people call it.
    pub display_name: String,
    /// The operator's own: connectors in it may use what the machine has (its files, its identity, any endpoint). Those of
    /// other environments reach AWS through integrations and connections of their own alone.
    pub is_own: bool,
    /// Counts its changes.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A Kafka cluster that connectors read from.
#[derive(Debug, Clone, Serialize)]
pub struct Cluster {
    /// Its id.
    pub id: ClusterId,
    /// Whose it is.
    pub environment: EnvironmentId,
    /// What people call it.
    pub display_name: String,
    /// Worker settings: `bootstrap.servers`, `security.protocol`, .. Secrets masked.
    pub config: BTreeMap<String, String>,
    /// Counts its changes.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A cluster to be made.
#[derive(Debug, Clone)]
pub struct NewCluster {
    /// Whose it is.
    pub environment: EnvironmentId,
    /// What people call it.
    pub display_name: String,
    /// Worker settings.
    pub config: BTreeMap<String, String>,
}

impl ControlPlane {
    /// The one that there is.
    pub async fn organization(&self, caller: &Caller) -> Result<Organization, Refusal> {
        let _ = caller;
        todo!("store")
    }

    /// Those that the caller may see, oldest first.
    pub async fn environments(&self, caller: &Caller) -> Result<Vec<Environment>, Refusal> {
        let _ = caller;
        todo!("store")
    }

    /// One.
    pub async fn environment(&self, caller: &Caller, id: &EnvironmentId) -> Result<Environment, Refusal> {
        let _ = (caller, id);
        todo!("store")
    }

    /// Makes one (not the operator's own).
    pub async fn create_environment(&self, caller: &Caller, display_name: &str) -> Result<Environment, Refusal> {
        let _ = (caller, display_name);
        todo!("store")
    }

    /// Takes one away that is empty.
    pub async fn delete_environment(&self, caller: &Caller, id: &EnvironmentId) -> Result<(), Refusal> {
        let _ = (caller, id);
        todo!("store")
    }

    /// The clusters of an environment that the caller may see, oldest first.
    pub async fn clusters(&self, caller: &Caller, environment: &EnvironmentId) -> Result<Vec<Cluster>, Refusal> {
        let _ = (caller, environment);
        todo!("store")
    }

    /// One, wherever it is: the caller may only have its id.
    pub async fn cluster(&self, caller: &Caller, id: &ClusterId) -> Result<Cluster, Refusal> {
        let _ = (caller, id);
        todo!("store")
    }

    /// The cluster that Kafka Connect's surface is about for this caller: that of its API key, or the operator's own.
    pub async fn default_cluster(&self, caller: &Caller) -> Result<ClusterId, Refusal> {
        let _ = caller;
        todo!("store")
    }

    /// Makes one.
    pub async fn create_cluster(&self, caller: &Caller, new: NewCluster) -> Result<Cluster, Refusal> {
        let _ = (caller, new);
        todo!("store")
    }

    /// Takes one away that no connector reads from.
    pub async fn delete_cluster(&self, caller: &Caller, id: &ClusterId) -> Result<(), Refusal> {
        let _ = (caller, id);
        todo!("store")
    }
}
