use std::time::SystemTime;

use aws_sdk_s3::types::EncodingType;
use percent_encoding::percent_decode_str;

use crate::failure::Failure;
use crate::objects::bucket::Bucket;
use crate::objects::error::Error;
use crate::s3::operation::Operation;

/// What is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// What keys begin with.
    pub prefix: String,
    /// Only keys behind this one, in the order of their bytes.
    pub start_after: Option<String>,
    /// Keys that are alike up to this text behind the prefix are shown as one.
    pub delimiter: Option<String>,
    /// The most that S3 is asked for at once; it gives no more than 1000.
    pub page: Option<u16>,
}

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key, whatever is in it.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it became visible.
    pub modified: Option<SystemTime>,
    /// Its ETag, as S3 writes it, quotes and all.
    pub etag: Option<String>,
    /// `STANDARD` if S3 says nothing.
    pub storage_class: String,
}

/// Some of a listing, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Objects.
    pub objects: Vec<Entry>,
    /// What keys with the delimiter in them begin with, delimiter and all.
    pub folders: Vec<String>,
}

/// A listing, page by page: it is never held in memory whole.
#[derive(Debug)]
pub struct Lister {
    bucket: Bucket,
    options: ListOptions,
    token: Option<String>,
    ended: bool,
}

impl Bucket {
    /// Lists objects, in the order of their keys' bytes. No call is made before the first page is asked for.
    ///
    /// # Errors
    /// The connection's fence does not let all of them be shown.
    pub fn list(&self, options: ListOptions) -> Result<Lister, Error> {
        self.admit_prefix(&options.prefix)?;
        Ok(Lister { bucket: self.clone(), options, token: None, ended: false })
    }
}

impl Lister {
    /// The next page; `None` behind the last one. A page may be empty.
    ///
    /// # Errors
    /// S3 refuses.
    pub async fn next(&mut self) -> Result<Option<Page>, Error> {
        if self.ended {
            return Ok(None);
        }
        let operation = Operation::ListObjectsV2;
        let (bucket, options) = (&self.bucket, &self.options);
        let answer = bucket
            .call(operation, &options.prefix, |client| {
                let request = client
                    .list_objects_v2()
                    .bucket(bucket.name())
                    .set_expected_bucket_owner(bucket.owner())
                    .prefix(&options.prefix)
                    .set_start_after(options.start_after.clone())
                    .set_delimiter(options.delimiter.clone())
                    .set_max_keys(options.page.map(i32::from))
                    // What XML does to blanks and line ends must not change a name.
                    .encoding_type(EncodingType::Url)
                    .set_continuation_token(self.token.clone());
                async move { request.send().await.map_err(Failure::from) }
            })
            .await?;
        // A store that does not know the parameter does not repeat it.
        let encoded = answer.encoding_type == Some(EncodingType::Url);
        let name = |text: String| if encoded { decode(&text) } else { text };
        let objects = answer.contents.unwrap_or_default().into_iter().filter_map(|object| {
            Some(Entry {
                size: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
                modified: object.last_modified().and_then(|modified| SystemTime::try_from(*modified).ok()),
                storage_class: object.storage_class().map_or("STANDARD", |class| class.as_str()).to_owned(),
                etag: object.e_tag().map(str::to_owned),
                key: name(object.key?),
            })
        });
        let folders = answer.common_prefixes.unwrap_or_default();
        let page = Page {
            objects: objects.collect(),
            folders: folders.into_iter().filter_map(|folder| folder.prefix).map(name).collect(),
        };
        // A store that repeats itself must not keep us here.
        self.ended = answer.next_continuation_token.is_none() || answer.next_continuation_token == self.token;
        self.token = answer.next_continuation_token;
        Ok(Some(page))
    }
}

/// A key of a listing with `encoding-type=url`, where `+` is a blank ("ListObjectsV2", S3 API reference).
fn decode(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}
