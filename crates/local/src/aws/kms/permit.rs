use std::collections::BTreeMap;
use std::sync::Arc;

use iam::{AccountId, Arn, Context, Document, ResourcePolicy};

use super::key::Key;
use crate::aws::authorize::{Asking, Denied, Facts, Requester, authorize};
use crate::aws::directory::Directory;

/// One use of a key, or change of it.
#[derive(Debug, Clone, Copy)]
pub(in crate::aws) struct Use<'a> {
    /// As in `Decrypt`.
    pub(in crate::aws) operation: &'a str,
    /// What is bound to the data, and told to policies.
    pub(in crate::aws) context: &'a BTreeMap<String, String>,
    /// The service through which the caller comes, as in `s3.eu-west-1.amazonaws.com`.
    pub(in crate::aws) via: Option<&'a str>,
}

/// Whether `requester` may use a key: by its policy, which must name him or his account, or by a grant.
pub(in crate::aws) fn permit(
    directory: &Directory,
    requester: &Requester,
    facts: &Facts,
    key: &Key,
    r#use: Use<'_>,
    keys: impl Fn(&mut Context),
) -> Result<(), Denied> {
    let action = format!("kms:{}", r#use.operation);
    let all_keys = |context: &mut Context| {
        context.set("kms:CallerAccount", requester.account.to_string());
        if let Some(via) = r#use.via {
            context.set("kms:ViaService", via);
            context.set("aws:ViaAWSService", "true");
        }
        for (name, value) in r#use.context {
            context.set(&format!("kms:EncryptionContext:{name}"), &**value);
        }
        if !r#use.context.is_empty() {
            context.set_many("kms:EncryptionContextKeys", r#use.context.keys().cloned());
        }
        keys(context);
    };
    let asking = |policy| Asking {
        action: &action,
        resource: key.arn.as_str(),
        owner: key.account,
        policy: Some(policy),
        said: None,
    };
    let by_policy =
        authorize(directory, requester, facts, &asking(ResourcePolicy::Other(&key.policy.enforced)), all_keys);
    match by_policy {
        Err(denied) if !denied.explicit => {
            let own_id = requester.user_id.split(':').next().unwrap_or_default();
            let granted = key.grants.values().any(|grant| {
                let to_requester = match &grant.grantee_id {
                    Some(id) => id == own_id,
                    None => grant.grantee == requester.arn.as_str(),
                };
                to_requester && grant.covers(r#use.operation, r#use.context)
            });
            if !granted {
                return Err(denied);
            }
            // A grant is as good as a key policy that names its grantee.
            let named = policy_naming(own_id, requester, &action);
            let named = named.as_deref().ok_or(denied)?;
            authorize(directory, requester, facts, &asking(ResourcePolicy::Other(named)), all_keys)
        }
        decided => decided,
    }
}

fn policy_naming(id: &str, requester: &Requester, action: &str) -> Option<Arc<Document>> {
    let principal = if id.is_empty() { requester.arn.as_str() } else { id };
    let text = serde_json::json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": "*"}});
    Document::parse(&text.to_string()).ok().map(Arc::new)
}

/// Finds a key by its id, its ARN, an alias or an alias's ARN. What is no ARN is looked for in `account`.
pub(in crate::aws) fn find<'d>(
    directory: &'d Directory,
    named: &str,
    account: AccountId,
    region: &str,
) -> Option<&'d Key> {
    let (account, region, name) = match named.parse::<Arn>() {
        Ok(arn) => (arn.account()?, arn.region().to_owned(), arn.resource().to_owned()),
        Err(_) => (account, region.to_owned(), named.to_owned()),
    };
    let keys = &directory.entities(account)?.kms_keys;
    let found = match name.strip_prefix("key/") {
        Some(id) => keys.get(id),
        None if name.starts_with("alias/") => {
            keys.values().find(|key| key.region == region && key.aliases.contains(&name))
        }
        None => keys.get(&name),
    };
    found.filter(|key| key.region == region)
}
