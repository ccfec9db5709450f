use aws_sdk_s3::types::{Tag, Tagging};

use crate::failure::Failure;
use crate::objects::bucket::Bucket;
use crate::objects::error::Error;
use crate::objects::key::Key;
use crate::objects::traits::check_tags;
use crate::s3::operation::Operation;

impl Bucket {
    /// An object's tags.
    ///
    /// # Errors
    /// S3 refuses.
    pub async fn tags(&self, key: &Key, version: Option<&str>) -> Result<Vec<(String, String)>, Error> {
        self.admit(key)?;
        let answer = self
            .call(Operation::GetObjectTagging, key.as_str(), |client| {
                let request = client
                    .get_object_tagging()
                    .bucket(self.name())
                    .set_expected_bucket_owner(self.owner())
                    .key(key.as_str())
                    .set_version_id(version.map(str::to_owned));
                async move { request.send().await.map_err(Failure::from) }
            })
            .await?;
        Ok(answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    /// Puts these tags in place of all that an object has.
    ///
    /// # Errors
    /// They are none that S3 takes, or it refuses.
    pub async fn set_tags(&self, key: &Key, version: Option<&str>, tags: &[(String, String)]) -> Result<(), Error> {
        self.admit(key)?;
        check_tags(tags)?;
        let operation = Operation::PutObjectTagging;
        let unsent = |error| Error::Unsent {
            operation: operation.name(),
            bucket: self.name().to_owned(),
            name: key.to_string(),
            source: std::sync::Arc::new(error),
        };
        let set: Result<Vec<Tag>, _> =
            tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
        let tagging = Tagging::builder().set_tag_set(Some(set.map_err(unsent)?)).build().map_err(unsent)?;
        self.call(operation, key.as_str(), |client| {
            let request = client
                .put_object_tagging()
                .bucket(self.name())
                .set_expected_bucket_owner(self.owner())
                .key(key.as_str())
                .set_version_id(version.map(str::to_owned))
                .tagging(tagging.clone());
            async move { request.send().await.map(drop).map_err(Failure::from) }
        })
        .await
    }

    /// Takes all tags off an object.
    ///
    /// # Errors
    /// S3 refuses.
    pub async fn delete_tags(&self, key: &Key, version: Option<&str>) -> Result<(), Error> {
        self.admit(key)?;
        self.call(Operation::DeleteObjectTagging, key.as_str(), |client| {
            let request = client
                .delete_object_tagging()
                .bucket(self.name())
                .set_expected_bucket_owner(self.owner())
                .key(key.as_str())
                .set_version_id(version.map(str::to_owned));
            async move { request.send().await.map(drop).map_err(Failure::from) }
        })
        .await
    }
}
