use std::sync::Arc;

use http::StatusCode;
use iam::{AccountId, Context};

use super::NAMESPACE;
use super::call::Call;
use super::headers::{add_checksum, add_object, add_sse, read_traits};
use super::preconditions::{judge_read, of_write, range};
use super::sse::{encrypt, may_decrypt};
use super::tagging::{existing_keys, request_keys};
use super::upload::{document, receive};
use super::versions::{NULL, Which, marker_refused, tell};
use crate::aws::api_error::ApiError;
use crate::aws::reply::Reply;
use crate::aws::store::{BucketFacts, Checksum, Condition, Deleted, Object, Ownership, Traits, timestamp};
use crate::aws::time;
use crate::aws::xml::{Element, Xml};

use super::ChecksumKind;

/// The most objects that one request deletes.
const MAX_DELETES: usize = 1000;

/// How often a read looks an object up again that was replaced under its hands.
const READ_TRIES: usize = 8;

pub(super) async fn put(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let (condition, mut traits) = (of_write(call)?, read_traits(call)?);
    may_write(call, &bucket, &condition, &traits)?;
    if bucket.config.retention.is_some() && !has_digest(call) {
        return Err(ApiError::of("InvalidRequest").saying(
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
        ));
    }
    encrypt(call, &bucket, &mut traits.sse).await?;
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
        version: None,
        is_marker: false,
        owner: owner_of_written(call, &bucket),
        lock: None,
        size: received.size,
        etag: received.etag,
        modified: timestamp(call.facts.now),
        traits,
        checksum,
        parts: None,
        lines: received.lines,
        body: crate::aws::store::Body::Discarded,
    };
    let version = call.shared.store.put_object(&call.target.bucket, object, received.body, &condition).await?;
    tell(&mut reply, &bucket, version.as_deref());
    Ok(reply)
}

/// Whether the body's digest comes with the request.
fn has_digest(call: &Call<'_>) -> bool {
    let is_digest = |name: &str| {
        let algorithm = name.strip_prefix("x-amz-checksum-");
        name == "content-md5"
            || name == "x-amz-trailer"
            || algorithm.is_some_and(|name| !["type", "mode"].contains(&name))
    };
    call.headers().keys().any(|name| is_digest(name.as_str()))
}

/// Whose an object is that this call writes, if not the bucket's owner's.
pub(super) fn owner_of_written(call: &Call<'_>, bucket: &BucketFacts) -> Option<AccountId> {
    let writer = call.verified.requester.account;
    let is_given = call.header("x-amz-acl") == Some("bucket-owner-full-control");
    let keeps = match bucket.config.ownership {
        Ownership::BucketOwnerEnforced => false,
        Ownership::BucketOwnerPreferred => !is_given,
        Ownership::ObjectWriter => true,
    };
    (keeps && writer != bucket.owner).then_some(writer)
}

/// What a write needs to be allowed.
pub(super) fn may_write(
    call: &Call<'_>,
    bucket: &BucketFacts,
    condition: &Condition,
    traits: &Traits,
) -> Result<(), ApiError> {
    let resource = call.object_arn();
    call.may_with("s3:PutObject", &resource, bucket, |context| {
        for name in [
            "x-amz-acl",
            "x-amz-copy-source",
            "x-amz-metadata-directive",
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id",
            "x-amz-storage-class",
        ] {
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
    if call.header("x-amz-acl").is_some() && bucket.config.ownership != Ownership::BucketOwnerEnforced {
        call.may("s3:PutObjectAcl", &resource, bucket)?;
    }
    if !traits.tags.is_empty() {
        call.may_with("s3:PutObjectTagging", &resource, bucket, |context| request_keys(context, &traits.tags))?;
    }
    // To compare with what is there is to read it.
    if matches!(condition, Condition::Etag { .. }) { call.may("s3:GetObject", &resource, bucket) } else { Ok(()) }
}

/// Looks an object up, or the version that the call names, for a caller who may do with it what `action` and `suffix`
/// say (`GetObject` is `GetObjectVersion` of a version, and so on). What is missing is told only to those who may list
/// the bucket.
pub(super) fn look_up(
    call: &Call<'_>,
    bucket: &BucketFacts,
    action: &str,
    suffix: &str,
    keys: impl Fn(&mut Context),
) -> Result<Arc<Object>, ApiError> {
    let which = Which::of_call(call)?;
    let key = &call.target.key;
    let (found, marker) = call.shared.store.read(|index| {
        let at = index.need(&call.target.bucket)?;
        Ok::<_, ApiError>((which.find(at, key).cloned(), at.marker(key).cloned()))
    })?;
    let action = format!("s3:{action}{}{suffix}", if which.is_version() { "Version" } else { "" });
    call.may_with_object(&action, &call.object_arn(), bucket, found.as_deref(), |context| {
        if let Some(object) = &found {
            existing_keys(context, &object.traits.tags);
        }
        if let Some(id) = which.id() {
            context.set("s3:VersionId", id);
        }
        keys(context);
    })?;
    match (found, which.id()) {
        (Some(object), Some(_)) if object.is_marker => Err(marker_refused(&object, true)),
        (Some(object), _) => Ok(object),
        (None, Some(id)) => {
            call.may("s3:ListBucket", &call.bucket_arn(), bucket)?;
            Err(ApiError::of("NoSuchVersion").field("Key", key).field("VersionId", id))
        }
        (None, None) => {
            call.may("s3:ListBucket", &call.bucket_arn(), bucket)?;
            Err(match marker {
                Some(marker) => marker_refused(&marker, false),
                None => ApiError::of("NoSuchKey").field("Key", key),
            })
        }
    }
}

/// The same for a reader of the object itself.
fn look_up_to_read(call: &Call<'_>, bucket: &BucketFacts) -> Result<Arc<Object>, ApiError> {
    if call.query.has("partNumber") {
        return Err(ApiError::of("NotImplemented").saying("the embedded AWS does not read single parts"));
    }
    look_up(call, bucket, "GetObject", "", |_| ())
}

pub(super) async fn get(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    for _ in 0..READ_TRIES {
        let object = look_up_to_read(call, &bucket)?;
        may_decrypt(call, (&call.target.bucket, &bucket), &object.key, &object.traits.sse)?;
        let (mut reply, range) = describe(call, &bucket, &object)?;
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
    let object = look_up_to_read(call, &bucket)?;
    // The checksum of what is encrypted tells something of it.
    if call.header("x-amz-checksum-mode").is_some() {
        may_decrypt(call, (&call.target.bucket, &bucket), &object.key, &object.traits.sse)?;
    }
    let (mut reply, range) = describe(call, &bucket, &object)?;
    reply.length = range.map_or(object.size, |range| range.end - range.start);
    Ok(reply)
}

/// Status and headers of a read.
fn describe(
    call: &Call<'_>,
    bucket: &BucketFacts,
    object: &Object,
) -> Result<(Reply, Option<std::ops::Range<u64>>), ApiError> {
    judge_read(call, "", object)?;
    let range = range(call.header("range"), object.size)?;
    let mut reply = Reply::ok();
    // A checksum of the whole says nothing of a piece.
    let with_checksum = call.header("x-amz-checksum-mode") == Some("ENABLED") && range.is_none();
    add_object(&mut reply, object, with_checksum);
    tell(&mut reply, bucket, object.version.as_deref());
    // Told to those only who may ask for it.
    if let Some(lock) = object.lock
        && call.may("s3:GetObjectRetention", &call.object_arn(), bucket).is_ok()
    {
        reply.set("x-amz-object-lock-mode", lock.mode.name());
        reply.set("x-amz-object-lock-retain-until-date", &time::iso_millis(lock.until.into()));
    }
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
    let which = Which::of_call(call)?;
    let condition = of_write(call)?;
    may_delete(call, &bucket, &call.target.key, which)?;
    if matches!(condition, Condition::Absent { .. }) {
        return Err(ApiError::of("NotImplemented").field("Header", "If-None-Match"));
    }
    let deleted = delete_one(call, &call.target.key, which, &condition).await?;
    let mut reply = Reply::no_content();
    if which.is_version() || deleted.is_marker {
        tell(&mut reply, &bucket, deleted.version.as_deref());
    }
    if deleted.is_marker {
        reply.set("x-amz-delete-marker", "true");
    }
    Ok(reply)
}

fn may_delete(call: &Call<'_>, bucket: &BucketFacts, key: &str, which: Which<'_>) -> Result<(), ApiError> {
    let action = if which.is_version() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
    call.may_with(action, &format!("{}/{key}", call.bucket_arn()), bucket, |context| {
        if let Some(id) = which.id() {
            context.set("s3:VersionId", id);
        }
    })
}

async fn delete_one(call: &Call<'_>, key: &str, which: Which<'_>, condition: &Condition) -> Result<Deleted, ApiError> {
    let (store, bucket) = (&call.shared.store, &call.target.bucket);
    match which {
        Which::Newest => store.delete_object(bucket, key, call.facts.now, condition).await,
        Which::Version(version) if *condition == Condition::None => {
            store.delete_version(bucket, key, version, call.facts.now).await
        }
        Which::Version(_) => Err(ApiError::of("NotImplemented").field("Header", "If-Match")),
    }
}

pub(super) async fn delete_many(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let document = Element::parse(&document(call).await?, "Delete")?;
    let quiet = document.child_text("Quiet") == Some("true");
    let text = |object: &Element, name: &str| {
        object.children.iter().find(|child| child.name == name).map(|child| child.text.clone())
    };
    let known = |object: &Element| object.children.iter().all(|child| ["Key", "VersionId"].contains(&&*child.name));
    let objects: Vec<&Element> = document.all("Object").collect();
    if let Some(other) = objects.iter().find(|object| !known(object)) {
        let names: Vec<&str> = other.children.iter().map(|child| &*child.name).collect();
        let text = format!("the embedded AWS knows Key and VersionId of an object to delete, and not all of {names:?}");
        return Err(ApiError::of("NotImplemented").saying(text));
    }
    let asked: Option<Vec<(String, Option<String>)>> =
        objects.into_iter().map(|object| Some((text(object, "Key")?, text(object, "VersionId")))).collect();
    let asked = asked.filter(|asked| (1..=MAX_DELETES).contains(&asked.len()));
    let asked = asked.ok_or_else(|| ApiError::of("MalformedXML"))?;
    let mut results = Vec::with_capacity(asked.len());
    for (key, version) in asked {
        let result = delete_listed(call, &bucket, &key, version.as_deref()).await;
        results.push((key, version, result));
    }
    let mut xml = Xml::document();
    xml.within(&format!("DeleteResult xmlns=\"{NAMESPACE}\""), |xml| {
        for (key, version, result) in &results {
            match result {
                Ok(_) if quiet => {}
                Ok(deleted) => {
                    xml.within("Deleted", |xml| {
                        xml.field("Key", key).maybe("VersionId", version.as_ref());
                        if deleted.is_marker {
                            xml.field("DeleteMarker", true);
                            xml.field("DeleteMarkerVersionId", deleted.version.as_deref().unwrap_or(NULL));
                        }
                    });
                }
                Err(error) => {
                    xml.within("Error", |xml| {
                        xml.field("Key", key).maybe("VersionId", version.as_ref());
                        xml.field("Code", error.code()).field("Message", error.message());
                    });
                }
            }
        }
    });
    Ok(Reply::xml(xml.finish()))
}

async fn delete_listed(
    call: &Call<'_>,
    bucket: &BucketFacts,
    key: &str,
    version: Option<&str>,
) -> Result<Deleted, ApiError> {
    let which = Which::read(version)?;
    may_delete(call, bucket, key, which)?;
    delete_one(call, key, which, &Condition::None).await
}
