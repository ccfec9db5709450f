use std::collections::BTreeMap;

use rand::RngExt;

use super::NAMESPACE;
use super::call::Call;
use super::checksum::{Algorithm, ChecksumKind};
use super::headers::{add_sse, read_traits};
use super::object::{may_write, owner_of_written};
use super::preconditions::of_write;
use super::sse::{encrypt, may_decrypt};
use super::upload::{document_about_object, etag_of_parts, receive};
use super::versions::tell;
use crate::aws::api_error::ApiError;
use crate::aws::reply::Reply;
use crate::aws::store::{Body, BucketFacts, Checksum, Condition, Object, Part, Traits, Upload, timestamp};
use crate::aws::xml::{Element, Xml};

/// The highest number of a part.
const MAX_PARTS: u16 = 10_000;

/// The least size of a part that is not the last: 5 MiB.
const MIN_PART: u64 = 5 << 20;

pub(super) async fn create(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let mut traits = read_traits(call)?;
    may_write(call, &bucket, &Condition::None, &traits)?;
    encrypt(call, &bucket, &mut traits.sse).await?;
    let algorithm = call.header("x-amz-checksum-algorithm").map(Algorithm::of_name).transpose()?;
    let kind = match call.header("x-amz-checksum-type") {
        None => None,
        Some("FULL_OBJECT") => Some(ChecksumKind::FullObject),
        Some("COMPOSITE") => Some(ChecksumKind::Composite),
        Some(_) => {
            return Err(ApiError::of("InvalidRequest").saying("Value for x-amz-checksum-type header is invalid."));
        }
    };
    let checksum = match (algorithm, kind) {
        (None, None) => None,
        (None, Some(_)) => {
            return Err(ApiError::of("InvalidRequest")
                .saying("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."));
        }
        (Some(algorithm), kind) => Some((algorithm, kind.unwrap_or(algorithm.default_kind()))),
    };
    if let Some((algorithm, kind)) = checksum
        && !algorithm.allows(kind)
    {
        let (kind, name) = (kind.name(), algorithm.name().to_ascii_lowercase());
        return Err(ApiError::of("InvalidRequest")
            .saying(format!("The {kind} checksum type cannot be used with the {name} checksum algorithm.")));
    }
    let mut reply = Reply::ok();
    add_sse(&mut reply, &traits.sse);
    if let Some((algorithm, kind)) = checksum {
        reply.set("x-amz-checksum-algorithm", algorithm.name());
        reply.set("x-amz-checksum-type", kind.name());
    }
    let id = new_upload_id();
    let upload = Upload {
        key: call.target.key.clone(),
        begun: timestamp(call.facts.now),
        initiator: call.verified.requester.arn.to_string(),
        owner: owner_of_written(call, &bucket),
        traits,
        checksum,
        parts: BTreeMap::new(),
    };
    call.shared.store.begin_upload(&call.target.bucket, &id, upload).await?;
    let mut xml = Xml::document();
    xml.within(&format!("InitiateMultipartUploadResult xmlns=\"{NAMESPACE}\""), |xml| {
        xml.field("Bucket", &call.target.bucket).field("Key", &call.target.key).field("UploadId", &id);
    });
    Ok(with_document(reply, xml.finish()))
}

/// As long as AWS's are (which matters to those who keep them): 128 characters of a URL-safe alphabet.
fn new_upload_id() -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 96]>())
}

fn with_document(mut reply: Reply, text: String) -> Reply {
    let document = Reply::xml(text);
    reply.headers.extend(document.headers);
    Reply { headers: reply.headers, ..document }
}

pub(super) fn upload_id(call: &Call<'_>) -> Result<String, ApiError> {
    let id = call.query.get("uploadId").filter(|id| !id.is_empty());
    id.map(str::to_owned).ok_or_else(|| {
        ApiError::of("InvalidArgument").saying("This operation does not accept a query-string without uploadId.")
    })
}

pub(super) fn part_number(call: &Call<'_>) -> Result<u16, ApiError> {
    let text = call.query.get("partNumber").unwrap_or_default();
    text.parse::<u16>().ok().filter(|number| (1..=MAX_PARTS).contains(number)).ok_or_else(|| {
        ApiError::of("InvalidArgument")
            .saying("Part number must be an integer between 1 and 10000, inclusive")
            .field("ArgumentName", "partNumber")
            .field("ArgumentValue", text)
    })
}

/// The upload that the call names.
fn upload(call: &Call<'_>, id: &str) -> Result<Upload, ApiError> {
    let (bucket, key) = (&call.target.bucket, &call.target.key);
    call.shared.store.read(|index| index.need_upload(bucket, key, id).cloned())
}

pub(super) async fn upload_part(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let (number, id) = (part_number(call)?, upload_id(call)?);
    call.may("s3:PutObject", &call.object_arn(), &bucket)?;
    let (checksum, sse) = {
        let upload = upload(call, &id)?;
        (upload.checksum, upload.traits.sse)
    };
    // A part is encrypted with the data key of the upload, which is itself encrypted.
    may_decrypt(call, (&call.target.bucket, &bucket), &call.target.key, &sse)?;
    let received = receive(call, checksum.map(|(algorithm, _)| algorithm)).await?;
    let mut reply = Reply::ok();
    add_sse(&mut reply, &sse);
    reply.set("etag", &received.etag);
    if let Some((algorithm, value)) = &received.checksum {
        reply.set(algorithm.header(), value);
    }
    let part = Part {
        size: received.size,
        etag: received.etag,
        modified: timestamp(call.facts.now),
        checksum: received.checksum,
        lines: received.lines,
        body: Body::Discarded,
    };
    let (name, key) = (&call.target.bucket, &call.target.key);
    call.shared.store.put_part(name, key, &id, number, part, received.body).await?;
    Ok(reply)
}

pub(super) async fn complete(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let id = upload_id(call)?;
    let condition = of_write(call)?;
    may_write(call, &bucket, &condition, &Traits::default())?;
    let body = document_about_object(call).await?;
    let upload = upload(call, &id)?;
    if upload.checksum.is_some() {
        may_decrypt(call, (&call.target.bucket, &bucket), &upload.key, &upload.traits.sse)?;
    }
    let chosen = choose(&Element::parse(&body, "CompleteMultipartUpload")?, &upload)?;
    let size = chosen.values().map(|part| part.size).sum();
    if let Some(expected) = call.header("x-amz-mp-object-size")
        && expected.parse() != Ok(size)
    {
        return Err(ApiError::of("InvalidRequest")
            .saying("The provided 'x-amz-mp-object-size' header does not match what was computed."));
    }
    let checksum = whole_checksum(call, &upload, &chosen)?;
    let etag = etag_of_parts(chosen.values().map(|part| &*part.etag));
    let mut xml = Xml::document();
    xml.within(&format!("CompleteMultipartUploadResult xmlns=\"{NAMESPACE}\""), |xml| {
        let host = call.header("host").unwrap_or_default();
        let (name, key) = (&call.target.bucket, &call.target.key);
        xml.field("Location", format_args!("http://{host}/{name}/{key}"));
        xml.field("Bucket", name).field("Key", key).field("ETag", &etag);
        if let Some(checksum) = &checksum {
            xml.field(checksum.algorithm.element(), &checksum.value).field("ChecksumType", checksum.kind.name());
        }
    });
    let mut reply = Reply::ok();
    add_sse(&mut reply, &upload.traits.sse);
    let object = Object {
        key: upload.key,
        version: None,
        is_marker: false,
        owner: upload.owner,
        lock: None,
        size,
        etag,
        modified: timestamp(call.facts.now),
        traits: upload.traits,
        checksum,
        parts: Some(chosen.len() as u16),
        lines: chosen.values().map(|part| part.lines).sum(),
        body: Body::Discarded,
    };
    let version = call.shared.store.complete_upload(&call.target.bucket, &id, &chosen, object, &condition).await?;
    tell(&mut reply, &bucket, version.as_deref());
    Ok(with_document(reply, xml.finish()))
}

/// The parts that a client lists, if they are there, in order, and large enough.
fn choose(document: &Element, upload: &Upload) -> Result<BTreeMap<u16, Part>, ApiError> {
    let mut chosen: BTreeMap<u16, Part> = BTreeMap::new();
    for listed in document.all("Part") {
        let malformed = || ApiError::of("MalformedXML");
        let number: u16 = listed.child_text("PartNumber").and_then(|n| n.parse().ok()).ok_or_else(malformed)?;
        let etag = listed.child_text("ETag").ok_or_else(malformed)?;
        if chosen.last_key_value().is_some_and(|(last, _)| *last >= number) {
            return Err(ApiError::of("InvalidPartOrder"));
        }
        let invalid = || ApiError::of("InvalidPart").field("PartNumber", number.to_string()).field("ETag", etag);
        let part = upload.parts.get(&number).ok_or_else(invalid)?;
        if part.etag.trim_matches('"') != etag.trim_matches('"') {
            return Err(invalid());
        }
        for algorithm in Algorithm::ALL {
            let Some(value) = listed.child_text(algorithm.element()) else { continue };
            let known = part.checksum.as_ref().filter(|(known, _)| *known == algorithm);
            if known.is_some_and(|(_, known)| known != value) {
                return Err(invalid());
            }
        }
        // A composite checksum is of the checksums that the client lists.
        let composite = upload.checksum.is_some_and(|(_, kind)| kind == ChecksumKind::Composite);
        if let Some((algorithm, _)) = upload.checksum.filter(|_| composite)
            && listed.child_text(algorithm.element()).is_none()
        {
            return Err(ApiError::of("InvalidRequest").saying(format!(
                "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was missing for part {number} in the request.",
                algorithm.name().to_ascii_lowercase()
            )));
        }
        chosen.insert(number, part.clone());
    }
    if chosen.is_empty() {
        return Err(ApiError::of("MalformedXML"));
    }
    let last = chosen.len() - 1;
    let small = chosen.iter().take(last).find(|(_, part)| part.size < MIN_PART);
    if let Some((number, part)) = small {
        return Err(ApiError::of("EntityTooSmall")
            .field("ProposedSize", part.size.to_string())
            .field("MinSizeAllowed", MIN_PART.to_string())
            .field("PartNumber", number.to_string())
            .field("ETag", part.etag.trim_matches('"')));
    }
    Ok(chosen)
}

/// The checksum of the whole, compared with the one that the client may have sent.
fn whole_checksum(call: &Call<'_>, upload: &Upload, parts: &BTreeMap<u16, Part>) -> Result<Option<Checksum>, ApiError> {
    let Some((algorithm, kind)) = upload.checksum else { return Ok(None) };
    let of_part = |part: &Part| Some((part.checksum.as_ref()?.1.clone(), part.size));
    let values: Option<Vec<_>> = parts.values().map(of_part).collect();
    let value =
        values.and_then(|values| algorithm.combine(kind, &values)).ok_or_else(|| ApiError::of("InvalidPart"))?;
    match call.header(algorithm.header()) {
        Some(sent) if sent != value && sent != value.split('-').next().unwrap_or_default() => {
            Err(ApiError::of("BadDigest")
                .saying(format!("The {} you specified did not match the calculated checksum.", algorithm.name())))
        }
        _ => Ok(Some(Checksum { algorithm, kind, value })),
    }
}

pub(super) async fn abort(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let id = upload_id(call)?;
    may_own(call, &id, "s3:AbortMultipartUpload", &bucket)?;
    call.shared.store.abort_upload(&call.target.bucket, &call.target.key, &id).await?;
    Ok(Reply::no_content())
}

/// Who began an upload may also list its parts and abort it, without being allowed to.
pub(super) fn may_own(call: &Call<'_>, id: &str, action: &str, bucket: &BucketFacts) -> Result<(), ApiError> {
    let own = || upload(call, id).is_ok_and(|upload| upload.initiator == call.verified.requester.arn.as_str());
    match call.may(action, &call.object_arn(), bucket) {
        Err(error) if !own() => Err(error),
        _ => Ok(()),
    }
}
