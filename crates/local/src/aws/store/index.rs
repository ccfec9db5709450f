use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use iam::AccountId;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::body::Body;
use super::history::History;
use super::journal::Event;
use super::record::{Object, Sse, Upload};
use crate::aws::api_error::ApiError;
use crate::aws::kept::Kept;

/// What there is.
#[derive(Debug, Default)]
pub(in crate::aws) struct Index {
    pub(in crate::aws) buckets: BTreeMap<String, Bucket>,
}

#[derive(Debug)]
pub(in crate::aws) struct Bucket {
    pub(in crate::aws) facts: BucketFacts,
    /// What is visible.
    pub(in crate::aws) objects: BTreeMap<String, Arc<Object>>,
    /// What is not visible any more and still there.
    pub(in crate::aws) history: History,
    /// By upload id.
    pub(in crate::aws) uploads: BTreeMap<String, Upload>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::aws) struct BucketFacts {
    #[serde(serialize_with = "print_account", deserialize_with = "read_account")]
    pub(in crate::aws) owner: AccountId,
    pub(in crate::aws) region: String,
    pub(in crate::aws) created: Timestamp,
    #[serde(skip)]
    pub(in crate::aws) config: Arc<BucketConfig>,
}

/// What its owner has set of a bucket.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::aws) struct BucketConfig {
    /// `None`: never asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::aws) versioning: Option<Versioning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::aws) policy: Option<Kept>,
    /// How objects are encrypted whose writer does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::aws) encryption: Option<Sse>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::aws) requester_pays: bool,
    #[serde(skip_serializing_if = "Ownership::is_usual")]
    pub(in crate::aws) ownership: Ownership,
    /// How long versions are kept from being deleted whose writer does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::aws) retention: Option<Retention>,
}

/// Whose objects are that others write, and with that whether there are ACLs (S3's Object Ownership).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Ownership {
    /// The bucket's owner's. There are no ACLs.
    #[default]
    BucketOwnerEnforced,
    /// The bucket's owner's if the writer says `bucket-owner-full-control`, else the writer's.
    BucketOwnerPreferred,
    /// The writer's.
    ObjectWriter,
}

impl Ownership {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference to the field")]
    fn is_usual(&self) -> bool {
        *self == Self::BucketOwnerEnforced
    }
}

/// A bucket's default of Object Lock, in whole days. Nobody may shorten it here, in neither of its modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retention {
    pub(crate) mode: LockMode,
    pub(crate) days: u32,
}

/// Whether anybody may be let off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum LockMode {
    /// Whoever may `s3:BypassGovernanceRetention`; which is not served.
    Governance,
    /// Nobody.
    Compliance,
}

impl LockMode {
    pub(in crate::aws) fn name(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }
}

/// Until when a version cannot be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::aws) struct Lock {
    pub(in crate::aws) mode: LockMode,
    pub(in crate::aws) until: Timestamp,
}

/// Whether replaced objects are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::aws) enum Versioning {
    Enabled,
    Suspended,
}

fn print_account<S: Serializer>(account: &AccountId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(account.as_str())
}

fn read_account<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AccountId, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// What must hold of the object that a write would replace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::aws) enum Condition {
    None,
    /// `If-None-Match: *`: there is none.
    Absent {
        /// Whether there was one when the write began: then somebody deletes it at the same time.
        was_there: bool,
    },
    /// `If-Match`: there is one with this ETag.
    Etag {
        /// The ETag.
        wanted: String,
        /// As above.
        was_there: bool,
    },
}

impl Condition {
    pub(in crate::aws) fn judge(&self, current: Option<&Arc<Object>>) -> Result<(), ApiError> {
        let failed = |header: &str| ApiError::of("PreconditionFailed").field("Condition", header);
        match (self, current) {
            (Self::None, _) | (Self::Absent { was_there: false }, None) => Ok(()),
            (Self::Absent { was_there: true } | Self::Etag { was_there: true, .. }, None) => {
                Err(ApiError::of("ConditionalRequestConflict"))
            }
            (Self::Absent { .. }, Some(_)) => Err(failed("If-None-Match")),
            (Self::Etag { was_there: false, .. }, None) => Err(ApiError::of("NoSuchKey")),
            (Self::Etag { wanted, .. }, Some(object)) => {
                let same = object.etag.trim_matches('"') == wanted.trim_matches('"');
                if same { Ok(()) } else { Err(failed("If-Match")) }
            }
        }
    }
}

impl Index {
    pub(in crate::aws) fn bucket(&self, name: &str) -> Option<&Bucket> {
        self.buckets.get(name)
    }

    pub(in crate::aws) fn need(&self, name: &str) -> Result<&Bucket, ApiError> {
        self.bucket(name).ok_or_else(|| ApiError::of("NoSuchBucket").field("BucketName", name))
    }

    pub(in crate::aws) fn need_upload(&self, bucket: &str, key: &str, id: &str) -> Result<&Upload, ApiError> {
        let upload = self.need(bucket)?.uploads.get(id).filter(|upload| upload.key == key);
        upload.ok_or_else(|| ApiError::of("NoSuchUpload").field("UploadId", id))
    }

    /// Applies a change that was judged, or that the journal holds; gives the files that nothing refers to any more.
    pub(super) fn apply(&mut self, event: Event) -> Vec<PathBuf> {
        match event {
            Event::BucketCreated { bucket, facts } => {
                let (objects, history, uploads) = Default::default();
                self.buckets.insert(bucket, Bucket { facts, objects, history, uploads });
                Vec::new()
            }
            Event::BucketDeleted { bucket } => {
                // It was empty, but for uploads.
                let uploads = self.buckets.remove(&bucket).into_iter().flat_map(|bucket| bucket.uploads.into_values());
                uploads.flat_map(|upload| files(&upload).collect::<Vec<_>>()).collect()
            }
            Event::ObjectPut { bucket, object } => {
                let Some(bucket) = self.buckets.get_mut(&bucket) else { return Vec::new() };
                let old = bucket.put(object);
                old.iter().filter_map(|object| object.body.file()).collect()
            }
            Event::ObjectDeleted { bucket, key, version } => {
                let Some(bucket) = self.buckets.get_mut(&bucket) else { return Vec::new() };
                let old = bucket.remove(&key, version.as_deref());
                old.iter().filter_map(|object| object.body.file()).collect()
            }
            Event::ObjectTagged { bucket, key, version, tags } => {
                if let Some(object) =
                    self.buckets.get_mut(&bucket).and_then(|bucket| bucket.version_mut(&key, version.as_deref()))
                {
                    Arc::make_mut(object).traits.tags = tags;
                }
                Vec::new()
            }
            Event::BucketConfigured { bucket, config } => {
                if let Some(bucket) = self.buckets.get_mut(&bucket) {
                    bucket.facts.config = Arc::new(config);
                }
                Vec::new()
            }
            Event::UploadBegun { bucket, id, upload } => {
                if let Some(bucket) = self.buckets.get_mut(&bucket) {
                    bucket.uploads.insert(id, upload);
                }
                Vec::new()
            }
            Event::PartPut { bucket, id, number, part } => {
                let upload = self.buckets.get_mut(&bucket).and_then(|bucket| bucket.uploads.get_mut(&id));
                let old = upload.and_then(|upload| upload.parts.insert(number, part));
                old.iter().filter_map(|part| part.body.file()).collect()
            }
            Event::UploadEnded { bucket, id, object } => {
                let Some(bucket) = self.buckets.get_mut(&bucket) else { return Vec::new() };
                let mut orphans: Vec<_> = bucket.uploads.remove(&id).iter().flat_map(files).collect();
                if let Some(object) = object {
                    let old = bucket.put(object);
                    orphans.extend(old.iter().filter_map(|object| object.body.file()));
                }
                orphans
            }
        }
    }

    /// The changes that make this index from nothing.
    pub(super) fn as_events(&self) -> impl Iterator<Item = Event> {
        self.buckets.iter().flat_map(|(name, bucket)| {
            let created = Event::BucketCreated { bucket: name.clone(), facts: bucket.facts.clone() };
            let config = BucketConfig::clone(&bucket.facts.config);
            let configured = Event::BucketConfigured { bucket: name.clone(), config };
            // Oldest first, as they came to be.
            let objects = bucket
                .history
                .oldest_first()
                .chain(bucket.objects.values())
                .map(|object| Event::ObjectPut { bucket: name.clone(), object: Object::clone(object) });
            // An upload carries its parts.
            let uploads = bucket.uploads.iter().map(|(id, upload)| Event::UploadBegun {
                bucket: name.clone(),
                id: id.clone(),
                upload: upload.clone(),
            });
            [created, configured].into_iter().chain(objects).chain(uploads)
        })
    }

    /// Every body that something refers to.
    pub(super) fn bodies(&self) -> impl Iterator<Item = &Body> {
        self.buckets.values().flat_map(|bucket| {
            let parts = bucket.uploads.values().flat_map(|upload| upload.parts.values().map(|part| &part.body));
            let objects = bucket.objects.values().chain(bucket.history.oldest_first());
            objects.map(|object| &object.body).chain(parts)
        })
    }
}

fn files(upload: &Upload) -> impl Iterator<Item = PathBuf> {
    upload.parts.values().filter_map(|part| part.body.file())
}
