use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use iam::{AccountId, Arn, Document, Partition};
use jiff::Timestamp;
use world::Secret;

use super::error::AwsError;
use super::kept::Kept;
use super::kms::Key;
use super::organization::Organization;
use super::propagation::Propagating;
use super::region::Regions;

/// What one account holds, by name.
#[derive(Debug, Default)]
pub(super) struct Entities {
    pub(super) users: BTreeMap<String, User>,
    pub(super) roles: BTreeMap<String, Role>,
    /// The customer managed policies.
    pub(super) policies: BTreeMap<String, Managed>,
    pub(super) instance_profiles: BTreeMap<String, InstanceProfile>,
    /// By URL without its scheme.
    pub(super) oidc_providers: BTreeMap<String, OidcProvider>,
    /// What it belongs to, if anything. Not kept on disk.
    pub(super) organization: Option<Organization>,
    /// The partition that it is in; `aws` if it was never said.
    pub(super) partition: Option<Partition>,
    /// What it has set of regions. Not kept on disk.
    pub(super) regions: Regions,
    /// Access keys of its root user. AWS advises against them; they are there to be found out.
    pub(super) root_keys: Vec<AccessKey>,
    /// By id.
    pub(super) kms_keys: BTreeMap<String, Key>,
}

#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) arn: Arn,
    pub(super) id: String,
    pub(super) path: String,
    pub(super) created: Timestamp,
    pub(super) keys: Vec<AccessKey>,
    pub(super) grants: Propagating<Grants>,
    pub(super) tags: BTreeMap<String, String>,
}

/// A long-term key.
#[derive(Debug, Clone)]
pub(super) struct AccessKey {
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) active: bool,
    pub(super) created: Timestamp,
}

#[derive(Debug, Clone)]
pub(super) struct Role {
    pub(super) arn: Arn,
    pub(super) id: String,
    pub(super) path: String,
    pub(super) created: Timestamp,
    pub(super) description: Option<String>,
    pub(super) max_session: Duration,
    pub(super) trust: Propagating<Kept>,
    pub(super) grants: Propagating<Grants>,
    pub(super) tags: BTreeMap<String, String>,
}

/// The policies of a user or role. They are edited together, so that one request is judged by one state of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Grants {
    pub(super) inline: BTreeMap<String, Arc<Document>>,
    /// By ARN. A managed policy cannot change, so that its document can stand here.
    pub(super) attached: BTreeMap<String, Arc<Document>>,
    /// The permissions boundary, with its ARN.
    pub(super) boundary: Option<(String, Arc<Document>)>,
}

/// A managed policy.
#[derive(Debug, Clone)]
pub(super) struct Managed {
    pub(super) arn: Arn,
    pub(super) id: String,
    pub(super) path: String,
    pub(super) created: Timestamp,
    pub(super) description: Option<String>,
    pub(super) document: Arc<Document>,
}

/// What hands a role to a machine.
#[derive(Debug, Clone)]
pub(super) struct InstanceProfile {
    pub(super) arn: Arn,
    pub(super) id: String,
    pub(super) path: String,
    pub(super) created: Timestamp,
    pub(super) role: Option<String>,
}

/// An identity provider that an account trusts for `AssumeRoleWithWebIdentity`.
#[derive(Debug, Clone)]
pub(super) struct OidcProvider {
    pub(super) arn: Arn,
    pub(super) created: Timestamp,
    /// The audiences whose tokens are taken.
    pub(super) client_ids: Vec<String>,
    pub(super) thumbprints: Vec<String>,
}

impl OidcProvider {
    /// The ARN of the provider at `url`, which is without its scheme.
    pub(super) fn arn_of(partition: Partition, account: AccountId, url: &str) -> Result<Arn, AwsError> {
        let refuse = |_| AwsError::Name { what: format!("OIDC provider {url}") };
        Arn::iam(partition, account, &format!("oidc-provider/{url}")).map_err(refuse)
    }
}
