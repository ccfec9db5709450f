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
            Self::ListObjectsV2 => "s3:ListBucket",
            Self::HeadObject | Self::GetObject => "s3:GetObject",
            Self::DeleteObject => "s3:DeleteObject",
        }
    }

    /// Whether the permission is given on the bucket's ARN, not on the objects'.
    pub(crate) fn on_bucket(self) -> bool {
        match self {
            Self::ListMultipartUploads | Self::ListObjectsV2 => true,
            Self::CreateMultipartUpload
            | Self::UploadPart
            | Self::CompleteMultipartUpload
            | Self::AbortMultipartUpload
            | Self::ListParts
            | Self::PutObject
            | Self::HeadObject
            | Self::GetObject
            | Self::DeleteObject => false,
        }
    }

    /// Whether its answers come without a body, so that an error has a status and no code.
    pub(crate) fn is_bodiless(self) -> bool {
        self == Self::HeadObject
    }
}
