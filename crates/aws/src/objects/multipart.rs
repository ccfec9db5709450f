use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_s3::types::{ChecksumType, CompletedMultipartUpload, CompletedPart};
use tokio::task::JoinSet;

use crate::failure::Failure;
use crate::objects::bucket::Bucket;
use crate::objects::checksum::{Algorithm, Sum};
use crate::objects::encryption::AES256;
use crate::objects::error::Error;
use crate::objects::notes::{Note, Uploads};
use crate::objects::parts::{Done, Parts};
use crate::objects::piece::{Piece, Watched};
use crate::objects::put::{PERHAPS, Stored, Target, described, encoded, stream};
use crate::objects::transfer::Transfer;
use crate::s3::operation::Operation;
use crate::s3::signing::PayloadSigning;

/// How long is tried to take back what was begun.
const CLEAN_UP: Duration = Duration::from_secs(20);

/// An upload under way: what is there already, and how to go on.
pub(super) struct Job {
    pub(super) transfer: Transfer,
    /// The upload that is gone on with.
    pub(super) upload: Option<String>,
    pub(super) have: BTreeMap<u64, Done>,
}

impl Job {
    pub(super) fn new(transfer: &Transfer) -> Self {
        Self { transfer: transfer.clone(), upload: None, have: BTreeMap::new() }
    }
}

/// What is left of an upload that was interrupted: `left`, unless S3 was asked to make the object of it.
pub(super) fn stopped(completing: &AtomicBool, left: &'static str) -> Error {
    Error::Stopped { left: if completing.load(Ordering::Relaxed) { PERHAPS } else { left } }
}

impl Bucket {
    /// Writes a file in parts, with notes.
    pub(super) async fn put_in_parts(
        &self,
        target: Target,
        file: Arc<Watched>,
        transfer: &Transfer,
        uploads: Option<&Uploads>,
    ) -> Result<Stored, Error> {
        let part = transfer.part_of(file.size)?;
        let note = match uploads {
            None => None,
            Some(uploads) => match uploads.open(self, &target, &file, part).await {
                Ok(note) => Some(note),
                Err(error @ (Error::Busy { .. } | Error::BadInput { .. })) => return Err(error),
                Err(error) if transfer.resume => return Err(error),
                Err(error) => {
                    tracing::warn!(error = %fault::Chain(&error), "no notes are kept: a put that is killed cannot be resumed");
                    None
                }
            },
        };
        let mut job = Job::new(transfer);
        if let Some(note) = &note {
            self.take_up(&target, &file, note, &mut job, part).await?;
        }
        self.put_parts(target, Parts::File { file, part }, job, note).await
    }

    /// Sends all parts and makes the object visible. What was begun is taken back if that does not succeed.
    pub(super) async fn put_parts(
        &self,
        target: Target,
        parts: Parts,
        mut job: Job,
        note: Option<Note>,
    ) -> Result<Stored, Error> {
        let interrupt = job.transfer.interrupt.clone();
        let mut is_noted = note.is_some();
        let upload = if let Some(upload) = job.upload.take() {
            upload
        } else {
            // Not raced with the interrupt: an upload whose id nobody has heard cannot be ended.
            let upload = self.begin(&target, self.options().checksum).await?;
            if let Some(note) = &note
                && let Err(error) = note.write(&upload)
            {
                tracing::warn!(error = %fault::Chain(&error), "no notes are kept: a put that is killed cannot be resumed");
                is_noted = false;
            }
            upload
        };
        let resumed = job.have.len() as u64;
        let have = std::mem::take(&mut job.have);
        // Parts of an upload that no note tells of nobody would ever find.
        let keep = job.transfer.resume && is_noted;
        let left = if keep { "what was sent is kept: go on with --resume" } else { "nothing was written" };
        let completing = AtomicBool::new(false);
        let sent = tokio::select! {
            sent = self.send_and_complete(&target, &upload, &completing, parts, have, &job.transfer) => sent,
            () = interrupt.wait() => Err(stopped(&completing, left)),
        };
        match sent {
            Ok(stored) => {
                if let Some(note) = note {
                    note.remove();
                }
                Ok(Stored { resumed, ..stored })
            }
            Err(error) => {
                if !keep
                    && self.abort_upload(target.key.as_str(), &upload).await
                    && let Some(note) = note
                {
                    note.remove();
                }
                Err(error)
            }
        }
    }

    /// Begins an upload; with `checksum`, one whose parts carry theirs.
    pub(super) async fn begin(&self, target: &Target, checksum: Option<Algorithm>) -> Result<String, Error> {
        let operation = Operation::CreateMultipartUpload;
        let name = target.key.as_str();
        let traits = &target.traits;
        let answer = self
            .call(operation, name, |client| {
                let request = client
                    .create_multipart_upload()
                    .bucket(self.name())
                    .set_expected_bucket_owner(self.owner())
                    .key(name)
                    .content_type(traits.content_type())
                    .set_content_encoding(traits.content_encoding.clone())
                    .set_cache_control(traits.cache_control.clone())
                    .set_content_disposition(traits.content_disposition.clone())
                    .set_content_language(traits.content_language.clone())
                    .set_metadata(traits.metadata())
                    .set_tagging(traits.tagging())
                    .set_storage_class(traits.storage_class.as_deref().map(Into::into))
                    .set_server_side_encryption(traits.encryption.algorithm())
                    .set_ssekms_key_id(traits.encryption.kms_key());
                let request = match traits.encryption.customer() {
                    None => request,
                    Some(key) => request
                        .sse_customer_algorithm(AES256)
                        .sse_customer_key(key.key())
                        .sse_customer_key_md5(key.md5()),
                };
                let request = match checksum {
                    None => request,
                    Some(checksum) => {
                        request.checksum_algorithm(checksum.of_sdk()).checksum_type(ChecksumType::FullObject)
                    }
                };
                async move { request.send().await.map_err(Failure::from) }
            })
            .await?;
        answer.upload_id.ok_or_else(|| self.malformed(operation, name, "an upload id"))
    }

    async fn send_and_complete(
        &self,
        target: &Target,
        upload: &str,
        completing: &AtomicBool,
        mut parts: Parts,
        mut done: BTreeMap<u64, Done>,
        transfer: &Transfer,
    ) -> Result<Stored, Error> {
        let upload: Arc<str> = upload.into();
        let mut under_way: JoinSet<Result<(u64, Done), Error>> = JoinSet::new();
        let (mut number, mut ended) = (1, false);
        while !ended || !under_way.is_empty() {
            while done.contains_key(&number) {
                number += 1;
            }
            tokio::select! {
                piece = parts.next(number), if !ended && under_way.len() < transfer.lanes() => match piece? {
                    None => ended = true,
                    Some(piece) => {
                        let (bucket, target, upload) = (self.clone(), target.clone(), Arc::clone(&upload));
                        under_way.spawn(async move { bucket.send_part(&target, &upload, number, piece).await });
                        number += 1;
                    }
                },
                Some(joined) = under_way.join_next() => {
                    let (number, part) = joined.unwrap_or_else(|error| Err(stream("send a part", io::Error::other(error))))?;
                    transfer.meter.add(part.size);
                    done.insert(number, part);
                }
            }
        }
        if let Parts::File { file, .. } = &parts
            && !file.is_same()
        {
            return Err(Error::FileChanged { path: file.path.clone() });
        }
        completing.store(true, Ordering::Relaxed);
        self.complete(target, &upload, &done).await
    }

    async fn send_part(&self, target: &Target, upload: &str, number: u64, piece: Piece) -> Result<(u64, Done), Error> {
        let operation = Operation::UploadPart;
        let name = target.key.as_str();
        let sums = match (self.sums(&piece).await, &piece) {
            (Ok(sums), _) => sums,
            (Err(error), Piece::File { file, .. }) => return Err(file.error(&error)),
            (Err(error), Piece::Memory(_)) => return Err(stream("read what is to be sent", error)),
        };
        let sent = self
            .persist_sending(operation, name, |client, within| {
                let request = client
                    .upload_part()
                    .bucket(self.name())
                    .set_expected_bucket_owner(self.owner())
                    .key(name)
                    .upload_id(upload)
                    .part_number(number as i32)
                    .content_length(piece.len() as i64);
                let request = match target.traits.encryption.customer() {
                    None => request,
                    Some(key) => request
                        .sse_customer_algorithm(AES256)
                        .sse_customer_key(key.key())
                        .sse_customer_key_md5(key.md5()),
                };
                let (crc32c, crc64) = encoded(sums.checksum);
                let request = request.set_checksum_crc32_c(crc32c).set_checksum_crc64_nvme(crc64);
                let signing = PayloadSigning::of(sums.sha256.as_deref());
                let piece = &piece;
                async move {
                    let mut sending = piece.send();
                    self.counters().sent(piece.len() as usize);
                    let request = request.body(sending.body()).customize().interceptor(signing);
                    let outcome = tokio::select! {
                        answer = request.send() => answer.map_err(Failure::from),
                        loss = self.stuck(sending.progress(), within) => Err(Failure::Lost(loss)),
                    };
                    piece.judge(&sending, outcome)
                }
            })
            .await;
        match sent {
            Ok(answer) => match answer.e_tag {
                Some(etag) => Ok((number, Done { etag, size: piece.len(), checksum: sums.checksum })),
                None => Err(self.malformed(operation, name, "an ETag")),
            },
            Err(gave_up) => {
                let gave_up = piece.blame(gave_up)?;
                Err(self.explain(operation, name, gave_up).await)
            }
        }
    }

    pub(super) async fn complete(
        &self,
        target: &Target,
        upload: &str,
        parts: &BTreeMap<u64, Done>,
    ) -> Result<Stored, Error> {
        let operation = Operation::CompleteMultipartUpload;
        let name = target.key.as_str();
        let size = parts.values().map(|part| part.size).sum();
        let whole = parts.values().try_fold(None::<Sum>, |whole, part| {
            let sum = part.checksum?;
            Some(Some(whole.map_or(sum, |whole| whole.join(sum))))
        });
        let whole = whole.flatten();
        let listed = parts.iter().map(|(number, part)| {
            let (crc32c, crc64) = encoded(part.checksum);
            CompletedPart::builder()
                .part_number(*number as i32)
                .e_tag(&part.etag)
                .set_checksum_crc32_c(crc32c)
                .set_checksum_crc64_nvme(crc64)
                .build()
        });
        let listed = CompletedMultipartUpload::builder().set_parts(Some(listed.collect())).build();
        let attempts = AtomicU32::new(0);
        let completed = self
            .persist(operation, name, |client| {
                attempts.fetch_add(1, Ordering::Relaxed);
                let (crc32c, crc64) = encoded(whole);
                let request = client
                    .complete_multipart_upload()
                    .bucket(self.name())
                    .set_expected_bucket_owner(self.owner())
                    .key(name)
                    .upload_id(upload)
                    .multipart_upload(listed.clone())
                    .set_checksum_crc32_c(crc32c)
                    .set_checksum_crc64_nvme(crc64)
                    .set_checksum_type(whole.map(|_| ChecksumType::FullObject))
                    .mpu_object_size(size as i64)
                    .set_if_none_match(target.only_new.then(|| "*".to_owned()));
                async move { request.send().await.map_err(Failure::from) }
            })
            .await;
        let stored = |etag: String, version: Option<String>| {
            let checksum = whole.map(described);
            Stored { etag, version, size, checksum, parts: parts.len() as u64, resumed: 0 }
        };
        match completed {
            Ok(answer) => match answer.e_tag {
                Some(etag) => Ok(stored(etag, answer.version_id)),
                None => Err(self.malformed(operation, name, "an ETag")),
            },
            Err(gave_up) if target.only_new && gave_up.has_status(412) => {
                // An earlier attempt may have made it, and its answer was lost.
                if attempts.load(Ordering::Relaxed) > 1
                    && let Some(found) = self.find_same(target, size, whole).await?
                {
                    return Ok(stored(found.etag, found.version));
                }
                Err(self.exists(&target.key))
            }
            // Completed by an attempt whose answer was lost, or ended by somebody else: the object tells.
            Err(gave_up) if gave_up.is("NoSuchUpload") => match self.find_same(target, size, whole).await? {
                Some(found) => Ok(stored(found.etag, found.version)),
                None => Err(self.explain(operation, name, gave_up).await),
            },
            Err(gave_up) => Err(self.explain(operation, name, gave_up).await),
        }
    }

    /// Ends an upload; true if it is gone now.
    pub(super) async fn abort_upload(&self, name: &str, upload: &str) -> bool {
        let operation = Operation::AbortMultipartUpload;
        let abort = self.persist(operation, name, |client| {
            let request = client
                .abort_multipart_upload()
                .bucket(self.name())
                .set_expected_bucket_owner(self.owner())
                .key(name)
                .upload_id(upload);
            async move { request.send().await.map_err(Failure::from) }
        });
        let error = match tokio::time::timeout(CLEAN_UP, abort).await {
            Ok(Ok(_)) => return true,
            Ok(Err(gave_up)) if gave_up.is("NoSuchUpload") => return true,
            Ok(Err(gave_up)) => self.explain(operation, name, gave_up).await,
            Err(_) => Error::Stopped { left: "S3 did not answer in time" },
        };
        tracing::warn!(
            object = name,
            error = %fault::Chain(&error),
            "parts stay behind, which cost storage until the bucket's lifecycle (AbortIncompleteMultipartUpload) ends them"
        );
        false
    }
}
