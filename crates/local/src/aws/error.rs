use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use fault::{Blame, Code, Diagnose, Retry};

/// Why the embedded AWS does not start, or refuses a change of its accounts.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// It cannot listen there.
    #[error("cannot listen on {listen}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file of its directory cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another process uses its directory.
    #[error("{} is in use by another process", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// A file of its directory does not hold what it should.
    #[error("{} is damaged: {reason}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A user, role or bucket of that name is there already.
    #[error("{what} exists already")]
    Exists {
        /// The thing, as in `role orders`.
        what: String,
    },
    /// A name that AWS does not take.
    #[error("{what} has a name that AWS does not take")]
    Name {
        /// The thing.
        what: String,
    },
    /// Something is to be changed or named that is not there.
    #[error("there is no {what}")]
    Missing {
        /// The thing, as in `role orders`.
        what: String,
    },
    /// A role's sessions are to last longer or shorter than IAM allows.
    #[error("the sessions of {what} are to last {seconds} s, which is not between 3600 and 43200")]
    SessionLength {
        /// The role.
        what: String,
        /// What was asked for.
        seconds: u64,
    },
    /// A policy that AWS would not save.
    #[error("a policy of {what} is malformed")]
    Policy {
        /// Whose policy.
        what: String,
        /// Where and why.
        #[source]
        source: iam::PolicyError,
    },
    /// Something that is to be there from the start cannot be.
    #[error("{what} cannot be made: {reason}")]
    Unmade {
        /// The thing.
        what: String,
        /// AWS's words.
        reason: String,
    },
    /// A fault is to answer with an error that AWS does not have.
    #[error("aws has no error {code}")]
    ErrorCode {
        /// The code asked for.
        code: String,
    },
    /// An embedded AWS in another process does not do what it is asked.
    #[error("the embedded AWS at {endpoint} refuses: {reason}")]
    Remote {
        /// Where it is.
        endpoint: String,
        /// Why.
        reason: String,
    },
    /// A trust policy names somebody who does not exist.
    #[error("the trust policy of {what} names {principal}, who does not exist")]
    Principal {
        /// Whose policy.
        what: String,
        /// Whom it names.
        principal: String,
    },
}

impl Diagnose for AwsError {
    fn code(&self) -> Code {
        match self {
            Self::Listen { .. } => "local.listen",
            Self::File { .. } => "local.file",
            Self::InUse { .. } => "local.in-use",
            Self::State { .. } => "local.state",
            Self::Exists { .. } => "local.exists",
            Self::Name { .. } => "local.name",
            Self::Missing { .. } => "local.missing",
            Self::SessionLength { .. } => "local.session-length",
            Self::Policy { .. } => "local.policy",
            Self::Unmade { .. } => "local.unmade",
            Self::ErrorCode { .. } => "local.error-code",
            Self::Remote { .. } => "local.remote",
            Self::Principal { .. } => "local.principal",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            Self::Listen { .. } => "choose another port, or 0 for any free one",
            Self::File { .. } => "give a directory that this user may write",
            Self::InUse { .. } => "stop the other one, or give another directory",
            Self::State { .. } => "mend the file, or give an empty directory",
            Self::Exists { .. } => "choose another name",
            Self::Name { .. } => "use letters, digits and _+=,.@- (buckets: lower case, digits, dots and dashes)",
            Self::Missing { .. } => "create it first",
            Self::SessionLength { .. } => "choose one hour to twelve, in seconds",
            Self::Unmade { .. } => "mend it as the reason says",
            Self::Policy { .. } => "mend the policy where the cause says",
            Self::ErrorCode { .. } => "use a code of the S3 or STS API reference, as in SlowDown or InternalError",
            Self::Remote { .. } => "start it with: tidegate local; name another with --endpoint",
            Self::Principal { .. } => "create the principal first, then the role that trusts it",
        }))
    }
}
