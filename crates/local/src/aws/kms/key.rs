use std::collections::BTreeMap;

use iam::{AccountId, Arn, Partition};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::aws::error::AwsError;
use crate::aws::kept::Kept;

/// The alias of the key that S3 makes for an account which asks for `aws:kms` and names no key.
pub(in crate::aws) const S3_ALIAS: &str = "alias/aws/s3";

/// A key. It encrypts nothing here: what matters is who may use it.
#[derive(Debug, Clone)]
pub(in crate::aws) struct Key {
    pub(in crate::aws) arn: Arn,
    pub(in crate::aws) account: AccountId,
    pub(in crate::aws) region: String,
    pub(in crate::aws) created: Timestamp,
    pub(in crate::aws) description: String,
    pub(in crate::aws) enabled: bool,
    /// Made by a service of AWS in the account's name.
    pub(in crate::aws) aws_managed: bool,
    pub(in crate::aws) aliases: Vec<String>,
    pub(in crate::aws) policy: Kept,
    /// By grant id.
    pub(in crate::aws) grants: BTreeMap<String, Grant>,
}

/// Leave to use a key, beside its policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::aws) struct Grant {
    /// As it was named.
    pub(in crate::aws) grantee: String,
    /// Unique id of the user or role, from when the grant was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::aws) grantee_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::aws) retiring: Option<String>,
    /// As in `Decrypt`.
    pub(in crate::aws) operations: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::aws) constraint: Option<Constraint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::aws) name: Option<String>,
    pub(in crate::aws) created: Timestamp,
    pub(in crate::aws) issuer: String,
}

/// What a request's encryption context must be for a grant to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::aws) enum Constraint {
    EncryptionContextEquals(BTreeMap<String, String>),
    EncryptionContextSubset(BTreeMap<String, String>),
}

impl Key {
    pub(in crate::aws) fn arn_of(region: &str, account: AccountId, id: &str) -> Result<Arn, AwsError> {
        format!("arn:{}:kms:{region}:{account}:key/{id}", Partition::of_region(region).name())
            .parse()
            .map_err(|_| AwsError::Name { what: format!("key {id} in {region}") })
    }

    pub(in crate::aws) fn id(&self) -> &str {
        self.arn.resource().strip_prefix("key/").unwrap_or_default()
    }
}

impl Grant {
    /// Whether it lets its grantee do `operation` in this encryption context.
    pub(super) fn covers(&self, operation: &str, context: &BTreeMap<String, String>) -> bool {
        let constrained = match &self.constraint {
            None => true,
            Some(Constraint::EncryptionContextEquals(wanted)) => wanted == context,
            Some(Constraint::EncryptionContextSubset(wanted)) => {
                wanted.iter().all(|(key, value)| context.get(key) == Some(value))
            }
        };
        constrained && self.operations.iter().any(|known| known == operation)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::{Constraint, Grant};

    #[test]
    fn a_grant_covers_its_operations_in_its_context_only() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let grant = |constraint| Grant {
            grantee: "AROA".to_owned(),
            grantee_id: None,
            retiring: None,
            operations: vec!["Decrypt".to_owned()],
            constraint,
            name: None,
            created: Timestamp::UNIX_EPOCH,
            issuer: String::new(),
        };
        let (small, large) = (map(&[("a", "1")]), map(&[("a", "1"), ("b", "2")]));
        assert!(grant(None).covers("Decrypt", &large) && !grant(None).covers("Encrypt", &large));
        let equals = grant(Some(Constraint::EncryptionContextEquals(small.clone())));
        assert!(equals.covers("Decrypt", &small) && !equals.covers("Decrypt", &large));
        let subset = grant(Some(Constraint::EncryptionContextSubset(small)));
        assert!(subset.covers("Decrypt", &large) && !subset.covers("Decrypt", &map(&[("a", "2")])));
    }
}
