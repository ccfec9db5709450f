use std::fmt;
use std::sync::Arc;

use crate::spec::RoleSpec;
use crate::{ConnectionSpec, Lifetime, Template};

/// Where integrations are kept (`provider.integration.id`): a customer's role and the external ID that was made for it.
pub trait Integrations: fmt::Debug + Send + Sync {
    /// The connection of an integration; `None` if there is none of this id.
    ///
    /// # Errors
    /// Why it cannot be used, as one clause that names it: the store cannot be read, or the role lets in others.
    fn connection(&self, id: &str) -> Result<Option<Arc<ConnectionSpec>>, String>;
}

impl ConnectionSpec {
    /// The connection called `name` that begins as this one and then takes `role_arn` on with `external_id`: what an
    /// integration comes to, over the connection that is our own principal. Its sessions are called after the connector.
    #[must_use]
    pub fn then_role(&self, name: &str, role_arn: &str, external_id: &str) -> Self {
        let mut roles = self.roles.clone();
        roles.push(RoleSpec {
            arn: role_arn.to_owned(),
            external_id: Some(external_id.to_owned()),
            session_name: Template::parse("tidegate-{{connector}}").expect("it names a variable that there is"),
            duration: Lifetime::Longest,
            policy: None,
            tags: Vec::new(),
            transitive_tags: Vec::new(),
            source_identity: None,
        });
        Self { name: name.to_owned(), roles, ..self.clone() }
    }
}
