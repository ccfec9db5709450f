use std::time::SystemTime;

use bytes::Bytes;
use transit::ObjectName;

use crate::bounded::{HELD, whole};
use crate::failure::Failure;
use crate::s3::error::Error;
use crate::s3::operation::Operation;
use crate::s3::sink::S3Sink;

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub name: ObjectName,
    /// Its size in bytes.
    pub size: u64,
    /// When it became visible.
    pub modified: Option<SystemTime>,
}

impl S3Sink {
    /// All visible objects whose names begin with `prefix`, in the order of their names.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Listed>, Error> {
        let operation = Operation::ListObjectsV2;
        let mut listed = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self
                .persist(operation, prefix, || async {
                    let request = self
                        .client()
                        .list_objects_v2()
                        .bucket(&self.options().bucket)
                        .set_expected_bucket_owner(self.owner())
                        .prefix(prefix);
                    request.set_continuation_token(after.clone()).send().await.map_err(Failure::from)
                })
                .await;
            let page = match page {
                Ok(page) => page,
                Err(gave_up) => return Err(self.explain(operation, prefix, gave_up).await),
            };
            for object in page.contents.unwrap_or_default() {
                let Some(name) = object.key() else { continue };
                let size = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
                let modified = object.last_modified().and_then(|modified| SystemTime::try_from(*modified).ok());
                listed.push(Listed { name: name.into(), size, modified });
            }
            // A store that repeats itself must not keep us here.
            if page.next_continuation_token.is_none() || page.next_continuation_token == after {
                return Ok(listed);
            }
            after = page.next_continuation_token;
        }
    }

    /// The bytes of an object, held in memory whole: for objects that are known to be small enough.
    pub async fn get(&self, name: &ObjectName) -> Result<Bytes, Error> {
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
            Ok(body) => Ok(body),
            Err(gave_up) => Err(self.explain(operation, name, gave_up).await),
        }
    }
}
