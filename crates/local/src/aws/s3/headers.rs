use super::call::Call;
use super::tagging;
use crate::aws::api_error::ApiError;
use crate::aws::reply::Reply;
use crate::aws::store::{Checksum, Object, Ownership, Sse, Traits};
use crate::aws::time;

/// Headers that are kept with an object and given back.
const KEPT: [&str; 6] =
    ["cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"];

/// All user metadata of an object together: names and values, in bytes.
const MAX_METADATA: usize = 2048;

const STORAGE_CLASSES: [&str; 11] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "GLACIER_IR",
    "SNOW",
    "EXPRESS_ONEZONE",
    "OUTPOSTS",
];

/// The headers of S3 and of signing that are looked at, or that change nothing of what is done. Any other may change the
/// outcome: to ignore it would be to do something else than was asked.
const KNOWN: [&str; 45] = [
    "x-amz-acl",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-mode",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-type",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-unmodified-since",
    "x-amz-copy-source-range",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-expected-bucket-owner",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-id-2",
    "x-amz-metadata-directive",
    "x-amz-mp-object-size",
    "x-amz-object-ownership",
    // A requester who would pay, of a bucket whose owner does.
    "x-amz-request-payer",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-customer-key-md5",
    "x-amz-source-expected-bucket-owner",
    "x-amz-storage-class",
    "x-amz-tagging",
    "x-amz-tagging-directive",
    "x-amz-te",
    "x-amz-trailer",
    "x-amz-user-agent",
];

/// Refuses headers that S3 knows, or may come to know, and that nobody here looks at.
pub(super) fn refuse_unknown(call: &Call<'_>) -> Result<(), ApiError> {
    let is_unknown =
        |name: &&str| name.starts_with("x-amz-") && !name.starts_with("x-amz-meta-") && !KNOWN.contains(name);
    match call.headers().keys().map(http::HeaderName::as_str).find(is_unknown) {
        None => Ok(()),
        Some(name) => Err(ApiError::of("NotImplemented")
            .saying("A header you provided implies functionality that is not implemented")
            .field("Header", name)),
    }
}

/// Reads what the writer of an object says of it.
pub(super) fn read_traits(call: &Call<'_>) -> Result<Traits, ApiError> {
    refuse_unserved(call)?;
    let tags = call.header("x-amz-tagging").map(tagging::of_header).transpose()?.unwrap_or_default();
    let mut traits = Traits { sse: read_sse(call)?, tags, ..Traits::default() };
    for name in KEPT {
        if let Some(value) = call.header(name) {
            traits.headers.insert(name.to_owned(), value.to_owned());
        }
    }
    // The transfer's own encoding is no property of the object.
    if let Some(encoding) = traits.headers.remove("content-encoding") {
        let kept: Vec<&str> = encoding.split(',').map(str::trim).filter(|token| *token != "aws-chunked").collect();
        if !kept.is_empty() {
            traits.headers.insert("content-encoding".to_owned(), kept.join(","));
        }
    }
    let mut size = 0;
    for (name, value) in call.headers() {
        let Some(name) = name.as_str().strip_prefix("x-amz-meta-") else { continue };
        let value = value.to_str().map_err(|_| ApiError::of("InvalidArgument").saying("User metadata is not ASCII"))?;
        size += name.len() + value.len();
        // One that is given twice is a list, as everywhere in HTTP.
        let slot = traits.metadata.entry(name.to_owned()).or_default();
        slot.push_str(if slot.is_empty() { "" } else { "," });
        slot.push_str(value);
    }
    if size > MAX_METADATA {
        return Err(ApiError::of("MetadataTooLarge")
            .field("Size", size.to_string())
            .field("MaxSizeAllowed", MAX_METADATA.to_string()));
    }
    if let Some(class) = call.header("x-amz-storage-class") {
        if !STORAGE_CLASSES.contains(&class) {
            return Err(ApiError::of("InvalidStorageClass").field("StorageClassRequested", class));
        }
        traits.storage_class = Some(class.to_owned()).filter(|class| class != "STANDARD");
    }
    Ok(traits)
}

fn refuse_unserved(call: &Call<'_>) -> Result<(), ApiError> {
    if call.headers().keys().any(|name| name.as_str().contains("server-side-encryption-customer")) {
        // What S3 says to this over plain HTTP.
        return Err(ApiError::of("InvalidRequest").saying("Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection."));
    }
    let bucket = call.shared.store.bucket(&call.target.bucket);
    let ownership = bucket.as_ref().map(|bucket| bucket.config.ownership).unwrap_or_default();
    let unserved = || ApiError::of("NotImplemented").saying("the embedded AWS keeps no ACLs");
    if call.headers().keys().any(|name| name.as_str().starts_with("x-amz-grant-")) {
        let has_acls = ownership != Ownership::BucketOwnerEnforced;
        return Err(if has_acls { unserved() } else { ApiError::of("AccessControlListNotSupported") });
    }
    match (call.header("x-amz-acl"), ownership) {
        // Where there are no ACLs, full control of the bucket's owner is what is so anyway.
        (None, _)
        | (Some("bucket-owner-full-control"), Ownership::BucketOwnerEnforced | Ownership::BucketOwnerPreferred)
        | (Some("private"), Ownership::BucketOwnerPreferred | Ownership::ObjectWriter) => Ok(()),
        // Buckets made since 2023 have no ACLs.
        (Some(_), Ownership::BucketOwnerEnforced) => Err(ApiError::of("AccessControlListNotSupported")),
        // Nor do they take public ones, unless that is switched off, which is not served here.
        (Some("public-read" | "public-read-write" | "authenticated-read"), _) => {
            let (who, resource) = (&call.verified.requester.arn, call.object_arn());
            Err(ApiError::of("AccessDenied").saying(format!(
                "User: {who} is not authorized to perform: s3:PutObject on resource: \"{resource}\" because public ACLs are prevented by the BlockPublicAcls setting in S3 Block Public Access."
            )))
        }
        (Some(_), Ownership::BucketOwnerPreferred | Ownership::ObjectWriter) => Err(unserved()),
    }
}

fn read_sse(call: &Call<'_>) -> Result<Sse, ApiError> {
    let key_id = call.header("x-amz-server-side-encryption-aws-kms-key-id").map(str::to_owned);
    let bucket_key = call.header("x-amz-server-side-encryption-bucket-key-enabled") == Some("true");
    let algorithm = call.header("x-amz-server-side-encryption");
    match (algorithm, &key_id) {
        (None | Some("AES256"), Some(_)) => Err(ApiError::of("InvalidArgument").saying("Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms")),
        (None | Some("AES256"), None) => Ok(Sse::default()),
        (Some(kms @ ("aws:kms" | "aws:kms:dsse")), _) => Ok(Sse { algorithm: kms.to_owned(), key_id, bucket_key }),
        (Some(other), _) => Err(ApiError::of("InvalidEncryptionAlgorithmError")
            .saying("The Encryption request you specified is not valid. Supported value: AES256, aws:kms, aws:kms:dsse.")
            .field("ArgumentName", "x-amz-server-side-encryption")
            .field("ArgumentValue", other)),
    }
}

/// Adds what S3 says of an object's encryption to the answer of a write or a read.
pub(super) fn add_sse(reply: &mut Reply, sse: &Sse) {
    reply.set("x-amz-server-side-encryption", &sse.algorithm);
    if let Some(key) = &sse.key_id {
        reply.set("x-amz-server-side-encryption-aws-kms-key-id", key);
    }
    if sse.bucket_key {
        reply.set("x-amz-server-side-encryption-bucket-key-enabled", "true");
    }
}

/// Adds an object's checksum.
pub(super) fn add_checksum(reply: &mut Reply, checksum: &Checksum) {
    reply.set(checksum.algorithm.header(), &checksum.value);
    reply.set("x-amz-checksum-type", checksum.kind.name());
}

/// Adds all that a reader is told of an object.
pub(super) fn add_object(reply: &mut Reply, object: &Object, with_checksum: bool) {
    for (name, value) in &object.traits.headers {
        reply.set(name, value);
    }
    if !object.traits.headers.contains_key("content-type") {
        reply.set("content-type", "binary/octet-stream");
    }
    for (name, value) in &object.traits.metadata {
        reply.set(&format!("x-amz-meta-{name}"), value);
    }
    if let Some(class) = &object.traits.storage_class {
        reply.set("x-amz-storage-class", class);
    }
    if !object.traits.tags.is_empty() {
        reply.set("x-amz-tagging-count", &object.traits.tags.len().to_string());
    }
    add_sse(reply, &object.traits.sse);
    if let (Some(checksum), true) = (&object.checksum, with_checksum) {
        add_checksum(reply, checksum);
    }
    reply.set("etag", &object.etag);
    reply.set("last-modified", &time::http(object.modified.into()));
    reply.set("accept-ranges", "bytes");
}
