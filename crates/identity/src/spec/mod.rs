//! Connections as they are written down: TOML or JSON, one table a connection.
//!
//! The kind is named, and each kind has its own keys: a key of another kind is refused, not passed over. Everything that is
//! wrong is told at once, each with its key.

mod base;
mod fault;
mod fields;
mod import;
mod parts;
mod print;
mod read;
mod reader;
mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;

use iam::AccountId;

pub use self::fault::{ConnectionFaults, SpecFault, SpecWarning};
pub use self::import::{ImportSource, Imported, import};
use crate::template::{Template, Variables};
use crate::{AssumeRole, Base, Connection, Fence, Lifetime, Purpose, StsEndpoint};

/// The connections of one file.
#[derive(Debug, Clone, Default)]
pub struct Connections {
    by_name: BTreeMap<String, Arc<ConnectionSpec>>,
}

/// A connection as it is written down, proven consistent: what is left to say is which connector uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionSpec {
    /// Its name.
    pub name: String,
    /// The word for its kind: `instance-role`.
    pub kind: &'static str,
    /// The region that it is at home in: STS is asked there, and buckets are there if nothing else is said.
    pub region: String,
    /// URLs in place of AWS's own.
    pub endpoints: Endpoints,
    /// Whether AWS's endpoints with FIPS 140 cryptography are asked.
    pub fips: bool,
    /// Whether AWS's endpoints that have IPv6 too are asked.
    pub dual_stack: bool,
    /// What it may touch.
    pub fence: Fence,
    /// The account that its buckets are in, sent with every request to them.
    pub bucket_owner: Option<AccountId>,
    pub(crate) base: Base,
    /// The session's name of a base that takes a role on by itself.
    pub(crate) base_session_name: Template,
    pub(crate) roles: Vec<RoleSpec>,
    pub(crate) warnings: Vec<SpecWarning>,
}

/// URLs in place of AWS's own, one a service: a private endpoint of S3 does not answer for STS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Endpoints {
    /// Of S3.
    pub s3: Option<String>,
    /// Of STS.
    pub sts: Option<String>,
    /// Of KMS.
    pub kms: Option<String>,
    /// Of IAM, which is asked for nothing but a diagnosis.
    pub iam: Option<String>,
    /// Of IAM Roles Anywhere.
    pub roles_anywhere: Option<String>,
}

/// A role to take on, with variables in its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoleSpec {
    pub(crate) arn: String,
    pub(crate) external_id: Option<String>,
    pub(crate) session_name: Template,
    pub(crate) duration: Lifetime,
    pub(crate) policy: Option<String>,
    pub(crate) tags: Vec<(String, Template)>,
    pub(crate) transitive_tags: Vec<String>,
    pub(crate) source_identity: Option<Template>,
}

/// How sessions are called if nothing is said. Of the connection, not of the connector, so that connectors share a session.
const SESSION_NAME: &str = "tidegate-{{connection}}";

impl Connections {
    /// The connection of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<ConnectionSpec>> {
        self.by_name.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ConnectionSpec>> {
        self.by_name.values()
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// These and `others`, whose names come second where both have one.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        for (name, spec) in others.by_name {
            self.by_name.entry(name).or_insert(spec);
        }
        self
    }

    /// Those whose names `keep` lets through.
    #[must_use]
    pub fn only(mut self, keep: impl Fn(&str) -> bool) -> Self {
        self.by_name.retain(|name, _| keep(name));
        self
    }

    /// The name that was probably meant.
    pub fn suggest(&self, name: &str) -> Option<&str> {
        ::fault::suggest(name, self.names())
    }
}

impl ConnectionSpec {
    /// What works, but probably not as meant.
    pub fn warnings(&self) -> &[SpecWarning] {
        &self.warnings
    }

    /// Where STS is asked.
    pub fn sts(&self) -> StsEndpoint {
        let (region, endpoint) = (self.region.clone(), self.endpoints.sts.clone());
        StsEndpoint { region, endpoint, fips: self.fips, dual_stack: self.dual_stack }
    }

    /// The connection for `connector`, whose sessions are cut down to the fence.
    pub fn bind(&self, connector: &str, purpose: Purpose) -> Connection {
        let variables = Variables { connector, connection: &self.name };
        let role = |role: &RoleSpec| AssumeRole {
            role_arn: role.arn.clone(),
            session_name: role.session_name.fill_name(variables),
            external_id: role.external_id.clone(),
            duration: role.duration,
            policy: role.policy.clone(),
            tags: role.tags.iter().map(|(key, value)| (key.clone(), value.fill(variables))).collect(),
            transitive_tag_keys: role.transitive_tags.clone(),
            source_identity: role.source_identity.as_ref().map(|name| name.fill_name(variables)),
        };
        let mut base = self.base.clone();
        match &mut base {
            Base::WebIdentity(web) => web.session_name = self.base_session_name.fill_name(variables),
            Base::RolesAnywhere(anywhere) => {
                if let Some(name) = &mut anywhere.session_name {
                    *name = self.base_session_name.fill_name(variables);
                }
            }
            Base::Anonymous
            | Base::Keys(_)
            | Base::Environment
            | Base::DefaultChain
            | Base::AmbientWebIdentity
            | Base::Container
            | Base::Instance
            | Base::Profile(_) => {}
        }
        let mut connection = Connection { base, hops: self.roles.iter().map(role).collect(), sts: self.sts() };
        // That it is not too long was found out when the file was read.
        let policy = self.fence.policy(&self.region, self.bucket_owner, purpose).ok().flatten();
        if let (Some(policy), Some(cut)) = (policy, connection.cut_down()) {
            *cut = Some(policy);
        }
        connection
    }
}

#[cfg(test)]
mod tests;
