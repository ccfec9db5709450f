use http::{HeaderMap, Method};

use super::Target;
use crate::aws::error::ApiError;
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
}

/// Query parameters that make a request another one, and that are not served: to ignore one would be to do something
/// else than was asked.
const NOT_SERVED: [&str; 30] = [
    "abac",
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "logging",
    "metadataConfiguration",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumberMarker",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "tagging",
    "torrent",
];

/// The same, of buckets.
const NOT_SERVED_OF_BUCKETS: [&str; 3] = ["versioning", "versions", "website"];

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
        let other = NOT_SERVED.iter().chain(if has_key { &[][..] } else { &NOT_SERVED_OF_BUCKETS });
        if let Some(name) = other.into_iter().find(|name| query.has(name)) {
            return Err(ApiError::of("NotImplemented").saying(format!("the embedded AWS does not serve ?{name} yet")));
        }
        let copy = headers.contains_key("x-amz-copy-source");
        let not_allowed = || Err(ApiError::of("MethodNotAllowed").field("Method", method.as_str()));
        Ok(match (method.as_str(), has_bucket, has_key) {
            ("GET", false, _) => Self::ListBuckets,
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
