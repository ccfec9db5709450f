use std::time::SystemTime;

use crate::failure::Failure;
use crate::objects::bucket::Bucket;
use crate::objects::error::Error;
use crate::s3::operation::Operation;

/// Where a bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Its region.
    pub region: String,
    /// Whether this identity may list it, which is what HeadBucket asks for.
    pub may_list: bool,
}

/// A bucket of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownBucket {
    /// Its name.
    pub name: String,
    /// Its region, where S3 names it.
    pub region: Option<String>,
    /// When it was made.
    pub created: Option<SystemTime>,
}

impl Bucket {
    /// Finds out the bucket's region, and asks there from now on. Needs no permission: S3 names the region even in a refusal.
    ///
    /// # Errors
    /// There is no such bucket, or the answer names no region (stores of other makers).
    pub async fn locate(&self) -> Result<Located, Error> {
        self.admit_bucket()?;
        let operation = Operation::HeadBucket;
        let answer = self
            .persist(operation, "", |client| {
                let request = client.head_bucket().bucket(self.name()).set_expected_bucket_owner(self.owner());
                async move { request.send().await.map_err(Failure::from) }
            })
            .await;
        match answer {
            Ok(answer) => {
                let region = answer.bucket_region.unwrap_or_else(|| self.region());
                self.move_to(&region);
                Ok(Located { region, may_list: true })
            }
            Err(gave_up) => match gave_up.answer() {
                Some(answer) if answer.status == 403 && answer.region.is_some() => {
                    let region = answer.region.clone().unwrap_or_default();
                    self.move_to(&region);
                    Ok(Located { region, may_list: false })
                }
                Some(answer) if answer.status == 404 => Err(Error::NoBucket { bucket: self.name().to_owned() }),
                _ => Err(self.explain(operation, "", gave_up).await),
            },
        }
    }

    /// All buckets of the account that this identity belongs to, by name. It is this handle's identity and endpoint that
    /// count, not its bucket.
    ///
    /// # Errors
    /// S3 refuses: it needs `s3:ListAllMyBuckets`, which a connection with a fence never has.
    pub async fn all_buckets(&self) -> Result<Vec<KnownBucket>, Error> {
        let operation = Operation::ListBuckets;
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = self
                .call(operation, "", |client| {
                    let request = client.list_buckets().set_continuation_token(token.clone()).max_buckets(1000);
                    async move { request.send().await.map_err(Failure::from) }
                })
                .await?;
            for bucket in page.buckets.unwrap_or_default() {
                let created = bucket.creation_date().and_then(|date| SystemTime::try_from(*date).ok());
                let region = bucket.bucket_region().map(str::to_owned);
                let Some(name) = bucket.name else { continue };
                all.push(KnownBucket { name, region, created });
            }
            // A store that repeats itself must not keep us here.
            if page.continuation_token.is_none() || page.continuation_token == token {
                return Ok(all);
            }
            token = page.continuation_token;
        }
    }
}
