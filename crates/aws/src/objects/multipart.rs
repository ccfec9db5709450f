use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::types::{ChecksumType, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::failure::Failure;
use crate::objects::bucket::Bucket;
use crate::objects::checksum::{Algorithm, Sum};
use crate::objects::encryption::AES256;
use crate::objects::error::Error;
use crate::objects::notes::{Note, Uploads};
use crate::objects::piece::{Piece, Watched};
use crate::objects::put::{Stored, Target, described, encoded, stream};
use crate::objects::transfer::Transfer;
use crate::s3::body::Content;
use crate::s3::operation::Operation;
use crate::s3::signing::PayloadSigning;

/// How long is tried to take back what was begun.
const CLEAN_UP: Duration = Duration::from_secs(20);

/// A part that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) etag: String,
    pub(super) size: u64,
    pub(super) checksum: Option<Sum>,
}

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

/// Where parts come from, in order.
pub(super) enum Parts {
    File {
        file: Arc<Watched>,
        part: u64,
    },
    Reader {
        ask: mpsc::Sender<u64>,
        given: mpsc::Receiver<io::Result<Vec<u8>>>,
        asked: bool,
        ready: BTreeMap<u64, Piece>,
        transfer: Transfer,
    },
}

impl Parts {
    /// Those of a reader, read by a thread of its own: nothing can stop a read from a terminal, and the process must be able
    /// to end in spite of it. It reads only what is asked for, so that memory is bounded by who asks.
    pub(super) fn of_reader(mut reader: impl io::Read + Send + 'static, transfer: &Transfer) -> Self {
        let (ask, mut sizes) = mpsc::channel(1);
        let (give, given) = mpsc::channel(1);
        std::thread::spawn(move || {
            while let Some(size) = sizes.blocking_recv() {
                // Pages are touched only as they fill.
                let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(usize::MAX >> 1));
                let read = reader.by_ref().take(size).read_to_end(&mut bytes).map(|_| bytes);
                if give.blocking_send(read).is_err() {
                    return;
                }
            }
        });
        Self::Reader { ask, given, asked: false, ready: BTreeMap::new(), transfer: transfer.clone() }
    }

    /// Puts the first two back that were read ahead.
    pub(super) fn push_back(&mut self, first: Piece, second: Piece) {
        if let Self::Reader { ready, .. } = self {
            ready.insert(1, first);
            ready.insert(2, second);
        }
    }

    /// Part `number`; `None` behind the last one. Cancel safe, if it is asked for the same one again.
    pub(super) async fn next(&mut self, number: u64) -> Result<Option<Piece>, Error> {
        match self {
            Self::File { file, part } => {
                let offset = (number - 1) * *part;
                if offset >= file.size {
                    return Ok(None);
                }
                let length = (file.size - offset).min(*part);
                Ok(Some(Piece::File { file: Arc::clone(file), offset, length }))
            }
            Self::Reader { ask, given, asked, ready, transfer } => {
                if let Some(piece) = ready.remove(&number) {
                    return Ok(Some(piece));
                }
                if !*asked {
                    // Behind the last part one more byte is asked for, to learn whether there is one.
                    let size = transfer.part_of_unknown(number).unwrap_or(1);
                    *asked = ask.try_send(size).is_ok();
                }
                let bytes =
                    given.recv().await.unwrap_or_else(|| Err(io::Error::other("the thread that reads has ended")));
                *asked = false;
                let bytes = bytes.map_err(|source| stream("read the input", source))?;
                if bytes.is_empty() {
                    return Ok(None);
                }
                if transfer.part_of_unknown(number).is_none() {
                    let text = "the input is longer than 10,000 parts".to_owned();
                    return Err(Error::BadInput { text, hint: Some("give a larger --part-size".into()) });
                }
                Ok(Some(Piece::Memory(Content::new(vec![Bytes::from(bytes)]))))
            }
        }
    }
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

    /// Goes on with the upload of a note if that is wanted and possible; ends it otherwise.
    async fn take_up(
        &self,
        target: &Target,
        file: &Arc<Watched>,
        note: &Note,
        job: &mut Job,
        part: u64,
    ) -> Result<(), Error> {
        let Some(earlier) = note.upload() else { return Ok(()) };
        if !job.transfer.resume || !note.fits() {
            if job.transfer.resume {
                tracing::warn!(
                    object = %target.key,
                    "the file, or what was asked for, is another than that of the upload which was broken off; beginning anew"
                );
            }
            self.abort_upload(target.key.as_str(), earlier).await;
            return Ok(());
        }
        let Some(listed) = self.list_parts(target.key.as_str(), earlier).await? else {
            tracing::warn!(object = %target.key, "the upload that was broken off is gone; beginning anew");
            return Ok(());
        };
        job.upload = Some(earlier.to_owned());
        for (number, done) in listed {
            let offset = (number - 1) * part;
            let length = file.size.saturating_sub(offset).min(part);
            // Without a checksum there is nothing to compare with: it is sent again.
            if length == 0 || done.size != length || done.checksum.is_none() {
                continue;
            }
            let piece = Piece::File { file: Arc::clone(file), offset, length };
            let sums = self.sums(&piece).await.map_err(|error| file.error(&error))?;
            if sums.checksum == done.checksum {
                job.transfer.meter.add(length);
                job.have.insert(number, done);
            }
        }
        Ok(())
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
        let upload = if let Some(upload) = job.upload.take() {
            upload
        } else {
            // Not raced with the interrupt: an upload whose id nobody has heard cannot be ended.
            let upload = self.begin(&target, self.options().checksum).await?;
            if let Some(note) = &note
                && let Err(error) = note.write(&upload)
            {
                tracing::warn!(error = %fault::Chain(&error), "no notes are kept: a put that is killed cannot be resumed");
            }
            upload
        };
        let resumed = job.have.len() as u64;
        let have = std::mem::take(&mut job.have);
        let keep = job.transfer.resume && note.is_some();
        let sent = tokio::select! {
            sent = self.send_and_complete(&target, &upload, parts, have, &job.transfer) => sent,
            () = interrupt.wait() => Err(Error::Stopped {
                left: if keep { "what was sent is kept: go on with --resume" } else { "nothing was written" },
            }),
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
            .persist(operation, name, |client| {
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
                        loss = self.stuck(sending.progress()) => Err(Failure::Lost(loss)),
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
        let completed = self
            .persist(operation, name, |client| {
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
            Err(gave_up) if target.only_new && gave_up.has_status(412) => Err(self.exists(&target.key)),
            // Completed by an attempt whose answer was lost, or ended by somebody else: the object tells.
            Err(gave_up) if gave_up.is("NoSuchUpload") => match self.find_same(target, size, whole).await? {
                Some(found) => Ok(stored(found.etag, found.version)),
                None => Err(self.explain(operation, name, gave_up).await),
            },
            Err(gave_up) => Err(self.explain(operation, name, gave_up).await),
        }
    }

    /// All parts of an upload; `None` if it is over.
    async fn list_parts(&self, name: &str, upload: &str) -> Result<Option<BTreeMap<u64, Done>>, Error> {
        let operation = Operation::ListParts;
        let mut parts = BTreeMap::new();
        let mut after: Option<String> = None;
        loop {
            let page = self
                .persist(operation, name, |client| {
                    let request = client
                        .list_parts()
                        .bucket(self.name())
                        .set_expected_bucket_owner(self.owner())
                        .key(name)
                        .upload_id(upload)
                        .set_part_number_marker(after.clone());
                    async move { request.send().await.map_err(Failure::from) }
                })
                .await;
            let page = match page {
                Ok(page) => page,
                Err(gave_up) if gave_up.is("NoSuchUpload") => return Ok(None),
                Err(gave_up) => return Err(self.explain(operation, name, gave_up).await),
            };
            for part in page.parts.unwrap_or_default() {
                let (Some(number), Some(etag)) = (part.part_number, part.e_tag) else { continue };
                let (Ok(number), size) = (u64::try_from(number), part.size.unwrap_or_default() as u64) else {
                    continue;
                };
                let text = [part.checksum_crc64_nvme, part.checksum_crc32_c].into_iter().flatten().next();
                let checksum =
                    self.options().checksum.and_then(|algorithm| Sum::decode(algorithm, text.as_deref()?, size));
                if number > 0 {
                    parts.insert(number, Done { etag, size, checksum });
                }
            }
            match page.next_part_number_marker {
                // A store that repeats itself must not keep us here.
                Some(next) if page.is_truncated == Some(true) && after.as_ref() != Some(&next) => after = Some(next),
                _ => return Ok(Some(parts)),
            }
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
