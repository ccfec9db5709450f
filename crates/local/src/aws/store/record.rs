use std::collections::BTreeMap;
use std::time::SystemTime;

use iam::AccountId;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::body::Body;
use super::index::Lock;
use crate::aws::s3::{Algorithm, ChecksumKind};

/// A visible object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::aws) struct Object {
    pub(in crate::aws) key: String,
    /// Its version; `None` for the one that there is without versioning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::aws) version: Option<String>,
    /// Whether it says that there is nothing any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::aws) is_marker: bool,
    /// Whose it is, if not the bucket's owner's: written by another account while the bucket had ACLs.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "print_owner",
        deserialize_with = "read_owner"
    )]
    pub(in crate::aws) owner: Option<AccountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::aws) lock: Option<Lock>,
    pub(in crate::aws) size: u64,
    /// With its quotes.
    pub(in crate::aws) etag: String,
    pub(in crate::aws) modified: Timestamp,
    #[serde(flatten)]
    pub(in crate::aws) traits: Traits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::aws) checksum: Option<Checksum>,
    /// How many parts it was uploaded in; `None` if in one piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::aws) parts: Option<u16>,
    #[serde(skip)]
    pub(in crate::aws) lines: u64,
    pub(in crate::aws) body: Body,
}

impl Object {
    /// What hides the versions of a key.
    pub(super) fn marker(key: String, version: Option<String>, now: SystemTime) -> Self {
        Self {
            key,
            version,
            is_marker: true,
            owner: None,
            lock: None,
            size: 0,
            etag: String::new(),
            modified: timestamp(now),
            traits: Traits::default(),
            checksum: None,
            parts: None,
            lines: 0,
            body: Body::Discarded,
        }
    }
}

#[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
fn print_owner<S: Serializer>(owner: &Option<AccountId>, serializer: S) -> Result<S::Ok, S::Error> {
    owner.as_ref().map(AccountId::as_str).serialize(serializer)
}

fn read_owner<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<AccountId>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

/// What its writer says of an object, and what is given back with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::aws) struct Traits {
    /// `content-type` and its kin, lower case.
    pub(in crate::aws) headers: BTreeMap<String, String>,
    /// User metadata, without `x-amz-meta-`, lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::aws) metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::aws) storage_class: Option<String>,
    pub(in crate::aws) sse: Sse,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::aws) tags: BTreeMap<String, String>,
}

/// How an object says it is encrypted. The embedded AWS encrypts nothing: it holds to who may use the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::aws) struct Sse {
    pub(in crate::aws) algorithm: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::aws) key_id: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::aws) bucket_key: bool,
}

impl Default for Sse {
    /// S3 encrypts everything since 2023; who asks for nothing gets this.
    fn default() -> Self {
        Self { algorithm: "AES256".to_owned(), key_id: None, bucket_key: false }
    }
}

/// A checksum that came with an object, verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::aws) struct Checksum {
    pub(in crate::aws) algorithm: Algorithm,
    pub(in crate::aws) kind: ChecksumKind,
    /// In base64; `-N` behind it for a checksum of N parts' checksums.
    pub(in crate::aws) value: String,
}

/// An upload in parts, not visible yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::aws) struct Upload {
    pub(in crate::aws) key: String,
    pub(in crate::aws) begun: Timestamp,
    /// Who began it: ARN.
    pub(in crate::aws) initiator: String,
    /// Whose the object will be, if not the bucket's owner's.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "print_owner",
        deserialize_with = "read_owner"
    )]
    pub(in crate::aws) owner: Option<AccountId>,
    #[serde(flatten)]
    pub(in crate::aws) traits: Traits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::aws) checksum: Option<(Algorithm, ChecksumKind)>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::aws) parts: BTreeMap<u16, Part>,
}

/// One part of an upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::aws) struct Part {
    pub(in crate::aws) size: u64,
    pub(in crate::aws) etag: String,
    pub(in crate::aws) modified: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::aws) checksum: Option<(Algorithm, String)>,
    #[serde(skip)]
    pub(in crate::aws) lines: u64,
    pub(in crate::aws) body: Body,
}

/// To whole milliseconds, as S3 tells times.
pub(in crate::aws) fn timestamp(time: SystemTime) -> Timestamp {
    let exact = Timestamp::try_from(time).unwrap_or(Timestamp::MAX);
    Timestamp::from_millisecond(exact.as_millisecond()).unwrap_or(exact)
}
