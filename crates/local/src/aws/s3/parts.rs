use super::NAMESPACE;
use super::call::Call;
use super::list::number;
use super::multipart::{may_own, upload_id};
use super::sse::may_decrypt;
use crate::aws::api_error::ApiError;
use crate::aws::reply::Reply;
use crate::aws::time;
use crate::aws::xml::Xml;

pub(super) fn list_parts(call: &Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let id = upload_id(call)?;
    may_own(call, &id, "s3:ListMultipartUploadParts", &bucket)?;
    let max = number(call, "max-parts", 1000)?;
    let marker = number(call, "part-number-marker", 0)?;
    let (name, key) = (&call.target.bucket, &call.target.key);
    let upload = call.shared.store.read(|index| index.need_upload(name, key, &id).cloned())?;
    may_decrypt(call, (name, &bucket), key, &upload.traits.sse)?;
    let after: Vec<_> = upload.parts.iter().filter(|(number, _)| usize::from(**number) > marker).collect();
    let page = &after[..after.len().min(max)];
    let mut xml = Xml::document();
    xml.within(&format!("ListPartsResult xmlns=\"{NAMESPACE}\""), |xml| {
        xml.field("Bucket", name).field("Key", key).field("UploadId", &id);
        for who in ["Initiator", "Owner"] {
            xml.within(who, |xml| {
                let of_owner = who == "Owner";
                xml.field("ID", if of_owner { bucket.owner.as_str() } else { &upload.initiator });
            });
        }
        xml.field("StorageClass", upload.traits.storage_class.as_deref().unwrap_or("STANDARD"));
        if let Some((algorithm, kind)) = upload.checksum {
            xml.field("ChecksumAlgorithm", algorithm.name()).field("ChecksumType", kind.name());
        }
        xml.field("PartNumberMarker", marker);
        xml.field("NextPartNumberMarker", page.last().map_or(0, |(number, _)| **number));
        xml.field("MaxParts", max).field("IsTruncated", page.len() < after.len());
        for (number, part) in page {
            xml.within("Part", |xml| {
                xml.field("PartNumber", number).field("LastModified", time::iso_millis(part.modified.into()));
                xml.field("ETag", &part.etag).field("Size", part.size);
                if let Some((algorithm, value)) = &part.checksum {
                    xml.field(algorithm.element(), value);
                }
            });
        }
    });
    Ok(Reply::xml(xml.finish()))
}
