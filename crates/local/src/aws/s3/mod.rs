//! The Simple Storage Service.

mod access_point;
mod bucket;
mod call;
mod checksum;
mod copy;
mod headers;
mod list;
mod multipart;
mod object;
mod operation;
mod parts;
mod policy;
mod preconditions;
mod sse;
mod tagging;
mod target;
mod upload;
mod versions;

use super::api_error::ApiError;
use super::reply::Reply;

pub(crate) use access_point::alias as access_point_alias;
pub(super) use access_point::{AccessPoint, AccessPoints};
pub(super) use call::Call;
pub(super) use checksum::{Algorithm, ChecksumKind};
pub(super) use operation::Operation;
pub(super) use policy::check as check_policy;
pub(super) use target::Target;

/// The namespace of S3's documents.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// Does what an authenticated request asks for.
pub(super) async fn handle(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    headers::refuse_unknown(call)?;
    // An access point is for objects: its bucket is looked after by the bucket's own name.
    let is_about_bucket = matches!(
        call.operation,
        Operation::CreateBucket
            | Operation::DeleteBucket
            | Operation::GetBucketPolicy
            | Operation::PutBucketPolicy
            | Operation::DeleteBucketPolicy
            | Operation::GetBucketVersioning
            | Operation::GetObjectLockConfiguration
            | Operation::PutBucketVersioning
    );
    if call.access_point.is_some() && is_about_bucket {
        return Err(ApiError::of("MethodNotAllowed"));
    }
    match call.operation {
        Operation::ListBuckets => bucket::list_buckets(call),
        Operation::CreateBucket => bucket::create(call).await,
        Operation::DeleteBucket => bucket::delete(call).await,
        Operation::HeadBucket => bucket::head(call),
        Operation::GetBucketLocation => bucket::location(call),
        Operation::ListObjects | Operation::ListObjectsV2 => list::list_objects(call),
        Operation::ListMultipartUploads => list::list_uploads(call),
        Operation::PutObject => object::put(call).await,
        Operation::GetObject => object::get(call).await,
        Operation::HeadObject => object::head(call),
        Operation::DeleteObject => object::delete(call).await,
        Operation::DeleteObjects => object::delete_many(call).await,
        Operation::CopyObject => copy::copy_object(call).await,
        Operation::CreateMultipartUpload => multipart::create(call).await,
        Operation::UploadPart => multipart::upload_part(call).await,
        Operation::UploadPartCopy => copy::upload_part_copy(call).await,
        Operation::CompleteMultipartUpload => multipart::complete(call).await,
        Operation::AbortMultipartUpload => multipart::abort(call).await,
        Operation::ListParts => parts::list_parts(call),
        Operation::GetBucketPolicy => policy::get(call),
        Operation::PutBucketPolicy => policy::put(call).await,
        Operation::DeleteBucketPolicy => policy::delete(call).await,
        Operation::GetBucketVersioning => versions::get_versioning(call),
        Operation::GetObjectLockConfiguration => versions::get_object_lock(call),
        Operation::PutBucketVersioning => versions::put_versioning(call).await,
        Operation::ListObjectVersions => versions::list(call),
        Operation::GetObjectTagging => tagging::get(call),
        Operation::PutObjectTagging => tagging::put(call).await,
        Operation::DeleteObjectTagging => tagging::delete(call).await,
    }
}
