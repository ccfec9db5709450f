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
    HeadBucket,
    PutObjectTagging,
    GetBucketPolicy,
    GetObjectLockConfiguration,
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
            Self::HeadBucket => "HeadBucket",
            Self::PutObjectTagging => "PutObjectTagging",
            Self::GetBucketPolicy => "GetBucketPolicy",
            Self::GetObjectLockConfiguration => "GetObjectLockConfiguration",
        }
    }

    /// The permission that it needs ("Actions defined by Amazon S3", service authorization reference).
    pub(crate) fn permission(self) -> &'static str {
        match self {
            Self::CreateMultipartUpload | Self::UploadPart | Self::CompleteMultipartUpload | Self::PutObject => {
                "s3:PutObject"
            }
            Self::AbortMultipartUpload => "s3:AbortMultipartUpload",
            Self::ListParts => "s3:ListMultipartUploadParts",
            Self::ListMultipartUploads => "s3:ListBucketMultipartUploads",
            Self::ListObjectsV2 | Self::HeadBucket => "s3:ListBucket",
            Self::HeadObject | Self::GetObject => "s3:GetObject",
            Self::DeleteObject => "s3:DeleteObject",
            Self::PutObjectTagging => "s3:PutObjectTagging",
            Self::GetBucketPolicy => "s3:GetBucketPolicy",
            Self::GetObjectLockConfiguration => "s3:GetBucketObjectLockConfiguration",
        }
    }

    /// Whether the permission is given on the bucket's ARN, not on the objects'.
    pub(crate) fn on_bucket(self) -> bool {
        match self {
            Self::ListMultipartUploads
            | Self::ListObjectsV2
            | Self::HeadBucket
            | Self::GetBucketPolicy
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
            | Self::PutObjectTagging => false,
        }
    }

    /// Whether its answers come without a body, so that an error has a status and no code.
    pub(crate) fn is_bodiless(self) -> bool {
        matches!(self, Self::HeadObject | Self::HeadBucket)
    }
}
