use super::{ControlPlane, Page, Refusal};
use crate::{Caller, EnvironmentId, Integration, IntegrationId, Proof};

/// The environment that `tidegate integration` puts its own in, which has no id: it is the operator's.
pub(crate) const BEFORE_SERVE: &str = "default";

/// An integration, and the connectors that use it.
#[derive(Debug, Clone)]
pub struct IntegrationUse {
    /// The integration.
    pub integration: Integration,
    /// The resource names (CRN) of its users, of those that the caller may see.
    pub usages: Vec<String>,
}

/// An integration to be made.
#[derive(Debug, Clone)]
pub struct NewTrust {
    /// Whose it is.
    pub environment: EnvironmentId,
    /// What people call it.
    pub display_name: String,
    /// The customer's role, if there is one already.
    pub role: Option<String>,
}

impl ControlPlane {
    /// Those of an environment that the caller may see, oldest first; `page` as the last answer gave it.
    pub async fn integrations(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        page: Option<&str>,
        size: usize,
    ) -> Result<Page<IntegrationUse>, Refusal> {
        let _ = (caller, environment, page, size);
        todo!("store")
    }

    /// One.
    pub async fn integration(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        id: &IntegrationId,
    ) -> Result<IntegrationUse, Refusal> {
        let _ = (caller, environment, id);
        todo!("store")
    }

    /// Makes one, up to the quota.
    pub async fn create_integration(&self, caller: &Caller, new: NewTrust) -> Result<IntegrationUse, Refusal> {
        let _ = (caller, new);
        todo!("store")
    }

    /// Gives it its role.
    pub async fn set_integration_role(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        id: &IntegrationId,
        role: &str,
    ) -> Result<IntegrationUse, Refusal> {
        let _ = (caller, environment, id, role);
        todo!("store")
    }

    /// Proves it now; with `at_most` an older proof of that age will do (clients that ask at every turn).
    pub async fn verify_integration(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        id: &IntegrationId,
        at_most: Option<std::time::Duration>,
    ) -> Result<(IntegrationUse, Option<Proof>), Refusal> {
        let _ = (caller, environment, id, at_most);
        todo!("store")
    }

    /// Issues another external ID beside the one in use, or (`finish`) retires the older one.
    pub async fn rotate_integration(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        id: &IntegrationId,
        finish: bool,
    ) -> Result<IntegrationUse, Refusal> {
        let _ = (caller, environment, id, finish);
        todo!("store")
    }

    /// Takes away one that no connector uses.
    pub async fn delete_integration(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        id: &IntegrationId,
    ) -> Result<(), Refusal> {
        let _ = (caller, environment, id);
        todo!("store")
    }
}
