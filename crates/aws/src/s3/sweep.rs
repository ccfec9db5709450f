use std::borrow::Cow;
use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::types::{EncodingType, MultipartUpload};
use iam::Arn;
use percent_encoding::percent_decode_str;
use transit::UploadId;

use crate::failure::Failure;
use crate::s3::error::Error;
use crate::s3::operation::Operation;
use crate::s3::sink::S3Sink;

/// Which uploads are orphans of ours.
pub struct Sweep<'a> {
    /// The literal beginning of all names that this connector writes.
    pub prefix: &'a str,
    /// Whether a name is one that this connector could have written.
    pub is_ours: &'a (dyn Fn(&str) -> bool + Send + Sync),
    /// Uploads that are still wanted, however old: those of the intents in hand.
    pub keep: &'a HashSet<UploadId>,
    /// The least age. A younger one may be a live sibling's.
    pub older_than: Duration,
}

impl std::fmt::Debug for Sweep<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sweep")
            .field("prefix", &self.prefix)
            .field("older_than", &self.older_than)
            .finish_non_exhaustive()
    }
}

impl Sweep<'_> {
    /// A day: longer than any upload of ours stays open, unless records are gathered for longer.
    pub const A_DAY: Duration = Duration::from_hours(24);
}

/// What a sweep did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swept {
    /// Uploads aborted.
    pub aborted: u64,
    /// Uploads under our names that were left alone: too young, wanted, or begun by somebody else.
    pub left: u64,
}

impl S3Sink {
    /// Aborts the uploads that an earlier life of this connector left behind.
    ///
    /// Without the permission to list uploads it says so once and does nothing: orphans cost storage, not records.
    pub async fn sweep(&self, sweep: &Sweep<'_>) -> Result<Swept, Error> {
        let operation = Operation::ListMultipartUploads;
        let mut swept = Swept::default();
        let role = self.role().await;
        let mut after: (Option<String>, Option<String>) = (None, None);
        loop {
            let page = self
                .persist(operation, "", || async {
                    let request = self
                        .client()
                        .list_multipart_uploads()
                        .bucket(&self.options().bucket)
                        .set_expected_bucket_owner(self.owner());
                    // What XML does to blanks and line ends must not change a name.
                    let request = request.prefix(sweep.prefix).encoding_type(EncodingType::Url);
                    let request = request.set_key_marker(after.0.clone()).set_upload_id_marker(after.1.clone());
                    request.send().await.map_err(Failure::from)
                })
                .await;
            let page = match page {
                Ok(page) => page,
                Err(gave_up) => {
                    let denied = gave_up.is("AccessDenied") || gave_up.is("NotImplemented");
                    let error = self.explain(operation, "", gave_up).await;
                    if denied {
                        tracing::warn!(
                            error = %fault::Chain(&error),
                            "orphaned uploads are not looked for; a lifecycle rule (AbortIncompleteMultipartUpload) ends them too"
                        );
                        return Ok(swept);
                    }
                    return Err(error);
                }
            };
            // A store that does not know the parameter does not repeat it.
            let encoded = page.encoding_type == Some(EncodingType::Url);
            for upload in page.uploads.unwrap_or_default() {
                let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
                let key = if encoded { Cow::Owned(decode(key)) } else { Cow::Borrowed(key) };
                if !(sweep.is_ours)(&key) {
                    continue;
                }
                if self.is_orphan(sweep, &upload, id, &role) && self.abort_upload(&key, id).await {
                    tracing::info!(object = %key, "orphaned upload aborted");
                    swept.aborted += 1;
                } else {
                    swept.left += 1;
                }
            }
            let next_key = page.next_key_marker.map(|key| if encoded { decode(&key) } else { key });
            let next = (next_key, page.next_upload_id_marker);
            // A store that repeats itself must not keep us here.
            if page.is_truncated != Some(true) || next.0.is_none() || next == after {
                return Ok(swept);
            }
            after = next;
        }
    }

    fn is_orphan(&self, sweep: &Sweep<'_>, upload: &MultipartUpload, id: &str, role: &str) -> bool {
        let initiator = upload.initiator().and_then(|initiator| initiator.id());
        let begun = upload.initiated().and_then(|begun| SystemTime::try_from(*begun).ok());
        let age = begun.and_then(|begun| self.clock().now().duration_since(begun).ok());
        let wanted = sweep.keep.iter().any(|kept| **kept == *id);
        // What is not told is not guessed: no initiator or no date means somebody else's.
        !wanted
            && age.is_some_and(|age| age >= sweep.older_than)
            && initiator.is_some_and(|initiator| without_session(initiator) == role)
    }

    /// Who we are, whatever the session is called.
    async fn role(&self) -> String {
        match self.identity().signer().await {
            Ok(signer) => without_session(&self.as_whom(&signer).await).to_owned(),
            Err(_) => self.identity().name(),
        }
    }
}

/// A key of a listing with `encoding-type=url`, where `+` is a blank ("ListMultipartUploads", S3 API reference).
fn decode(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// `arn:aws:sts::111111111111:assumed-role/orders/SESSION` without the session's name; anything else as it is.
fn without_session(text: &str) -> &str {
    match text.parse::<Arn>() {
        Ok(arn) => match arn.role_session() {
            Some((_, session)) => &text[..text.len() - session.len()],
            None => text,
        },
        Err(_) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_a_listing_is_decoded() {
        assert_eq!(decode("a+b%2Bc%0A/%C3%BC%25"), "a b+c\n/\u{fc}%");
    }

    #[test]
    fn the_sessions_name_is_no_part_of_who_began_an_upload() {
        assert_eq!(
            without_session("arn:aws:sts::111111111111:assumed-role/orders/tidegate-7"),
            "arn:aws:sts::111111111111:assumed-role/orders/"
        );
        assert_eq!(without_session("arn:aws:iam::111111111111:user/x/y"), "arn:aws:iam::111111111111:user/x/y");
    }
}
