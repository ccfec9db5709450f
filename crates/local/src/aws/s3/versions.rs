use std::sync::Arc;

use iam::Context;

use super::NAMESPACE;
use super::call::Call;
use super::list::{Asked, PAGE, number};
use super::upload::document;
use crate::aws::api_error::ApiError;
use crate::aws::reply::Reply;
use crate::aws::store::{Bucket, BucketFacts, Object, Versioning};
use crate::aws::time;
use crate::aws::xml::{Element, Xml};

/// What the version without an id is called.
pub(super) const NULL: &str = "null";

/// Which version of an object a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which<'c> {
    Newest,
    /// By its id; `None` is the one that has none.
    Version(Option<&'c str>),
}

impl<'c> Which<'c> {
    /// The one that the call's parameters name.
    pub(super) fn of_call(call: &'c Call<'_>) -> Result<Self, ApiError> {
        Self::read(call.query.get("versionId"))
    }

    pub(super) fn read(text: Option<&'c str>) -> Result<Self, ApiError> {
        text.map_or(Ok(Self::Newest), |text| parse(text).map(Self::Version))
    }

    pub(super) fn is_version(self) -> bool {
        self != Self::Newest
    }

    /// The id, as condition keys and answers have it.
    pub(super) fn id(self) -> Option<&'c str> {
        match self {
            Self::Newest => None,
            Self::Version(version) => Some(version.unwrap_or(NULL)),
        }
    }

    /// The object in its bucket, which may be a marker if it was named.
    pub(super) fn find<'b>(self, bucket: &'b Bucket, key: &str) -> Option<&'b Arc<Object>> {
        match self {
            Self::Newest => bucket.objects.get(key),
            Self::Version(version) => bucket.version(key, version),
        }
    }
}

/// Reads a version's id; `None` is the one that has none.
fn parse(text: &str) -> Result<Option<&str>, ApiError> {
    let is_id = text.len() == 32 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    match text {
        NULL => Ok(None),
        id if is_id => Ok(Some(id)),
        other => Err(ApiError::of("InvalidArgument")
            .saying("Invalid version id specified")
            .field("ArgumentName", "versionId")
            .field("ArgumentValue", other)),
    }
}

/// Tells a version, where the bucket has ever kept them.
pub(super) fn tell(reply: &mut Reply, bucket: &BucketFacts, version: Option<&str>) {
    if bucket.config.versioning.is_some() {
        reply.set("x-amz-version-id", version.unwrap_or(NULL));
    }
}

/// The refusal to give out a marker. `named`: it was asked for by its id.
pub(super) fn marker_refused(marker: &Object, named: bool) -> ApiError {
    let error = if named {
        ApiError::of("MethodNotAllowed")
            .field("Method", "GET")
            .field("ResourceType", "DeleteMarker")
            .header("allow", "DELETE")
    } else {
        ApiError::of("NoSuchKey").field("Key", &marker.key)
    };
    let version = marker.version.as_deref().unwrap_or(NULL);
    error.header("x-amz-delete-marker", "true").header("x-amz-version-id", version)
}

pub(super) fn get_versioning(call: &Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    call.may("s3:GetBucketVersioning", &call.bucket_arn(), &bucket)?;
    let mut xml = Xml::document();
    xml.within(&format!("VersioningConfiguration xmlns=\"{NAMESPACE}\""), |xml| {
        let status = bucket.config.versioning.map(|versioning| match versioning {
            Versioning::Enabled => "Enabled",
            Versioning::Suspended => "Suspended",
        });
        xml.maybe("Status", status);
    });
    Ok(Reply::xml(xml.finish()))
}

pub(super) fn get_object_lock(call: &Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    call.may("s3:GetBucketObjectLockConfiguration", &call.bucket_arn(), &bucket)?;
    let Some(retention) = bucket.config.retention else {
        return Err(ApiError::of("ObjectLockConfigurationNotFoundError").field("BucketName", &call.target.bucket));
    };
    let mut xml = Xml::document();
    xml.within(&format!("ObjectLockConfiguration xmlns=\"{NAMESPACE}\""), |xml| {
        xml.field("ObjectLockEnabled", "Enabled");
        xml.within("Rule", |xml| {
            xml.within("DefaultRetention", |xml| {
                xml.field("Mode", retention.mode.name());
                xml.field("Days", retention.days);
            });
        });
    });
    Ok(Reply::xml(xml.finish()))
}

pub(super) async fn put_versioning(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    call.may("s3:PutBucketVersioning", &call.bucket_arn(), &bucket)?;
    let asked = Element::parse(&document(call).await?, "VersioningConfiguration")?;
    if asked.child_text("MfaDelete").is_some_and(|value| value != "Disabled") {
        return Err(ApiError::of("NotImplemented").saying("the embedded AWS knows no MfaDelete"));
    }
    let versioning = match asked.child_text("Status") {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        _ => {
            return Err(ApiError::of("MalformedXML"));
        }
    };
    let name = &call.target.bucket;
    call.shared.store.configure_bucket(name, |config| config.versioning = Some(versioning)).await?;
    Ok(Reply::ok())
}

/// One version in a listing.
struct Listed {
    object: Arc<Object>,
    is_latest: bool,
}

pub(super) fn list(call: &Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let asked = Asked::read(call)?;
    call.may_with("s3:ListBucketVersions", &call.bucket_arn(), &bucket, |context: &mut Context| {
        for (parameter, key) in [("prefix", "s3:prefix"), ("delimiter", "s3:delimiter"), ("max-keys", "s3:max-keys")] {
            if let Some(value) = call.query.get(parameter) {
                context.set(key, value);
            }
        }
    })?;
    let max = number(call, "max-keys", PAGE)?;
    let key_marker = call.query.get("key-marker").unwrap_or_default();
    let version_marker = call.query.get("version-id-marker").filter(|marker| !marker.is_empty());
    if version_marker.is_some() && key_marker.is_empty() {
        return Err(
            ApiError::of("InvalidArgument").saying("A version-id marker cannot be specified without a key marker.")
        );
    }
    let id = |object: &Object| object.version.clone().unwrap_or_else(|| NULL.to_owned());
    let (mut listed, mut prefixes, mut next) = (Vec::<Listed>::new(), Vec::<String>::new(), None);
    call.shared.store.read(|index| {
        let at = index.need(&call.target.bucket)?;
        let from = if key_marker < asked.prefix { asked.prefix } else { key_marker };
        'keys: for key in at.keys_from(from).take_while(|key| key.starts_with(asked.prefix)) {
            if *key == *key_marker && version_marker.is_none() {
                continue;
            }
            let rest = &key[asked.prefix.len()..];
            let folded = rest.find(asked.delimiter).filter(|_| !asked.delimiter.is_empty());
            if let Some(end) = folded.map(|end| asked.prefix.len() + end + asked.delimiter.len()) {
                let folded = &key[..end];
                if folded <= key_marker || prefixes.last().is_some_and(|last| last == folded) {
                    continue;
                }
                if listed.len() + prefixes.len() == max {
                    next = Some(last_of(&listed, &prefixes));
                    break 'keys;
                }
                prefixes.push(folded.to_owned());
                continue;
            }
            // Behind the version that the page before ended with.
            let mut passed = *key != *key_marker;
            for (position, object) in at.versions(key).enumerate() {
                if !passed {
                    passed = version_marker.is_some_and(|marker| id(object) == marker);
                    continue;
                }
                if listed.len() + prefixes.len() == max {
                    next = Some(last_of(&listed, &prefixes));
                    break 'keys;
                }
                listed.push(Listed { object: object.clone(), is_latest: position == 0 });
            }
        }
        Ok::<_, ApiError>(())
    })?;
    let mut xml = Xml::document();
    xml.within(&format!("ListVersionsResult xmlns=\"{NAMESPACE}\""), |xml| {
        xml.field("Name", &call.target.bucket).field("Prefix", asked.key(asked.prefix));
        xml.field("KeyMarker", asked.key(key_marker)).field("VersionIdMarker", version_marker.unwrap_or_default());
        if let Some((key, version)) = &next {
            xml.field("NextKeyMarker", asked.key(key)).maybe("NextVersionIdMarker", version.as_ref());
        }
        xml.field("MaxKeys", max);
        xml.maybe("Delimiter", Some(asked.delimiter).filter(|d| !d.is_empty()).map(|d| asked.key(d)));
        xml.maybe("EncodingType", asked.encode.then_some("url"));
        xml.field("IsTruncated", next.is_some());
        for Listed { object, is_latest } in &listed {
            xml.within(if object.is_marker { "DeleteMarker" } else { "Version" }, |xml| {
                xml.field("Key", asked.key(&object.key)).field("VersionId", id(object)).field("IsLatest", is_latest);
                xml.field("LastModified", time::iso_millis(object.modified.into()));
                if !object.is_marker {
                    xml.field("ETag", &object.etag).field("Size", object.size);
                    xml.field("StorageClass", object.traits.storage_class.as_deref().unwrap_or("STANDARD"));
                }
                xml.within("Owner", |xml| {
                    xml.field("ID", bucket.owner);
                });
            });
        }
        asked.prefixes(xml, &prefixes);
    });
    Ok(Reply::xml(xml.finish()))
}

/// What a page ended with: a key and its version, or a prefix.
fn last_of(listed: &[Listed], prefixes: &[String]) -> (String, Option<String>) {
    let last = listed.last().map(|listed| &listed.object);
    match (last, prefixes.last()) {
        (Some(object), prefix) if prefix.is_none_or(|prefix| *prefix < object.key) => {
            (object.key.clone(), Some(object.version.clone().unwrap_or_else(|| NULL.to_owned())))
        }
        (_, Some(prefix)) => (prefix.clone(), None),
        _ => (String::new(), None),
    }
}
