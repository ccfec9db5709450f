//! Buckets, objects and uploads.
//!
//! The index is in memory; with a directory every change is written to a journal before it is applied, so that a
//! restart finds what was answered for, and nothing else. Changes go one at a time: the conditions of conditional writes
//! are judged where nothing can come in between.

mod body;
mod disk;
mod history;
mod index;
mod journal;
mod record;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use iam::AccountId;
use jiff::{SignedDuration, Timestamp};
use rand::RngExt;
use serde::Serialize;

pub(super) use body::{Body, BodyWriter, Pending};
use index::Lock;
pub(super) use index::{Bucket, BucketConfig, BucketFacts, Condition, Versioning};
pub(crate) use index::{LockMode, Ownership, Retention};
pub(super) use record::{Checksum, Object, Part, Sse, Traits, Upload, timestamp};

use super::api_error::ApiError;

use super::error::AwsError;
use super::server::Bodies;
use disk::Disk;
use index::Index;
use journal::{Event, Journal};

/// What became visible since the start, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Objects put, copied or completed.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Line feeds in them; counted only where bodies are discarded.
    pub lines: u64,
}

#[derive(Debug)]
pub(super) struct Store {
    index: RwLock<Index>,
    /// Taken for every change; holds the journal if there is one.
    writer: tokio::sync::Mutex<Option<Journal>>,
    place: Place,
    tally: std::sync::Mutex<Tally>,
}

/// Where bodies go.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Memory,
    Disk(Disk),
    Discard,
}

impl Store {
    pub(super) async fn open(dir: Option<PathBuf>, bodies: Bodies) -> Result<Self, AwsError> {
        let (index, journal, disk) = match dir {
            None => (Index::default(), None, None),
            Some(dir) => {
                let dir = dir.join("s3");
                let opened = dir.clone();
                let (index, journal, disk) =
                    super::server::blocking(move || Disk::open(opened).and_then(journal::recover)).await?;
                (index, Some(journal), Some(disk))
            }
        };
        let place = match (bodies, disk) {
            (Bodies::Discard, _) => Place::Discard,
            (Bodies::Keep, Some(disk)) => Place::Disk(disk),
            (Bodies::Keep, None) => Place::Memory,
        };
        let (index, writer) = (RwLock::new(index), tokio::sync::Mutex::new(journal));
        Ok(Self { index, writer, place, tally: std::sync::Mutex::default() })
    }

    pub(super) fn tally(&self) -> Tally {
        *self.tally.lock().expect("no thread panics while it holds this lock")
    }

    pub(super) fn holdings(&self) -> Vec<String> {
        self.read(|index| {
            let mut all = Vec::new();
            for (name, bucket) in &index.buckets {
                for object in bucket.keys_from("").flat_map(|key| bucket.versions(key)) {
                    let what = if object.is_marker { "mark" } else { "version" };
                    all.push(format!("{name}/{} {what} {}", object.key, object.version.as_deref().unwrap_or("null")));
                }
                all.extend(bucket.uploads.iter().map(|(id, upload)| format!("{name}/{} upload {id}", upload.key)));
            }
            all
        })
    }

    /// Whether bodies can be read again.
    pub(super) fn keeps_bodies(&self) -> bool {
        !matches!(self.place, Place::Discard)
    }

    /// Begins to take in a body.
    pub(super) async fn receive(&self) -> Result<BodyWriter, ApiError> {
        BodyWriter::begin(&self.place).await
    }

    /// Reads the index.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Index) -> T) -> T {
        read(&self.index.read().expect("no thread panics while it holds this lock"))
    }

    pub(super) fn bucket(&self, name: &str) -> Option<BucketFacts> {
        self.read(|index| index.bucket(name).map(|bucket| bucket.facts.clone()))
    }

    pub(super) async fn create_bucket(
        &self,
        name: &str,
        owner: AccountId,
        region: &str,
        now: SystemTime,
    ) -> Result<(), ApiError> {
        if !is_bucket_name(name) {
            return Err(ApiError::of("InvalidBucketName").field("BucketName", name));
        }
        let (region, created) = (region.to_owned(), record::timestamp(now));
        let facts = BucketFacts { owner, region, created, config: Arc::default() };
        self.change(|index| match index.bucket(name) {
            Some(bucket) if bucket.facts.owner == owner => Err(ApiError::of("BucketAlreadyOwnedByYou")),
            Some(_) => Err(ApiError::of("BucketAlreadyExists")),
            None => Ok(Event::BucketCreated { bucket: name.to_owned(), facts }),
        })
        .await
        .map_err(|error| error.field("BucketName", name))
    }

    pub(super) async fn delete_bucket(&self, name: &str) -> Result<(), ApiError> {
        self.change(|index| {
            let bucket = index.need(name)?;
            if !bucket.objects.is_empty() || !bucket.history.is_empty() {
                return Err(ApiError::of("BucketNotEmpty").field("BucketName", name));
            }
            Ok(Event::BucketDeleted { bucket: name.to_owned() })
        })
        .await
    }

    /// Changes what its owner has set of a bucket.
    pub(super) async fn configure_bucket(
        &self,
        name: &str,
        change: impl FnOnce(&mut BucketConfig),
    ) -> Result<(), ApiError> {
        self.change(|index| {
            let mut config = BucketConfig::clone(&index.need(name)?.facts.config);
            change(&mut config);
            Ok(Event::BucketConfigured { bucket: name.to_owned(), config })
        })
        .await
    }

    /// Makes an object visible, unless `condition` does not hold. Gives its version, if its bucket keeps them.
    pub(super) async fn put_object(
        &self,
        bucket: &str,
        object: Object,
        body: Pending,
        condition: &Condition,
    ) -> Result<Option<String>, ApiError> {
        // Judged before the file is moved to save work, and again where nothing can come in between.
        self.read(|index| condition.judge(index.need(bucket)?.objects.get(&object.key)))?;
        let (size, lines) = (object.size, object.lines);
        let settled = body.settle_object(bucket, &object.key).await?;
        let mut object = Object { body: settled.body(), ..object };
        let mut version = None;
        self.change(|index| {
            let at = index.need(bucket)?;
            condition.judge(at.objects.get(&object.key))?;
            object.version = next_version(&at.facts.config);
            object.lock = lock(&at.facts.config, object.modified);
            version.clone_from(&object.version);
            Ok(Event::ObjectPut { bucket: bucket.to_owned(), object })
        })
        .await?;
        settled.keep();
        self.count(size, lines);
        Ok(version)
    }

    /// Deletes an object: where versions are kept by a marker that hides it, else for good.
    pub(super) async fn delete_object(
        &self,
        bucket: &str,
        key: &str,
        now: SystemTime,
        condition: &Condition,
    ) -> Result<Deleted, ApiError> {
        let nothing = self.read(|index| {
            let at = index.need(bucket)?;
            condition.judge(at.objects.get(key))?;
            Ok::<_, ApiError>(at.facts.config.versioning.is_none() && !at.objects.contains_key(key))
        })?;
        if nothing {
            return Ok(Deleted::default());
        }
        let mut deleted = Deleted::default();
        self.change(|index| {
            let at = index.need(bucket)?;
            condition.judge(at.objects.get(key))?;
            let (bucket, key) = (bucket.to_owned(), key.to_owned());
            if at.facts.config.versioning.is_none() {
                return Ok(Event::ObjectDeleted { bucket, key, version: None });
            }
            let version = next_version(&at.facts.config);
            deleted = Deleted { is_marker: true, version: version.clone() };
            Ok(Event::ObjectPut { bucket, object: Object::marker(key, version, now) })
        })
        .await?;
        Ok(deleted)
    }

    /// Deletes one version for good; `None` is the one without an id. One that is not there counts as deleted.
    pub(super) async fn delete_version(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        now: SystemTime,
    ) -> Result<Deleted, ApiError> {
        let known = self.read(|index| Ok::<_, ApiError>(index.need(bucket)?.version(key, version).cloned()))?;
        let version = version.map(str::to_owned);
        let Some(known) = known else { return Ok(Deleted { is_marker: false, version }) };
        if known.lock.is_some_and(|lock| lock.until > record::timestamp(now)) {
            return Err(ApiError::of("AccessDenied").saying("Access Denied because object protected by object lock."));
        }
        let deleted = Deleted { is_marker: known.is_marker, version: version.clone() };
        self.change(|index| {
            index.need(bucket)?;
            Ok(Event::ObjectDeleted { bucket: bucket.to_owned(), key: key.to_owned(), version })
        })
        .await?;
        Ok(deleted)
    }

    /// Replaces the tags of a version that is there.
    pub(super) async fn tag_object(
        &self,
        bucket: &str,
        object: &Object,
        tags: BTreeMap<String, String>,
    ) -> Result<(), ApiError> {
        let (key, version) = (object.key.clone(), object.version.clone());
        self.change(|index| {
            let there = index.need(bucket)?.version(&key, version.as_deref());
            there.ok_or_else(|| ApiError::of("NoSuchKey").field("Key", &key))?;
            Ok(Event::ObjectTagged { bucket: bucket.to_owned(), key, version, tags })
        })
        .await
    }

    pub(super) async fn begin_upload(&self, bucket: &str, id: &str, upload: Upload) -> Result<(), ApiError> {
        self.change(|index| {
            index.need(bucket)?;
            Ok(Event::UploadBegun { bucket: bucket.to_owned(), id: id.to_owned(), upload })
        })
        .await
    }

    pub(super) async fn put_part(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        number: u16,
        part: Part,
        body: Pending,
    ) -> Result<(), ApiError> {
        let settled = body.settle_part(upload, number).await?;
        let part = Part { body: settled.body(), ..part };
        self.change(|index| {
            index.need_upload(bucket, key, upload)?;
            Ok(Event::PartPut { bucket: bucket.to_owned(), id: upload.to_owned(), number, part })
        })
        .await?;
        settled.keep();
        Ok(())
    }

    pub(super) async fn abort_upload(&self, bucket: &str, key: &str, upload: &str) -> Result<(), ApiError> {
        self.change(|index| {
            index.need_upload(bucket, key, upload)?;
            Ok(Event::UploadEnded { bucket: bucket.to_owned(), id: upload.to_owned(), object: None })
        })
        .await
    }

    /// Makes an upload's chosen parts visible as one object. Happens at most once: whoever comes later finds no such
    /// upload.
    pub(super) async fn complete_upload(
        &self,
        bucket: &str,
        upload: &str,
        parts: &BTreeMap<u16, Part>,
        object: Object,
        condition: &Condition,
    ) -> Result<Option<String>, ApiError> {
        self.read(|index| condition.judge(index.need(bucket)?.objects.get(&object.key)))?;
        let bodies: Vec<_> = parts.values().map(|part| part.body.clone()).collect();
        let joined = Pending::join(&self.place, bodies).await?;
        let (size, lines) = (object.size, object.lines);
        let settled = joined.settle_object(bucket, &object.key).await?;
        let mut object = Object { body: settled.body(), ..object };
        let mut version = None;
        self.change(|index| {
            let current = index.need_upload(bucket, &object.key, upload)?;
            // A part that was sent again while the old one was being joined would be lost.
            if parts.iter().any(|(number, part)| current.parts.get(number).map(|p| &p.etag) != Some(&part.etag)) {
                return Err(ApiError::of("InvalidPart"));
            }
            let at = index.need(bucket)?;
            condition.judge(at.objects.get(&object.key))?;
            object.version = next_version(&at.facts.config);
            object.lock = lock(&at.facts.config, object.modified);
            version.clone_from(&object.version);
            let (bucket, id) = (bucket.to_owned(), upload.to_owned());
            Ok(Event::UploadEnded { bucket, id, object: Some(object) })
        })
        .await?;
        settled.keep();
        self.count(size, lines);
        Ok(version)
    }

    /// Judges, writes down and applies one change.
    async fn change(&self, judge: impl FnOnce(&Index) -> Result<Event, ApiError>) -> Result<(), ApiError> {
        let mut journal = self.writer.lock().await;
        let event = self.read(judge)?;
        if let Some(journal) = &mut *journal {
            journal.append(&event).await?;
        }
        let orphans = self.index.write().expect("no thread panics while it holds this lock").apply(event);
        // A reader that has opened one of these files can read on; one that has not looks the object up again.
        if !orphans.is_empty() {
            tokio::task::spawn_blocking(move || disk::remove_all(&orphans));
        }
        Ok(())
    }

    fn count(&self, bytes: u64, lines: u64) {
        let mut tally = self.tally.lock().expect("no thread panics while it holds this lock");
        tally.objects += 1;
        tally.bytes += bytes;
        tally.lines += lines;
    }
}

/// What a deletion has left.
#[derive(Debug, Clone, Default)]
pub(super) struct Deleted {
    /// Whether a marker was made, or the version deleted was one.
    pub(super) is_marker: bool,
    pub(super) version: Option<String>,
}

/// The version of what is written next. They are as long as AWS's shorter ones.
fn next_version(config: &BucketConfig) -> Option<String> {
    match config.versioning {
        None | Some(Versioning::Suspended) => None,
        Some(Versioning::Enabled) => Some(URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 24]>())),
    }
}

/// How a version is locked that is written to a bucket at `at`.
fn lock(config: &BucketConfig, at: Timestamp) -> Option<Lock> {
    let Retention { mode, days } = config.retention?;
    let until = at.checked_add(SignedDuration::from_hours(i64::from(days) * 24)).unwrap_or(Timestamp::MAX);
    Some(Lock { mode, until })
}

/// S3's rules for the names of general purpose buckets.
fn is_bucket_name(name: &str) -> bool {
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    (3..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-')
        && edge(name.bytes().next())
        && edge(name.bytes().last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
}
