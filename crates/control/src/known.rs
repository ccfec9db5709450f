use std::collections::BTreeMap;
use std::sync::Arc;

use fault::{Chain, Diagnose as _};
use identity::{AssumeRole, ConnectionSpec};
use jiff::Timestamp;

use crate::{Error, Integration, IntegrationId};

/// What is to be had of an integration.
pub type ConnectionOf = fn(&Integration, Timestamp) -> Result<AssumeRole, Error>;

/// The integrations that connectors may name, as they were at one moment: what may be used of them, and why not where it
/// may not.
#[derive(Debug)]
pub struct Known {
    /// Who Tidegate is before it takes on any of their roles.
    ours: Result<Arc<ConnectionSpec>, String>,
    roles: Result<BTreeMap<String, Result<AssumeRole, String>>, String>,
}

impl Known {
    /// Those of `integrations`; [`Integration::connection`] gives what may be taken on.
    pub fn of(
        integrations: &[Integration],
        now: Timestamp,
        ours: Result<Arc<ConnectionSpec>, String>,
        connection: ConnectionOf,
    ) -> Self {
        let role = |one: &Integration| (one.id.to_string(), connection(one, now).map_err(|error| told(&error)));
        Self { ours, roles: Ok(integrations.iter().map(role).collect()) }
    }

    /// None, because they could not be read: whoever names one is told why.
    pub fn unreadable(error: &Error, ours: Result<Arc<ConnectionSpec>, String>) -> Self {
        Self { ours, roles: Err(told(error)) }
    }

    /// Whether there is one of this name.
    pub fn has(&self, id: &str) -> bool {
        self.roles.as_ref().is_ok_and(|roles| roles.contains_key(id))
    }

    /// Who Tidegate is before it takes on any of their roles, or why that is not known.
    pub fn ours(&self) -> &Result<Arc<ConnectionSpec>, String> {
        &self.ours
    }

    /// The external IDs that connections are opened with, by their integrations.
    pub fn opened(&self) -> impl Iterator<Item = (IntegrationId, String)> {
        self.roles
            .iter()
            .flatten()
            .filter_map(|(id, role)| Some((id.parse().ok()?, role.as_ref().ok()?.external_id.clone()?)))
    }
}

impl identity::Integrations for Known {
    fn connection(&self, id: &str) -> Result<Option<Arc<ConnectionSpec>>, String> {
        let unusable = |why: &String| format!("integration {id} cannot be used: {why}");
        let Some(role) = self.roles.as_ref().map_err(unusable)?.get(id) else { return Ok(None) };
        // Names the integration itself.
        let role = role.as_ref().map_err(String::clone)?;
        let ours = self.ours.as_ref().map_err(unusable)?;
        let external_id = role.external_id.as_deref().unwrap_or_default();
        Ok(Some(Arc::new(ours.then_role(id, &role.role_arn, external_id))))
    }
}

fn told(error: &Error) -> String {
    match error.hint() {
        Some(hint) => format!("{}; {hint}", Chain(error)),
        None => Chain(error).to_string(),
    }
}
