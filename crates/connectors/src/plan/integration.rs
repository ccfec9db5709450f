use std::time::Duration;

use identity::{AssumeRole, Connection};

use crate::plan::ConnectorPlan;

/// An integration that a connector names: whoever runs it knows which role that is, and whether it may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedIntegration {
    /// `provider.integration.id`, as it was written.
    pub id: String,
    /// How its sessions are called; `None`: as the integration says.
    pub session_name: Option<String>,
    /// How long they live.
    pub duration: Option<Duration>,
}

impl ConnectorPlan {
    /// The integration that the connector names. Its connection is not whole before [`ConnectorPlan::with_integration`].
    pub fn integration(&self) -> Option<&NamedIntegration> {
        self.0.sink.integration.as_ref()
    }

    /// Whether an integration is named and its role is not known yet: the plan cannot be run.
    pub fn awaits_integration(&self) -> bool {
        self.integration().is_some() && self.1.is_none()
    }

    /// Who Tidegate is before it takes on any role.
    pub fn base_connection(&self) -> Connection {
        Connection { hops: Vec::new(), ..self.0.sink.connection.clone() }
    }

    /// The same plan, as whoever takes on `role`, which is that of the integration that it names.
    #[must_use]
    pub fn with_integration(&self, role: AssumeRole) -> Self {
        let mut connection = self.0.sink.connection.clone();
        let named = self.integration();
        connection.hops.push(AssumeRole {
            session_name: named.and_then(|named| named.session_name.clone()).unwrap_or(role.session_name),
            duration: named.and_then(|named| named.duration).or(role.duration),
            ..role
        });
        Self(self.0.clone(), Some(connection.into()))
    }
}
