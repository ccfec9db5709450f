use std::collections::BTreeMap;

use http::StatusCode;
use iam::{Document, Effect, PolicyKind, Principal};

use super::call::Call;
use super::upload::document;
use crate::aws::api_error::ApiError;
use crate::aws::error::AwsError;
use crate::aws::reply::Reply;

/// The longest bucket policy, in bytes: 20 KiB.
const MAX_POLICY: usize = 20 * 1024;

pub(super) fn get(call: &Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    call.may("s3:GetBucketPolicy", &call.bucket_arn(), &bucket)?;
    let Some(policy) = &bucket.config.policy else {
        return Err(ApiError::of("NoSuchBucketPolicy").field("BucketName", &call.target.bucket));
    };
    let shown = call.shared.directory().shown(policy);
    let text = serde_json::to_string(&shown).expect("a policy is plain data");
    Ok(Reply::new(StatusCode::OK, text).with("content-type", "application/json"))
}

pub(super) async fn put(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    call.may("s3:PutBucketPolicy", &call.bucket_arn(), &bucket)?;
    let body = document(call).await?;
    let malformed = |text: String| ApiError::of("MalformedPolicy").saying(text);
    if body.len() > MAX_POLICY {
        return Err(malformed("Policy is larger than 20480 bytes".to_owned()));
    }
    let text = std::str::from_utf8(&body).map_err(|_| malformed("Policies must be UTF-8".to_owned()))?;
    let written = Document::parse_as(PolicyKind::Resource, text).map_err(|error| malformed(error.to_string()))?;
    check(&written, &call.bucket_arn())?;
    // Buckets made since 2023 refuse public policies unless that is switched off, which is not served here.
    if written.statements().iter().any(is_public) {
        let (who, resource) = (&call.verified.requester.arn, call.bucket_arn());
        return Err(ApiError::of("AccessDenied").saying(format!(
            "User: {who} is not authorized to perform: s3:PutBucketPolicy on resource: \"{resource}\" because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access."
        )));
    }
    let kept = call.shared.directory().keep(&call.target.bucket, written, &BTreeMap::new());
    let kept = kept.map_err(|error| match error {
        AwsError::Principal { principal, .. } => {
            malformed("Invalid principal in policy".to_owned()).field("Detail", format!("\"AWS\" : \"{principal}\""))
        }
        other => other.into(),
    })?;
    call.shared.store.configure_bucket(&call.target.bucket, |config| config.policy = Some(kept)).await?;
    Ok(Reply::no_content())
}

pub(super) async fn delete(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    call.may("s3:DeleteBucketPolicy", &call.bucket_arn(), &bucket)?;
    call.shared.store.configure_bucket(&call.target.bucket, |config| config.policy = None).await?;
    Ok(Reply::no_content())
}

/// S3 takes a policy only if it is about this bucket and about S3.
pub(in crate::aws) fn check(policy: &Document, arn: &str) -> Result<(), ApiError> {
    for statement in policy.statements() {
        let of_bucket = |resource: &str| {
            resource.strip_prefix(arn).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest == "*")
        };
        let mut resources = statement.resources().into_iter().flat_map(iam::Resources::patterns);
        if !resources.all(of_bucket) {
            return Err(ApiError::of("MalformedPolicy").saying("Policy has invalid resource"));
        }
        let of_s3 = |action: &str| action == "*" || action.to_ascii_lowercase().starts_with("s3:");
        if !statement.actions().patterns().all(of_s3) {
            return Err(ApiError::of("MalformedPolicy").saying("Policy has invalid action"));
        }
    }
    Ok(())
}

/// Whether a statement lets in everybody. (AWS also looks into conditions, for values that are not fixed.)
fn is_public(statement: &iam::Statement) -> bool {
    let principals = statement.principals().into_iter().flat_map(iam::Principals::list);
    statement.effect() == Effect::Allow
        && statement.conditions().is_empty()
        && principals.into_iter().any(|principal| *principal == Principal::Anyone)
}
