use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use crate::failure::{Answer, Failure};
use crate::objects::bucket::Bucket;
use crate::objects::call::Tries;
use crate::objects::error::Error;
use crate::objects::key::Key;
use crate::s3::operation::Operation;

/// The most objects that one request deletes (S3 API reference, `DeleteObjects`).
pub const MAX_DELETES: usize = 1000;

/// An object that is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Doomed {
    /// Its key.
    pub key: Key,
    /// Which version, for good; `None` for the newest, of which a bucket with versions keeps a copy.
    pub version: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is not there now. S3 does not say whether it was.
    Gone {
        /// The version of the mark that stands for it now, where the bucket keeps versions.
        marker: Option<String>,
    },
    /// S3 would not.
    Refused {
        /// `AccessDenied`.
        code: String,
        /// S3's text.
        message: String,
    },
}

impl Bucket {
    /// Deletes up to [`MAX_DELETES`] objects in one request. What becomes of each is told in the order of `doomed`; those
    /// that fail for a moment are tried again.
    ///
    /// # Errors
    /// None was deleted: the whole was refused, or one of them is outside the fence.
    pub async fn delete(&self, doomed: &[Doomed]) -> Result<Vec<Fate>, Error> {
        for one in doomed {
            self.admit(&one.key)?;
        }
        if doomed.len() > MAX_DELETES {
            let text = format!("{} objects are more than the {MAX_DELETES} of one request", doomed.len());
            return Err(Error::BadInput { text, hint: None });
        }
        let mut fates: HashMap<&Doomed, Fate> = HashMap::new();
        let operation = Operation::DeleteObjects;
        let mut tries = Tries::new(self, operation, "");
        loop {
            let mut left: Vec<&Doomed> = doomed.iter().filter(|one| !fates.contains_key(one)).collect();
            left.dedup();
            if left.is_empty() {
                break;
            }
            let signer = match tries.signer().await {
                Ok(signer) => signer,
                Err(gave_up) => return Err(self.explain(operation, "", gave_up).await),
            };
            // A control character has no way through XML; DeleteObject has the key in its path.
            let failure = match left.iter().position(|one| one.key.as_str().chars().any(char::is_control)) {
                Some(at) => self.delete_one(left[at], &mut fates, tries.begin()).await,
                None => self.delete_batch(&left, &mut fates, tries.begin()).await,
            };
            match failure {
                Ok(()) => tries.progressed(),
                Err(failure) => {
                    if let Err(gave_up) = tries.failed(failure, signer).await {
                        if fates.is_empty() {
                            return Err(self.explain(operation, "", gave_up).await);
                        }
                        // Some are gone: that is to be told, too.
                        let (code, message) = match gave_up.answer() {
                            Some(answer) => (answer.name(), answer.message.clone()),
                            None => ("GaveUp".to_owned(), "it was tried for too long".to_owned()),
                        };
                        for one in left {
                            fates
                                .entry(one)
                                .or_insert_with(|| Fate::Refused { code: code.clone(), message: message.clone() });
                        }
                    }
                }
            }
        }
        Ok(doomed.iter().filter_map(|one| fates.get(one).cloned()).collect())
    }

    async fn delete_batch<'a>(
        &self,
        left: &[&'a Doomed],
        fates: &mut HashMap<&'a Doomed, Fate>,
        within: Option<Duration>,
    ) -> Result<(), Failure> {
        let mut seen = std::collections::HashSet::new();
        let listed = left.iter().filter(|one| seen.insert(**one)).map(|one| {
            let identifier = ObjectIdentifier::builder().key(one.key.as_str()).set_version_id(one.version.clone());
            identifier.build().map_err(|error| Failure::Unsent(std::sync::Arc::new(error)))
        });
        let delete = Delete::builder().set_objects(Some(listed.collect::<Result<_, _>>()?)).quiet(false);
        let delete = delete.build().map_err(|error| Failure::Unsent(std::sync::Arc::new(error)))?;
        let _place = self.limiter().place().await;
        let request = self.client().delete_objects();
        let request = request.bucket(self.name()).set_expected_bucket_owner(self.owner()).delete(delete);
        let answer = async { request.send().await.map_err(Failure::from) };
        let answer = self.attempt(Operation::DeleteObjects, within, answer).await?;
        let find = |key: Option<&str>, version: Option<&str>| {
            left.iter().copied().find(|one| Some(one.key.as_str()) == key && one.version.as_deref() == version)
        };
        for gone in answer.deleted() {
            if let Some(one) = find(gone.key(), gone.version_id()) {
                let marker = gone.delete_marker_version_id().map(str::to_owned);
                fates.insert(one, Fate::Gone { marker });
            }
        }
        let mut passing = None;
        for error in answer.errors() {
            let (code, message) = (error.code().unwrap_or_default(), error.message().unwrap_or_default());
            let Some(one) = find(error.key(), error.version_id()) else { continue };
            if ["InternalError", "SlowDown", "ServiceUnavailable", "OperationAborted"].contains(&code) {
                let answer = Answer { status: 200, code: code.into(), message: message.into(), ..Answer::default() };
                passing = Some(Failure::Answered(answer));
            } else {
                fates.insert(one, Fate::Refused { code: code.into(), message: message.into() });
            }
        }
        if let Some(failure) = passing {
            return Err(failure);
        }
        for one in left {
            // Neither gone nor refused: the store has forgotten it.
            let message = "the answer does not tell of it".to_owned();
            fates.entry(one).or_insert_with(|| Fate::Refused { code: "Unknown".into(), message });
        }
        Ok(())
    }

    async fn delete_one<'a>(
        &self,
        one: &'a Doomed,
        fates: &mut HashMap<&'a Doomed, Fate>,
        within: Option<Duration>,
    ) -> Result<(), Failure> {
        let answer = self.send_delete(one, None, within).await;
        match answer {
            Ok(marker) => fates.insert(one, Fate::Gone { marker }),
            Err(Failure::Answered(answer)) if answer.status == 403 && answer.code == "AccessDenied" => {
                fates.insert(one, Fate::Refused { code: answer.code, message: answer.message })
            }
            Err(failure) => return Err(failure),
        };
        Ok(())
    }

    /// One attempt at deleting one object, if it still has `etag`.
    pub(super) async fn send_delete(
        &self,
        one: &Doomed,
        etag: Option<&str>,
        within: Option<Duration>,
    ) -> Result<Option<String>, Failure> {
        let _place = self.limiter().place().await;
        let request = self
            .client()
            .delete_object()
            .bucket(self.name())
            .set_expected_bucket_owner(self.owner())
            .key(one.key.as_str())
            .set_version_id(one.version.clone())
            .set_if_match(etag.map(str::to_owned));
        let answer = async { request.send().await.map_err(Failure::from) };
        let answer = self.attempt(Operation::DeleteObject, within, answer).await?;
        Ok(answer.version_id.filter(|_| answer.delete_marker == Some(true)))
    }
}
