use std::collections::BTreeMap;

use iam::{AccountId, PolicyKind};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::entities::as_value;
use crate::aws::account::parse;
use crate::aws::directory::Directory;
use crate::aws::error::AwsError;
use crate::aws::kms::{Grant, Key, default_policy};

/// A KMS key, as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KmsKeyState {
    region: String,
    #[serde(default)]
    created: Timestamp,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    disabled: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    aws_managed: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    /// Left out: the one that a key gets by itself, which leaves all to the policies of its account.
    #[serde(default)]
    policy: Option<Value>,
    /// Unique ids of those whom the policy names, from when it was saved.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    trusted_ids: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    grants: BTreeMap<String, Grant>,
}

impl KmsKeyState {
    pub(super) fn read(self, account: AccountId, id: &str, directory: &Directory) -> Result<Key, AwsError> {
        let what = format!("key {id}");
        let text = self.policy.map_or_else(|| default_policy(account, &self.region), |policy| policy.to_string());
        let written = parse(PolicyKind::Resource, &what, &text)?;
        let policy = directory.keep(&what, written, &self.trusted_ids)?;
        Ok(Key {
            arn: Key::arn_of(&self.region, account, id)?,
            account,
            region: self.region,
            created: self.created,
            description: self.description,
            enabled: !self.disabled,
            aws_managed: self.aws_managed,
            aliases: self.aliases,
            policy,
            grants: self.grants,
        })
    }

    pub(super) fn print(key: &Key) -> Self {
        Self {
            region: key.region.clone(),
            created: key.created,
            description: key.description.clone(),
            disabled: !key.enabled,
            aws_managed: key.aws_managed,
            aliases: key.aliases.clone(),
            policy: Some(as_value(&key.policy.written)),
            trusted_ids: key.policy.ids.clone(),
            grants: key.grants.clone(),
        }
    }
}
