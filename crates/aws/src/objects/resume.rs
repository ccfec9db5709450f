use std::collections::BTreeMap;
use std::sync::Arc;

use crate::failure::Failure;
use crate::objects::bucket::Bucket;
use crate::objects::checksum::Sum;
use crate::objects::error::Error;
use crate::objects::multipart::Job;
use crate::objects::notes::Note;
use crate::objects::parts::Done;
use crate::objects::piece::{Piece, Watched};
use crate::objects::put::Target;
use crate::s3::operation::Operation;

impl Bucket {
    /// Goes on with the upload of a note if that is wanted and possible; ends it otherwise.
    pub(super) async fn take_up(
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
}
