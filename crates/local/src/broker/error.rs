use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use fault::{Blame, Code, Diagnose, Retry};
use kafka_protocol::ResponseError;

/// Why the embedded broker could not start, or could not do what its owner asked.
///
/// What clients are refused they are told in Kafka's error codes; none of that comes here.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The address cannot be listened on.
    #[error("the embedded broker cannot listen on {addr}")]
    Listen {
        /// The address that was asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A file or directory of the broker cannot be read or written.
    #[error("{path} of the embedded broker cannot be used")]
    Storage {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the directory open.
    #[error("another embedded broker is using {path}")]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The catalogue of topics was not written by this program, or is damaged.
    #[error("{path} is not a catalogue of the embedded broker: {reason}")]
    Catalogue {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A topic was refused, for the reason that a client would be given.
    #[error("topic {topic} is refused with {code}: {reason}")]
    Topic {
        /// Its name.
        topic: String,
        /// Kafka's name of the error, as the codec spells it.
        code: ResponseError,
        /// What is wrong with it.
        reason: String,
    },
}

impl BrokerError {
    /// Whether a topic was not created because there is one of that name.
    pub fn is_existing_topic(&self) -> bool {
        matches!(self, Self::Topic { code: ResponseError::TopicAlreadyExists, .. })
    }

    /// Names the file that an I/O error belongs to.
    pub(crate) fn storage(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Storage { path, source }
    }
}

impl Diagnose for BrokerError {
    fn code(&self) -> Code {
        match self {
            Self::Listen { .. } => "local.broker-listen",
            Self::Storage { .. } => "local.broker-storage",
            Self::InUse { .. } => "local.broker-in-use",
            Self::Catalogue { .. } => "local.broker-catalogue",
            Self::Topic { .. } => "local.broker-topic",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Listen { .. }
            | Self::Storage { .. }
            | Self::InUse { .. }
            | Self::Catalogue { .. }
            | Self::Topic { .. } => Blame::Operator,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Listen { .. }
            | Self::Storage { .. }
            | Self::InUse { .. }
            | Self::Catalogue { .. }
            | Self::Topic { .. } => Retry::Never,
        }
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Listen { .. } => Some("choose another port, or port 0 for any that is free".into()),
            Self::Storage { .. } => Some("check that the directory exists, is ours to write, and has room".into()),
            Self::InUse { .. } => Some("stop the other process, or choose another directory".into()),
            Self::Catalogue { path, .. } => Some(
                format!("choose another directory, or remove {} with all that is beside it", path.display()).into(),
            ),
            Self::Topic { .. } => None,
        }
    }
}
