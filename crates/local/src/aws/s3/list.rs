use std::ops::Bound;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use iam::Context;

use super::call::Call;
use super::{NAMESPACE, Operation};
use crate::aws::api_error::ApiError;
use crate::aws::reply::Reply;
use crate::aws::store::{Object, Upload};
use crate::aws::time;
use crate::aws::uri;
use crate::aws::xml::Xml;

/// The most entries on a page.
pub(super) const PAGE: usize = 1000;

/// Reads a parameter that is a number; one above [`PAGE`] counts as that.
pub(super) fn number(call: &Call<'_>, name: &str, default: usize) -> Result<usize, ApiError> {
    let Some(text) = call.query.get(name) else { return Ok(default) };
    let number = text.parse::<u32>().map_err(|_| {
        ApiError::of("InvalidArgument")
            .saying(format!("Provided {name} not an integer or within integer range"))
            .field("ArgumentName", name)
            .field("ArgumentValue", text)
    })?;
    Ok(if name == "part-number-marker" { number as usize } else { (number as usize).min(PAGE) })
}

/// One page of a listing: what stands for itself, and what is folded at the delimiter.
#[derive(Debug)]
struct Page<T> {
    entries: Vec<T>,
    prefixes: Vec<String>,
    /// The last key or prefix on the page, if there is more behind it.
    next: Option<String>,
}

impl<T> Page<T> {
    /// Folds `keys`, which are in order and begin with `prefix`. `after` is where the page before ended.
    fn fold(keys: impl Iterator<Item = (String, T)>, prefix: &str, delimiter: &str, after: &str, max: usize) -> Self {
        let mut page = Self { entries: Vec::new(), prefixes: Vec::new(), next: None };
        let mut last = String::new();
        for (key, entry) in keys {
            let folded = key[prefix.len()..].find(delimiter).filter(|_| !delimiter.is_empty());
            let folded = folded.map(|at| key[..prefix.len() + at + delimiter.len()].to_owned());
            // A prefix that ended a page, or was listed on this one, stands for all keys below it.
            if folded
                .as_deref()
                .is_some_and(|folded| folded <= after || page.prefixes.last().is_some_and(|p| p == folded))
            {
                continue;
            }
            if page.entries.len() + page.prefixes.len() == max {
                page.next = Some(last).filter(|_| max > 0);
                break;
            }
            last = folded.clone().unwrap_or(key);
            match folded {
                Some(folded) => page.prefixes.push(folded),
                None => page.entries.push(entry),
            }
        }
        page
    }
}

/// The parameters that all listings share.
pub(super) struct Asked<'c> {
    pub(super) prefix: &'c str,
    pub(super) delimiter: &'c str,
    pub(super) encode: bool,
}

impl<'c> Asked<'c> {
    pub(super) fn read(call: &'c Call<'_>) -> Result<Self, ApiError> {
        let encode = match call.query.get("encoding-type") {
            None => false,
            Some("url") => true,
            Some(_) => {
                return Err(ApiError::of("InvalidArgument").saying("Invalid Encoding Method specified in Request"));
            }
        };
        let text = |name| call.query.get(name).unwrap_or_default();
        Ok(Self { prefix: text("prefix"), delimiter: text("delimiter"), encode })
    }

    pub(super) fn key(&self, key: &str) -> String {
        if self.encode { uri::encode(key, true) } else { key.to_owned() }
    }

    pub(super) fn prefixes(&self, xml: &mut Xml, prefixes: &[String]) {
        for prefix in prefixes {
            xml.within("CommonPrefixes", |xml| {
                xml.field("Prefix", self.key(prefix));
            });
        }
    }
}

pub(super) fn list_objects(call: &Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let keys = |context: &mut Context| {
        for (parameter, key) in [("prefix", "s3:prefix"), ("delimiter", "s3:delimiter"), ("max-keys", "s3:max-keys")] {
            if let Some(value) = call.query.get(parameter) {
                context.set(key, value);
            }
        }
    };
    call.may_with("s3:ListBucket", &call.bucket_arn(), &bucket, keys)?;
    let asked = Asked::read(call)?;
    let max = number(call, "max-keys", PAGE)?;
    let second = call.operation == Operation::ListObjectsV2;
    let after = if second { start_of_v2(call)? } else { call.query.get("marker").unwrap_or_default().to_owned() };
    let page = call.shared.store.read(|index| {
        let objects = &index.need(&call.target.bucket)?.objects;
        let from = if *after < *asked.prefix { Bound::Included(asked.prefix) } else { Bound::Excluded(&*after) };
        let behind = objects.range::<str, _>((from, Bound::Unbounded));
        let keys = behind
            .take_while(|(key, _)| key.starts_with(asked.prefix))
            .map(|(key, object)| (key.clone(), object.clone()));
        Ok::<_, ApiError>(Page::fold(keys, asked.prefix, asked.delimiter, &after, max))
    })?;
    let mut xml = Xml::document();
    xml.within(&format!("ListBucketResult xmlns=\"{NAMESPACE}\""), |xml| {
        xml.field("Name", &call.target.bucket).field("Prefix", asked.key(asked.prefix));
        if second {
            let given = call.query.get("start-after").map(|start| asked.key(start));
            xml.maybe("StartAfter", given).maybe("ContinuationToken", call.query.get("continuation-token"));
            let next = page.next.as_ref().map(|next| URL_SAFE_NO_PAD.encode(next));
            xml.maybe("NextContinuationToken", next);
            xml.field("KeyCount", page.entries.len() + page.prefixes.len());
        } else {
            xml.field("Marker", asked.key(&after));
            // The first version names the next marker only where keys are folded.
            let next = page.next.as_ref().filter(|_| !asked.delimiter.is_empty());
            xml.maybe("NextMarker", next.map(|next| asked.key(next)));
        }
        xml.field("MaxKeys", max);
        xml.maybe("Delimiter", Some(asked.delimiter).filter(|d| !d.is_empty()).map(|d| asked.key(d)));
        xml.maybe("EncodingType", asked.encode.then_some("url"));
        xml.field("IsTruncated", page.next.is_some());
        let with_owner = !second || call.query.get("fetch-owner") == Some("true");
        for object in &page.entries {
            xml.within("Contents", |xml| {
                write_object(xml, &asked, object, with_owner.then_some(object.owner.unwrap_or(bucket.owner)));
            });
        }
        asked.prefixes(xml, &page.prefixes);
    });
    Ok(Reply::xml(xml.finish()))
}

/// A token is the key that the page before ended with; nobody else has to know.
fn start_of_v2(call: &Call<'_>) -> Result<String, ApiError> {
    let Some(token) = call.query.get("continuation-token") else {
        return Ok(call.query.get("start-after").unwrap_or_default().to_owned());
    };
    let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|key| String::from_utf8(key).ok());
    decoded.ok_or_else(|| ApiError::of("InvalidArgument").saying("The continuation token provided is incorrect"))
}

fn write_object(xml: &mut Xml, asked: &Asked<'_>, object: &Arc<Object>, owner: Option<iam::AccountId>) {
    xml.field("Key", asked.key(&object.key));
    xml.field("LastModified", time::iso_millis(object.modified.into()));
    xml.field("ETag", &object.etag);
    if let Some(checksum) = &object.checksum {
        xml.field("ChecksumAlgorithm", checksum.algorithm.name()).field("ChecksumType", checksum.kind.name());
    }
    xml.field("Size", object.size);
    if let Some(owner) = owner {
        xml.within("Owner", |xml| {
            xml.field("ID", owner);
        });
    }
    xml.field("StorageClass", object.traits.storage_class.as_deref().unwrap_or("STANDARD"));
}

pub(super) fn list_uploads(call: &Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    call.may("s3:ListBucketMultipartUploads", &call.bucket_arn(), &bucket)?;
    let asked = Asked::read(call)?;
    let max = number(call, "max-uploads", PAGE)?;
    let key_marker = call.query.get("key-marker").unwrap_or_default();
    let id_marker = call.query.get("upload-id-marker").filter(|_| !key_marker.is_empty()).unwrap_or_default();
    let mut uploads: Vec<(String, Upload)> = call.shared.store.read(|index| {
        let all = index.need(&call.target.bucket)?.uploads.iter();
        let all = all.filter(|(_, upload)| upload.key.starts_with(asked.prefix));
        Ok::<_, ApiError>(all.map(|(id, upload)| (id.clone(), upload.clone())).collect())
    })?;
    // By key, then by when they were begun, as S3 lists them.
    uploads.sort_by(|(a, x), (b, y)| (&x.key, x.begun, a).cmp(&(&y.key, y.begun, b)));
    let seen = uploads.iter().position(|(id, upload)| upload.key == key_marker && id == id_marker);
    let rest = match seen {
        Some(at) => uploads.split_off(at + 1),
        None => uploads.into_iter().filter(|(_, upload)| &*upload.key > key_marker).collect(),
    };
    let keys = rest.into_iter().map(|(id, upload)| (upload.key.clone(), (id, upload)));
    let page = Page::fold(keys, asked.prefix, asked.delimiter, key_marker, max);
    let mut xml = Xml::document();
    xml.within(&format!("ListMultipartUploadsResult xmlns=\"{NAMESPACE}\""), |xml| {
        xml.field("Bucket", &call.target.bucket);
        xml.field("KeyMarker", asked.key(key_marker)).field("UploadIdMarker", id_marker);
        if let Some(next) = &page.next {
            xml.field("NextKeyMarker", asked.key(next));
            let last = page.entries.last().filter(|(_, upload)| upload.key == *next);
            xml.field("NextUploadIdMarker", last.map_or("", |(id, _)| id));
        }
        xml.field("Prefix", asked.key(asked.prefix));
        xml.maybe("Delimiter", Some(asked.delimiter).filter(|d| !d.is_empty()).map(|d| asked.key(d)));
        xml.maybe("EncodingType", asked.encode.then_some("url"));
        xml.field("MaxUploads", max).field("IsTruncated", page.next.is_some());
        for (id, upload) in &page.entries {
            xml.within("Upload", |xml| {
                xml.field("Key", asked.key(&upload.key)).field("UploadId", id);
                xml.within("Initiator", |xml| {
                    xml.field("ID", &upload.initiator);
                });
                xml.within("Owner", |xml| {
                    xml.field("ID", bucket.owner);
                });
                xml.field("StorageClass", upload.traits.storage_class.as_deref().unwrap_or("STANDARD"));
                xml.field("Initiated", time::iso_millis(upload.begun.into()));
                if let Some((algorithm, kind)) = upload.checksum {
                    xml.field("ChecksumAlgorithm", algorithm.name()).field("ChecksumType", kind.name());
                }
            });
        }
        asked.prefixes(xml, &page.prefixes);
    });
    Ok(Reply::xml(xml.finish()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::Page;

    proptest! {
        #[test]
        fn pages_of_any_size_together_are_the_whole_listing(
            keys in proptest::collection::btree_set("[ab/]{1,6}", 0..20),
            prefix in "[ab/]{0,2}",
            delimiter in "/?",
            max in 1usize..5,
        ) {
            let list = |after: &str, max| {
                let below = keys.iter().filter(|key| key.starts_with(&prefix) && key.as_str() > after);
                Page::fold(below.map(|key| (key.clone(), key.clone())), &prefix, &delimiter, after, max)
            };
            let whole = list("", usize::MAX);
            let (mut entries, mut prefixes, mut after) = (Vec::new(), Vec::new(), String::new());
            loop {
                let page = list(&after, max);
                prop_assert!(page.entries.len() + page.prefixes.len() <= max);
                entries.extend(page.entries);
                prefixes.extend(page.prefixes);
                match page.next {
                    Some(next) => after = next,
                    None => break,
                }
            }
            prop_assert_eq!(&entries, &whole.entries);
            prop_assert_eq!(&prefixes, &whole.prefixes);
            let distinct: BTreeSet<_> = prefixes.iter().collect();
            prop_assert_eq!(distinct.len(), prefixes.len());
        }
    }
}
