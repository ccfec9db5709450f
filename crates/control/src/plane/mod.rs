//! What `serve` holds, behind one door: every use names its caller, is checked against the caller's rights, and is
//! written into the audit log in the same transaction as what it changes.

mod accounts;
mod audit;
mod connections;
mod connectors;
mod environments;
mod integrations;
mod keys;
mod login;
mod offsets;
mod refusal;
mod settings;
mod testing;
mod views;

use std::sync::Arc;

pub use accounts::{NewUser, ServiceAccount, User};
pub use audit::{AuditEntry, AuditQuery};
pub use connections::ConnectionView;
pub use environments::{Cluster, Environment, NewCluster, Organization};
pub use integrations::{IntegrationUse, NewTrust};
pub use keys::{ApiKey, IssuedKey, KeyScope, NewBinding, RoleBinding, RoleName};
pub use login::Login;
pub use offsets::{OffsetRequest, OffsetRequestState};
pub use refusal::Refusal;
pub use settings::Settings;
pub use views::{
    ConnectorView, Doing, Explanation, MASK, NewConnector, Page, PartitionOffset, Readiness, Restart, Status, Target,
};

use crate::Caller;
use crate::supervisor::Supervisor;

/// What `serve` holds. Cloning shares it.
#[derive(Debug, Clone)]
pub struct ControlPlane(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    supervisor: Supervisor,
}

impl ControlPlane {
    /// Opens the store of `settings`, and starts what is wanted to run.
    pub async fn open(settings: Settings, supervisor: Supervisor) -> Result<Self, Refusal> {
        let _ = (&settings, &supervisor);
        todo!("store")
    }

    /// What runs.
    pub fn supervisor(&self) -> &Supervisor {
        &self.0.supervisor
    }

    /// How it was opened.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Whether the store works and what is wanted runs: for `/readyz`, which anybody may ask, so it names nothing.
    pub async fn readiness(&self) -> Readiness {
        todo!("store")
    }

    /// The id that the default cluster calls itself by, once one of our clients has heard it. Does not wait.
    pub fn kafka_cluster_id(&self) -> Option<String> {
        todo!("supervisor")
    }

    /// Lets through who may do everything (`Operator`, `OrganizationAdmin`): for what is about the process, such as the
    /// levels of its log.
    pub async fn require_admin(&self, caller: &Caller, action: &'static str, resource: &str) -> Result<(), Refusal> {
        let _ = (caller, action, resource);
        todo!("store")
    }

    /// Stops everything that runs, within each connector's patience, and closes the store.
    pub async fn close(&self) {
        todo!("store")
    }

    /// Writes a copy of the store to `path`, while it is being used (SQLite's online backup). The file must not be there.
    pub async fn backup(&self, path: &std::path::Path) -> Result<(), Refusal> {
        let _ = path;
        todo!("store")
    }
}
