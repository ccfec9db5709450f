use std::sync::Arc;

use http::HeaderMap;
use http::request::Parts;
use iam::{AccountId, Context, Partition, ResourcePolicy};

use super::{AccessPoint, Operation, Target};
use crate::aws::api_error::ApiError;
use crate::aws::authorize::{Asking, Denied, Facts, authorize};
use crate::aws::server::Shared;
use crate::aws::sigv4::{Payload, Verified};
use crate::aws::store::{BucketFacts, Object};
use crate::aws::uri::Query;

/// One authenticated request to S3.
#[derive(Debug)]
pub(in crate::aws) struct Call<'a> {
    pub(in crate::aws) shared: &'a Shared,
    pub(in crate::aws) operation: Operation,
    pub(in crate::aws) target: &'a Target,
    /// What the request names in place of the bucket, which is put into the target's place.
    pub(in crate::aws) access_point: Option<Arc<AccessPoint>>,
    pub(in crate::aws) query: &'a Query,
    pub(in crate::aws) parts: &'a Parts,
    pub(in crate::aws) verified: &'a Verified,
    pub(in crate::aws) facts: &'a Facts,
    pub(in crate::aws) payload: Payload<'a>,
}

impl Call<'_> {
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The value of a header, if it is there and is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// The ARN of a bucket, or of a bucket and a key in it, in the partition that is asked.
    pub(super) fn arn(&self, name: &str) -> String {
        format!("arn:{}:s3:::{name}", Partition::of_region(&self.verified.claim.region).name())
    }

    pub(super) fn bucket_arn(&self) -> String {
        self.arn(&self.target.bucket)
    }

    pub(super) fn object_arn(&self) -> String {
        self.arn(&format!("{}/{}", self.target.bucket, self.target.key))
    }

    /// The bucket that the request is about: it exists, is in the region that was signed for, and is whose the request
    /// expects it to be.
    pub(super) fn bucket(&self) -> Result<BucketFacts, ApiError> {
        let facts = self.bucket_named(&self.target.bucket)?;
        // A request that went to the endpoint of another region is sent on; one that only signs for it is told.
        if let Some((host, region)) =
            self.target.region.as_deref().and_then(|region| Some((self.header("host")?, region)))
            && region != facts.region
        {
            return Err(ApiError::of("PermanentRedirect")
                .field("Endpoint", host.replacen(region, &facts.region, 1))
                .field("Bucket", &self.target.bucket)
                .header("x-amz-bucket-region", &facts.region));
        }
        let region = &self.verified.claim.region;
        if *region != facts.region {
            let expected = &facts.region;
            return Err(ApiError::of("AuthorizationHeaderMalformed")
                .saying(format!(
                    "The authorization header is malformed; the region '{region}' is wrong; expecting '{expected}'"
                ))
                .field("Region", expected)
                .header("x-amz-bucket-region", expected));
        }
        self.check_owner("x-amz-expected-bucket-owner", facts.owner)?;
        // Whoever looks whether the bucket is there pays nothing yet.
        let is_strange = self.verified.requester.account != facts.owner && self.operation != Operation::HeadBucket;
        let pays = self.header("x-amz-request-payer").is_some_and(|payer| payer == "requester");
        if facts.config.requester_pays && is_strange && !pays {
            return Err(ApiError::of("AccessDenied"));
        }
        Ok(facts)
    }

    pub(super) fn bucket_named(&self, name: &str) -> Result<BucketFacts, ApiError> {
        // Buckets of another partition are in another world.
        let asked = Partition::of_region(&self.verified.claim.region);
        let bucket = self.shared.store.bucket(name).filter(|facts| Partition::of_region(&facts.region) == asked);
        bucket.ok_or_else(|| ApiError::of("NoSuchBucket").field("BucketName", name))
    }

    pub(super) fn check_owner(&self, header: &str, owner: AccountId) -> Result<(), ApiError> {
        match self.header(header) {
            Some(expected) if expected != owner.as_str() => Err(ApiError::of("AccessDenied")),
            _ => Ok(()),
        }
    }

    /// Refuses the call unless the caller's policies allow `action` on `resource`.
    pub(super) fn may(&self, action: &str, resource: &str, bucket: &BucketFacts) -> Result<(), ApiError> {
        self.may_with(action, resource, bucket, |_| ())
    }

    /// The same of what is not about a bucket that is there.
    pub(super) fn may_in_account(
        &self,
        action: &str,
        resource: &str,
        keys: impl Fn(&mut Context),
    ) -> Result<(), ApiError> {
        self.decide(action, resource, self.verified.requester.account, None, keys)
    }

    /// The same, with condition keys of the action.
    pub(super) fn may_with(
        &self,
        action: &str,
        resource: &str,
        bucket: &BucketFacts,
        keys: impl Fn(&mut Context),
    ) -> Result<(), ApiError> {
        let policy = bucket.config.policy.as_ref().map(|policy| ResourcePolicy::Other(&policy.enforced));
        self.decide(action, resource, bucket.owner, policy, keys)
    }

    /// The same of an object, which may be another account's than its bucket: then that account decides, and the bucket's
    /// policy says nothing of it (S3 user guide, "Controlling ownership of objects").
    pub(super) fn may_with_object(
        &self,
        action: &str,
        resource: &str,
        bucket: &BucketFacts,
        object: Option<&Object>,
        keys: impl Fn(&mut Context),
    ) -> Result<(), ApiError> {
        match object.and_then(|object| object.owner).filter(|owner| *owner != bucket.owner) {
            Some(owner) => self.decide(action, resource, owner, None, keys),
            None => self.may_with(action, resource, bucket, keys),
        }
    }

    fn decide(
        &self,
        action: &str,
        resource: &str,
        owner: AccountId,
        policy: Option<ResourcePolicy<'_>>,
        keys: impl Fn(&mut Context),
    ) -> Result<(), ApiError> {
        let directory = self.shared.directory();
        let requester = &self.verified.requester;
        let keys = |context: &mut Context| {
            context.set("s3:ResourceAccount", owner.to_string());
            context.set("s3:signatureversion", "AWS4-HMAC-SHA256");
            let presigned = self.verified.claim.expires.is_some();
            context.set("s3:authType", if presigned { "REST-QUERY-STRING" } else { "REST-HEADER" });
            let age = self.facts.now.duration_since(self.verified.claim.time).unwrap_or_default();
            context.set("s3:signatureAge", age.as_millis().to_string());
            if let Some(hash) = self.header("x-amz-content-sha256") {
                context.set("s3:x-amz-content-sha256", hash);
            }
            keys(context);
        };
        let refuse = |denied: Denied, resource: &str| {
            // S3 does not tell strangers what is missing.
            if denied.is_told {
                let message = format!("{}\"{resource}\" {}", denied.sentence, denied.because);
                denied.refuse_saying("AccessDenied", message)
            } else {
                denied.refuse_saying("AccessDenied", "Access Denied")
            }
        };
        let point = self.access_point.as_deref();
        let Some((point, object)) = point.and_then(|point| Some((point, resource.strip_prefix(&self.bucket_arn())?)))
        else {
            let asking = Asking { action, resource, owner, policy, said: None };
            return authorize(&directory, requester, self.facts, &asking, keys)
                .map_err(|denied| refuse(denied, resource));
        };
        // Through an access point both it and the bucket must allow; the caller's own policies know it by its own ARN
        // (S3 user guide, "Configuring IAM policies for using access points").
        let is_outside = |vpc: &String| self.facts.endpoint.as_ref().is_none_or(|endpoint| endpoint.vpc != *vpc);
        if point.vpc.as_ref().is_some_and(is_outside) {
            return Err(ApiError::of("AccessDenied"));
        }
        let keys = |context: &mut Context| {
            keys(context);
            context.set("s3:DataAccessPointArn", point.arn());
            context.set("s3:DataAccessPointAccount", point.account.to_string());
            context.set("s3:AccessPointNetworkOrigin", point.network_origin());
        };
        let through = &point.resource(object);
        let ask = |owner, resource, policy, said| {
            authorize(&directory, requester, self.facts, &Asking { action, resource, owner, policy, said }, keys)
        };
        let own = point.policy.as_ref().map(|policy| ResourcePolicy::Other(&policy.enforced));
        ask(point.account, through, own, None).map_err(|denied| refuse(denied, through))?;
        let said = ask(requester.account, through, None, None).is_ok();
        ask(owner, resource, policy, Some(said)).map_err(|denied| refuse(denied, through))
    }
}
