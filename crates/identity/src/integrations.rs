use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

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

/// The external IDs that were issued here. They are rotated while sessions go on being had with them.
pub trait ExternalIds: fmt::Debug + Send + Sync {
    /// What is to be sent now where `opened_with` is asked for; `None` if that was not issued here. Asked before each
    /// exchange, and never fails: who cannot look goes on with what was sent before, which is accepted for a while.
    fn current<'a>(&'a self, opened_with: &'a str) -> BoxFuture<'a, Option<String>>;
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
