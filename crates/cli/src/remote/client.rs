use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::{Access, Failure};
use crate::screen::Screen;

/// The largest answer that is read: a page of a thousand connectors has a tenth of it.
const LARGEST: usize = 64 << 20;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long an answer may take: the server ends what takes longer than a minute and a half.
const ANSWER: Duration = Duration::from_mins(2);

/// What is left as it is in a segment of a path (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A part of a path or of a query, encoded.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A server of HTTP with JSON. Each request has a connection of its own: there are few of them.
#[derive(Debug)]
pub(crate) struct Api {
    url: String,
    host: String,
    port: u16,
    base: String,
    tls: Option<Arc<ClientConfig>>,
    authorization: Option<HeaderValue>,
    hints: Hints,
    pub(crate) cluster: Option<String>,
    pub(crate) environment: Option<String>,
}

/// What to do next when a server is not there or does not let in: which flags that are depends on which server it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hints {
    pub(crate) unreachable: &'static str,
    pub(crate) no_credentials: &'static str,
    pub(crate) wrong_credentials: &'static str,
}

impl Hints {
    const SERVER: Self = Self {
        unreachable: "start it with tidegate serve, or name another with --server",
        no_credentials: "give credentials: tidegate context add, or TIDEGATE_API_KEY and TIDEGATE_API_SECRET",
        wrong_credentials: "check the key and its secret: tidegate context list",
    };
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    /// Null if there is no JSON in it.
    pub(crate) body: Value,
    /// The body as text.
    pub(crate) text: String,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Api {
    /// Makes ready to ask; says so if a secret would go over the wire for all to see.
    pub(crate) fn open(access: Access, screen: &Screen) -> Result<Self, Failure> {
        let Access { url, who, ca_cert, insecure, cluster, environment } = access;
        let url = url.trim_end_matches('/').to_owned();
        let wrong = || Failure::usage(format!("{url} is no URL of a server, as https://tidegate.example.com:8083 is"));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        if authority.as_str().contains('@') || uri.query().is_some() {
            let hint = "give the key with --api-key, and its secret by file or environment";
            return Err(Failure::usage(format!("a URL holds no credentials and no query here\n  hint: {hint}")));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_tls = scheme == "https";
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        if insecure && !is_loopback(&host) {
            return Err(Failure::usage(format!(
                "--insecure is for servers on this machine, and {host} is another one\n  \
                 hint: give its authority's certificate with --ca-cert FILE"
            )));
        }
        if !is_tls && who.is_some() && !is_loopback(&host) {
            screen.print(
                format!("warning: {url} is not encrypted: the secret goes over the network for all to see\n")
                    .as_bytes(),
            );
        }
        let tls = is_tls.then(|| tls(ca_cert.as_deref(), insecure)).transpose()?;
        let authorization = who.map(|(user, secret)| {
            let both = BASE64_STANDARD.encode(format!("{user}:{}", secret.expose()));
            let mut value = HeaderValue::from_str(&format!("Basic {both}")).expect("base64 is ASCII");
            value.set_sensitive(true);
            value
        });
        let base = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { url, host, port, base, tls, authorization, hints: Hints::SERVER, cluster, environment })
    }

    /// The same, with other next steps.
    pub(crate) fn with_hints(self, hints: Hints) -> Self {
        Self { hints, ..self }
    }

    /// The server, as it was called.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.ask("GET", path, None, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, body: Option<&Value>) -> Result<Answer, Failure> {
        self.ask("POST", path, body, &[]).await
    }

    pub(crate) async fn put(&self, path: &str, body: Option<&Value>) -> Result<Answer, Failure> {
        self.ask("PUT", path, body, &[]).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Answer, Failure> {
        self.ask("DELETE", path, None, &[]).await
    }

    /// Makes something, once, whatever becomes of the first answer.
    pub(crate) async fn create(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        let key = format!("{:032x}", rand::random::<u128>());
        self.ask("POST", path, Some(body), &[("idempotency-key", &key)]).await
    }

    /// All items of a list, page after page.
    pub(crate) async fn all(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let page = match &cursor {
                None => format!("{path}{joint}page_size=1000"),
                Some(cursor) => format!("{path}{joint}page_size=1000&cursor={}", segment(cursor)),
            };
            let mut answer = self.get(&page).await?;
            // An empty list is an answer, too: what has none must not be taken for one.
            let Some(Value::Array(list)) = answer.body.get_mut("items").map(Value::take) else {
                return Err(Failure::failed(Silence::Foreign.told(&self.url, self.hints)));
            };
            items.extend(list);
            match answer.body.get("next").and_then(Value::as_str) {
                Some(next) if cursor.as_deref() != Some(next) => cursor = Some(next.to_owned()),
                _ => return Ok(items),
            }
        }
    }

    /// Sends a request; anything but a success is a failure with what the server said.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, Failure> {
        // What changes nothing, or has a key, may be sent again after a connection broke.
        let is_safe = method == "GET" || headers.iter().any(|(name, _)| *name == "idempotency-key");
        let mut attempts = if is_safe { 3 } else { 1 };
        let answer = loop {
            attempts -= 1;
            match self.once(method, path, body, headers).await {
                Err(Silence::Broken(_)) if attempts > 0 => {}
                Err(silence) => return Err(Failure::failed(silence.told(&self.url, self.hints))),
                Ok(answer) => break answer,
            }
        };
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let mut failure = Failure::of_answer(answer.status, &answer.body, &self.url);
        if answer.status == 401 {
            failure.text.push_str("\n  hint: ");
            failure.text.push_str(if self.authorization.is_some() {
                self.hints.wrong_credentials
            } else {
                self.hints.no_credentials
            });
        }
        Err(failure)
    }

    async fn once(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, Silence> {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::HOST, format!("{host}:{}", self.port))
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("tidegate/", env!("CARGO_PKG_VERSION")));
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let request = request.body(Full::new(body)).map_err(|error| Silence::Unsendable(error.to_string()))?;
        let stream = tokio::time::timeout(CONNECT, self.connect()).await.unwrap_or(Err(Silence::NoConnection))?;
        tokio::time::timeout(ANSWER, exchange(stream, request)).await.unwrap_or(Err(Silence::NoAnswer))
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Silence> {
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| Silence::Refused(error.to_string()))?;
        stream.set_nodelay(true).ok();
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(self.host.clone()).map_err(|error| Silence::Refused(error.to_string()))?;
        let stream = tokio_rustls::TlsConnector::from(tls.clone()).connect(name, stream).await;
        Ok(Box::new(stream.map_err(|error| Silence::Tls(error.to_string()))?))
    }
}

async fn exchange(stream: Box<dyn Stream>, request: Request<Full<Bytes>>) -> Result<Answer, Silence> {
    let broken = |error: &dyn std::fmt::Display| Silence::Broken(error.to_string());
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    let driver = tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(|error| broken(&error))?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, LARGEST).collect().await.map_err(|error| broken(&error))?.to_bytes();
    driver.abort();
    let text = String::from_utf8_lossy(&body).into_owned();
    let read = serde_json::from_str(&text);
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_told = parts.status.is_success() && !text.is_empty();
    if is_told && (kind.starts_with("text/html") || kind.starts_with("application/json") && read.is_err()) {
        return Err(Silence::Foreign);
    }
    Ok(Answer {
        status: parts.status.as_u16(),
        etag: parts.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(ToOwned::to_owned),
        body: read.unwrap_or_default(),
        text,
    })
}

/// Why there is no answer.
enum Silence {
    Refused(String),
    Tls(String),
    NoConnection,
    NoAnswer,
    Broken(String),
    Foreign,
    Unsendable(String),
}

impl Silence {
    fn told(&self, url: &str, hints: Hints) -> String {
        match self {
            Self::Refused(why) => {
                format!("could not reach {url}: {why}\n  hint: {}", hints.unreachable)
            }
            Self::Tls(why) => format!(
                "no TLS with {url}: {why}\n  hint: if its certificate is of your own authority, give that with --ca-cert FILE; \
                 if it speaks no TLS, name it with http://"
            ),
            Self::NoConnection => format!("could not reach {url}: no connection in {} s", CONNECT.as_secs()),
            Self::NoAnswer => format!("{url} did not answer in {} s", ANSWER.as_secs()),
            Self::Broken(why) => format!("the answer of {url} broke off: {why}"),
            Self::Foreign => format!(
                "{url} answers, but not as Tidegate does\n  hint: check --server (tidegate context list): something else is there"
            ),
            Self::Unsendable(why) => format!("the request to {url} cannot be written down: {why}"),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn tls(ca_cert: Option<&std::path::Path>, insecure: bool) -> Result<Arc<ClientConfig>, Failure> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::failed(format!("TLS cannot be set up: {error}")))?;
    if insecure {
        let any = Arc::new(AnyCertificate(provider));
        return Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(any).with_no_client_auth()));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_cert {
        let told = |why: String| Failure::usage(format!("{} holds no certificate (PEM): {why}", path.display()));
        let found: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_file_iter(path).map_err(|error| told(error.to_string()))?.collect();
        let found = found.map_err(|error| told(error.to_string()))?;
        if roots.add_parsable_certificates(found).0 == 0 {
            return Err(told("none that can be used".to_owned()));
        }
    }
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Believes any certificate: `--insecure`, on this machine.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use world::Secret;

    use super::*;

    fn open(url: &str, insecure: bool) -> Result<Api, Failure> {
        let who = Some(("key".to_owned(), Secret::new("hunter2")));
        let access = Access { url: url.to_owned(), who, ca_cert: None, insecure, cluster: None, environment: None };
        Api::open(access, &Screen::new())
    }

    #[test]
    fn urls_are_read_and_insecure_is_for_this_machine() {
        let api = open("https://[::1]:8443/tidegate/", true).unwrap();
        assert_eq!((api.host.as_str(), api.port, api.base.as_str()), ("::1", 8443, "/tidegate"));
        assert_eq!(open("http://localhost", false).unwrap().port, 80);
        assert!(open("https://tidegate.example.com", true).unwrap_err().text.contains("--ca-cert"));
        for wrong in ["tidegate.example.com", "ftp://x", "http://", "http://a:b@x/", "http://x/?a=b", ""] {
            assert_eq!(open(wrong, false).unwrap_err().exit, crate::args::Exit::Usage, "{wrong}");
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let text = format!("{:?}", open("http://localhost", false).unwrap());
        assert!(!text.contains("hunter2") && !text.contains(&BASE64_STANDARD.encode("key:hunter2")), "{text}");
    }

    #[tokio::test]
    async fn what_is_not_tidegate_is_not_taken_for_an_empty_list() {
        for (kind, body) in [
            ("text/html", "<html>hi</html>"),
            ("application/json", "["),
            ("application/json", "[]"),
            ("application/json", "5"),
            ("application/json", r#"{"items":5}"#),
            ("application/octet-stream", "x"),
        ] {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let serving = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = [0; 4096];
                tokio::io::AsyncReadExt::read(&mut stream, &mut asked).await.unwrap();
                let answer =
                    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await.unwrap();
            });
            let failure = open(&format!("http://{address}"), false).unwrap().all("/v1/connectors").await.unwrap_err();
            assert!(failure.text.contains("not as Tidegate does"), "{body}: {}", failure.text);
            serving.await.unwrap();
        }
    }

    #[test]
    fn names_are_encoded() {
        assert_eq!(segment("a/b:c d\u{e9}"), "a%2Fb%3Ac%20d%C3%A9");
    }
}
