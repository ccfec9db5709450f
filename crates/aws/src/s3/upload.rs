use std::fmt::Write as _;
use std::time::Duration;

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, ServerSideEncryption};
use bytes::Bytes;
use fault::Fault;
use transit::{Finished, IntentObject, ObjectName, PartTag, Sink, UploadId};

use crate::bounded::{HELD, whole};
use crate::failure::{Failure, Loss};
use crate::s3::body::{Content, Progress, stream};
use crate::s3::error::Error;
use crate::s3::operation::Operation;
use crate::s3::options::ExistingObject;
use crate::s3::signing::PayloadSigning;
use crate::s3::sink::S3Sink;
use crate::s3::verdict::CONFLICT;

/// The metadata that carries the mark; S3 sends it as `x-amz-meta-tidegate-cut`.
pub(super) const MARKER: &str = "tidegate-cut";

/// Bytes of no particular type. Upstream sets none and its SDK sends this.
const CONTENT_TYPE: &str = "application/octet-stream";

/// How long is tried what may as well be left to the next start.
const BEST_EFFORT: Duration = Duration::from_secs(30);

/// The least size of a part that is not the last: 5 MiB ("Amazon S3 multipart upload limits").
const MIN_PART: usize = 5 << 20;

impl Sink for S3Sink {
    async fn begin(&self, name: &ObjectName, marker: &str) -> Result<UploadId, Fault> {
        let operation = Operation::CreateMultipartUpload;
        let answer = self
            .call(operation, name, || async {
                let mut request = self
                    .client()
                    .create_multipart_upload()
                    .bucket(&self.options().bucket)
                    .set_expected_bucket_owner(self.owner())
                    .key(&**name)
                    .content_type(CONTENT_TYPE)
                    .metadata(MARKER, header_text(marker))
                    .set_server_side_encryption(self.encryption());
                if self.options().checksums {
                    request = request.checksum_algorithm(ChecksumAlgorithm::Crc32C);
                }
                request.send().await.map_err(Failure::from)
            })
            .await?;
        match answer.upload_id {
            Some(id) => Ok(id.into()),
            None => Err(self.malformed(operation, name, "an upload id").into()),
        }
    }

    async fn part(
        &self,
        name: &ObjectName,
        upload: &UploadId,
        number: i32,
        body: Vec<Bytes>,
    ) -> Result<PartTag, Fault> {
        let operation = Operation::UploadPart;
        let content = Content::new(body);
        let sums = self.sums(&content).await;
        let answer = self
            .call(operation, name, || async {
                let request = self
                    .client()
                    .upload_part()
                    .bucket(&self.options().bucket)
                    .set_expected_bucket_owner(self.owner())
                    .key(&**name)
                    .upload_id(&**upload)
                    .part_number(number)
                    .content_length(content.len() as i64)
                    .set_checksum_crc32_c(sums.crc32c.clone());
                let (reading, progress) = content.read();
                self.counters().sent(content.len());
                tokio::select! {
                    answer = request.body(stream(reading)).customize().interceptor(sums.signing()).send() => {
                        answer.map_err(Failure::from)
                    }
                    loss = self.stuck(&progress) => Err(Failure::Lost(loss)),
                }
            })
            .await?;
        match answer.e_tag {
            Some(tag) => Ok(PartTag { number, tag: Tag { etag: tag, crc32c: sums.crc32c }.join() }),
            None => Err(self.malformed(operation, name, "an ETag").into()),
        }
    }

    async fn publish(&self, object: &IntentObject, parts: &[PartTag]) -> Result<Finished, Fault> {
        if parts.is_empty() {
            return Err(Error::NoParts { name: object.name.to_string() }.into());
        }
        Ok(self.complete(object, parts).await?)
    }

    async fn finish(&self, object: &IntentObject) -> Result<Finished, Fault> {
        let operation = Operation::ListParts;
        match self.list_parts(object).await {
            Ok(None) => Err(self.malformed(operation, &object.name, "some of the parts").into()),
            // Nobody prepares an upload without parts, so these have been taken away. It is ended before it is given up:
            // what counts as gone nobody may complete later.
            Ok(Some(parts)) if parts.is_empty() => {
                let operation = Operation::AbortMultipartUpload;
                match self.persist(operation, &object.name, || self.send_abort(&object.name, &object.upload)).await {
                    Ok(()) => Ok(Finished::Gone),
                    Err(gave_up) if gave_up.is("NoSuchUpload") => Ok(self.look_for(object).await?),
                    Err(gave_up) => Err(self.explain(operation, &object.name, gave_up).await.into()),
                }
            }
            Ok(Some(parts)) => Ok(self.complete(object, &parts).await?),
            Err(gave_up) if gave_up.is("NoSuchUpload") => Ok(self.look_for(object).await?),
            Err(gave_up) => Err(self.explain(operation, &object.name, gave_up).await.into()),
        }
    }

    async fn abort(&self, name: &ObjectName, upload: &UploadId) {
        self.abort_upload(name, upload).await;
    }

    async fn put_manifest(&self, name: &ObjectName, body: Bytes) -> Result<(), Fault> {
        self.put(name, vec![body], None).await?;
        Ok(())
    }

    async fn get_manifest(&self, name: &ObjectName) -> Result<Option<Bytes>, Fault> {
        let operation = Operation::GetObject;
        let read = self
            .persist(operation, name, || async {
                let request = self
                    .client()
                    .get_object()
                    .bucket(&self.options().bucket)
                    .set_expected_bucket_owner(self.owner())
                    .key(&**name);
                let answer = request.send().await.map_err(Failure::from)?;
                whole(answer.body, HELD).await
            })
            .await;
        match read {
            Ok(body) => Ok(Some(body)),
            Err(gave_up) if gave_up.is("NoSuchKey") || gave_up.wants_list() => Ok(None),
            Err(gave_up) => Err(self.explain(operation, name, gave_up).await.into()),
        }
    }

    async fn delete_manifest(&self, name: &ObjectName) {
        let delete = self.call(Operation::DeleteObject, name, || async {
            let request = self
                .client()
                .delete_object()
                .bucket(&self.options().bucket)
                .set_expected_bucket_owner(self.owner())
                .key(&**name);
            request.send().await.map_err(Failure::from)
        });
        match tokio::time::timeout(BEST_EFFORT, delete).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(object = %name, error = %fault::Chain(&error), "manifest stays"),
            Err(_) => tracing::debug!(object = %name, "manifest stays: S3 did not answer in time"),
        }
    }

    fn min_part(&self) -> usize {
        MIN_PART
    }
}

impl S3Sink {
    /// Writes an object in one request. Not a fence: a late twin of this request overwrites what came after it, so the
    /// name must belong to these bytes alone, or exactly once must not be asked for.
    ///
    /// With [`ExistingObject::Fail`] an object of ours (by `marker`) that is there already counts as written.
    pub async fn put(&self, name: &ObjectName, body: Vec<Bytes>, marker: Option<&str>) -> Result<(), Error> {
        let operation = Operation::PutObject;
        let content = Content::new(body);
        let sums = self.sums(&content).await;
        let only_new = marker.is_some() && self.options().existing == ExistingObject::Fail;
        let put = self
            .persist(operation, name, || async {
                let mut request = self
                    .client()
                    .put_object()
                    .bucket(&self.options().bucket)
                    .set_expected_bucket_owner(self.owner())
                    .key(&**name)
                    .content_type(CONTENT_TYPE)
                    .content_length(content.len() as i64)
                    .set_checksum_crc32_c(sums.crc32c.clone())
                    .set_server_side_encryption(self.encryption());
                if let Some(marker) = marker {
                    request = request.metadata(MARKER, header_text(marker));
                }
                if only_new {
                    request = request.if_none_match("*");
                }
                let (reading, progress) = content.read();
                self.counters().sent(content.len());
                tokio::select! {
                    answer = request.body(stream(reading)).customize().interceptor(sums.signing()).send() => {
                        answer.map_err(Failure::from)
                    }
                    loss = self.stuck(&progress) => Err(Failure::Lost(loss)),
                }
            })
            .await;
        match put {
            Ok(answer) if answer.e_tag.is_some() => Ok(()),
            // A server of another kind says 200 to whatever comes.
            Ok(_) => Err(self.malformed(operation, name, "an ETag")),
            Err(gave_up) if gave_up.is("PreconditionFailed") => {
                self.ours_or_exists(name, marker.unwrap_or_default()).await
            }
            Err(gave_up) => Err(self.explain(operation, name, gave_up).await),
        }
    }

    async fn complete(&self, object: &IntentObject, parts: &[PartTag]) -> Result<Finished, Error> {
        let operation = Operation::CompleteMultipartUpload;
        let mut parts = parts.to_vec();
        parts.sort_by_key(|part| part.number);
        let parts = parts.iter().map(|part| {
            let Tag { etag, crc32c } = Tag::split(&part.tag);
            CompletedPart::builder().part_number(part.number).e_tag(etag).set_checksum_crc32_c(crc32c).build()
        });
        let upload = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let completed = self
            .persist(operation, &object.name, || async {
                let mut request = self
                    .client()
                    .complete_multipart_upload()
                    .bucket(&self.options().bucket)
                    .set_expected_bucket_owner(self.owner())
                    .key(&*object.name)
                    .upload_id(&*object.upload)
                    .multipart_upload(upload.clone());
                if self.options().existing == ExistingObject::Fail {
                    request = request.if_none_match("*");
                }
                request.send().await.map_err(Failure::from)
            })
            .await;
        match completed {
            Ok(_) => {
                self.prove(object).await?;
                Ok(Finished::Visible)
            }
            // Completed by an attempt whose answer was lost, or by another owner; or aborted.
            Err(gave_up) if gave_up.is("NoSuchUpload") => self.look_for(object).await,
            Err(gave_up) if gave_up.is("PreconditionFailed") => {
                self.ours_or_exists(&object.name, &object.marker).await?;
                Ok(Finished::Visible)
            }
            // Somebody wrote the name at the same moment: S3 takes this upload no more ("CompleteMultipartUpload", S3 API
            // reference: begin again and upload every part). Ended first, so that no late request can complete it after
            // its records were written anew; what is there after that decides.
            Err(gave_up) if gave_up.is(CONFLICT) => {
                let abort = Operation::AbortMultipartUpload;
                match self.persist(abort, &object.name, || self.send_abort(&object.name, &object.upload)).await {
                    Ok(()) => self.look_for(object).await,
                    Err(gave_up) if gave_up.is("NoSuchUpload") => self.look_for(object).await,
                    Err(gave_up) => Err(self.explain(abort, &object.name, gave_up).await),
                }
            }
            Err(gave_up) => Err(self.explain(operation, &object.name, gave_up).await),
        }
    }

    /// All parts of an upload, in order; `None` if the store does not show all of them. Completed with those that are
    /// shown, the object would be cut short for ever.
    async fn list_parts(&self, object: &IntentObject) -> Result<Option<Vec<PartTag>>, super::sink::GaveUp> {
        let mut parts = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self
                .persist(Operation::ListParts, &object.name, || async {
                    let request = self
                        .client()
                        .list_parts()
                        .bucket(&self.options().bucket)
                        .set_expected_bucket_owner(self.owner())
                        .key(&*object.name)
                        .upload_id(&*object.upload)
                        .set_part_number_marker(after.clone());
                    request.send().await.map_err(Failure::from)
                })
                .await?;
            for part in page.parts.unwrap_or_default() {
                // Numbered without a gap, from 1 (`transit` sends them so).
                let (Some(number), Some(etag)) = (part.part_number, part.e_tag) else { return Ok(None) };
                if usize::try_from(number) != Ok(parts.len() + 1) {
                    return Ok(None);
                }
                // Whether this sink sends checksums is no matter: what was begun with them is completed with them.
                let crc32c = part.checksum_crc32_c;
                parts.push(PartTag { number, tag: Tag { etag, crc32c }.join() });
            }
            match page.next_part_number_marker {
                _ if page.is_truncated != Some(true) => return Ok(Some(parts)),
                // A store that repeats itself must not keep us here.
                Some(next) if after.as_ref() != Some(&next) => after = Some(next),
                _ => return Ok(None),
            }
        }
    }

    /// Aborts; true if the upload is gone now.
    pub(super) async fn abort_upload(&self, name: &str, upload: &str) -> bool {
        let operation = Operation::AbortMultipartUpload;
        let abort = self.persist(operation, name, || self.send_abort(name, upload));
        match tokio::time::timeout(BEST_EFFORT, abort).await {
            Ok(Ok(())) => true,
            Ok(Err(gave_up)) if gave_up.is("NoSuchUpload") => true,
            Ok(Err(gave_up)) => {
                let error = self.explain(operation, name, gave_up).await;
                tracing::warn!(object = name, error = %fault::Chain(&error), "upload stays; the bucket's lifecycle may end it");
                false
            }
            Err(_) => {
                tracing::warn!(object = name, "upload stays: S3 did not answer in time; a later start will find it");
                false
            }
        }
    }

    async fn send_abort(&self, name: &str, upload: &str) -> Result<(), Failure> {
        let request = self.client().abort_multipart_upload();
        let request =
            request.bucket(&self.options().bucket).set_expected_bucket_owner(self.owner()).key(name).upload_id(upload);
        request.send().await.map(drop).map_err(Failure::from)
    }

    async fn stuck(&self, progress: &Progress) -> Loss {
        progress.stuck(self.options().stall_after, self.options().answer_within).await
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        self.options().server_side_encryption.as_deref().map(ServerSideEncryption::from)
    }

    async fn sums(&self, content: &Content) -> Sums {
        let sha256 = if self.options().signs_payload() { Some(content.sha256().await) } else { None };
        Sums { crc32c: self.options().checksums.then(|| content.crc32c()), sha256 }
    }

    fn malformed(&self, operation: Operation, name: &str, missing: &'static str) -> Error {
        let bucket = self.options().bucket.clone();
        Error::Malformed { operation: operation.name(), bucket, name: name.to_owned(), missing }
    }
}

/// A mark as the value of a header: S3 takes only ASCII, and trims blanks at the ends. Any other character, and `%`, is
/// written as the percent-encoding of its UTF-8, so that two marks are equal if and only if their texts are.
pub(super) fn header_text(marker: &str) -> String {
    let mut text = String::with_capacity(marker.len());
    for byte in marker.bytes() {
        if (byte.is_ascii_graphic() || byte == b' ') && byte != b'%' {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            write!(text, "%{byte:02X}").expect("a string takes all");
        }
    }
    match text.trim_matches(' ').len() {
        trimmed if trimmed == text.len() => text,
        _ => text.replace(' ', "%20"),
    }
}

/// What is known of a body before it is sent.
struct Sums {
    crc32c: Option<String>,
    sha256: Option<String>,
}

impl Sums {
    fn signing(&self) -> PayloadSigning {
        PayloadSigning::of(self.sha256.as_deref())
    }
}

/// What completing an upload must say of a part. Kept in [`PartTag::tag`] as the ETag, and after a blank the checksum.
#[derive(Debug, PartialEq, Eq)]
struct Tag {
    etag: String,
    crc32c: Option<String>,
}

impl Tag {
    fn join(self) -> String {
        match self.crc32c {
            Some(crc32c) => format!("{} {crc32c}", self.etag),
            None => self.etag,
        }
    }

    fn split(tag: &str) -> Self {
        match tag.rsplit_once(' ') {
            Some((etag, crc32c)) => Self { etag: etag.into(), crc32c: Some(crc32c.into()) },
            None => Self { etag: tag.into(), crc32c: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_the_same_after_its_way_through_a_header() {
        assert_eq!(header_text("cut-1 orders 0.1.0"), "cut-1 orders 0.1.0");
        assert_eq!(header_text("cut-1 b\u{fc}cher 100%"), "cut-1 b%C3%BCcher 100%25");
        assert_eq!(header_text(" a b "), "%20a%20b%20");
        assert_eq!(header_text("a\tb"), "a%09b");
    }

    #[test]
    fn a_tag_keeps_the_etag_and_the_checksum() {
        for crc32c in [None, Some("4waSgw==".to_owned())] {
            let tag = || Tag { etag: "\"9b2cf535f27731c974343645a3985328\"".into(), crc32c: crc32c.clone() };
            assert_eq!(Tag::split(&tag().join()), tag());
        }
    }
}
