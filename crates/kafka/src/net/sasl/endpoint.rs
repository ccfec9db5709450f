use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use fault::{Blame, Code, Diagnose, Fault, Retry};
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use world::Secret;

use super::{Token, TokenProvider};

/// Patience with the token endpoint: what a connection has for its whole setup by default.
const PATIENCE: Duration = Duration::from_secs(10);
/// A token is some kilobytes; this is a bound, not an expectation.
const MOST: usize = 1 << 20;
/// A new token is fetched when this share of the old one's life is over (`sasl.login.refresh.window.factor`).
const USED: f64 = 0.8;

/// Tokens by OAuth's client credentials grant (RFC 6749, section 4.4; KIP-768), kept until most of their life is over.
pub(crate) struct EndpointTokens {
    pub(crate) url: Uri,
    /// For an `https` endpoint.
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    pub(crate) scope: Option<String>,
    /// SASL extensions.
    pub(crate) extensions: Vec<(String, String)>,
    /// The last token, and when a new one is wanted. One fetch serves all who wait.
    pub(crate) last: Mutex<Option<(Secret, Instant)>>,
}

impl std::fmt::Debug for EndpointTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndpointTokens").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Why the endpoint gave no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndpointError {
    /// No connection to the token endpoint.
    #[error("could not reach token endpoint {url}")]
    Unreachable { url: Uri, source: io::Error },
    /// The token endpoint ended the connection, or spoke no HTTP.
    #[error("token endpoint {url} broke off")]
    Http { url: Uri, source: Box<dyn std::error::Error + Send + Sync> },
    /// The token endpoint did not answer in time.
    #[error("token endpoint {url} did not answer within {PATIENCE:?}")]
    TimedOut { url: Uri },
    /// The token endpoint refused the client.
    #[error("token endpoint {url} answered {status} {reason}")]
    Refused { url: Uri, status: StatusCode, reason: String },
    /// The token endpoint's answer holds no token.
    #[error("token endpoint {url} answered something that is no token")]
    NoToken { url: Uri },
}

impl Diagnose for EndpointError {
    fn code(&self) -> Code {
        match self {
            Self::Unreachable { .. } | Self::Http { .. } | Self::TimedOut { .. } => "kafka.token-endpoint-unreachable",
            Self::Refused { .. } | Self::NoToken { .. } => "kafka.no-token",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Refused { status, .. } if status.is_client_error() => Blame::Operator,
            Self::Refused { .. }
            | Self::Unreachable { .. }
            | Self::Http { .. }
            | Self::TimedOut { .. }
            | Self::NoToken { .. } => Blame::Remote,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Refused { status, .. } if *status == StatusCode::TOO_MANY_REQUESTS => Retry::Throttled,
            Self::Refused { status, .. } if status.is_client_error() => Retry::Never,
            Self::Refused { .. }
            | Self::Unreachable { .. }
            | Self::Http { .. }
            | Self::TimedOut { .. }
            | Self::NoToken { .. } => Retry::Backoff,
        }
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Refused { status, .. } if status.is_client_error() => {
                Some(Cow::Borrowed("check clientId, clientSecret and scope in sasl.jaas.config"))
            }
            Self::Unreachable { .. } => Some(Cow::Borrowed("check sasl.oauthbearer.token.endpoint.url")),
            Self::Refused { .. } | Self::Http { .. } | Self::TimedOut { .. } | Self::NoToken { .. } => None,
        }
    }
}

/// What an endpoint answers: RFC 6749, sections 5.1 and 5.2.
#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    /// In seconds.
    expires_in: Option<u64>,
    error: Option<String>,
    error_description: Option<String>,
}

impl TokenProvider for EndpointTokens {
    fn token<'a>(&'a self, _address: &'a str) -> BoxFuture<'a, Result<Token, Fault>> {
        Box::pin(async move {
            let mut last = self.last.lock().await;
            let value = match &*last {
                Some((value, until)) if Instant::now() < *until => value.clone(),
                _ => {
                    let fetched = tokio::time::timeout(PATIENCE, self.fetch()).await;
                    let answer = fetched.map_err(|_| EndpointError::TimedOut { url: self.url.clone() })??;
                    let value = Secret::new(answer.0);
                    *last = Some((value.clone(), Instant::now() + answer.1.mul_f64(USED)));
                    value
                }
            };
            Ok(Token { value, extensions: self.extensions.clone() })
        })
    }
}

impl EndpointTokens {
    /// A token and its life.
    async fn fetch(&self) -> Result<(String, Duration), EndpointError> {
        let unreachable = |source| EndpointError::Unreachable { url: self.url.clone(), source };
        let host = self.url.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let secure = self.url.scheme_str() == Some("https");
        let port = self.url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = TcpStream::connect((bare, port)).await.map_err(unreachable)?;
        match &self.tls {
            Some(tls) if secure => {
                let name =
                    ServerName::try_from(bare.to_owned()).map_err(|error| unreachable(io::Error::other(error)))?;
                let stream = TlsConnector::from(tls.clone()).connect(name, stream).await.map_err(unreachable)?;
                self.ask(stream).await
            }
            Some(_) | None => self.ask(stream).await,
        }
    }

    async fn ask<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
    ) -> Result<(String, Duration), EndpointError> {
        let broke =
            |source: Box<dyn std::error::Error + Send + Sync>| EndpointError::Http { url: self.url.clone(), source };
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| broke(error.into()))?;
        let exchange = async {
            let response = sender.send_request(self.request()).await.map_err(|error| broke(error.into()))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MOST).collect().await.map_err(broke)?.to_bytes();
            self.read(status, &body)
        };
        // One request on one connection: both end together.
        tokio::pin!(exchange, connection);
        tokio::select! {
            result = &mut exchange => result,
            // The connection may end first, with the answer already in hand.
            _ = &mut connection => exchange.await,
        }
    }

    fn request(&self) -> Request<Full<Bytes>> {
        let mut body = "grant_type=client_credentials".to_owned();
        if let Some(scope) = &self.scope {
            body.push_str("&scope=");
            body.push_str(&form_encoded(scope));
        }
        let login = BASE64_STANDARD.encode(format!("{}:{}", self.client_id, self.client_secret.expose()));
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, self.url.authority().map_or("", |authority| authority.as_str()))
            .header(AUTHORIZATION, format!("Basic {login}"))
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(body.into()))
            .expect("every part was checked when the configuration was read")
    }

    fn read(&self, status: StatusCode, body: &[u8]) -> Result<(String, Duration), EndpointError> {
        let url = || self.url.clone();
        let answer: Option<Answer> = serde_json::from_slice(body).ok();
        if !status.is_success() {
            let reason = answer.map(|answer| {
                let parts = [answer.error, answer.error_description];
                parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
            });
            return Err(EndpointError::Refused { url: url(), status, reason: reason.unwrap_or_default() });
        }
        let answer = answer.ok_or_else(|| EndpointError::NoToken { url: url() })?;
        let token = answer.access_token.filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| EndpointError::NoToken { url: url() })?;
        // Without a life it is used once.
        Ok((token, Duration::from_secs(answer.expires_in.unwrap_or(0))))
    }
}

/// `application/x-www-form-urlencoded`, as WHATWG's URL standard says.
fn form_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            other => {
                let digit = |half| char::from(b"0123456789ABCDEF"[usize::from(half)]);
                out.extend(['%', digit(other >> 4), digit(other & 15)]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;

    use fault::Chain;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// An endpoint that gives these answers, one to each request, and keeps what it was asked.
    async fn endpoint(answers: &'static [&'static str]) -> (EndpointTokens, Arc<StdMutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap()).parse().unwrap();
        let asked: Arc<StdMutex<Vec<String>>> = Arc::default();
        tokio::spawn({
            let asked = asked.clone();
            async move {
                for answer in answers {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let mut request = Vec::new();
                    while !String::from_utf8_lossy(&request).contains("grant_type") {
                        stream.read_buf(&mut request).await.unwrap();
                    }
                    asked.lock().unwrap().push(String::from_utf8(request).unwrap());
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        });
        let tokens = EndpointTokens {
            url,
            tls: None,
            client_id: "me".into(),
            client_secret: Secret::new("hunter2"),
            scope: Some("a b&c".into()),
            extensions: Vec::new(),
            last: Mutex::default(),
        };
        (tokens, asked)
    }

    #[tokio::test]
    async fn a_token_is_fetched_once_while_it_is_good() {
        let body = "HTTP/1.1 200 OK\r\ncontent-length: 39\r\n\r\n{\"access_token\":\"t1\",\"expires_in\":3600}";
        let (tokens, asked) = endpoint(Box::leak(Box::new([body]))).await;
        for _ in 0..2 {
            assert_eq!(tokens.token("b:1").await.unwrap().value.expose(), "t1");
        }
        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), 1);
        assert!(asked[0].starts_with("POST /token HTTP/1.1\r\n"), "{}", asked[0]);
        assert!(asked[0].contains("authorization: Basic bWU6aHVudGVyMg==\r\n"), "{}", asked[0]);
        assert!(asked[0].ends_with("\r\n\r\ngrant_type=client_credentials&scope=a+b%26c"), "{}", asked[0]);
    }

    #[tokio::test]
    async fn a_refusal_is_told_in_the_endpoints_words_without_the_secret() {
        let body = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 26\r\n\r\n{\"error\":\"invalid_client\"}";
        let (tokens, _) = endpoint(Box::leak(Box::new([body]))).await;
        let fault = tokens.token("b:1").await.unwrap_err();
        let text = Chain(fault.as_error()).to_string();
        assert!(text.ends_with("answered 401 Unauthorized invalid_client"), "{text}");
        assert_eq!(fault.retry(), Retry::Never);
        assert!(!format!("{tokens:?} {fault:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn an_answer_without_a_token_is_a_fault() {
        let (tokens, _) = endpoint(&["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"]).await;
        let fault = tokens.token("b:1").await.unwrap_err();
        assert_eq!(fault.code(), "kafka.no-token");
    }
}
