use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::presigning::PresigningConfig;

use crate::objects::bucket::Bucket;
use crate::objects::error::Error;
use crate::objects::key::Key;
use crate::s3::operation::Operation;

/// What a link lets its holder do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Read an object.
    Get {
        /// Of which version.
        version: Option<String>,
    },
    /// Write one.
    Put {
        /// The content type that must be sent along.
        content_type: Option<String>,
    },
}

/// A link that carries a signature: whoever has it may do the one thing, for as long as it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presigned {
    /// The link.
    pub url: String,
    /// `GET` or `PUT`.
    pub method: String,
    /// Headers that must be sent along.
    pub headers: Vec<(String, String)>,
    /// When it ends, at the latest: a session that is revoked ends it sooner.
    pub ends_at: SystemTime,
    /// Whether it ends sooner than was asked for, with the session that signed it.
    pub is_cut: bool,
}

/// The longest that SigV4 lets a link live.
const LONGEST: Duration = Duration::from_hours(7 * 24);

impl Bucket {
    /// Makes a link that lasts for `lasting`, and no longer than the session that signs it. Asks S3 nothing, so nothing is
    /// known of whether the session may do it, nor whether the object is there.
    ///
    /// The bucket's owner is not checked by whoever uses it: that would take a header of its own.
    ///
    /// # Errors
    /// It is for longer than seven days, or there is no session.
    pub async fn presign(&self, key: &Key, verb: &Verb, lasting: Duration) -> Result<Presigned, Error> {
        self.admit(key)?;
        let bad = |text: &str, hint: &str| Error::BadInput { text: text.into(), hint: Some(hint.into()) };
        if lasting > LONGEST || lasting.as_secs() == 0 {
            return Err(bad("a link lasts from a second to seven days", "give --expires-in from 1s to 7d"));
        }
        if self.identity().is_anonymous() {
            return Err(bad("nobody has no signature to give", "use a connection that is somebody"));
        }
        let bucket = || self.name().to_owned();
        let signer = self.identity().signer().await;
        let signer = signer.map_err(|source| Error::Session { bucket: bucket(), source })?;
        let now = self.clients().clock().now();
        let left = signer.expires_at().map(|end| end.duration_since(now).unwrap_or_default());
        let granted = left.map_or(lasting, |left| left.min(lasting));
        let granted = Duration::from_secs(granted.as_secs().max(1));
        let operation = match verb {
            Verb::Get { .. } => Operation::GetObject,
            Verb::Put { .. } => Operation::PutObject,
        };
        let unsent = |source: Arc<dyn std::error::Error + Send + Sync>| Error::Unsent {
            operation: operation.name(),
            bucket: bucket(),
            name: key.to_string(),
            source,
        };
        let config = PresigningConfig::builder().start_time(now).expires_in(granted).build();
        let config = config.map_err(|error| unsent(Arc::new(error)))?;
        let client = self.client();
        let link = match verb {
            Verb::Get { version } => {
                let request = client.get_object().bucket(self.name()).key(key.as_str()).set_version_id(version.clone());
                request.presigned(config).await.map_err(|error| unsent(Arc::new(error)))?
            }
            Verb::Put { content_type } => {
                let request = client.put_object().bucket(self.name()).key(key.as_str());
                let request = request.set_content_type(content_type.clone());
                request.presigned(config).await.map_err(|error| unsent(Arc::new(error)))?
            }
        };
        let headers = link.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Presigned {
            url: link.uri().to_owned(),
            method: link.method().to_owned(),
            headers,
            ends_at: now + granted,
            is_cut: granted < lasting,
        })
    }
}
