use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use fault::{Blame, Code, Diagnose, Retry};
use kafka_protocol::messages::ApiKey;

use crate::ErrorCode;

/// Why a connection could not be made, or a request got no usable answer.
///
/// Cloning is cheap: everyone who waits on a connection gets the reason for which it ended.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name has no address.
    #[error("could not resolve {address}")]
    Resolve {
        /// `host:port` as configured or as the broker advertises it.
        address: Arc<str>,
        /// What the resolver says.
        #[source]
        source: Arc<io::Error>,
    },
    /// No TCP connection: refused, unreachable.
    #[error("could not connect to {address}")]
    Connect {
        /// The broker.
        address: Arc<str>,
        /// What the system says.
        #[source]
        source: Arc<io::Error>,
    },
    /// TCP, TLS and SASL together took longer than `socket.connection.setup.timeout.ms`.
    #[error("no connection to {address} within {after:?}")]
    SetupTimedOut {
        /// The broker.
        address: Arc<str>,
        /// The time given.
        after: Duration,
    },
    /// The TLS handshake failed: a certificate that is not trusted, a name that does not match, no TLS at the far side.
    #[error("TLS handshake with {address} failed")]
    Tls {
        /// The broker.
        address: Arc<str>,
        /// What rustls says.
        #[source]
        source: Arc<io::Error>,
    },
    /// The broker does not accept our credentials, or does not know the mechanism.
    #[error("{address} refused {mechanism}: {code}{}", text(message.as_deref()))]
    Refused {
        /// The broker.
        address: Arc<str>,
        /// The SASL mechanism.
        mechanism: &'static str,
        /// Kafka's error.
        code: ErrorCode,
        /// The broker's own words.
        message: Option<Arc<str>>,
    },
    /// The exchange of the SASL mechanism itself failed on our side: a server signature that is wrong, no token.
    #[error("{mechanism} with {address} failed: {reason}")]
    Authenticate {
        /// The broker.
        address: Arc<str>,
        /// The SASL mechanism.
        mechanism: &'static str,
        /// What went wrong.
        reason: Arc<str>,
    },
    /// The connection ended while an answer was awaited, or before the request was sent.
    #[error("connection to {address} ended")]
    Disconnected {
        /// The broker.
        address: Arc<str>,
        /// What the system says; `None` for an orderly end by the far side.
        #[source]
        source: Option<Arc<io::Error>>,
    },
    /// The broker closed the connection before it answered anything but its versions.
    #[error("{address} hung up on our first request")]
    HungUp {
        /// The broker.
        address: Arc<str>,
    },
    /// We closed the connection ourselves.
    #[error("connection to {address} was closed")]
    Closed {
        /// The broker.
        address: Arc<str>,
    },
    /// No answer in time. The connection is closed with it: answers come in order, so everything behind waits too.
    #[error("{address} did not answer {} within {after:?}", api_name(*api))]
    TimedOut {
        /// The broker.
        address: Arc<str>,
        /// The request's API key.
        api: i16,
        /// The time given.
        after: Duration,
    },
    /// The far side announces a response above the limit; it may not be Kafka at all.
    #[error("{address} announces a response of {size} bytes, more than the limit of {limit}{}", looks_like(*size))]
    TooLarge {
        /// The broker.
        address: Arc<str>,
        /// The announced length, in bytes.
        size: u32,
        /// The limit, in bytes.
        limit: u32,
    },
    /// An answer that cannot be read.
    #[error("{address} sent a response to {} version {version} that cannot be read: {reason}", api_name(*api))]
    Malformed {
        /// The broker.
        address: Arc<str>,
        /// The request's API key.
        api: i16,
        /// The version spoken.
        version: i16,
        /// What is wrong with it.
        reason: Arc<str>,
    },
    /// An answer to a question that was not asked.
    #[error("{address} answered request {got} where {expected} was next")]
    OutOfStep {
        /// The broker.
        address: Arc<str>,
        /// The correlation id that is next.
        expected: i32,
        /// The correlation id that came.
        got: i32,
    },
    /// Our side and the broker have no version of this API in common.
    #[error("{address} has no version of {} in common with us (it has {theirs}, we have {ours})", api_name(*api))]
    NoCommonVersion {
        /// The broker.
        address: Arc<str>,
        /// The API key.
        api: i16,
        /// Our versions, as `4..=12`.
        ours: Arc<str>,
        /// The broker's, or `none`.
        theirs: Arc<str>,
    },
    /// We filled in a field that the spoken version does not have.
    #[error("could not encode {} version {version}: {reason}", api_name(*api))]
    Encode {
        /// The API key.
        api: i16,
        /// The version spoken.
        version: i16,
        /// What the codec says.
        reason: Arc<str>,
    },
}

fn text(message: Option<&str>) -> String {
    message.filter(|message| !message.is_empty()).map(|message| format!(" ({message})")).unwrap_or_default()
}

/// Kafka's name of an API, e.g. `Metadata`.
pub(crate) fn api_name(api: i16) -> String {
    ApiKey::try_from(api).map_or_else(|()| format!("API {api}"), |key| format!("{key:?}").replace("Key", ""))
}

/// What else answers on a port, told by the four bytes that were taken for a length.
fn looks_like(size: u32) -> &'static str {
    match size.to_be_bytes() {
        [0x15, 0x03, ..] => "; it speaks TLS",
        [b'H', b'T', b'T', b'P'] => "; it speaks HTTP",
        _ => "",
    }
}

impl Diagnose for Error {
    fn code(&self) -> Code {
        match self {
            Self::Resolve { .. } => "kafka.unknown-host",
            Self::Connect { .. } => "kafka.cannot-connect",
            Self::SetupTimedOut { .. } => "kafka.connect-timeout",
            Self::Tls { .. } => "kafka.tls-failed",
            Self::Refused { .. } => "kafka.authentication-refused",
            Self::Authenticate { .. } => "kafka.authentication-failed",
            Self::Disconnected { .. } | Self::HungUp { .. } => "kafka.disconnected",
            Self::Closed { .. } => "kafka.closed",
            Self::TimedOut { .. } => "kafka.request-timeout",
            Self::TooLarge { .. } => "kafka.response-too-large",
            Self::Malformed { .. } | Self::OutOfStep { .. } => "kafka.malformed-response",
            Self::NoCommonVersion { .. } => "kafka.unsupported-version",
            Self::Encode { .. } => "kafka.unencodable-request",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Resolve { .. } | Self::Tls { .. } | Self::Refused { .. } | Self::NoCommonVersion { .. } => {
                Blame::Operator
            }
            Self::Connect { .. }
            | Self::SetupTimedOut { .. }
            | Self::Authenticate { .. }
            | Self::Disconnected { .. }
            | Self::HungUp { .. }
            | Self::Closed { .. }
            | Self::TimedOut { .. }
            | Self::TooLarge { .. }
            | Self::Malformed { .. }
            | Self::OutOfStep { .. } => Blame::Remote,
            Self::Encode { .. } => Blame::Bug,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Refused { .. } | Self::NoCommonVersion { .. } | Self::Encode { .. } => Retry::Never,
            Self::TooLarge { size, .. } if !looks_like(*size).is_empty() => Retry::Never,
            // A name, a certificate and a token may be put right from outside while we run.
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::SetupTimedOut { .. }
            | Self::Tls { .. }
            | Self::Authenticate { .. }
            | Self::Disconnected { .. }
            | Self::HungUp { .. }
            | Self::Closed { .. }
            | Self::TimedOut { .. }
            | Self::TooLarge { .. }
            | Self::Malformed { .. }
            | Self::OutOfStep { .. } => Retry::Backoff,
        }
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        let hint = match self {
            Self::Resolve { address, .. } | Self::Connect { address, .. } => {
                return Some(Cow::Owned(format!(
                    "check that {address} can be reached from here, and what the broker's advertised.listeners says"
                )));
            }
            Self::Tls { source, .. } if source.kind() == io::ErrorKind::UnexpectedEof => {
                "check that this port speaks TLS (security.protocol), and whether it asks for a certificate \
                 (ssl.keystore.location)"
            }
            Self::Tls { .. } => {
                "check ssl.truststore.location, and that the broker's certificate carries this host name"
            }
            Self::Refused { .. } => "check sasl.mechanism and the user in sasl.jaas.config",
            Self::HungUp { .. } => "check security.protocol: this port may want TLS or SASL",
            Self::TooLarge { size, .. } => match size.to_be_bytes() {
                [0x15, 0x03, ..] => "set security.protocol to SSL or SASL_SSL for this port",
                [b'H', b'T', b'T', b'P'] => "set bootstrap.servers to the Kafka port, not an HTTP one",
                _ => return None,
            },
            Self::NoCommonVersion { .. } => "use brokers of Kafka 2.8 or later",
            Self::SetupTimedOut { .. }
            | Self::Authenticate { .. }
            | Self::Disconnected { .. }
            | Self::Closed { .. }
            | Self::TimedOut { .. }
            | Self::Malformed { .. }
            | Self::OutOfStep { .. }
            | Self::Encode { .. } => return None,
        };
        Some(Cow::Borrowed(hint))
    }
}
