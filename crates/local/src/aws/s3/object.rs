use http::StatusCode;

use super::NAMESPACE;
use super::call::Call;
use super::headers::{add_checksum, add_object, add_sse, read_traits};
use super::preconditions::{judge_read, of_write, range};
use super::upload::{document, receive};
use crate::aws::error::ApiError;
use crate::aws::reply::Reply;
use crate::aws::store::{BucketFacts, Checksum, Condition, Object, timestamp};
use crate::aws::xml::{Element, Xml};

use super::ChecksumKind;

/// The most objects that one request deletes.
const MAX_DELETES: usize = 1000;

/// How often a read looks an object up again that was replaced under its hands.
const READ_TRIES: usize = 8;

pub(super) async fn put(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let (condition, traits) = (of_write(call)?, read_traits(call)?);
    may_write(call, &bucket, &condition)?;
    let received = receive(call, None).await?;
    let checksum =
        received.checksum.map(|(algorithm, value)| Checksum { algorithm, kind: ChecksumKind::FullObject, value });
    let mut reply = Reply::ok();
    add_sse(&mut reply, &traits.sse);
    reply.set("etag", &received.etag);
    if let Some(checksum) = &checksum {
        add_checksum(&mut reply, checksum);
    }
    let object = Object {
        key: call.target.key.clone(),
        size: received.size,
        etag: received.etag,
        modified: timestamp(call.facts.now),
        traits,
        checksum,
        parts: None,
        lines: received.lines,
        body: crate::aws::store::Body::Discarded,
    };
    call.shared.store.put_object(&call.target.bucket, object, received.body, &condition).await?;
    Ok(reply)
}

/// What a write needs to be allowed.
pub(super) fn may_write(call: &Call<'_>, bucket: &BucketFacts, condition: &Condition) -> Result<(), ApiError> {
    let resource = call.object_arn();
    call.may_with("s3:PutObject", &resource, bucket.owner, |context| {
        for name in
            ["x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-storage-class"]
        {
            if let Some(value) = call.header(name) {
                context.set(&format!("s3:{name}"), value);
            }
        }
        for (header, key) in [("if-none-match", "s3:if-none-match"), ("if-match", "s3:if-match")] {
            if let Some(value) = call.header(header) {
                context.set(key, value);
            }
        }
    })?;
    // To compare with what is there is to read it.
    if matches!(condition, Condition::Etag(_)) { call.may("s3:GetObject", &resource, bucket.owner) } else { Ok(()) }
}

/// Looks an object up for a caller who may read it. What is missing is told only to those who may list the bucket.
pub(super) fn look_up(call: &Call<'_>, bucket: &BucketFacts) -> Result<std::sync::Arc<Object>, ApiError> {
    call.may("s3:GetObject", &call.object_arn(), bucket.owner)?;
    if call.query.get("versionId").is_some_and(|version| version != "null") {
        return Err(ApiError::of("InvalidArgument").saying("Invalid version id specified"));
    }
    if call.query.has("partNumber") {
        return Err(ApiError::of("NotImplemented").saying("the embedded AWS does not read single parts yet"));
    }
    let key = &call.target.key;
    let found = call
        .shared
        .store
        .read(|index| Ok::<_, ApiError>(index.need(&call.target.bucket)?.objects.get(key).cloned()))?;
    let Some(object) = found else {
        call.may("s3:ListBucket", &call.bucket_arn(), bucket.owner)?;
        return Err(ApiError::of("NoSuchKey").field("Key", key));
    };
    Ok(object)
}

pub(super) async fn get(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    for _ in 0..READ_TRIES {
        let object = look_up(call, &bucket)?;
        let (mut reply, range) = describe(call, &object)?;
        let range = range.unwrap_or(0..object.size);
        reply.length = range.end - range.start;
        match object.body.read(range).await {
            Ok(body) => {
                reply.body = body;
                return Ok(reply);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {
                return Err(ApiError::of("NotImplemented").saying("this embedded AWS keeps no bodies"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(ApiError::of("OperationAborted"))
}

pub(super) fn head(call: &Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let object = look_up(call, &bucket)?;
    let (mut reply, range) = describe(call, &object)?;
    reply.length = range.map_or(object.size, |range| range.end - range.start);
    Ok(reply)
}

/// Status and headers of a read.
fn describe(call: &Call<'_>, object: &Object) -> Result<(Reply, Option<std::ops::Range<u64>>), ApiError> {
    judge_read(call, "", object)?;
    let range = range(call.header("range"), object.size)?;
    let mut reply = Reply::ok();
    // A checksum of the whole says nothing of a piece.
    let with_checksum = call.header("x-amz-checksum-mode") == Some("ENABLED") && range.is_none();
    add_object(&mut reply, object, with_checksum);
    for (parameter, header) in [
        ("response-cache-control", "cache-control"),
        ("response-content-disposition", "content-disposition"),
        ("response-content-encoding", "content-encoding"),
        ("response-content-language", "content-language"),
        ("response-content-type", "content-type"),
        ("response-expires", "expires"),
    ] {
        if let Some(value) = call.query.get(parameter) {
            reply.set(header, value);
        }
    }
    if let Some(range) = &range {
        reply.status = StatusCode::PARTIAL_CONTENT;
        reply.set("content-range", &format!("bytes {}-{}/{}", range.start, range.end - 1, object.size));
    }
    Ok((reply, range))
}

pub(super) async fn delete(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    call.may("s3:DeleteObject", &call.object_arn(), bucket.owner)?;
    if call.header("if-match").is_some() {
        return Err(ApiError::of("NotImplemented").field("Header", "If-Match"));
    }
    call.shared.store.delete_object(&call.target.bucket, &call.target.key).await?;
    Ok(Reply::no_content())
}

pub(super) async fn delete_many(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let document = Element::parse(&document(call).await?, "Delete")?;
    let quiet = document.child_text("Quiet") == Some("true");
    let keys: Option<Vec<String>> = document
        .all("Object")
        .map(|object| object.children.iter().find(|child| child.name == "Key").map(|child| child.text.clone()))
        .collect();
    let keys = keys.filter(|keys| (1..=MAX_DELETES).contains(&keys.len()));
    let keys = keys.ok_or_else(|| ApiError::of("MalformedXML"))?;
    let mut results = Vec::with_capacity(keys.len());
    for key in keys {
        let resource = format!("{}/{key}", call.bucket_arn());
        let result = match call.may("s3:DeleteObject", &resource, bucket.owner) {
            Ok(()) => call.shared.store.delete_object(&call.target.bucket, &key).await,
            Err(error) => Err(error),
        };
        results.push((key, result));
    }
    let mut xml = Xml::document();
    xml.within(&format!("DeleteResult xmlns=\"{NAMESPACE}\""), |xml| {
        for (key, result) in &results {
            match result {
                Ok(()) if quiet => {}
                Ok(()) => {
                    xml.within("Deleted", |xml| {
                        xml.field("Key", key);
                    });
                }
                Err(error) => {
                    xml.within("Error", |xml| {
                        xml.field("Key", key).field("Code", error.code()).field("Message", error.message());
                    });
                }
            }
        }
    });
    Ok(Reply::xml(xml.finish()))
}
