use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use fault::{Blame, Code, Diagnose, Retry};

/// Why S3 cannot be written to, where waiting does not help.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// S3 answered and said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// There is no session to sign with, and waiting brings none.
    #[error("no session to write to bucket {bucket} with")]
    Session {
        /// Which bucket.
        bucket: String,
        /// Why.
        #[source]
        source: identity::Error,
    },
    /// Somebody else's object has the name, and it is not to be overwritten.
    #[error("object {name} is in bucket {bucket} already and was not written by this connector")]
    Exists {
        /// Which bucket.
        bucket: String,
        /// Which object.
        name: String,
    },
    /// An upload has gone, and whether its object is there cannot be seen.
    #[error("upload of {name} to bucket {bucket} is over, and {as_whom} may not see whether the object is there")]
    Unseen {
        /// Which bucket.
        bucket: String,
        /// Which object.
        name: String,
        /// Who asked.
        as_whom: String,
    },
    /// The store answered that an object is there and then showed it without our mark.
    #[error("store at bucket {bucket} dropped the metadata of object {name}")]
    NoMarker {
        /// Which bucket.
        bucket: String,
        /// Which object.
        name: String,
    },
    /// An object of no parts.
    #[error("object {name} has no parts")]
    NoParts {
        /// Which object.
        name: String,
    },
    /// The request could not be built or signed: it was never sent.
    #[error("{operation} of {name} in bucket {bucket} could not be built")]
    Unsent {
        /// `UploadPart`.
        operation: &'static str,
        /// Which bucket.
        bucket: String,
        /// Which object; empty for the bucket itself.
        name: String,
        /// Why.
        #[source]
        source: Arc<dyn StdError + Send + Sync>,
    },
    /// An answer that lacks what every answer has.
    #[error("answer to {operation} of {name} in bucket {bucket} lacks {missing}")]
    Malformed {
        /// `UploadPart`.
        operation: &'static str,
        /// Which bucket.
        bucket: String,
        /// Which object.
        name: String,
        /// Which part of it.
        missing: &'static str,
    },
}

/// S3's no: what was tried, as whom, and what came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `UploadPart`.
    pub operation: &'static str,
    /// The permission that it needs: `s3:PutObject`.
    pub permission: &'static str,
    /// What the permission is needed on: `arn:aws:s3:::bucket/key`.
    pub resource: String,
    /// Which bucket.
    pub bucket: String,
    /// The region that was asked.
    pub region: String,
    /// Who asked: an ARN, or what is known of it.
    pub as_whom: String,
    /// HTTP status.
    pub status: u16,
    /// S3's code: `AccessDenied`.
    pub code: String,
    /// S3's text.
    pub message: String,
    /// What AWS support knows the request by.
    pub request_id: Option<String>,
    /// The region that the bucket is in, if the answer named it and it is not the one that was asked.
    pub actual_region: Option<String>,
    /// The region that the answer named. S3 names one for whoever asks of a bucket that is there, and none for one that is not.
    pub told_region: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} as {} was refused with {}", self.operation, self.resource, self.as_whom, self.code)?;
        // An answer without a body has no code but its status.
        if self.code != self.status.to_string() {
            write!(f, " ({})", self.status)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        Ok(())
    }
}

enum Kind {
    /// S3 refuses this to whom we are.
    Denied,
    /// There is no bucket of this name.
    NoSuchBucket,
    /// The bucket is in another region than the request was signed for.
    WrongRegion,
    /// The access key is unknown, or its secret is another one.
    Keys,
    /// The session is over, or not known to S3.
    Session,
    /// A part that is not the last one is smaller than S3 takes.
    TooSmall,
    /// An object, a part or its metadata is larger than S3 takes.
    TooLarge,
    /// S3 does not take the bucket's name or the key.
    BadName,
    /// The encryption that is asked for cannot be had.
    Encryption,
    /// The store does not know this part of S3.
    NotBuilt,
    /// S3 refuses it for another reason, which its code says.
    Other,
}

impl Refusal {
    fn kind(&self) -> Kind {
        match (self.code.as_str(), self.status) {
            ("AccessDenied" | "AllAccessDisabled" | "AccountProblem", _) => Kind::Denied,
            ("NoSuchBucket", _) => Kind::NoSuchBucket,
            ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
            | (_, 301) => Kind::WrongRegion,
            ("InvalidAccessKeyId" | "SignatureDoesNotMatch", _) => Kind::Keys,
            ("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired", _) => Kind::Session,
            ("EntityTooSmall", _) => Kind::TooSmall,
            ("EntityTooLarge" | "MetadataTooLarge", _) => Kind::TooLarge,
            ("KeyTooLongError" | "InvalidURI" | "InvalidBucketName", _) => Kind::BadName,
            (code, _) if code.starts_with("KMS.") || code == "InvalidEncryptionAlgorithmError" => Kind::Encryption,
            ("NotImplemented" | "MethodNotAllowed", _) | (_, 501) => Kind::NotBuilt,
            // HEAD has no body to say a code in.
            (_, 403) => Kind::Denied,
            _ => Kind::Other,
        }
    }
}

impl Diagnose for Error {
    fn code(&self) -> Code {
        match self {
            Self::Refused(refusal) => match refusal.kind() {
                Kind::Denied => "s3.access-denied",
                Kind::NoSuchBucket => "s3.no-such-bucket",
                Kind::WrongRegion => "s3.wrong-region",
                Kind::Keys => "s3.keys-not-accepted",
                Kind::Session => "s3.session-not-accepted",
                Kind::TooSmall => "s3.part-too-small",
                Kind::TooLarge => "s3.too-large",
                Kind::BadName => "s3.bad-name",
                Kind::Encryption => "s3.encryption",
                Kind::NotBuilt => "s3.not-supported-by-store",
                Kind::Other => "s3.refused",
            },
            Self::Session { source, .. } => source.code(),
            Self::Exists { .. } => "s3.object-exists",
            Self::Unseen { .. } => "s3.object-unseen",
            Self::NoMarker { .. } => "s3.metadata-dropped",
            Self::NoParts { .. } => "s3.no-parts",
            Self::Unsent { .. } => "s3.unsent",
            Self::Malformed { .. } => "s3.malformed-answer",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Refused(refusal) => match refusal.kind() {
                Kind::Denied
                | Kind::NoSuchBucket
                | Kind::WrongRegion
                | Kind::Keys
                | Kind::Session
                | Kind::BadName
                | Kind::Encryption
                | Kind::NotBuilt
                | Kind::Other => Blame::Operator,
                // Part sizes and metadata are ours to choose.
                Kind::TooSmall | Kind::TooLarge => Blame::Bug,
            },
            Self::Session { source, .. } => source.blame(),
            Self::Exists { .. } | Self::Unseen { .. } => Blame::Operator,
            Self::NoMarker { .. } | Self::Malformed { .. } => Blame::Remote,
            Self::NoParts { .. } | Self::Unsent { .. } => Blame::Bug,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Session { source, .. } => source.retry(),
            Self::Refused(_)
            | Self::Exists { .. }
            | Self::Unseen { .. }
            | Self::NoMarker { .. }
            | Self::NoParts { .. }
            | Self::Unsent { .. }
            | Self::Malformed { .. } => Retry::Never,
        }
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Refused(refusal) => refusal.hint(),
            Self::Session { source, .. } => source.hint(),
            Self::Exists { name, .. } => Some(
                format!("move {name} away, give this connector a prefix of its own, or set tidegate.existing.object=overwrite")
                    .into(),
            ),
            Self::Unseen { bucket, name, as_whom } => Some(
                format!("allow s3:GetObject on arn:aws:s3:::{bucket}/{name} (better: on all objects written here) for {as_whom}")
                    .into(),
            ),
            Self::NoMarker { .. } => {
                Some("this store cannot keep the exactly-once promise: set tidegate.write.mode=at-least-once".into())
            }
            Self::NoParts { .. } | Self::Unsent { .. } | Self::Malformed { .. } => None,
        }
    }
}

impl Refusal {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let Self { permission, resource, bucket, as_whom, region, .. } = self;
        match self.kind() {
            // S3 asks for this permission only where there is no such object.
            Kind::Denied if *permission == "s3:GetObject" && self.message.contains("perform: s3:ListBucket ") => Some(
                format!(
                    "correct the key: most likely there is no {resource}; S3 says so only to who may s3:ListBucket the bucket as \
                     a whole"
                )
                .into(),
            ),
            Kind::Denied => Some(
                format!(
                    "allow {permission} on {resource} for {as_whom}, and look for a deny in the bucket's policy; with SSE-KMS \
                     allow kms:GenerateDataKey and kms:Decrypt on the key too"
                )
                .into(),
            ),
            Kind::NoSuchBucket => Some(format!("create bucket {bucket} in {region}, or correct its name").into()),
            Kind::WrongRegion => Some(match &self.actual_region {
                Some(actual) => format!("set the region of bucket {bucket} to {actual} (now {region})").into(),
                None => format!("bucket {bucket} is not in {region}: correct the region or the endpoint").into(),
            }),
            Kind::Keys => Some(format!("correct or renew the keys of {as_whom}").into()),
            Kind::Session => Some(
                format!("renew the session of {as_whom}; if it is fresh, its role's account may have to opt in to region {region}")
                    .into(),
            ),
            Kind::Encryption => Some("correct the KMS key of the bucket, or the encryption that is asked for".into()),
            Kind::NotBuilt => {
                Some("this store lacks what exactly once needs: set tidegate.write.mode=at-least-once".into())
            }
            Kind::BadName => Some("shorten or correct the file name template: an S3 key has at most 1024 bytes".into()),
            Kind::TooSmall | Kind::TooLarge | Kind::Other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Refusal;

    fn refusal(status: u16, code: &str, message: &str) -> Refusal {
        Refusal {
            operation: "GetObject",
            permission: "s3:GetObject",
            resource: "arn:aws:s3:::lake/in/a".to_owned(),
            bucket: "lake".to_owned(),
            region: "eu-central-1".to_owned(),
            as_whom: "somebody".to_owned(),
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            request_id: None,
            actual_region: None,
            told_region: None,
        }
    }

    #[test]
    fn a_status_that_is_the_code_is_told_once() {
        let told = |status, code| refusal(status, code, "").to_string();
        assert!(told(400, "400").ends_with("was refused with 400"), "{}", told(400, "400"));
        assert!(told(404, "NoSuchKey").ends_with("was refused with NoSuchKey (404)"));
    }

    #[test]
    fn a_get_that_is_refused_for_want_of_listing_is_of_a_key_that_is_not_there() {
        let hint = |action: &str| {
            let message =
                format!("User: somebody is not authorized to perform: {action} on resource: \"..\" because ..");
            refusal(403, "AccessDenied", &message).hint().unwrap().into_owned()
        };
        assert!(hint("s3:ListBucket").starts_with("correct the key"), "{}", hint("s3:ListBucket"));
        assert!(hint("s3:GetObject").starts_with("allow s3:GetObject"), "{}", hint("s3:GetObject"));
    }
}
