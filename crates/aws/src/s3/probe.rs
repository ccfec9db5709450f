use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::operation::RequestId as _;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedPart, ObjectCannedAcl, RequestPayer, ServerSideEncryption};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use iam::AccountId;
use identity::Connection;
use tokio::time::Instant;

use crate::Clients;
use crate::bounded;
use crate::failure::{Failure, Loss};
use crate::s3::error::{Error, Refusal};
use crate::s3::operation::Operation;
use crate::s3::options::S3Options;
use crate::s3::sink::{GaveUp, S3Sink};
use crate::s3::verdict::{Verdict, verdict};

/// Tries what may be done to a bucket, one request at a time, and tells of each what came back.
///
/// Not [`S3Sink`], which tries on for as long as it takes and mends on the way what can be mended: here each refusal is
/// what was asked for. What may pass (no answer, `SlowDown`) is tried three times; a session that S3 does not take is renewed
/// once, which [`Tried::renewed`] tells; no clock is set and no region is followed.
#[derive(Debug, Clone)]
pub struct S3Probe(S3Sink);

/// One thing that was tried.
#[derive(Debug)]
pub struct Tried<T> {
    /// As AWS calls it: `ListObjectsV2`.
    pub operation: &'static str,
    /// What came back.
    pub answer: Result<T, ProbeError>,
    /// What AWS knows the request by.
    pub request_id: Option<String>,
    /// How long it took, with its repetitions.
    pub took: Duration,
    /// How often it was tried.
    pub attempts: u32,
    /// The operation for which S3 did not take the session, so that another one was asked for, and S3's code.
    pub renewed: Option<(&'static str, String)>,
}

/// Why something that was tried did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProbeError {
    /// S3 answered and said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// There is no session to sign with.
    #[error("no session to sign with")]
    Session(#[source] identity::Error),
    /// No answer, or none that can be read.
    #[error("no answer to {operation} from {host}: {kind}")]
    Lost {
        /// `PutObject`.
        operation: &'static str,
        /// Who was asked.
        host: String,
        /// `connection`, `silent`, `stalled`.
        kind: &'static str,
        /// What happened.
        #[source]
        source: Arc<dyn StdError + Send + Sync>,
    },
    /// It was never sent.
    #[error("{operation} could not be built")]
    Unsent {
        /// `PutObject`.
        operation: &'static str,
        /// Why.
        #[source]
        source: Arc<dyn StdError + Send + Sync>,
    },
}

impl ProbeError {
    /// S3's no.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Session(_) | Self::Lost { .. } | Self::Unsent { .. } => None,
        }
    }
}

/// How a probe's object is to be written.
#[derive(Debug, Clone, Default)]
pub struct PutShape {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`; `None` leaves it to the bucket.
    pub server_side_encryption: Option<String>,
    /// The KMS key, if one is named.
    pub kms_key: Option<String>,
    /// A canned ACL: `bucket-owner-full-control`.
    pub acl: Option<String>,
    /// Tags as in a query string: `team=orders`.
    pub tagging: Option<String>,
}

/// What S3 says of an object that was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Put {
    /// How it is encrypted: `aws:kms`.
    pub server_side_encryption: Option<String>,
    /// The ARN of the key.
    pub kms_key: Option<String>,
    /// The version, where the bucket keeps them.
    pub version: Option<String>,
}

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// The canonical ID of the account that owns it, where S3 says so.
    pub owner: Option<String>,
}

/// How long one attempt may take.
const ANSWER: Duration = Duration::from_secs(10);

/// The one part of an upload that is begun to be aborted.
const PART: &[u8] = b"t";

/// An upload id that S3 never gave: they are of more than a hundred characters.
const ABSENT: &str = "tidegate-doctor-no-such-upload";

/// Pauses before the second and the third attempt.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];

impl Clients {
    /// What tries `options.bucket` as who we are at the end of `connection`. Makes no call.
    pub fn s3_probe(&self, connection: &Connection, options: S3Options) -> Result<S3Probe, identity::Error> {
        Ok(S3Probe(self.s3(connection, options)?))
    }
}

impl S3Probe {
    /// Where it asks, and how.
    pub fn options(&self) -> &S3Options {
        self.0.options()
    }

    /// The host or URL that is asked.
    pub fn host(&self) -> String {
        let S3Options { bucket, region, endpoint, .. } = self.options();
        endpoint.clone().unwrap_or_else(|| {
            format!("{bucket}.s3.{region}.{}", identity::domain_of(iam::Partition::of_region(region)))
        })
    }

    /// Looks whether the bucket is there, and says which region it is in. `owner` is sent as the account that must own it.
    pub async fn head_bucket(&self, owner: Option<AccountId>) -> Tried<Option<String>> {
        self.try_it(Operation::HeadBucket, "", || async {
            let request = self.0.client().head_bucket().bucket(&self.options().bucket);
            let answer = request.set_expected_bucket_owner(owner.map(|owner| owner.to_string())).send().await?;
            Ok((answer.bucket_region().map(str::to_owned), answer.request_id().map(str::to_owned)))
        })
        .await
    }

    /// Up to `most` objects whose keys begin with `prefix`.
    pub async fn list(&self, prefix: &str, most: i32, requester_pays: bool) -> Tried<Vec<Seen>> {
        self.try_it(Operation::ListObjectsV2, prefix, || async {
            let request =
                self.0.client().list_objects_v2().bucket(&self.options().bucket).prefix(prefix).max_keys(most);
            let request = request.fetch_owner(true);
            let request = request.set_request_payer(requester_pays.then_some(RequestPayer::Requester));
            let answer = request.set_expected_bucket_owner(self.0.owner()).send().await?;
            let id = answer.request_id().map(str::to_owned);
            let seen = answer.contents.unwrap_or_default().into_iter().filter_map(|object| {
                let size = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
                let owner = object.owner.and_then(|owner| owner.id);
                object.key.map(|key| Seen { key, size, owner })
            });
            Ok((seen.collect(), id))
        })
        .await
    }

    /// The first byte of an object, or all of it if `whole` (for objects that are known to be small).
    pub async fn get(&self, key: &str, whole: bool, requester_pays: bool) -> Tried<Bytes> {
        self.try_it(Operation::GetObject, key, || async {
            let request = self.0.client().get_object().bucket(&self.options().bucket).key(key);
            let request = request.set_range((!whole).then(|| "bytes=0-0".to_owned()));
            let request = request.set_request_payer(requester_pays.then_some(RequestPayer::Requester));
            let answer = request.set_expected_bucket_owner(self.0.owner()).send().await?;
            let id = answer.request_id().map(str::to_owned);
            Ok((bounded::whole(answer.body, bounded::ASKED_FOR).await?, id))
        })
        .await
    }

    /// Writes a small object in one piece. Never over another: the key must be one that nobody has.
    pub async fn put(&self, key: &str, body: Bytes, shape: &PutShape) -> Tried<Put> {
        self.try_it(Operation::PutObject, key, || async {
            let request = self.0.client().put_object().bucket(&self.options().bucket).key(key);
            let request = request
                .set_checksum_crc32_c(self.crc32c(&body))
                .body(ByteStream::from(body.clone()))
                .set_server_side_encryption(shape.server_side_encryption.as_deref().map(ServerSideEncryption::from))
                .set_ssekms_key_id(shape.kms_key.clone())
                .set_acl(shape.acl.as_deref().map(ObjectCannedAcl::from))
                .set_tagging(shape.tagging.clone());
            let answer = request.set_expected_bucket_owner(self.0.owner()).send().await?;
            let id = answer.request_id().map(str::to_owned);
            let put = Put {
                server_side_encryption: answer.server_side_encryption.map(|kind| kind.as_str().to_owned()),
                kms_key: answer.ssekms_key_id,
                version: answer.version_id,
            };
            Ok((put, id))
        })
        .await
    }

    /// Begins an upload in parts, uploads one, and aborts it: nothing ever becomes visible. The answer is that of the
    /// first step that was refused. With SSE-KMS this needs `kms:Decrypt` where [`S3Probe::put`] does not.
    ///
    /// The second is false if an upload may be left: one whose beginning or whose end S3 did not confirm.
    pub async fn multipart(&self, key: &str, shape: &PutShape) -> (Tried<()>, bool) {
        let bucket = &self.options().bucket;
        let created = self
            .try_it(Operation::CreateMultipartUpload, key, || async {
                let request = self.0.client().create_multipart_upload().bucket(bucket).key(key);
                let request = request
                    .set_checksum_algorithm(self.options().checksums.then_some(ChecksumAlgorithm::Crc32C))
                    .set_server_side_encryption(shape.server_side_encryption.as_deref().map(ServerSideEncryption::from))
                    .set_ssekms_key_id(shape.kms_key.clone())
                    .set_acl(shape.acl.as_deref().map(ObjectCannedAcl::from))
                    .set_tagging(shape.tagging.clone());
                let answer = request.set_expected_bucket_owner(self.0.owner()).send().await?;
                let id = answer.request_id().map(str::to_owned);
                Ok((answer.upload_id.unwrap_or_default(), id))
            })
            .await;
        let Tried { operation, answer, request_id, took, attempts, renewed } = created;
        let upload = match answer {
            Ok(upload) => upload,
            Err(error) => {
                let is_gone = attempts == 1 && error.refusal().is_some();
                return (Tried { operation, answer: Err(error), request_id, took, attempts, renewed }, is_gone);
            }
        };
        let part = self
            .try_it(Operation::UploadPart, key, || async {
                let request = self.0.client().upload_part().bucket(bucket).key(key).upload_id(&upload).part_number(1);
                let request = request.set_checksum_crc32_c(self.crc32c(PART)).body(ByteStream::from_static(PART));
                let answer = request.set_expected_bucket_owner(self.0.owner()).send().await?;
                let id = answer.request_id().map(str::to_owned);
                Ok((CompletedPart::builder().set_e_tag(answer.e_tag).part_number(1).build(), id))
            })
            .await;
        let aborted = self
            .try_it(Operation::AbortMultipartUpload, key, || async {
                let request = self.0.client().abort_multipart_upload().bucket(bucket).key(key).upload_id(&upload);
                let answer = request.set_expected_bucket_owner(self.0.owner()).send().await?;
                Ok(((), answer.request_id().map(str::to_owned)))
            })
            .await;
        let took = took + part.took + aborted.took;
        let renewed = renewed.or(part.renewed).or(aborted.renewed.clone());
        let is_gone = attempts == 1
            && aborted
                .answer
                .as_ref()
                .err()
                .is_none_or(|error| error.refusal().is_some_and(|refusal| refusal.code == "NoSuchUpload"));
        let tried = match part.answer {
            Ok(_) => Tried { took, renewed, ..aborted },
            Err(error) => Tried {
                renewed,
                operation: part.operation,
                answer: Err(error),
                request_id: part.request_id,
                took,
                attempts: part.attempts,
            },
        };
        (tried, is_gone)
    }

    /// Sets one tag on an object.
    pub async fn tag(&self, key: &str) -> Tried<()> {
        use aws_sdk_s3::types::{Tag, Tagging};
        self.try_it(Operation::PutObjectTagging, key, || async {
            let tag = Tag::builder().key("tidegate").value("probe").build().map_err(unsent)?;
            let tagging = Tagging::builder().tag_set(tag).build().map_err(unsent)?;
            let request = self.0.client().put_object_tagging().bucket(&self.options().bucket).key(key).tagging(tagging);
            let answer = request.set_expected_bucket_owner(self.0.owner()).send().await?;
            Ok(((), answer.request_id().map(str::to_owned)))
        })
        .await
    }

    /// Deletes an object, or one version of it: that alone leaves nothing behind where the bucket keeps versions. Without a
    /// version such a bucket adds a mark that hides the key, also one that nobody has; the answer is that mark's version.
    pub async fn delete(&self, key: &str, version: Option<&str>) -> Tried<Option<String>> {
        self.try_it(Operation::DeleteObject, key, || async {
            let request = self.0.client().delete_object().bucket(&self.options().bucket).key(key);
            let request = request.set_version_id(version.map(str::to_owned));
            let answer = request.set_expected_bucket_owner(self.0.owner()).send().await?;
            let id = answer.request_id().map(str::to_owned);
            Ok((answer.version_id.filter(|_| version.is_none()), id))
        })
        .await
    }

    /// Whether the bucket keeps versions, or has kept some.
    pub async fn keeps_versions(&self) -> Tried<bool> {
        self.try_it(Operation::GetBucketVersioning, "", || async {
            let request = self.0.client().get_bucket_versioning().bucket(&self.options().bucket);
            let answer = request.set_expected_bucket_owner(self.0.owner()).send().await?;
            Ok((answer.status.is_some(), answer.request_id().map(str::to_owned)))
        })
        .await
    }

    /// Aborts an upload that there is not: with the permission to abort, S3 answers that it is not there.
    pub async fn abort_absent(&self, key: &str) -> Tried<()> {
        self.try_it(Operation::AbortMultipartUpload, key, || async {
            let request = self.0.client().abort_multipart_upload().bucket(&self.options().bucket).key(key);
            let answer = request.upload_id(ABSENT).set_expected_bucket_owner(self.0.owner()).send().await?;
            Ok(((), answer.request_id().map(str::to_owned)))
        })
        .await
    }

    /// The bucket's policy, as JSON; S3 answers `NoSuchBucketPolicy` where there is none.
    pub async fn bucket_policy(&self) -> Tried<String> {
        self.try_it(Operation::GetBucketPolicy, "", || async {
            let request = self.0.client().get_bucket_policy().bucket(&self.options().bucket);
            let answer = request.set_expected_bucket_owner(self.0.owner()).send().await?;
            let id = answer.request_id().map(str::to_owned);
            Ok((answer.policy.unwrap_or_default(), id))
        })
        .await
    }

    /// How every new object is locked: `COMPLIANCE for 30 days`. S3 answers `ObjectLockConfigurationNotFoundError` where
    /// the bucket locks none.
    pub async fn object_lock(&self) -> Tried<Option<String>> {
        self.try_it(Operation::GetObjectLockConfiguration, "", || async {
            let request = self.0.client().get_object_lock_configuration().bucket(&self.options().bucket);
            let answer = request.set_expected_bucket_owner(self.0.owner()).send().await?;
            let id = answer.request_id().map(str::to_owned);
            let rule = answer.object_lock_configuration.and_then(|lock| lock.rule);
            let retention = rule.and_then(|rule| rule.default_retention);
            let told = retention.and_then(|retention| {
                let mode = retention.mode?.as_str().to_owned();
                let long = match (retention.days, retention.years) {
                    (Some(days), _) => format!(" for {days} days"),
                    (None, Some(years)) => format!(" for {years} years"),
                    (None, None) => String::new(),
                };
                Some(format!("{mode}{long}"))
            });
            Ok((told, id))
        })
        .await
    }

    /// What S3 is to compare the body with, where it gets that.
    fn crc32c(&self, body: &[u8]) -> Option<String> {
        let sum = |body| crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, body).to_be_bytes();
        self.options().checksums.then(|| BASE64_STANDARD.encode(&sum(body)[4..]))
    }

    /// Who the last session is, by AWS's own word.
    pub fn identity(&self) -> &identity::Identity {
        self.0.identity()
    }

    async fn try_it<T, Fut>(&self, operation: Operation, name: &str, attempt: impl Fn() -> Fut) -> Tried<T>
    where
        Fut: Future<Output = Result<(T, Option<String>), Failure>>,
    {
        let begun = Instant::now();
        let (mut attempts, mut renewed) = (0, None);
        loop {
            attempts += 1;
            let gave_up = match self.0.identity().signer().await {
                Err(error) => GaveUp::Session(error),
                Ok(signer) => {
                    let answer = tokio::time::timeout(ANSWER, Box::pin(attempt())).await;
                    match answer.unwrap_or(Err(Failure::Lost(Loss::Silent(ANSWER)))) {
                        Ok((value, request_id)) => {
                            let took = begun.elapsed();
                            return Tried {
                                operation: operation.name(),
                                answer: Ok(value),
                                request_id,
                                took,
                                attempts,
                                renewed,
                            };
                        }
                        Err(failure) => GaveUp::Failure(failure, signer),
                    }
                }
            };
            if let GaveUp::Failure(failure @ Failure::Answered(answer), signer) = &gave_up
                && matches!(verdict(operation, failure), Verdict::Renew { .. })
                && renewed.is_none()
                // Of a bodiless answer it is not known whether the session is what is wrong.
                && !answer.code.is_empty()
                && self.0.identity().drop_session(signer)
            {
                renewed = Some((operation.name(), answer.name()));
                continue;
            }
            let passes = match &gave_up {
                GaveUp::Session(_) => false,
                GaveUp::Failure(failure, _) => {
                    matches!(verdict(operation, failure), Verdict::Retry | Verdict::Throttled)
                }
            };
            match PAUSES.get(attempts as usize - 1) {
                Some(pause) if passes => tokio::time::sleep(*pause).await,
                _ => {
                    let error = self.told(operation, name, gave_up).await;
                    let request_id = error.refusal().and_then(|refusal| refusal.request_id.clone());
                    let took = begun.elapsed();
                    return Tried {
                        operation: operation.name(),
                        answer: Err(error),
                        request_id,
                        took,
                        attempts,
                        renewed,
                    };
                }
            }
        }
    }

    async fn told(&self, operation: Operation, name: &str, gave_up: GaveUp) -> ProbeError {
        let operation_name = operation.name();
        match gave_up {
            GaveUp::Session(error) => ProbeError::Session(error),
            GaveUp::Failure(Failure::Unsent(source), _) => ProbeError::Unsent { operation: operation_name, source },
            GaveUp::Failure(Failure::Lost(loss), _) => {
                let (host, kind) = (self.host(), loss.name());
                ProbeError::Lost { operation: operation_name, host, kind, source: Arc::new(loss) }
            }
            answered @ GaveUp::Failure(Failure::Answered(_), _) => {
                match self.0.explain(operation, name, answered).await {
                    Error::Refused(refusal) => ProbeError::Refused(refusal),
                    other => ProbeError::Unsent { operation: operation_name, source: Arc::new(other) },
                }
            }
        }
    }
}

fn unsent(error: impl StdError + Send + Sync + 'static) -> Failure {
    Failure::Unsent(Arc::new(error))
}
