use std::sync::Arc;

use super::NAMESPACE;
use super::call::Call;
use super::checksum::ChecksumKind;
use super::headers::{add_sse, read_traits};
use super::multipart::{part_number, upload_id};
use super::object::{may_write, owner_of_written};
use super::preconditions::{judge_read, of_write, range};
use super::sse::{encrypt, may_decrypt};
use super::upload::{CopiedBody, copy_body};
use super::versions::{NULL, Which, tell};
use crate::aws::api_error::ApiError;
use crate::aws::reply::Reply;
use crate::aws::store::{Body, BucketFacts, Checksum, Object, Part, timestamp};
use crate::aws::time;
use crate::aws::uri::decode;
use crate::aws::xml::Xml;

/// The largest object that CopyObject copies: 5 GiB.
const MAX_COPY: u64 = 5 << 30;

pub(super) async fn copy_object(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let condition = of_write(call)?;
    let asked = read_traits(call)?;
    let source = source(call)?;
    if source.object.size > MAX_COPY {
        return Err(ApiError::of("InvalidRequest").saying(
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120",
        ));
    }
    let replace = match call.header("x-amz-metadata-directive") {
        None | Some("COPY") => false,
        Some("REPLACE") => true,
        Some(_) => return Err(ApiError::of("InvalidArgument").saying("Unknown metadata directive.")),
    };
    let replace_tags = match call.header("x-amz-tagging-directive") {
        None | Some("COPY") => false,
        Some("REPLACE") => true,
        Some(_) => return Err(ApiError::of("InvalidArgument").saying("Unknown tagging directive.")),
    };
    if !replace_tags && !asked.tags.is_empty() {
        return Err(ApiError::of("InvalidArgument")
            .saying("The x-amz-tagging header may only be used with x-amz-tagging-directive: REPLACE"));
    }
    let to_itself = source.bucket == call.target.bucket && source.object.key == call.target.key;
    // An old version copied over the newest brings it back.
    let same = to_itself && !source.is_old;
    if same && !replace && !replace_tags && asked == crate::aws::store::Traits::default() {
        return Err(ApiError::of("InvalidRequest").saying("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."));
    }
    let mut traits = asked;
    if !replace {
        traits.headers.clone_from(&source.object.traits.headers);
        traits.metadata.clone_from(&source.object.traits.metadata);
    }
    if !replace_tags && !source.object.traits.tags.is_empty() {
        source.may_read_tags(call)?;
        traits.tags.clone_from(&source.object.traits.tags);
    }
    may_write(call, &bucket, &condition, &traits)?;
    encrypt(call, &bucket, &mut traits.sse).await?;
    let copied_version = source.object.version.clone();
    let CopiedBody { body, size, lines, etag, checksum } =
        copy_body(call, &source.object, 0..source.object.size).await?;
    let modified = timestamp(call.facts.now);
    let checksum = checksum.map(|(algorithm, value)| Checksum { algorithm, kind: ChecksumKind::FullObject, value });
    let mut reply = Reply::xml(result("CopyObjectResult", &etag, modified, checksum.as_ref()));
    add_sse(&mut reply, &traits.sse);
    let key = call.target.key.clone();
    let object = Object {
        key,
        version: None,
        is_marker: false,
        owner: owner_of_written(call, &bucket),
        lock: None,
        size,
        etag,
        modified,
        traits,
        checksum,
        parts: None,
        lines,
        body: Body::Discarded,
    };
    let version = call.shared.store.put_object(&call.target.bucket, object, body, &condition).await?;
    tell(&mut reply, &bucket, version.as_deref());
    if source.facts.config.versioning.is_some() {
        reply.set("x-amz-copy-source-version-id", copied_version.as_deref().unwrap_or(NULL));
    }
    Ok(reply)
}

pub(super) async fn upload_part_copy(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let (number, id) = (part_number(call)?, upload_id(call)?);
    call.may("s3:PutObject", &call.object_arn(), &bucket)?;
    let (name, key) = (&call.target.bucket, &call.target.key);
    let upload = call.shared.store.read(|index| index.need_upload(name, key, &id).cloned())?;
    may_decrypt(call, (name, &bucket), key, &upload.traits.sse)?;
    let source = source(call)?;
    let size = source.object.size;
    let header = call.header("x-amz-copy-source-range");
    let piece = range(header, size)?;
    if header.is_some() && piece.is_none() {
        return Err(ApiError::of("InvalidArgument").saying("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy"));
    }
    let CopiedBody { body, size, lines, etag, checksum } =
        copy_body(call, &source.object, piece.unwrap_or(0..size)).await?;
    let modified = timestamp(call.facts.now);
    let text = result("CopyPartResult", &etag, modified, None);
    let part = Part { size, etag, modified, checksum, lines, body: Body::Discarded };
    call.shared.store.put_part(name, key, &id, number, part, body).await?;
    let mut reply = Reply::xml(text);
    add_sse(&mut reply, &upload.traits.sse);
    Ok(reply)
}

struct Source {
    bucket: String,
    facts: BucketFacts,
    object: Arc<Object>,
    /// Whether it was asked for by its version.
    is_old: bool,
}

impl Source {
    /// Tags are copied for those who may read them.
    fn may_read_tags(&self, call: &Call<'_>) -> Result<(), ApiError> {
        let action = if self.is_old { "s3:GetObjectVersionTagging" } else { "s3:GetObjectTagging" };
        call.may(action, &call.arn(&format!("{}/{}", self.bucket, self.object.key)), &self.facts)
    }
}

/// Finds what is to be copied, for a caller who may read it.
fn source(call: &Call<'_>) -> Result<Source, ApiError> {
    let header = call.header("x-amz-copy-source").unwrap_or_default();
    let invalid = || {
        ApiError::of("InvalidArgument")
            .saying("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    };
    let (path, version) = header.split_once("?versionId=").map_or((header, None), |(p, v)| (p, Some(v)));
    let which = Which::read(version)?;
    let path = decode(path.strip_prefix('/').unwrap_or(path), false)?;
    let (name, key) = path.split_once('/').filter(|(b, k)| !b.is_empty() && !k.is_empty()).ok_or_else(invalid)?;
    let bucket = call.bucket_named(name)?;
    call.check_owner("x-amz-source-expected-bucket-owner", bucket.owner)?;
    let action = if which.is_version() { "s3:GetObjectVersion" } else { "s3:GetObject" };
    let object = call.shared.store.read(|index| Ok::<_, ApiError>(which.find(index.need(name)?, key).cloned()))?;
    call.may_with_object(action, &call.arn(&format!("{name}/{key}")), &bucket, object.as_deref(), |_| ())?;
    let Some(object) = object else {
        call.may("s3:ListBucket", &call.arn(name), &bucket)?;
        let code = if which.is_version() { "NoSuchVersion" } else { "NoSuchKey" };
        return Err(ApiError::of(code).field("Key", key));
    };
    if object.is_marker {
        return Err(ApiError::of("InvalidRequest")
            .saying("The source of a copy request may not specifically refer to a delete marker by version id."));
    }
    judge_read(call, "x-amz-copy-source-", &object)?;
    may_decrypt(call, (name, &bucket), key, &object.traits.sse)?;
    Ok(Source { bucket: name.to_owned(), facts: bucket, object, is_old: which.is_version() })
}

fn result(name: &str, etag: &str, modified: jiff::Timestamp, checksum: Option<&Checksum>) -> String {
    let mut xml = Xml::document();
    xml.within(&format!("{name} xmlns=\"{NAMESPACE}\""), |xml| {
        xml.field("LastModified", time::iso_millis(modified.into())).field("ETag", etag);
        if let Some(checksum) = checksum {
            xml.field(checksum.algorithm.element(), &checksum.value).field("ChecksumType", checksum.kind.name());
        }
    });
    xml.finish()
}
