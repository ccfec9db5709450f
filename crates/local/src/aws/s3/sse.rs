use std::collections::BTreeMap;

use iam::Arn;

use super::call::Call;
use crate::aws::api_error::ApiError;
use crate::aws::kms::{self, S3_ALIAS, Use};
use crate::aws::store::{BucketFacts, Sse};

/// Finds the key that a write asks for, and whether its sender may encrypt with it. Afterwards `sse` names the key by
/// its ARN, as S3 answers.
pub(super) async fn encrypt(call: &Call<'_>, bucket: &BucketFacts, sse: &mut Sse) -> Result<(), ApiError> {
    if call.header("x-amz-server-side-encryption").is_none()
        && let Some(default) = &bucket.config.encryption
    {
        sse.clone_from(default);
    }
    if !is_kms(sse) {
        return Ok(());
    }
    let account = call.verified.requester.account;
    if sse.key_id.is_none() {
        kms::s3_key(call.shared, account, &bucket.region).await?;
    }
    let named = sse.key_id.clone().unwrap_or_else(|| S3_ALIAS.to_owned());
    if let Ok(arn) = named.parse::<Arn>()
        && arn.region() != bucket.region
    {
        return Err(ApiError::of("KMS.NotFoundException").saying(format!("Invalid arn {}", arn.region())));
    }
    // What is no ARN is looked for in the sender's account, whoever has the bucket. A key that nobody names is the
    // sender's too: `aws/s3` of the account that uploads.
    let arn = kms::find(&call.shared.directory(), &named, account, &bucket.region).map(|key| key.arn.to_string());
    let missing = || {
        // Neither an id nor an alias: `aws/s3`, mostly, which is the tail of an alias.
        let is_name = named.starts_with("alias/") || !named.contains('/') || named.starts_with("arn:");
        let text = if is_name { format!("Key '{named}' does not exist") } else { format!("Invalid keyId '{named}'") };
        ApiError::of("KMS.NotFoundException").saying(text)
    };
    sse.key_id = Some(arn.ok_or_else(missing)?);
    may_use(call, bucket, sse, &call.target.key, "GenerateDataKey")
}

/// Whether the sender may decrypt what is encrypted so. `bucket` and `key` are those of the object.
pub(super) fn may_decrypt(call: &Call<'_>, bucket: (&str, &BucketFacts), key: &str, sse: &Sse) -> Result<(), ApiError> {
    may_use_in(call, bucket, sse, key, "Decrypt")
}

fn may_use(call: &Call<'_>, bucket: &BucketFacts, sse: &Sse, key: &str, operation: &str) -> Result<(), ApiError> {
    may_use_in(call, (&call.target.bucket, bucket), sse, key, operation)
}

fn may_use_in(
    call: &Call<'_>,
    (name, bucket): (&str, &BucketFacts),
    sse: &Sse,
    object: &str,
    operation: &str,
) -> Result<(), ApiError> {
    let Some(key_arn) = sse.key_id.as_deref().filter(|_| is_kms(sse)) else { return Ok(()) };
    let directory = call.shared.directory();
    let requester = &call.verified.requester;
    let key = kms::find(&directory, key_arn, requester.account, &bucket.region)
        .ok_or_else(|| ApiError::of("KMS.NotFoundException").saying(format!("Key '{key_arn}' does not exist")))?;
    if !key.enabled {
        return Err(ApiError::of("KMS.DisabledException").saying(format!("{key_arn} is disabled.")));
    }
    // With a bucket key one data key serves all objects.
    let bound = if sse.bucket_key { call.arn(name) } else { call.arn(&format!("{name}/{object}")) };
    let context = BTreeMap::from([("aws:s3:arn".to_owned(), bound)]);
    let via = format!("s3.{}.amazonaws.com", bucket.region);
    let wanted = Use { operation, context: &context, via: Some(&via) };
    kms::permit(&directory, requester, call.facts, key, wanted, |_| ())
        .map_err(|denied| denied.refuse("AccessDenied", key_arn))
}

pub(super) fn is_kms(sse: &Sse) -> bool {
    sse.algorithm.starts_with("aws:kms")
}
