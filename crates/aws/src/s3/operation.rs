use std::time::Duration;

/// How long an answer may take once everything is sent.
const ANSWER: Duration = Duration::from_secs(30);

/// How long `CompleteMultipartUpload` may take: "several minutes" for a large object (S3 API reference). Copies of up to
/// 5 GiB within one request take their time as well.
const LONG_ANSWER: Duration = Duration::from_mins(5);

/// The calls that are made of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    CreateMultipartUpload,
    UploadPart,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
    ListMultipartUploads,
    ListObjectsV2,
    PutObject,
    HeadObject,
    GetObject,
    DeleteObject,
    DeleteObjects,
    CopyObject,
    UploadPartCopy,
    GetObjectTagging,
    PutObjectTagging,
    GetBucketPolicy,
    GetBucketVersioning,
    GetObjectLockConfiguration,
    DeleteObjectTagging,
    HeadBucket,
    ListBuckets,
}

impl Operation {
    /// As AWS calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CreateMultipartUpload => "CreateMultipartUpload",
            Self::UploadPart => "UploadPart",
            Self::CompleteMultipartUpload => "CompleteMultipartUpload",
            Self::AbortMultipartUpload => "AbortMultipartUpload",
            Self::ListParts => "ListParts",
            Self::ListMultipartUploads => "ListMultipartUploads",
            Self::ListObjectsV2 => "ListObjectsV2",
            Self::PutObject => "PutObject",
            Self::HeadObject => "HeadObject",
            Self::GetObject => "GetObject",
            Self::DeleteObject => "DeleteObject",
            Self::DeleteObjects => "DeleteObjects",
            Self::CopyObject => "CopyObject",
            Self::UploadPartCopy => "UploadPartCopy",
            Self::GetObjectTagging => "GetObjectTagging",
            Self::PutObjectTagging => "PutObjectTagging",
            Self::GetBucketPolicy => "GetBucketPolicy",
            Self::GetBucketVersioning => "GetBucketVersioning",
            Self::GetObjectLockConfiguration => "GetObjectLockConfiguration",
            Self::DeleteObjectTagging => "DeleteObjectTagging",
            Self::HeadBucket => "HeadBucket",
            Self::ListBuckets => "ListBuckets",
        }
    }

    /// The permission that it needs ("Actions defined by Amazon S3", service authorization reference).
    pub(crate) fn permission(self) -> &'static str {
        match self {
            Self::CreateMultipartUpload
            | Self::UploadPart
            | Self::CompleteMultipartUpload
            | Self::PutObject
            | Self::CopyObject
            | Self::UploadPartCopy => "s3:PutObject",
            Self::AbortMultipartUpload => "s3:AbortMultipartUpload",
            Self::ListParts => "s3:ListMultipartUploadParts",
            Self::ListMultipartUploads => "s3:ListBucketMultipartUploads",
            Self::ListObjectsV2 | Self::HeadBucket => "s3:ListBucket",
            Self::HeadObject | Self::GetObject => "s3:GetObject",
            Self::DeleteObject | Self::DeleteObjects => "s3:DeleteObject",
            Self::GetObjectTagging => "s3:GetObjectTagging",
            Self::PutObjectTagging => "s3:PutObjectTagging",
            Self::GetBucketPolicy => "s3:GetBucketPolicy",
            Self::GetBucketVersioning => "s3:GetBucketVersioning",
            Self::GetObjectLockConfiguration => "s3:GetBucketObjectLockConfiguration",
            Self::DeleteObjectTagging => "s3:DeleteObjectTagging",
            Self::ListBuckets => "s3:ListAllMyBuckets",
        }
    }

    /// Whether the permission is given on the bucket's ARN, not on the objects'.
    pub(crate) fn on_bucket(self) -> bool {
        match self {
            Self::ListMultipartUploads
            | Self::ListObjectsV2
            | Self::HeadBucket
            | Self::GetBucketPolicy
            | Self::GetBucketVersioning
            | Self::GetObjectLockConfiguration => true,
            Self::CreateMultipartUpload
            | Self::UploadPart
            | Self::CompleteMultipartUpload
            | Self::AbortMultipartUpload
            | Self::ListParts
            | Self::PutObject
            | Self::HeadObject
            | Self::GetObject
            | Self::DeleteObject
            | Self::DeleteObjects
            | Self::CopyObject
            | Self::UploadPartCopy
            | Self::GetObjectTagging
            | Self::PutObjectTagging
            | Self::DeleteObjectTagging
            | Self::ListBuckets => false,
        }
    }

    /// Whether its answers come without a body, so that an error has a status and no code.
    pub(crate) fn is_bodiless(self) -> bool {
        matches!(self, Self::HeadObject | Self::HeadBucket)
    }

    /// How long an answer may take; `None` for what bounds itself by its progress.
    pub(crate) fn answer_limit(self) -> Option<Duration> {
        match self {
            Self::UploadPart | Self::PutObject => None,
            Self::CompleteMultipartUpload | Self::CopyObject | Self::UploadPartCopy => Some(LONG_ANSWER),
            Self::CreateMultipartUpload
            | Self::AbortMultipartUpload
            | Self::ListParts
            | Self::ListMultipartUploads
            | Self::ListObjectsV2
            | Self::HeadObject
            | Self::GetObject
            | Self::DeleteObject
            | Self::DeleteObjects
            | Self::GetObjectTagging
            | Self::PutObjectTagging
            | Self::DeleteObjectTagging
            | Self::HeadBucket
            | Self::GetBucketPolicy
            | Self::GetBucketVersioning
            | Self::GetObjectLockConfiguration
            | Self::ListBuckets => Some(ANSWER),
        }
    }
}
