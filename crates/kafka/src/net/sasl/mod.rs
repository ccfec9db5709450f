//! SASL: proving who we are, once when a connection is made and again before its session ends (KIP-368).

mod endpoint;
mod oauth;
mod scram;
mod token;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use world::Secret;

pub(crate) use self::endpoint::EndpointTokens;
pub use self::oauth::{Token, TokenProvider};
pub use self::scram::ScramHash;
pub(crate) use self::token::{FileTokens, UnsecuredTokens};
use super::Error;
use super::shared::Shared;
use crate::ErrorCode;

/// How to prove who we are.
#[derive(Debug, Clone)]
pub enum Sasl {
    /// PLAIN: user and password as they are; for TLS connections.
    Plain {
        /// The user's name.
        user: Arc<str>,
        /// The user's password.
        password: Secret,
    },
    /// SCRAM-SHA-256 or -512: the password is never sent, and the broker proves that it knows it too.
    Scram {
        /// Which hash.
        hash: ScramHash,
        /// The user's name, or a delegation token's id.
        user: Arc<str>,
        /// The user's password, or a delegation token's HMAC.
        password: Secret,
        /// Whether it is a delegation token (KIP-48).
        delegation_token: bool,
    },
    /// OAUTHBEARER: a token that somebody else made. MSK's IAM tokens too.
    OAuthBearer(Arc<dyn TokenProvider>),
}

impl Sasl {
    /// The mechanism's name.
    pub fn mechanism(&self) -> &'static str {
        match self {
            Self::Plain { .. } => "PLAIN",
            Self::Scram { hash, .. } => hash.mechanism(),
            Self::OAuthBearer(_) => "OAUTHBEARER",
        }
    }
}

/// Authenticates on a connection that nobody else uses meanwhile. Says how long the broker will take requests after it;
/// `None` if for as long as the connection lives.
pub(super) async fn authenticate(sasl: &Sasl, shared: &Shared) -> Result<Option<Duration>, Error> {
    let mechanism = sasl.mechanism();
    let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
    // Version 1: the exchange goes in Kafka's own requests, not in bare frames.
    let body = shared.ungated(&request, 1).await?;
    let response = shared.decode::<SaslHandshakeRequest>(body, 1)?;
    ErrorCode::check(response.error_code).map_err(|code| {
        let offered: Vec<_> = response.mechanisms.iter().map(|name| &**name).collect();
        let message = Some(if offered.is_empty() {
            "this port takes clients without SASL: security.protocol is PLAINTEXT or SSL here".into()
        } else {
            format!("the broker has {}", offered.join(", ")).into()
        });
        Error::Refused { address: shared.address().clone(), mechanism, code, message }
    })?;
    let exchange = Exchange { shared, mechanism };
    match sasl {
        Sasl::Plain { user, password } => {
            exchange.send(format!("\0{user}\0{}", password.expose())).await.map(|answer| answer.lifetime)
        }
        Sasl::Scram { hash, user, password, delegation_token } => {
            scram::run(&exchange, *hash, user, password, *delegation_token).await
        }
        Sasl::OAuthBearer(tokens) => oauth::run(&exchange, &**tokens).await,
    }
}

/// One mechanism's talk with the broker.
struct Exchange<'a> {
    shared: &'a Shared,
    mechanism: &'static str,
}

struct Answer {
    bytes: Bytes,
    lifetime: Option<Duration>,
}

impl Exchange<'_> {
    async fn send(&self, message: impl Into<Bytes>) -> Result<Answer, Error> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(message.into());
        let version = self.shared.version::<SaslAuthenticateRequest>(None)?;
        let body = self.shared.ungated(&request, version).await?;
        let response = self.shared.decode::<SaslAuthenticateRequest>(body, version)?;
        ErrorCode::check(response.error_code).map_err(|code| self.refused(code, response.error_message.as_deref()))?;
        let lifetime = u64::try_from(response.session_lifetime_ms).ok().filter(|millis| *millis > 0);
        Ok(Answer { bytes: response.auth_bytes, lifetime: lifetime.map(Duration::from_millis) })
    }

    fn refused(&self, code: ErrorCode, message: Option<&str>) -> Error {
        let address = self.shared.address().clone();
        Error::Refused { address, mechanism: self.mechanism, code, message: message.map(Into::into) }
    }

    fn failed(&self, reason: impl Into<Arc<str>>) -> Error {
        Error::Authenticate { address: self.shared.address().clone(), mechanism: self.mechanism, reason: reason.into() }
    }
}
