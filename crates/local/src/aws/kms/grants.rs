use std::collections::BTreeMap;

use iam::{Arn, Context};
use rand::RngExt;
use serde_json::{Value, json};

use super::call::Call;
use super::key::{Constraint, Grant, Key};
use super::keys::seconds;
use crate::aws::api_error::ApiError;
use crate::aws::directory::Directory;
use crate::aws::store::timestamp;

/// What a grant may allow on a symmetric key.
const OPERATIONS: [&str; 10] = [
    "CreateGrant",
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
];

pub(super) async fn create(call: &Call<'_>) -> Result<Value, ApiError> {
    call.only(&["KeyId", "GranteePrincipal", "RetiringPrincipal", "Operations", "Constraints", "Name"])?;
    let grantee = call.need("GranteePrincipal")?.to_owned();
    let operations = read_operations(call)?;
    let constraint = read_constraint(call.asked.get("Constraints"))?;
    let retiring = call.text("RetiringPrincipal").map(str::to_owned);
    let id = hex::encode(rand::rng().random::<[u8; 32]>());
    call.shared
        .change(|directory| {
            let key = call.key(directory)?;
            call.may(directory, key, "CreateGrant", |context: &mut Context| {
                context.set("kms:GranteePrincipal", &*grantee);
                context.set("kms:GrantIsForAWSResource", "false");
                context.set_many("kms:GrantOperations", operations.iter().cloned());
                if let Some(retiring) = &retiring {
                    context.set("kms:RetiringPrincipal", &**retiring);
                }
                if let Some(constraint) = &constraint {
                    context.set("kms:GrantConstraintType", constraint_name(constraint));
                }
            })?;
            let grant = Grant {
                grantee_id: principal_id(directory, &grantee)?,
                grantee,
                retiring,
                operations,
                constraint,
                name: call.text("Name").map(str::to_owned),
                created: timestamp(call.facts.now),
                issuer: format!("arn:{}:iam::{}:root", call.requester.arn.partition().name(), call.requester.account),
            };
            change_key(directory, &key.arn.clone(), |key| key.grants.insert(id.clone(), grant));
            Ok(json!({"GrantId": id, "GrantToken": id}))
        })
        .await
}

pub(super) fn list(call: &Call<'_>) -> Result<Value, ApiError> {
    call.only(&["KeyId", "GrantId", "GranteePrincipal", "Limit"])?;
    let directory = call.shared.directory();
    let key = call.key(&directory)?;
    call.may(&directory, key, "ListGrants", |_| ())?;
    let wanted = |id: &str, grant: &Grant| {
        call.text("GrantId").is_none_or(|wanted| wanted == id)
            && call.text("GranteePrincipal").is_none_or(|wanted| wanted == grant.grantee)
    };
    let grants = key.grants.iter().filter(|(id, grant)| wanted(id, grant));
    let grants: Vec<Value> = grants.map(|(id, grant)| print(key, id, grant)).collect();
    Ok(json!({"Grants": grants, "Truncated": false}))
}

pub(super) async fn revoke(call: &Call<'_>) -> Result<Value, ApiError> {
    call.only(&["KeyId", "GrantId"])?;
    let id = call.need("GrantId")?.to_owned();
    call.shared
        .change(|directory| {
            let key = call.key(directory)?;
            call.may(directory, key, "RevokeGrant", |_| ())?;
            remove(directory, &key.arn.clone(), &id)
        })
        .await
}

/// The retiring principal may end a grant without further leave.
pub(super) async fn retire(call: &Call<'_>) -> Result<Value, ApiError> {
    call.only(&["KeyId", "GrantId"])?;
    let id = call.need("GrantId")?.to_owned();
    call.shared
        .change(|directory| {
            let key = call.key(directory)?;
            let own_id = call.requester.user_id.split(':').next().unwrap_or_default();
            let retiring = key.grants.get(&id).and_then(|grant| grant.retiring.as_deref());
            let named = retiring.is_some_and(|named| match principal_id(directory, named) {
                Ok(Some(unique)) => unique == own_id,
                _ => named == call.requester.arn.as_str(),
            });
            if !named {
                call.may(directory, key, "RetireGrant", |_| ())?;
            }
            remove(directory, &key.arn.clone(), &id)
        })
        .await
}

fn remove(directory: &mut Directory, key: &Arn, id: &str) -> Result<Value, ApiError> {
    match change_key(directory, key, |key| key.grants.remove(id)).flatten() {
        Some(_) => Ok(Value::Null),
        None => Err(ApiError::of("NotFoundException").saying(format!("Grant {id} does not exist"))),
    }
}

fn change_key<T>(directory: &mut Directory, arn: &Arn, change: impl FnOnce(&mut Key) -> T) -> Option<T> {
    let id = arn.resource().strip_prefix("key/").unwrap_or_default();
    directory.entities_mut(arn.account()?).kms_keys.get_mut(id).map(change)
}

/// The unique id of a user or role, who must exist; `None` for a session.
fn principal_id(directory: &Directory, named: &str) -> Result<Option<String>, ApiError> {
    let invalid = || ApiError::of("InvalidArnException").saying("ARN does not refer to a valid principal");
    let arn: Arn = named.parse().map_err(|_| invalid())?;
    if arn.role_session().is_some() {
        return Ok(None);
    }
    directory.unique_id(&arn).map(|id| Some(id.to_owned())).ok_or_else(invalid)
}

fn read_operations(call: &Call<'_>) -> Result<Vec<String>, ApiError> {
    let listed = call.asked.get("Operations").and_then(Value::as_array);
    let operations: Vec<String> = listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    match operations.iter().find(|name| !OPERATIONS.contains(&name.as_str())) {
        Some(unknown) => Err(ApiError::of("ValidationException").saying(format!(
            "1 validation error detected: Value '[{unknown}]' at 'operations' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
            OPERATIONS.join(", ")
        ))),
        None if operations.is_empty() => {
            Err(ApiError::of("ValidationException").saying("A grant allows at least one operation"))
        }
        None => Ok(operations),
    }
}

fn read_constraint(value: Option<&Value>) -> Result<Option<Constraint>, ApiError> {
    let Some(value) = value.filter(|value| value.as_object().is_some_and(|map| !map.is_empty())) else {
        return Ok(None);
    };
    serde_json::from_value::<BTreeMap<String, BTreeMap<String, String>>>(value.clone())
        .ok()
        .filter(|constraints| constraints.len() == 1)
        .and_then(|constraints| constraints.into_iter().next())
        .and_then(|(kind, pairs)| match &*kind {
            "EncryptionContextEquals" => Some(Constraint::EncryptionContextEquals(pairs)),
            "EncryptionContextSubset" => Some(Constraint::EncryptionContextSubset(pairs)),
            _ => None,
        })
        .map(Some)
        .ok_or_else(|| {
            ApiError::of("NotImplemented")
                .saying("the embedded AWS knows one constraint: EncryptionContextEquals or EncryptionContextSubset")
        })
}

fn constraint_name(constraint: &Constraint) -> &'static str {
    match constraint {
        Constraint::EncryptionContextEquals(_) => "EncryptionContextEquals",
        Constraint::EncryptionContextSubset(_) => "EncryptionContextSubset",
    }
}

fn print(key: &Key, id: &str, grant: &Grant) -> Value {
    let mut printed = json!({
        "KeyId": key.arn.as_str(),
        "GrantId": id,
        "Name": grant.name.clone().unwrap_or_default(),
        "CreationDate": seconds(grant.created),
        "GranteePrincipal": grant.grantee,
        "IssuingAccount": grant.issuer,
        "Operations": grant.operations,
    });
    if let Some(retiring) = &grant.retiring {
        printed["RetiringPrincipal"] = json!(retiring);
    }
    if let Some(constraint) = &grant.constraint {
        let (Constraint::EncryptionContextEquals(pairs) | Constraint::EncryptionContextSubset(pairs)) = constraint;
        printed["Constraints"] = json!({constraint_name(constraint): pairs});
    }
    printed
}
