use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use aws_sdk_s3::types::{MetadataDirective, TaggingDirective};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::task::JoinSet;

use crate::failure::Failure;
use crate::objects::bucket::Bucket;
use crate::objects::call::Tries;
use crate::objects::delete::Doomed;
use crate::objects::encryption::AES256;
use crate::objects::error::Error;
use crate::objects::head::{Head, Reading};
use crate::objects::key::Key;
use crate::objects::multipart::stopped;
use crate::objects::parts::Done;
use crate::objects::put::{Stored, Target, described, stream};
use crate::objects::traits::Traits;
use crate::objects::transfer::{MAX_PART, Transfer};
use crate::s3::operation::Operation;

/// What is copied.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// The bucket that it is in.
    pub bucket: &'a Bucket,
    /// Its key.
    pub key: &'a Key,
    /// Which version, and how it is read.
    pub reading: Reading,
}

/// How a copy differs from what is copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyOptions {
    /// Encryption and storage class of the copy, which S3 does not take over; the rest as the switches below say.
    pub traits: Traits,
    /// Whether content type, the other headers and metadata are those of [`CopyOptions::traits`], not the source's.
    pub replace_metadata: bool,
    /// Whether the tags are.
    pub replace_tags: bool,
    /// Whether nothing may be there yet.
    pub only_new: bool,
}

/// How a copy was compared with what was copied. Its size always was, and its ETag is the one that S3 gave the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// Both have the same checksum of all bytes.
    Checksum,
    /// Both have the same ETag, which is the MD5 of all bytes.
    Etag,
    /// S3 keeps nothing of both that could be compared: both have the same size, and S3 said that it copied all.
    Size,
}

/// The least size of a part that is copied, if nothing is said: 256 MiB. No byte comes here, so that only time counts.
const COPY_PART: u64 = 256 << 20;

/// What may stand in `x-amz-copy-source` as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Bucket {
    /// Copies an object to here, within S3, and looks at the copy.
    ///
    /// # Errors
    /// Besides what S3 refuses: the source is replaced meanwhile, or the copy is not like it.
    pub async fn copy(
        &self,
        source: &Source<'_>,
        key: &Key,
        options: &CopyOptions,
        transfer: &Transfer,
    ) -> Result<(Stored, Verified), Error> {
        self.copy_of(source, key, options, transfer).await.map(|(stored, verified, _)| (stored, verified))
    }

    /// Moves an object to here: copies it, looks at the copy, and deletes what was copied if it still is the same.
    ///
    /// # Errors
    /// As [`Bucket::copy`]; [`Error::NotDeleted`] if both are there now.
    pub async fn take_over(
        &self,
        source: &Source<'_>,
        key: &Key,
        options: &CopyOptions,
        transfer: &Transfer,
    ) -> Result<(Stored, Verified), Error> {
        if source.bucket.name() == self.name() && source.key == key {
            let text = format!("s3://{}/{key} cannot be moved to itself: that would delete it", self.name());
            return Err(Error::BadInput { text, hint: Some("choose another key".into()) });
        }
        let (stored, verified, head) = self.copy_of(source, key, options, transfer).await?;
        let doomed = Doomed { key: source.key.clone(), version: source.reading.version.clone() };
        // A version never changes.
        let etag = Some(head.etag.as_str()).filter(|_| doomed.version.is_none());
        let not_deleted = |error| Error::NotDeleted {
            bucket: source.bucket.name().to_owned(),
            name: source.key.to_string(),
            source: Box::new(error),
        };
        source.bucket.delete_if(&doomed, etag).await.map_err(not_deleted)?;
        Ok((stored, verified))
    }

    async fn delete_if(&self, doomed: &Doomed, etag: Option<&str>) -> Result<(), Error> {
        let operation = Operation::DeleteObject;
        let name = doomed.key.as_str();
        let mut tries = Tries::new(self, operation, name);
        loop {
            let outcome = match tries.signer().await {
                Err(gave_up) => Err(gave_up),
                Ok(signer) => match self.send_delete(doomed, etag, tries.begin()).await {
                    Ok(_) => return Ok(()),
                    // An attempt whose answer was lost has done it.
                    Err(Failure::Answered(answer)) if answer.status == 404 && answer.code != "NoSuchBucket" => {
                        return Ok(());
                    }
                    Err(failure) => tries.failed(failure, signer).await,
                },
            };
            if let Err(gave_up) = outcome {
                return Err(self.explain(operation, name, gave_up).await);
            }
        }
    }

    async fn copy_of(
        &self,
        source: &Source<'_>,
        key: &Key,
        options: &CopyOptions,
        transfer: &Transfer,
    ) -> Result<(Stored, Verified, Head), Error> {
        self.admit(key)?;
        options.traits.check()?;
        self.check_customer_key(options.traits.encryption.customer())?;
        let head = source.bucket.head(source.key, &source.reading).await?;
        transfer.meter.expect(head.size);
        let target = Target { key: key.clone(), traits: Arc::new(options.traits.clone()), only_new: options.only_new };
        let copied = async {
            if head.size > self.options().copy_at_once {
                self.copy_in_parts(source, &head, target, options, transfer).await
            } else {
                self.copy_whole(source, &head, &target, options).await
            }
        };
        let stored = if head.size > self.options().copy_at_once {
            // Ends by itself, with what was begun taken back.
            copied.await?
        } else {
            tokio::select! {
                stored = copied => stored?,
                () = transfer.interrupt.wait() => return Err(Error::Stopped { left: "S3 may finish the copy all the same" }),
            }
        };
        let verified = self.verify(&stored, key, options, source, &head).await?;
        Ok((stored, verified, head))
    }

    async fn copy_whole(
        &self,
        source: &Source<'_>,
        head: &Head,
        target: &Target,
        options: &CopyOptions,
    ) -> Result<Stored, Error> {
        let operation = Operation::CopyObject;
        let name = target.key.as_str();
        let traits = &target.traits;
        let replaced = options.replace_metadata;
        let attempts = AtomicU32::new(0);
        let copied = self
            .persist(operation, name, |client| {
                attempts.fetch_add(1, Ordering::Relaxed);
                let request = client
                    .copy_object()
                    .bucket(self.name())
                    .set_expected_bucket_owner(self.owner())
                    .set_expected_source_bucket_owner(source.bucket.owner())
                    .key(name)
                    .copy_source(named(source))
                    .copy_source_if_match(&head.etag)
                    .set_storage_class(traits.storage_class.as_deref().map(Into::into))
                    .set_server_side_encryption(traits.encryption.algorithm())
                    .set_ssekms_key_id(traits.encryption.kms_key())
                    .set_metadata_directive(replaced.then_some(MetadataDirective::Replace))
                    .set_content_type(replaced.then(|| traits.content_type()))
                    .set_content_encoding(traits.content_encoding.clone().filter(|_| replaced))
                    .set_cache_control(traits.cache_control.clone().filter(|_| replaced))
                    .set_content_disposition(traits.content_disposition.clone().filter(|_| replaced))
                    .set_content_language(traits.content_language.clone().filter(|_| replaced))
                    .set_metadata(traits.metadata().filter(|_| replaced))
                    .set_tagging_directive(options.replace_tags.then_some(TaggingDirective::Replace))
                    .set_tagging(traits.tagging().filter(|_| options.replace_tags))
                    .set_if_none_match(target.only_new.then(|| "*".to_owned()));
                let request = match traits.encryption.customer() {
                    None => request,
                    Some(key) => request
                        .sse_customer_algorithm(AES256)
                        .sse_customer_key(key.key())
                        .sse_customer_key_md5(key.md5()),
                };
                let request = match &source.reading.customer {
                    None => request,
                    Some(key) => request
                        .copy_source_sse_customer_algorithm(AES256)
                        .copy_source_sse_customer_key(key.key())
                        .copy_source_sse_customer_key_md5(key.md5()),
                };
                async move { request.send().await.map_err(Failure::from) }
            })
            .await;
        match copied {
            Ok(answer) => {
                let etag = answer.copy_object_result().and_then(|result| result.e_tag()).map(str::to_owned);
                let etag = etag.ok_or_else(|| self.malformed(operation, name, "an ETag"))?;
                Ok(Stored { etag, version: answer.version_id, size: head.size, ..Stored::default() })
            }
            Err(gave_up) if target.only_new && gave_up.has_status(412) => {
                // An earlier attempt may have made it, and its answer was lost.
                if attempts.load(Ordering::Relaxed) > 1
                    && let Some(found) = self.find_copy(target, head).await?
                {
                    return Ok(found);
                }
                Err(self.exists(&target.key))
            }
            Err(gave_up) if gave_up.has_status(412) || gave_up.is("NoSuchKey") => {
                Err(Error::ObjectChanged { bucket: source.bucket.name().to_owned(), name: source.key.to_string() })
            }
            Err(gave_up) => Err(self.explain(operation, name, gave_up).await),
        }
    }

    /// The object, if it is a copy of what `head` is of: of its size, and of its checksum or ETag.
    async fn find_copy(&self, target: &Target, head: &Head) -> Result<Option<Stored>, Error> {
        let reading = Reading { customer: target.traits.encryption.customer().cloned(), ..Reading::default() };
        let found = match self.head(&target.key, &reading).await {
            Err(Error::Missing { .. }) => return Ok(None),
            found => found?,
        };
        let same_sum = found.checksum.is_some() && found.checksum == head.checksum;
        if found.size != head.size || !(same_sum || found.etag == head.etag) {
            return Ok(None);
        }
        Ok(Some(Stored { etag: found.etag, version: found.version, size: found.size, ..Stored::default() }))
    }

    async fn copy_in_parts(
        &self,
        source: &Source<'_>,
        head: &Head,
        target: Target,
        options: &CopyOptions,
        transfer: &Transfer,
    ) -> Result<Stored, Error> {
        let mut traits = (*target.traits).clone();
        // An upload takes nothing over by itself.
        if !options.replace_metadata {
            traits.content_type.clone_from(&head.content_type);
            traits.content_encoding.clone_from(&head.content_encoding);
            traits.cache_control.clone_from(&head.cache_control);
            traits.content_disposition.clone_from(&head.content_disposition);
            traits.content_language.clone_from(&head.content_language);
            traits.metadata = head.metadata.clone().into_iter().collect();
        }
        // S3 does not say how many there are to everybody, nor in every answer: what it does not say is asked for, as
        // CopyObject does, and not left behind.
        if !options.replace_tags && head.tags != Some(0) {
            traits.tags = source.bucket.tags(source.key, source.reading.version.as_deref()).await?;
        }
        let target = Target { traits: Arc::new(traits), ..target };
        let part = transfer.part_size.unwrap_or(0).max(transfer.part_of(head.size)?);
        let part = if transfer.part_size.is_some() { part } else { part.max(COPY_PART) }.min(MAX_PART);
        let upload = self.begin(&target, None).await?;
        let completing = AtomicBool::new(false);
        let copy = async {
            let done = self.copy_parts(source, head, &target, &upload, part, transfer).await?;
            completing.store(true, Ordering::Relaxed);
            self.complete(&target, &upload, &done).await
        };
        let copied = tokio::select! {
            copied = copy => copied,
            () = transfer.interrupt.wait() => Err(stopped(&completing, "nothing was written")),
        };
        if copied.is_err() {
            self.abort_upload(target.key.as_str(), &upload).await;
        }
        copied
    }

    async fn copy_parts(
        &self,
        source: &Source<'_>,
        head: &Head,
        target: &Target,
        upload: &str,
        part: u64,
        transfer: &Transfer,
    ) -> Result<BTreeMap<u64, Done>, Error> {
        let mut numbers = 1..=head.size.div_ceil(part);
        let mut done = BTreeMap::new();
        let mut under_way: JoinSet<Result<(u64, Done), Error>> = JoinSet::new();
        loop {
            while under_way.len() < transfer.lanes()
                && let Some(number) = numbers.next()
            {
                let one = CopiedPart {
                    bucket: self.clone(),
                    source: source.bucket.clone(),
                    reading: source.reading.clone(),
                    named: named(source),
                    etag: head.etag.clone(),
                    target: target.clone(),
                    upload: upload.to_owned(),
                    first: (number - 1) * part,
                    end: head.size.min(number * part),
                };
                under_way.spawn(async move { one.copy(number).await });
            }
            let Some(joined) = under_way.join_next().await else { return Ok(done) };
            let (number, part) =
                joined.unwrap_or_else(|error| Err(stream("copy a part", std::io::Error::other(error))))?;
            transfer.meter.add(part.size);
            done.insert(number, part);
        }
    }

    /// Looks at the copy.
    async fn verify(
        &self,
        stored: &Stored,
        key: &Key,
        options: &CopyOptions,
        source: &Source<'_>,
        head: &Head,
    ) -> Result<Verified, Error> {
        let customer = options.traits.encryption.customer().cloned();
        let found = self.head(key, &Reading { version: stored.version.clone(), customer }).await?;
        let damaged = |what: &str, found: String, expected: String| {
            Err(Error::Damaged {
                what: what.into(),
                bucket: self.name().to_owned(),
                name: key.to_string(),
                found,
                expected,
            })
        };
        if found.etag != stored.etag {
            return Err(Error::ObjectChanged { bucket: self.name().to_owned(), name: key.to_string() });
        }
        if found.size != head.size {
            return damaged("size", found.size.to_string(), head.size.to_string());
        }
        match (head.checksum, found.checksum) {
            (Some(of_source), Some(of_copy)) if of_source.algorithm == of_copy.algorithm => {
                if of_source != of_copy {
                    return damaged(&of_copy.algorithm.to_string(), described(of_copy), described(of_source));
                }
                Ok(Verified::Checksum)
            }
            // Under KMS and customers' keys an ETag is no MD5, and differs from copy to copy.
            _ if found.etag == head.etag && head.parts.is_none() && source.reading.customer.is_none() => {
                Ok(Verified::Etag)
            }
            _ => Ok(Verified::Size),
        }
    }
}

/// A part on its way from object to object.
struct CopiedPart {
    bucket: Bucket,
    source: Bucket,
    reading: Reading,
    named: String,
    etag: String,
    target: Target,
    upload: String,
    first: u64,
    end: u64,
}

impl CopiedPart {
    async fn copy(self, number: u64) -> Result<(u64, Done), Error> {
        let operation = Operation::UploadPartCopy;
        let name = self.target.key.as_str();
        let answer = self
            .bucket
            .call(operation, name, |client| {
                let request = client
                    .upload_part_copy()
                    .bucket(self.bucket.name())
                    .set_expected_bucket_owner(self.bucket.owner())
                    .set_expected_source_bucket_owner(self.source.owner())
                    .key(name)
                    .upload_id(&self.upload)
                    .part_number(number as i32)
                    .copy_source(&self.named)
                    .copy_source_if_match(&self.etag)
                    .copy_source_range(format!("bytes={}-{}", self.first, self.end - 1));
                let request = match self.target.traits.encryption.customer() {
                    None => request,
                    Some(key) => request
                        .sse_customer_algorithm(AES256)
                        .sse_customer_key(key.key())
                        .sse_customer_key_md5(key.md5()),
                };
                let request = match &self.reading.customer {
                    None => request,
                    Some(key) => request
                        .copy_source_sse_customer_algorithm(AES256)
                        .copy_source_sse_customer_key(key.key())
                        .copy_source_sse_customer_key_md5(key.md5()),
                };
                async move { request.send().await.map_err(Failure::from) }
            })
            .await?;
        let etag = answer.copy_part_result().and_then(|part| part.e_tag()).map(str::to_owned);
        let etag = etag.ok_or_else(|| self.bucket.malformed(operation, name, "an ETag"))?;
        Ok((number, Done { etag, size: self.end - self.first, checksum: None }))
    }
}

/// `bucket/key?versionId=..`.
fn named(source: &Source<'_>) -> String {
    let encode = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let version = source.reading.version.as_deref().map(|version| format!("?versionId={}", encode(version)));
    format!("{}/{}{}", source.bucket.name(), encode(source.key.as_str()), version.unwrap_or_default())
}
