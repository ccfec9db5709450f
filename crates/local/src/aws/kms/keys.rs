use std::collections::BTreeMap;

use iam::{AccountId, Document, Partition, PolicyKind, ResourcePolicy};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::Call;
use super::key::{Key, S3_ALIAS};
use crate::aws::api_error::ApiError;
use crate::aws::authorize::{Asking, authorize};
use crate::aws::directory::Directory;
use crate::aws::error::AwsError;
use crate::aws::server::Shared;
use crate::aws::store::timestamp;

pub(super) async fn create(call: &Call<'_>) -> Result<Value, ApiError> {
    call.only(&["Policy", "Description", "KeyUsage", "KeySpec", "BypassPolicyLockoutSafetyCheck"])?;
    for (name, only) in [("KeyUsage", "ENCRYPT_DECRYPT"), ("KeySpec", "SYMMETRIC_DEFAULT")] {
        if call.text(name).is_some_and(|value| value != only) {
            let text = format!("the embedded AWS knows no {name} but {only}");
            return Err(ApiError::of("NotImplemented").saying(text));
        }
    }
    let account = call.requester.account;
    let text = call.text("Policy").map_or_else(|| default_policy(account, &call.facts.region), str::to_owned);
    let written = read_policy(&text)?;
    let (id, region) = (new_id(), call.facts.region.clone());
    call.shared
        .change(|directory| {
            call.may_at_all(directory, "CreateKey")?;
            let policy = directory.keep(&format!("key {id}"), written, &BTreeMap::new()).map_err(policy_refused)?;
            let key = Key {
                arn: Key::arn_of(&region, account, &id)?,
                account,
                region,
                created: timestamp(call.facts.now),
                description: call.text("Description").unwrap_or_default().to_owned(),
                enabled: true,
                aws_managed: false,
                aliases: Vec::new(),
                policy,
                grants: BTreeMap::new(),
            };
            let answer = json!({"KeyMetadata": metadata(&key)});
            directory.entities_mut(account).kms_keys.insert(id, key);
            Ok(answer)
        })
        .await
}

pub(super) fn describe(call: &Call<'_>) -> Result<Value, ApiError> {
    call.only(&["KeyId", "GrantTokens"])?;
    let directory = call.shared.directory();
    let key = call.key(&directory)?;
    call.may(&directory, key, "DescribeKey", |_| ())?;
    Ok(json!({"KeyMetadata": metadata(key)}))
}

pub(super) fn list(call: &Call<'_>) -> Result<Value, ApiError> {
    call.only(&["Limit"])?;
    let directory = call.shared.directory();
    call.may_at_all(&directory, "ListKeys")?;
    let keys: Vec<Value> =
        of_region(call, &directory).map(|key| json!({"KeyId": key.id(), "KeyArn": key.arn.as_str()})).collect();
    Ok(json!({"Keys": keys, "Truncated": false}))
}

pub(super) async fn set_enabled(call: &Call<'_>, enabled: bool) -> Result<Value, ApiError> {
    call.only(&["KeyId"])?;
    let operation = if enabled { "EnableKey" } else { "DisableKey" };
    change(call, operation, |key| key.enabled = enabled).await
}

pub(super) fn get_policy(call: &Call<'_>) -> Result<Value, ApiError> {
    call.only(&["KeyId", "PolicyName"])?;
    let directory = call.shared.directory();
    let key = call.key(&directory)?;
    call.may(&directory, key, "GetKeyPolicy", |_| ())?;
    let policy = serde_json::to_string(&directory.shown(&key.policy)).expect("a policy is plain data");
    Ok(json!({"Policy": policy, "PolicyName": "default"}))
}

pub(super) async fn put_policy(call: &Call<'_>) -> Result<Value, ApiError> {
    call.only(&["KeyId", "PolicyName", "Policy", "BypassPolicyLockoutSafetyCheck"])?;
    let written = read_policy(call.need("Policy")?)?;
    let unchecked = call.asked.get("BypassPolicyLockoutSafetyCheck") == Some(&Value::Bool(true));
    call.shared
        .change(|directory| {
            let key = call.key(directory)?;
            call.may(directory, key, "PutKeyPolicy", |_| ())?;
            let policy = directory.keep(key.arn.as_str(), written, &BTreeMap::new()).map_err(policy_refused)?;
            let owner = key.account;
            let (resource, guard) = (key.arn.as_str(), Some(ResourcePolicy::Other(&policy.enforced)));
            let again = Asking { action: "kms:PutKeyPolicy", resource, owner, policy: guard, said: None };
            if !unchecked && authorize(directory, call.requester, call.facts, &again, |_| ()).is_err() {
                return Err(ApiError::of("MalformedPolicyDocumentException")
                    .saying("The new key policy will not allow you to update the key policy in the future."));
            }
            let id = key.id().to_owned();
            if let Some(key) = directory.entities_mut(owner).kms_keys.get_mut(&id) {
                key.policy = policy;
            }
            Ok(Value::Null)
        })
        .await
}

pub(super) async fn create_alias(call: &Call<'_>) -> Result<Value, ApiError> {
    call.only(&["AliasName", "TargetKeyId"])?;
    let name = call.need("AliasName")?.to_owned();
    let fits = |c: char| c.is_ascii_alphanumeric() || "/_-".contains(c);
    let own = name.strip_prefix("alias/").is_some_and(|rest| !rest.is_empty() && rest.chars().all(fits));
    if !own || name.starts_with("alias/aws/") {
        return Err(ApiError::of("ValidationException").saying(format!("Alias {name} is not valid")));
    }
    let target = call.need("TargetKeyId")?;
    let (account, region) = (call.requester.account, &call.facts.region);
    call.shared
        .change(|directory| {
            let missing = || ApiError::of("NotFoundException").saying(format!("Key '{target}' does not exist"));
            let key = super::find(directory, target, account, region).ok_or_else(missing)?;
            call.may(directory, key, "CreateAlias", |_| ())?;
            if super::find(directory, &name, account, region).is_some() {
                let text = format!("An alias with the name arn:aws:kms:{region}:{account}:{name} already exists");
                return Err(ApiError::of("AlreadyExistsException").saying(text));
            }
            let id = key.id().to_owned();
            if let Some(key) = directory.entities_mut(account).kms_keys.get_mut(&id) {
                key.aliases.push(name);
            }
            Ok(Value::Null)
        })
        .await
}

pub(super) fn list_aliases(call: &Call<'_>) -> Result<Value, ApiError> {
    call.only(&["Limit"])?;
    let directory = call.shared.directory();
    call.may_at_all(&directory, "ListAliases")?;
    let account = call.requester.account;
    let of_key = |key: &Key| {
        let (region, id) = (key.region.clone(), key.id().to_owned());
        let describe = |name: &String| {
            let arn = format!("arn:{}:kms:{region}:{account}:{name}", Partition::of_region(&region).name());
            json!({"AliasName": name, "AliasArn": arn, "TargetKeyId": id})
        };
        key.aliases.iter().map(describe).collect::<Vec<_>>()
    };
    let aliases: Vec<Value> = of_region(call, &directory).flat_map(of_key).collect();
    Ok(json!({"Aliases": aliases, "Truncated": false}))
}

/// Changes the key that the call names.
async fn change(call: &Call<'_>, operation: &str, change: impl FnOnce(&mut Key)) -> Result<Value, ApiError> {
    call.shared
        .change(|directory| {
            let key = call.key(directory)?;
            call.may(directory, key, operation, |_| ())?;
            let (account, id) = (key.account, key.id().to_owned());
            if let Some(key) = directory.entities_mut(account).kms_keys.get_mut(&id) {
                change(key);
            }
            Ok(Value::Null)
        })
        .await
}

fn of_region<'d>(call: &Call<'_>, directory: &'d Directory) -> impl Iterator<Item = &'d Key> {
    let region = call.facts.region.clone();
    let keys = directory.entities(call.requester.account).into_iter().flat_map(|entities| entities.kms_keys.values());
    keys.filter(move |key| key.region == region)
}

fn metadata(key: &Key) -> Value {
    let (id, account) = (key.id(), key.account.to_string());
    json!({
        "AWSAccountId": account,
        "KeyId": id,
        "Arn": key.arn.as_str(),
        "CreationDate": seconds(key.created),
        "Enabled": key.enabled,
        "Description": key.description,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": if key.enabled { "Enabled" } else { "Disabled" },
        "Origin": "AWS_KMS",
        "KeyManager": if key.aws_managed { "AWS" } else { "CUSTOMER" },
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": false,
    })
}

/// Seconds since 1970, as AWS's JSON has times.
pub(super) fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}

fn new_id() -> String {
    let mut bytes: [u8; 16] = rand::random();
    // Version 4, variant 1, as RFC 9562 has it.
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    Uuid::from_bytes(bytes).to_string()
}

fn read_policy(text: &str) -> Result<Document, ApiError> {
    Document::parse_as(PolicyKind::Resource, text)
        .map_err(|error| ApiError::of("MalformedPolicyDocumentException").saying(error.to_string()))
}

fn policy_refused(error: AwsError) -> ApiError {
    match error {
        AwsError::Principal { principal, .. } => ApiError::of("MalformedPolicyDocumentException")
            .saying(format!("Policy contains a statement with one or more invalid principals: {principal}")),
        other => other.into(),
    }
}

/// What AWS gives a key that is made without a policy: the account's own policies decide.
/// What a key gets by itself: the policies of its account decide.
pub(in crate::aws) fn default_policy(account: AccountId, region: &str) -> String {
    let partition = Partition::of_region(region).name();
    json!({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [{
        "Sid": "Enable IAM User Permissions", "Effect": "Allow",
        "Principal": {"AWS": format!("arn:{partition}:iam::{account}:root")}, "Action": "kms:*", "Resource": "*"}]})
    .to_string()
}

/// The key that S3 makes for an account which asks for `aws:kms` and names no key; made with its first use.
pub(in crate::aws) async fn s3_key(shared: &Shared, account: AccountId, region: &str) -> Result<(), ApiError> {
    if super::find(&shared.directory(), S3_ALIAS, account, region).is_some() {
        return Ok(());
    }
    // Everybody in the account, and nobody outside of it, and only through S3.
    let policy = json!({"Version": "2012-10-17", "Id": "auto-s3-2", "Statement": [{
        "Sid": "Allow access through S3 for all principals in the account that are authorized to use S3",
        "Effect": "Allow", "Principal": {"AWS": "*"},
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant",
            "kms:DescribeKey"],
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:CallerAccount": account.to_string(),
            "kms:ViaService": format!("s3.{region}.amazonaws.com")}}}]});
    let written = read_policy(&policy.to_string())?;
    let (id, now) = (new_id(), shared.clock.now());
    shared
        .change(|directory| {
            // Somebody else may have been faster.
            if super::find(directory, S3_ALIAS, account, region).is_some() {
                return Ok(());
            }
            let key = Key {
                arn: Key::arn_of(region, account, &id)?,
                account,
                region: region.to_owned(),
                created: timestamp(now),
                description: "Default key that protects my S3 objects when no other key is defined".to_owned(),
                enabled: true,
                aws_managed: true,
                aliases: vec![S3_ALIAS.to_owned()],
                policy: directory.keep("alias/aws/s3", written, &BTreeMap::new())?,
                grants: BTreeMap::new(),
            };
            directory.entities_mut(account).kms_keys.insert(id, key);
            Ok::<_, ApiError>(())
        })
        .await
}
