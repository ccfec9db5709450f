//! The Key Management Service, as far as it decides who may read and write an encrypted object: keys with policies,
//! aliases and grants. It holds no key material and encrypts nothing.

mod call;
mod grants;
mod key;
mod keys;
mod permit;

use http::request::Parts;
use serde_json::Value;

use super::api_error::ApiError;
use super::authorize::Facts;
use super::reply::Reply;
use super::server::Shared;
use super::sigv4::{Claim, Dialect, authenticate};
use call::Call;

pub(super) use key::{Grant, Key, S3_ALIAS};
pub(super) use keys::{default_policy, s3_key};
pub(super) use permit::{Use, find, permit};

/// What `x-amz-target` begins with.
pub(super) const TARGET: &str = "TrentService.";

/// What is served.
const OPERATIONS: [&str; 13] = [
    "CreateAlias",
    "CreateGrant",
    "CreateKey",
    "DescribeKey",
    "DisableKey",
    "EnableKey",
    "GetKeyPolicy",
    "ListAliases",
    "ListGrants",
    "ListKeys",
    "PutKeyPolicy",
    "RetireGrant",
    "RevokeGrant",
];

/// The name of the operation asked for, for counting and for the fault plane.
pub(super) fn operation(name: &str) -> &'static str {
    OPERATIONS.into_iter().find(|known| *known == name).unwrap_or("Kms:Unknown")
}

/// Answers a request in AWS's JSON 1.1.
pub(super) async fn handle(
    shared: &Shared,
    parts: &Parts,
    operation: &str,
    body: &[u8],
    claim: Option<Claim>,
    payload_hash: &str,
    facts: &Facts,
) -> Result<Reply, ApiError> {
    let claim = claim.ok_or_else(|| ApiError::of("MissingAuthenticationTokenException"))?;
    let verified = {
        let directory = shared.directory();
        authenticate(Dialect::Kms, parts, claim, payload_hash, &directory, &shared.mint, facts.now)?
    };
    let text = if body.is_empty() { b"{}" } else { body };
    let asked: Value = serde_json::from_slice(text).map_err(|_| ApiError::of("SerializationException"))?;
    let call = Call { shared, requester: &verified.requester, facts, asked: &asked };
    let answer = match operation {
        "CreateKey" => keys::create(&call).await?,
        "DescribeKey" => keys::describe(&call)?,
        "ListKeys" => keys::list(&call)?,
        "EnableKey" => keys::set_enabled(&call, true).await?,
        "DisableKey" => keys::set_enabled(&call, false).await?,
        "GetKeyPolicy" => keys::get_policy(&call)?,
        "PutKeyPolicy" => keys::put_policy(&call).await?,
        "CreateAlias" => keys::create_alias(&call).await?,
        "ListAliases" => keys::list_aliases(&call)?,
        "CreateGrant" => grants::create(&call).await?,
        "ListGrants" => grants::list(&call)?,
        "RevokeGrant" => grants::revoke(&call).await?,
        "RetireGrant" => grants::retire(&call).await?,
        other => {
            let text = format!("the embedded AWS does not serve kms:{other}");
            return Err(ApiError::of("NotImplemented").saying(text));
        }
    };
    Ok(match answer {
        Value::Null => Reply::ok(),
        answer => Reply::new(http::StatusCode::OK, answer.to_string()),
    }
    .with("content-type", "application/x-amz-json-1.1"))
}
