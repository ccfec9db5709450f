use std::collections::BTreeMap;

use bytes::Bytes;
use iam::{Document, PolicyKind};
use toml::Value;

use super::reader::{Reader, kind_of};
use super::variable;
use crate::aws::{
    AccessPointStock, BucketStock, EncryptionStock, LockMode, ObjectStock, Ownership, Retention, check_bucket_policy,
};

/// The largest object whose size alone is given: enough for several parts, and little memory.
const MAX_SIZE: u64 = 64 << 20;

const OWNERSHIPS: [(&str, Ownership); 3] = [
    ("BucketOwnerEnforced", Ownership::BucketOwnerEnforced),
    ("BucketOwnerPreferred", Ownership::BucketOwnerPreferred),
    ("ObjectWriter", Ownership::ObjectWriter),
];

pub(super) fn read(scenario: &mut Reader<'_>) -> Vec<BucketStock> {
    let mut buckets = Vec::new();
    scenario.each("buckets", |name, bucket| buckets.extend(read_bucket(name, bucket)));
    buckets
}

fn read_bucket(name: &str, bucket: &mut Reader<'_>) -> Option<BucketStock> {
    bucket.only(&[
        "access_points",
        "account",
        "encryption",
        "object_lock",
        "object_ownership",
        "objects",
        "policy",
        "region",
        "requester_pays",
        "versioning",
    ]);
    bucket.required("account");
    let account = bucket.parsed("account");
    let region = bucket.text("region").unwrap_or("us-east-1").to_owned();
    let versioning = bucket.word("versioning", &[("enabled", true), ("suspended", false)]);
    let policy = bucket.policy("policy", PolicyKind::Resource);
    if let Some(text) = policy.as_ref().filter(|text| !variable::stands_in(text))
        && let Ok(policy) = Document::parse_as(PolicyKind::Resource, text)
        && let Err(reason) = check_bucket_policy(name, &region, &policy)
    {
        bucket.fault("policy", format!("would not be saved: {reason}"));
    }
    let encryption = bucket.child("encryption").and_then(|mut encryption| read_encryption(&mut encryption));
    let requester_pays = bucket.flag("requester_pays").unwrap_or(false);
    let ownership = bucket.word("object_ownership", &OWNERSHIPS).unwrap_or_default();
    let retention = bucket.child("object_lock").and_then(|mut lock| {
        lock.only(&["days", "mode"]);
        lock.required("mode");
        let mode = lock.word("mode", &[("GOVERNANCE", LockMode::Governance), ("COMPLIANCE", LockMode::Compliance)]);
        if !lock.has("days") {
            lock.fault("days", "is missing");
        }
        let days = lock.number("days").and_then(|days| u32::try_from(days).ok());
        Some(Retention { mode: mode?, days: days? })
    });
    if bucket.has("object_lock") && versioning != Some(true) {
        bucket.fault("object_lock", "is for a bucket with versioning = \"enabled\"");
    }
    let objects = read_objects(bucket);
    for (key, object) in &objects {
        if ownership == Ownership::BucketOwnerEnforced && object.owner.is_some() {
            let text = "is for a bucket with an object_ownership that leaves objects to their writers";
            bucket.fault(&format!("objects.{key:?}.owner"), text);
        }
    }
    let mut access_points = Vec::new();
    bucket.each("access_points", |name, point| access_points.push(read_access_point(name, point)));
    let name = name.to_owned();
    Some(BucketStock {
        name,
        account: account?,
        region,
        versioning,
        policy,
        encryption,
        requester_pays,
        ownership,
        retention,
        objects,
        access_points,
    })
}

fn read_access_point(name: &str, point: &mut Reader<'_>) -> AccessPointStock {
    point.only(&["account", "network_origin", "policy", "vpc"]);
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(3..=50).contains(&name.len()) || !name.bytes().all(fits) {
        point.fault("", "is no name of an access point: 3 to 50 lower-case letters, digits and dashes");
    }
    let is_inside = point.word("network_origin", &[("Internet", false), ("VPC", true)]).unwrap_or(false);
    if is_inside != point.has("vpc") {
        point.fault("vpc", "goes with network_origin = \"VPC\"");
    }
    let (account, vpc) = (point.parsed("account"), point.text("vpc").map(str::to_owned));
    let policy = point.policy("policy", PolicyKind::Resource);
    AccessPointStock { name: name.to_owned(), account, vpc, policy }
}

fn read_encryption(encryption: &mut Reader<'_>) -> Option<EncryptionStock> {
    const KINDS: [(&str, &str); 3] = [("AES256", "AES256"), ("aws:kms", "aws:kms"), ("aws:kms:dsse", "aws:kms:dsse")];
    encryption.only(&["bucket_key", "key", "kind"]);
    encryption.required("kind");
    let kind = encryption.word("kind", &KINDS);
    let key = encryption.text("key").map(str::to_owned);
    if kind == Some("AES256") && key.is_some() {
        encryption.fault("key", "is for aws:kms alone");
    }
    let bucket_key = encryption.flag("bucket_key").unwrap_or(false);
    Some(EncryptionStock { algorithm: kind?.to_owned(), key, bucket_key })
}

fn read_objects(bucket: &mut Reader<'_>) -> BTreeMap<String, ObjectStock> {
    let mut all = BTreeMap::new();
    let Some(mut objects) = bucket.child("objects") else { return all };
    let table = objects.table;
    for (key, value) in table {
        let object = match value {
            Value::String(text) => ObjectStock { body: Bytes::from(text.clone()), ..ObjectStock::default() },
            Value::Table(_) => match objects.child(key) {
                Some(mut object) => read_object(&mut object),
                None => continue,
            },
            other => {
                objects.fault(key, format!("must be a text, or a table, and is {}", kind_of(other)));
                continue;
            }
        };
        all.insert(key.clone(), object);
    }
    all
}

fn read_object(object: &mut Reader<'_>) -> ObjectStock {
    object.only(&["encryption", "owner", "size", "tags", "text"]);
    let text = object.text("text").map(str::to_owned);
    let size = object.number("size");
    if text.is_some() && size.is_some() {
        object.fault("size", "is for an object without a text");
    }
    if size.is_some_and(|size| size > MAX_SIZE) {
        object.fault("size", format!("is more than {MAX_SIZE} bytes"));
    }
    let body = match (text, size) {
        (Some(text), _) => Bytes::from(text),
        (None, Some(size)) => Bytes::from(vec![b'.'; usize::try_from(size.min(MAX_SIZE)).unwrap_or_default()]),
        (None, None) => Bytes::new(),
    };
    let owner = object.parsed("owner");
    let encryption = object.child("encryption").and_then(|mut encryption| read_encryption(&mut encryption));
    let tags = object.pairs("tags").into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    ObjectStock { body, owner, encryption, tags }
}
