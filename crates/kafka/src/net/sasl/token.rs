use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use fault::{Blame, Code, Diagnose, Fault, Retry};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use world::{Clock, Secret};

use super::{Token, TokenProvider};

/// Unsigned tokens that we make ourselves, for brokers that are set up to believe them: development and tests. The shape
/// is that of Kafka's `OAuthBearerUnsecuredLoginCallbackHandler`.
#[derive(Debug)]
pub(crate) struct UnsecuredTokens {
    /// Claims but `iat` and `exp`; one of them names the principal (`sub` unless the broker is told otherwise).
    pub(crate) claims: Map<String, Value>,
    /// How long a token is good for.
    pub(crate) lifetime: Duration,
    /// SASL extensions.
    pub(crate) extensions: Vec<(String, String)>,
    pub(crate) clock: Clock,
}

impl UnsecuredTokens {
    fn make(&self) -> String {
        let now = self.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut claims = self.claims.clone();
        claims.entry("iat").or_insert_with(|| now.as_secs().into());
        claims.entry("exp").or_insert_with(|| (now + self.lifetime).as_secs().into());
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(&Value::Object(claims).to_string()))
    }
}

impl TokenProvider for UnsecuredTokens {
    fn token<'a>(&'a self, _address: &'a str) -> BoxFuture<'a, Result<Token, Fault>> {
        let token = Token { value: Secret::new(self.make()), extensions: self.extensions.clone() };
        Box::pin(std::future::ready(Ok(token)))
    }
}

/// A token that something else keeps fresh in a file, read again for each authentication.
#[derive(Debug)]
pub(crate) struct FileTokens {
    pub(crate) path: PathBuf,
    /// SASL extensions.
    pub(crate) extensions: Vec<(String, String)>,
}

/// The token's file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("could not read a token from {}", path.display())]
struct NoTokenFile {
    path: PathBuf,
    source: std::io::Error,
}

impl Diagnose for NoTokenFile {
    fn code(&self) -> Code {
        "kafka.no-token"
    }

    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn retry(&self) -> Retry {
        // It may be about to be written.
        Retry::Backoff
    }
}

impl TokenProvider for FileTokens {
    fn token<'a>(&'a self, _address: &'a str) -> BoxFuture<'a, Result<Token, Fault>> {
        Box::pin(async move {
            let path = self.path.clone();
            let text = tokio::fs::read_to_string(&self.path).await;
            let text = text.map_err(|source| NoTokenFile { path, source })?;
            Ok(Token { value: Secret::new(text.trim()), extensions: self.extensions.clone() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsecured_token_is_a_jws_without_signature() {
        let tokens = UnsecuredTokens {
            claims: Map::from_iter([("sub".to_owned(), "alice".into())]),
            lifetime: Duration::from_hours(1),
            extensions: Vec::new(),
            clock: Clock::manual(UNIX_EPOCH + Duration::from_secs(1000)),
        };
        let token = tokens.make();
        let parts: Vec<_> = token.split('.').collect();
        let claims = BASE64_URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        assert_eq!(String::from_utf8(claims).unwrap(), r#"{"sub":"alice","iat":1000,"exp":4600}"#);
        assert_eq!((parts.len(), parts[2]), (3, ""));
    }
}
