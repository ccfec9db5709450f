use std::borrow::Cow;
use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fault::{Blame, Code, Diagnose, Retry};

use crate::s3::{self, Refusal};

/// Why a verb did not do what it was asked to.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that nothing can have.
    #[error("{what} \"{shown}\" {rule}")]
    BadName {
        /// `key`, `bucket`.
        what: &'static str,
        /// What was given, cut and escaped.
        shown: String,
        /// What is wrong.
        rule: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Something else that was asked for makes no sense.
    #[error("{text}")]
    BadInput {
        /// What is wrong.
        text: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The fence of the connection does not let it.
    #[error("s3://{bucket}/{name} is outside the fence of the connection: {fence}")]
    Outside {
        /// Which bucket.
        bucket: String,
        /// Which key, or beginning of keys.
        name: String,
        /// What is inside.
        fence: String,
    },
    /// S3 answered and said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// There is nothing under the name.
    #[error("there is no {what} s3://{bucket}/{name}")]
    Missing {
        /// `object`, `version 3/L4kq of object`.
        what: String,
        /// Which bucket.
        bucket: String,
        /// Which key.
        name: String,
    },
    /// There is no such bucket.
    #[error("there is no bucket {bucket}")]
    NoBucket {
        /// Which.
        bucket: String,
    },
    /// There is something under the name, and it is not to be overwritten.
    #[error("there is an object s3://{bucket}/{name} already")]
    Exists {
        /// Which bucket.
        bucket: String,
        /// Which key.
        name: String,
    },
    /// There is no session to sign with, and waiting brings none.
    #[error("no session to ask bucket {bucket} with")]
    Session {
        /// Which bucket.
        bucket: String,
        /// Why.
        #[source]
        source: identity::Error,
    },
    /// It was tried again and again, and the time for that is over.
    #[error("{operation} on s3://{bucket}/{name} did not succeed within {} s: {last}", tried_for.as_secs())]
    Spent {
        /// `UploadPart`.
        operation: &'static str,
        /// Which bucket.
        bucket: String,
        /// Which key.
        name: String,
        /// How long it was tried.
        tried_for: Duration,
        /// What kept it from succeeding at last.
        last: String,
        /// Whether S3 answered at all.
        answered: bool,
    },
    /// The request could not be built or signed: it was never sent.
    #[error("{operation} on s3://{bucket}/{name} could not be built")]
    Unsent {
        /// `UploadPart`.
        operation: &'static str,
        /// Which bucket.
        bucket: String,
        /// Which key.
        name: String,
        /// Why.
        #[source]
        source: Arc<dyn StdError + Send + Sync>,
    },
    /// An answer that lacks what every answer has.
    #[error("answer to {operation} on s3://{bucket}/{name} lacks {missing}")]
    Malformed {
        /// `UploadPart`.
        operation: &'static str,
        /// Which bucket.
        bucket: String,
        /// Which key.
        name: String,
        /// What.
        missing: &'static str,
    },
    /// A file here does not let itself be read or written.
    #[error("could not {doing} {}", path.display())]
    File {
        /// `read`, `write`.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// What is read or written by stream does not go on.
    #[error("could not {doing}")]
    Stream {
        /// `read standard input`.
        doing: &'static str,
        /// Why.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A file was changed while it was read, so that what went is neither the old nor the new one.
    #[error("{} was changed while it was read", path.display())]
    FileChanged {
        /// Which.
        path: PathBuf,
    },
    /// An object was replaced while it was read or copied.
    #[error("s3://{bucket}/{name} was replaced meanwhile")]
    ObjectChanged {
        /// Which bucket.
        bucket: String,
        /// Which key.
        name: String,
    },
    /// What arrived is not what S3 holds.
    #[error("{what} of s3://{bucket}/{name} is {found}, and should be {expected}")]
    Damaged {
        /// `size`, `CRC64NVME`.
        what: String,
        /// Which bucket.
        bucket: String,
        /// Which key.
        name: String,
        /// What came out.
        found: String,
        /// What S3 says.
        expected: String,
    },
    /// Another process is at it.
    #[error("another process is at {}", path.display())]
    Busy {
        /// The file that it holds.
        path: PathBuf,
    },
    /// It was asked to stop.
    #[error("stopped; {left}")]
    Stopped {
        /// What is there now.
        left: &'static str,
    },
    /// A move whose object is at its new place and still at its old one too.
    #[error("s3://{bucket}/{name} was copied and not deleted")]
    NotDeleted {
        /// Which bucket.
        bucket: String,
        /// Which key.
        name: String,
        /// Why.
        #[source]
        source: Box<Error>,
    },
}

impl Error {
    pub(super) fn file(doing: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File { doing, path: path.into(), source: Arc::new(source) }
    }

    /// Whether what was asked for is at fault, so that nothing was tried.
    pub fn is_input(&self) -> bool {
        match self {
            Self::BadName { .. } | Self::BadInput { .. } | Self::Outside { .. } => true,
            Self::Refused(_)
            | Self::Missing { .. }
            | Self::NoBucket { .. }
            | Self::Exists { .. }
            | Self::Session { .. }
            | Self::Spent { .. }
            | Self::Unsent { .. }
            | Self::Malformed { .. }
            | Self::File { .. }
            | Self::Stream { .. }
            | Self::FileChanged { .. }
            | Self::ObjectChanged { .. }
            | Self::Damaged { .. }
            | Self::Busy { .. }
            | Self::Stopped { .. }
            | Self::NotDeleted { .. } => false,
        }
    }

    /// The disk's or the reader's fault, if it is one.
    pub fn io(&self) -> Option<&std::io::Error> {
        match self {
            Self::File { source, .. } | Self::Stream { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl Diagnose for Error {
    fn code(&self) -> Code {
        match self {
            Self::BadName { .. } => "object.bad-name",
            Self::BadInput { .. } => "object.bad-input",
            Self::Outside { .. } => "object.outside-fence",
            Self::Refused(refusal) => s3::Error::Refused(refusal.clone()).code(),
            Self::Missing { .. } => "object.missing",
            Self::NoBucket { .. } => "s3.no-such-bucket",
            Self::Exists { .. } => "object.exists",
            Self::Session { source, .. } => source.code(),
            Self::Spent { answered: true, .. } => "object.gave-up",
            Self::Spent { answered: false, .. } => "object.unreachable",
            Self::Unsent { .. } => "object.unsent",
            Self::Malformed { .. } => "object.malformed-answer",
            Self::File { .. } | Self::Stream { .. } => "object.file",
            Self::FileChanged { .. } => "object.file-changed",
            Self::ObjectChanged { .. } => "object.replaced",
            Self::Damaged { .. } => "object.damaged",
            Self::Busy { .. } => "object.busy",
            Self::Stopped { .. } => "object.stopped",
            Self::NotDeleted { .. } => "object.not-deleted",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::BadName { .. }
            | Self::BadInput { .. }
            | Self::Outside { .. }
            | Self::Missing { .. }
            | Self::NoBucket { .. }
            | Self::Exists { .. }
            | Self::File { .. }
            | Self::Stream { .. }
            | Self::FileChanged { .. }
            | Self::ObjectChanged { .. }
            | Self::Busy { .. }
            | Self::Stopped { .. } => Blame::Operator,
            Self::Refused(refusal) => s3::Error::Refused(refusal.clone()).blame(),
            Self::Session { source, .. } => source.blame(),
            Self::Spent { .. } | Self::Malformed { .. } | Self::Damaged { .. } => Blame::Remote,
            Self::Unsent { .. } => Blame::Bug,
            Self::NotDeleted { source, .. } => source.blame(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Session { source, .. } => source.retry(),
            Self::Spent { .. } => Retry::Backoff,
            Self::NotDeleted { source, .. } => source.retry(),
            Self::BadName { .. }
            | Self::BadInput { .. }
            | Self::Outside { .. }
            | Self::Refused(_)
            | Self::Missing { .. }
            | Self::NoBucket { .. }
            | Self::Exists { .. }
            | Self::Unsent { .. }
            | Self::Malformed { .. }
            | Self::File { .. }
            | Self::Stream { .. }
            | Self::FileChanged { .. }
            | Self::ObjectChanged { .. }
            | Self::Damaged { .. }
            | Self::Busy { .. }
            | Self::Stopped { .. } => Retry::Never,
        }
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::BadName { hint, .. } | Self::BadInput { hint, .. } => hint.clone().map(Cow::Owned),
            Self::Outside { .. } => {
                Some("choose a name inside, or widen bucket, prefix or buckets of the connection".into())
            }
            Self::Refused(refusal) => refused_hint(refusal),
            Self::Missing { bucket, name, .. } => {
                Some(format!("look for it: tidegate object list s3://{bucket}/{}", folder(name)).into())
            }
            Self::NoBucket { .. } => Some("correct its name; those there are: tidegate bucket list".into()),
            Self::Exists { .. } => Some("leave --no-overwrite out to replace it, or choose another key".into()),
            Self::Session { source, .. } => source.hint(),
            Self::Spent { answered: false, .. } => {
                Some("look at the network, the proxy, and the endpoints of the connection".into())
            }
            Self::Spent { answered: true, .. } => Some("try again later, or for longer: --retry-for 30m".into()),
            Self::File { doing, source, .. } => Some(match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => "make room on the disk".into(),
                std::io::ErrorKind::NotFound if *doing == "read" => "correct the path".into(),
                std::io::ErrorKind::NotFound => "make the directory first".into(),
                std::io::ErrorKind::PermissionDenied => format!("let this user {doing} it").into(),
                _ => return None,
            }),
            Self::FileChanged { .. } => Some("wait until it is whole, then put it again".into()),
            Self::ObjectChanged { .. } => Some("begin again; with versioning, name a version: --version-id".into()),
            Self::Damaged { .. } => Some("begin again without --resume; nothing was left under the final name".into()),
            Self::Busy { .. } => Some("wait for it, or end it".into()),
            Self::NotDeleted { bucket, name, .. } => {
                Some(format!("both are there: delete s3://{bucket}/{name} once the cause is mended").into())
            }
            Self::Stream { .. } | Self::Stopped { .. } | Self::Unsent { .. } | Self::Malformed { .. } => None,
        }
    }
}

/// The sink's hints name a connector's settings where no permission, region or key is at fault.
fn refused_hint(refusal: &Refusal) -> Option<Cow<'static, str>> {
    let error = s3::Error::Refused(Box::new(refusal.clone()));
    match error.code() {
        "s3.access-denied" if refusal.resource.ends_with(":s3:::*") => {
            Some(format!("allow {} on * for {}", refusal.permission, refusal.as_whom).into())
        }
        "s3.not-supported-by-store" => Some("this store does not know the request; leave out what it is about".into()),
        "s3.bad-name" => Some("correct the key or the bucket's name".into()),
        "s3.part-too-small" | "s3.too-large" => Some("leave --part-size out, so that one is chosen that fits".into()),
        _ => error.hint(),
    }
}

fn folder(name: &str) -> &str {
    name.rfind('/').map_or("", |slash| &name[..=slash])
}
