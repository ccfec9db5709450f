use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ChecksumMode, ChecksumType};

use crate::failure::Failure;
use crate::objects::bucket::Bucket;
use crate::objects::call::GaveUp;
use crate::objects::checksum::{Algorithm, Sum};
use crate::objects::encryption::{AES256, CustomerKey};
use crate::objects::error::Error;
use crate::objects::key::Key;
use crate::s3::operation::Operation;

/// Which object is read, and what it takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Of which version; `None` for the newest.
    pub version: Option<String>,
    /// The key that it was encrypted with, if that was the customer's.
    pub customer: Option<CustomerKey>,
}

/// What an object is, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its size in bytes.
    pub size: u64,
    /// Its ETag, as S3 writes it, quotes and all.
    pub etag: String,
    /// When it became visible.
    pub modified: Option<SystemTime>,
    /// Its version, where the bucket keeps versions.
    pub version: Option<String>,
    /// What its writer said it is.
    pub content_type: Option<String>,
    /// `gzip` and the like.
    pub content_encoding: Option<String>,
    /// How long caches may keep it.
    pub cache_control: Option<String>,
    /// What a browser is to do with it.
    pub content_disposition: Option<String>,
    /// Its language.
    pub content_language: Option<String>,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
    /// `STANDARD` if S3 says nothing.
    pub storage_class: String,
    /// `AES256`, `aws:kms`, `aws:kms:dsse`, or `customer`.
    pub encryption: Option<String>,
    /// The key of KMS.
    pub kms_key: Option<String>,
    /// How many tags it has, as far as this identity may know.
    pub tags: Option<u64>,
    /// How many parts it was made of, where that shows.
    pub parts: Option<u64>,
    /// The checksums that S3 keeps, by their names, as S3 writes them: those of parts' checksums end in `-N`.
    pub checksums: BTreeMap<String, String>,
    /// That of all its bytes, if it is one that can be compared.
    pub(super) checksum: Option<Sum>,
}

impl Bucket {
    /// What an object is, without its bytes.
    ///
    /// # Errors
    /// [`Error::Missing`] if it is not there; who may not list the bucket is told that access is denied instead.
    pub async fn head(&self, key: &Key, reading: &Reading) -> Result<Head, Error> {
        self.admit(key)?;
        self.check_customer_key(reading.customer.as_ref())?;
        let operation = Operation::HeadObject;
        let name = key.as_str();
        let answer = self
            .persist(operation, name, |client| {
                let request = client
                    .head_object()
                    .bucket(self.name())
                    .set_expected_bucket_owner(self.owner())
                    .key(name)
                    .set_version_id(reading.version.clone())
                    .checksum_mode(ChecksumMode::Enabled);
                let request = match &reading.customer {
                    None => request,
                    Some(key) => request
                        .sse_customer_algorithm(AES256)
                        .sse_customer_key(key.key())
                        .sse_customer_key_md5(key.md5()),
                };
                async move { request.send().await.map_err(Failure::from) }
            })
            .await;
        match answer {
            Ok(answer) => self.describe(name, &answer),
            // HEAD says no more than a status. GET says why.
            Err(gave_up) if gave_up.has_status(403) || gave_up.has_status(400) => {
                Err(self.why(key, reading, gave_up).await)
            }
            Err(gave_up) => Err(self.explain(operation, name, gave_up).await),
        }
    }

    /// Why a HEAD was refused, by a GET of the first byte.
    async fn why(&self, key: &Key, reading: &Reading, refused: GaveUp) -> Error {
        let name = key.as_str();
        let asked = self
            .persist(Operation::GetObject, name, |client| {
                let request = client
                    .get_object()
                    .bucket(self.name())
                    .set_expected_bucket_owner(self.owner())
                    .key(name)
                    .set_version_id(reading.version.clone())
                    .range("bytes=0-0");
                let request = match &reading.customer {
                    None => request,
                    Some(key) => request
                        .sse_customer_algorithm(AES256)
                        .sse_customer_key(key.key())
                        .sse_customer_key_md5(key.md5()),
                };
                async move { request.send().await.map_err(Failure::from) }
            })
            .await;
        match asked {
            Err(gave_up) if gave_up.answer().is_some() => self.explain(Operation::GetObject, name, gave_up).await,
            Ok(_) | Err(_) => self.explain(Operation::HeadObject, name, refused).await,
        }
    }

    fn describe(&self, name: &str, answer: &HeadObjectOutput) -> Result<Head, Error> {
        let lacks = |missing| self.malformed(Operation::HeadObject, name, missing);
        let size =
            answer.content_length().and_then(|length| u64::try_from(length).ok()).ok_or_else(|| lacks("a length"))?;
        let of_parts = answer.checksum_type() == Some(&ChecksumType::Composite);
        let known = [
            (Algorithm::Crc64Nvme, answer.checksum_crc64_nvme()),
            (Algorithm::Crc32c, answer.checksum_crc32_c()),
            (Algorithm::Crc32, answer.checksum_crc32()),
        ];
        let checksum =
            known.iter().filter(|_| !of_parts).find_map(|(algorithm, value)| Sum::decode(*algorithm, (*value)?, size));
        let other = [("SHA1", answer.checksum_sha1()), ("SHA256", answer.checksum_sha256())];
        let named = known.iter().map(|(algorithm, value)| (algorithm.to_string(), *value));
        let named = named.chain(other.iter().map(|(algorithm, value)| ((*algorithm).to_owned(), *value)));
        let checksums = named.filter_map(|(algorithm, value)| Some((algorithm, value?.to_owned()))).collect();
        let count = |count: Option<i32>| count.and_then(|count| u64::try_from(count).ok());
        let etag = answer.e_tag().map(str::to_owned).ok_or_else(|| lacks("an ETag"))?;
        let of_customer = answer.sse_customer_algorithm().map(|_| "customer".to_owned());
        let encryption = answer.server_side_encryption().map(|algorithm| algorithm.as_str().to_owned()).or(of_customer);
        Ok(Head {
            size,
            // An etag of parts says how many there were.
            parts: etag.trim_matches('"').rsplit_once('-').and_then(|(_, parts)| parts.parse().ok()),
            etag,
            modified: answer.last_modified().and_then(|modified| SystemTime::try_from(*modified).ok()),
            version: answer.version_id().filter(|version| *version != "null").map(str::to_owned),
            content_type: answer.content_type().map(str::to_owned),
            content_encoding: answer.content_encoding().map(str::to_owned),
            cache_control: answer.cache_control().map(str::to_owned),
            content_disposition: answer.content_disposition().map(str::to_owned),
            content_language: answer.content_language().map(str::to_owned),
            metadata: answer
                .metadata()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            storage_class: answer.storage_class().map_or("STANDARD", |class| class.as_str()).to_owned(),
            encryption,
            kms_key: answer.ssekms_key_id().map(str::to_owned),
            tags: count(answer.tag_count()),
            checksums,
            checksum,
        })
    }
}
