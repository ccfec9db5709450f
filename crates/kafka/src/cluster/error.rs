use std::borrow::Cow;
use std::sync::Arc;

use fault::{Blame, Code, Diagnose, Retry};

use crate::{ErrorCode, net};

/// Why something asked of a cluster failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A connection could not be made or broke, or a request got no answer.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// None of the bootstrap servers answers; the source is what the last of them said.
    #[error("no bootstrap server of {servers} answers")]
    NoServer {
        /// `bootstrap.servers`.
        servers: Arc<str>,
        /// What the last one said.
        #[source]
        source: net::Error,
    },
    /// A broker refuses, with Kafka's error code.
    #[error("{what} failed: {code}{}", text(message.as_deref()))]
    Refused {
        /// What was asked: `metadata of topic orders`.
        what: Arc<str>,
        /// Kafka's error code.
        code: ErrorCode,
        /// The broker's own words, if it has any.
        message: Option<Arc<str>>,
    },
    /// The metadata has no such broker, topic or partition (any more).
    #[error("{what} is not in the cluster's metadata")]
    Unknown {
        /// `broker 3`, `partition orders-7`.
        what: Arc<str>,
    },
    /// An answer lacks what was asked for.
    #[error("answer about {what} is incomplete")]
    Incomplete {
        /// What was asked.
        what: Arc<str>,
    },
}

fn text(message: Option<&str>) -> String {
    message.filter(|message| !message.is_empty()).map(|message| format!(" ({message})")).unwrap_or_default()
}

impl Error {
    /// A refusal of `what`.
    pub fn refused(what: impl Into<Arc<str>>, code: ErrorCode, message: Option<&str>) -> Self {
        Self::Refused { what: what.into(), code, message: message.map(Into::into) }
    }

    /// Kafka's error code, if a broker gave one.
    pub fn kafka_code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } | Self::Net(net::Error::Refused { code, .. }) => Some(*code),
            Self::Net(_) | Self::NoServer { .. } | Self::Unknown { .. } | Self::Incomplete { .. } => None,
        }
    }

    /// Whether the same may succeed later.
    pub fn is_retriable(&self) -> bool {
        self.retry() != Retry::Never
    }
}

impl Diagnose for Error {
    fn code(&self) -> Code {
        match self {
            Self::Net(error) => error.code(),
            Self::NoServer { source, .. } if source.retry() == Retry::Never => source.code(),
            Self::NoServer { .. } => "kafka.no-bootstrap-server",
            Self::Refused { code, .. } if code.is_denied() => "kafka.access-denied",
            Self::Refused { .. } => "kafka.refused",
            Self::Unknown { .. } => "kafka.unknown-partition",
            Self::Incomplete { .. } => "kafka.incomplete-response",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Net(error) | Self::NoServer { source: error, .. } => error.blame(),
            Self::Refused { code, .. } if code.is_retriable() => Blame::Remote,
            Self::Refused { .. } => Blame::Operator,
            Self::Unknown { .. } | Self::Incomplete { .. } => Blame::Remote,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Net(error) | Self::NoServer { source: error, .. } => error.retry(),
            Self::Refused { code, .. } if code.is_retriable() => Retry::Backoff,
            Self::Refused { .. } => Retry::Never,
            Self::Unknown { .. } | Self::Incomplete { .. } => Retry::Backoff,
        }
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Net(error) | Self::NoServer { source: error, .. } => error.hint(),
            Self::Refused { what, code, .. } if code.is_denied() => Some(Cow::Owned(format!(
                "give this client's principal the right that {what} needs: kafka-acls.sh --add"
            ))),
            Self::Refused { .. } | Self::Unknown { .. } | Self::Incomplete { .. } => None,
        }
    }
}
