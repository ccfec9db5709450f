use jiff::Timestamp;
use serde::Serialize;
use world::Secret;

use super::{ControlPlane, Page, Refusal};
use crate::{Caller, ClusterId, Principal, RoleBindingId};

/// What an API key is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum KeyScope {
    /// Everything that its owner may do.
    Cloud,
    /// The same, in one cluster.
    Cluster(ClusterId),
}

/// An API key; its secret is shown once.
#[derive(Debug, Clone, Serialize)]
pub struct ApiKey {
    /// The key: 16 upper case letters and digits.
    pub id: String,
    /// For whom it speaks.
    pub owner: Principal,
    /// What it is good for.
    pub scope: KeyScope,
    /// What it is for.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A new API key with its secret.
#[derive(Debug, Clone)]
pub struct IssuedKey {
    /// The key.
    pub key: ApiKey,
    /// 64 characters of 384 drawn bits. Only its hash is kept.
    pub secret: Secret,
}

/// The roles that there are (confluent.md 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum RoleName {
    /// Everything, everywhere.
    OrganizationAdmin,
    /// Everything in an environment.
    EnvironmentAdmin,
    /// Connectors of a cluster: create, configure, pause, restart, delete.
    CloudClusterAdmin,
    /// Everything with one thing (a connector, an integration), and giving roles on it.
    ResourceOwner,
    /// Using an integration in a connector, and nothing else.
    Assigner,
    /// Reading connectors and their logs, pausing, resuming, restarting.
    ConnectManager,
    /// Reading configurations and status.
    DeveloperRead,
    /// Reading and configuring.
    DeveloperWrite,
    /// Reading status.
    Operator,
}

/// A role that a principal has on what a pattern of resource names (CRN) matches.
#[derive(Debug, Clone, Serialize)]
pub struct RoleBinding {
    /// Its id.
    pub id: RoleBindingId,
    /// Who.
    pub principal: Principal,
    /// What.
    pub role: RoleName,
    /// Where: `crn://../organization=../environment=../cloud-cluster=../connector=*`.
    pub crn_pattern: String,
    /// When it was given.
    pub created_at: Timestamp,
}

/// A role to be given.
#[derive(Debug, Clone)]
pub struct NewBinding {
    /// To whom: `User:u-..` or `User:sa-..`.
    pub principal: String,
    /// Its name.
    pub role: String,
    /// Where.
    pub crn_pattern: String,
}

impl ControlPlane {
    /// The keys that the caller may see.
    pub async fn api_keys(&self, caller: &Caller) -> Result<Vec<ApiKey>, Refusal> {
        let _ = caller;
        todo!("store")
    }

    /// One.
    pub async fn api_key(&self, caller: &Caller, id: &str) -> Result<ApiKey, Refusal> {
        let _ = (caller, id);
        todo!("store")
    }

    /// Makes one for `owner`: oneself, or a service account that one may manage.
    pub async fn create_api_key(
        &self,
        caller: &Caller,
        owner: Principal,
        scope: KeyScope,
        description: &str,
    ) -> Result<IssuedKey, Refusal> {
        let _ = (caller, owner, scope, description);
        todo!("store")
    }

    /// Takes one away; it is refused from the next request on.
    pub async fn delete_api_key(&self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        let _ = (caller, id);
        todo!("store")
    }

    /// The bindings that the caller may see, on `crn_pattern` and below if it is given.
    pub async fn role_bindings(
        &self,
        caller: &Caller,
        crn_pattern: Option<&str>,
        page: Option<&str>,
        size: usize,
    ) -> Result<Page<RoleBinding>, Refusal> {
        let _ = (caller, crn_pattern, page, size);
        todo!("store")
    }

    /// One.
    pub async fn role_binding(&self, caller: &Caller, id: &RoleBindingId) -> Result<RoleBinding, Refusal> {
        let _ = (caller, id);
        todo!("store")
    }

    /// Gives a role. Nobody gives what they may not give: see docs/security.md.
    pub async fn create_role_binding(&self, caller: &Caller, new: NewBinding) -> Result<RoleBinding, Refusal> {
        let _ = (caller, new);
        todo!("store")
    }

    /// Takes one away; the last `OrganizationAdmin` stays.
    pub async fn delete_role_binding(&self, caller: &Caller, id: &RoleBindingId) -> Result<RoleBinding, Refusal> {
        let _ = (caller, id);
        todo!("store")
    }
}
