use http::{HeaderMap, Method};

use super::Target;
use crate::aws::api_error::ApiError;
use crate::aws::uri::Query;

/// What a request asks for, by AWS's name of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::aws) enum Operation {
    ListBuckets,
    CreateBucket,
    DeleteBucket,
    HeadBucket,
    GetBucketLocation,
    ListObjects,
    ListObjectsV2,
    ListMultipartUploads,
    PutObject,
    GetObject,
    HeadObject,
    DeleteObject,
    DeleteObjects,
    CopyObject,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
    GetBucketPolicy,
    PutBucketPolicy,
    DeleteBucketPolicy,
    GetBucketVersioning,
    GetObjectLockConfiguration,
    PutBucketVersioning,
    ListObjectVersions,
    GetObjectTagging,
    PutObjectTagging,
    DeleteObjectTagging,
}

/// Parameters without a value that are served. Any other makes the request another one, that is not: to ignore it would
/// be to do something else than was asked. (Parameters with a value that S3 does not know it ignores, and so does this.)
const SERVED: [&str; 9] =
    ["delete", "location", "object-lock", "policy", "tagging", "uploads", "versioning", "versions", "list-type"];

/// Parameters that S3 knows with a value, and that are not served.
const NOT_SERVED: [&str; 8] =
    ["analytics", "id", "intelligent-tiering", "inventory", "metrics", "partNumberMarker", "select", "torrent"];

impl Operation {
    /// Its name in AWS's API reference.
    pub(in crate::aws) fn name(self) -> &'static str {
        match self {
            Self::ListBuckets => "ListBuckets",
            Self::CreateBucket => "CreateBucket",
            Self::DeleteBucket => "DeleteBucket",
            Self::HeadBucket => "HeadBucket",
            Self::GetBucketLocation => "GetBucketLocation",
            Self::ListObjects => "ListObjects",
            Self::ListObjectsV2 => "ListObjectsV2",
            Self::ListMultipartUploads => "ListMultipartUploads",
            Self::PutObject => "PutObject",
            Self::GetObject => "GetObject",
            Self::HeadObject => "HeadObject",
            Self::DeleteObject => "DeleteObject",
            Self::DeleteObjects => "DeleteObjects",
            Self::CopyObject => "CopyObject",
            Self::CreateMultipartUpload => "CreateMultipartUpload",
            Self::UploadPart => "UploadPart",
            Self::UploadPartCopy => "UploadPartCopy",
            Self::CompleteMultipartUpload => "CompleteMultipartUpload",
            Self::AbortMultipartUpload => "AbortMultipartUpload",
            Self::ListParts => "ListParts",
            Self::GetBucketPolicy => "GetBucketPolicy",
            Self::PutBucketPolicy => "PutBucketPolicy",
            Self::DeleteBucketPolicy => "DeleteBucketPolicy",
            Self::GetBucketVersioning => "GetBucketVersioning",
            Self::GetObjectLockConfiguration => "GetObjectLockConfiguration",
            Self::PutBucketVersioning => "PutBucketVersioning",
            Self::ListObjectVersions => "ListObjectVersions",
            Self::GetObjectTagging => "GetObjectTagging",
            Self::PutObjectTagging => "PutObjectTagging",
            Self::DeleteObjectTagging => "DeleteObjectTagging",
        }
    }

    /// Finds the operation by method, target and the parameters that tell operations apart.
    pub(in crate::aws) fn find(
        method: &Method,
        target: &Target,
        query: &Query,
        headers: &HeaderMap,
    ) -> Result<Self, ApiError> {
        let has_bucket = !target.bucket.is_empty();
        let has_key = !target.key.is_empty();
        let unserved = query.0.iter().find(|(name, value)| {
            let subresource = value.is_empty() && is_subresource(name) && !SERVED.contains(&name.as_str());
            subresource || NOT_SERVED.contains(&name.as_str())
        });
        if let Some((name, _)) = unserved {
            return Err(ApiError::of("NotImplemented").saying(format!("the embedded AWS does not serve ?{name}")));
        }
        let (policy, tagging) = (query.has("policy"), query.has("tagging"));
        let (versioning, versions) = (query.has("versioning"), query.has("versions"));
        let copy = headers.contains_key("x-amz-copy-source");
        let not_allowed = || Err(ApiError::of("MethodNotAllowed").field("Method", method.as_str()));
        let unserved_of = |what: &str, name: &str| {
            Err(ApiError::of("NotImplemented").saying(format!("the embedded AWS does not serve ?{name} of {what}")))
        };
        Ok(match (method.as_str(), has_bucket, has_key) {
            ("GET", false, _) => Self::ListBuckets,
            ("GET", true, false) if policy => Self::GetBucketPolicy,
            ("PUT", true, false) if policy => Self::PutBucketPolicy,
            ("DELETE", true, false) if policy => Self::DeleteBucketPolicy,
            ("GET", true, false) if query.has("object-lock") => Self::GetObjectLockConfiguration,
            // How a bucket locks is set by scenarios alone.
            (_, true, _) if query.has("object-lock") => return unserved_of("objects, nor to change it", "object-lock"),
            ("GET", true, false) if versioning => Self::GetBucketVersioning,
            ("PUT", true, false) if versioning => Self::PutBucketVersioning,
            ("GET", true, false) if versions => Self::ListObjectVersions,
            ("GET", true, true) if tagging => Self::GetObjectTagging,
            ("PUT", true, true) if tagging => Self::PutObjectTagging,
            ("DELETE", true, true) if tagging => Self::DeleteObjectTagging,
            // Of a bucket, tags are not served; nor does an object have a policy or versioning.
            (_, true, false) if tagging => return unserved_of("buckets", "tagging"),
            (_, true, _) if policy || versioning || versions => return not_allowed(),
            ("GET", true, false) if query.has("location") => Self::GetBucketLocation,
            ("GET", true, false) if query.has("uploads") => Self::ListMultipartUploads,
            ("GET", true, false) if query.get("list-type") == Some("2") => Self::ListObjectsV2,
            ("GET", true, false) => Self::ListObjects,
            ("HEAD", true, false) => Self::HeadBucket,
            ("PUT", true, false) => Self::CreateBucket,
            ("DELETE", true, false) => Self::DeleteBucket,
            ("POST", true, false) if query.has("delete") => Self::DeleteObjects,
            ("GET", true, true) if query.has("uploadId") => Self::ListParts,
            ("GET", true, true) => Self::GetObject,
            ("HEAD", true, true) => Self::HeadObject,
            ("PUT", true, true) => match (query.has("uploadId") || query.has("partNumber"), copy) {
                (true, true) => Self::UploadPartCopy,
                (true, false) => Self::UploadPart,
                (false, true) => Self::CopyObject,
                (false, false) => Self::PutObject,
            },
            ("POST", true, true) if query.has("uploads") => Self::CreateMultipartUpload,
            ("POST", true, true) if query.has("uploadId") => Self::CompleteMultipartUpload,
            ("DELETE", true, true) if query.has("uploadId") => Self::AbortMultipartUpload,
            ("DELETE", true, true) => Self::DeleteObject,
            _ => return not_allowed(),
        })
    }
}

/// Whether a parameter without a value would make the request another one. Parameters of listings may be empty, and those
/// of signatures and of responses say nothing of what is done.
fn is_subresource(name: &str) -> bool {
    const VALUES: [&str; 17] = [
        "bucket-region",
        "continuation-token",
        "delimiter",
        "encoding-type",
        "fetch-owner",
        "key-marker",
        "marker",
        "max-buckets",
        "max-keys",
        "max-parts",
        "max-uploads",
        "part-number-marker",
        "prefix",
        "start-after",
        "upload-id-marker",
        "version-id-marker",
        "x-id",
    ];
    let value = VALUES.contains(&name) || ["uploadId", "partNumber", "versionId"].contains(&name);
    !value && !name.starts_with("X-Amz-") && !name.starts_with("response-")
}
