use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use identity::StsEndpoint;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use world::Clock;

use super::address::{self, Address};
use super::trust::Recorder;
use super::{CertificateSeen, Distrust, Service};
use crate::Clients;
use crate::failure::http_date;
use crate::s3::S3Options;

/// How long a step may take.
const STEP: Duration = Duration::from_secs(3);

/// The most that is read of a body: enough to see whose words it is in.
const MOST: usize = 4 << 10;

/// A step on the way to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The name is looked up.
    Name,
    /// A connection is made.
    Connect,
    /// TLS is agreed on, and the certificate is looked at.
    Tls,
    /// A request is answered.
    Answer,
}

impl Step {
    /// One word of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Connect => "connection",
            Self::Tls => "TLS",
            Self::Answer => "answer",
        }
    }
}

/// What stood in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The URL has no host to look for.
    NoHost,
    /// There is no such name.
    UnknownName,
    /// Nobody could be asked about the name.
    NoNameService,
    /// Somebody said that nobody listens there.
    Refused,
    /// There is no way to there.
    NoRoute,
    /// Nothing came back in time.
    Silent,
    /// It was closed or reset.
    Broken,
    /// The certificate is not trusted.
    Untrusted(Distrust),
    /// What answers speaks something else.
    OtherProtocol,
}

/// Where a way ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// At which step.
    pub step: Step,
    /// By what.
    pub obstacle: Obstacle,
    /// What was seen, as a clause.
    pub text: String,
}

/// What answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// What it calls itself.
    pub server: Option<String>,
    /// Who it says stands in between (`Via`).
    pub via: Option<String>,
    /// AWS's number of the request, which all of its services give one.
    pub request_id: Option<String>,
    /// Its media type.
    pub content_type: Option<String>,
    /// The beginning of its body.
    pub body: String,
    /// Its hour.
    pub date: Option<SystemTime>,
    /// This machine's hour, halfway between question and answer.
    pub local: SystemTime,
    /// Who was asked.
    service: Service,
}

/// How far the way to a service goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// What was looked for.
    pub service: Service,
    /// The URL.
    pub url: String,
    /// Its host.
    pub host: String,
    /// The addresses that the name has.
    pub addresses: Vec<SocketAddr>,
    /// The certificates that were shown, the server's own first; none without TLS.
    pub certificates: Vec<CertificateSeen>,
    /// The steps that were made, and what each took.
    pub steps: Vec<(Step, Duration)>,
    /// The answer, or where the way ended.
    pub outcome: Result<Answered, Stopped>,
}

impl Answered {
    /// How far its clock is ahead of this machine's, in milliseconds; negative if it is behind. A `Date` has whole seconds,
    /// cut off: half of one is added.
    pub fn ahead_millis(&self) -> Option<i64> {
        let theirs = self.date? + Duration::from_millis(500);
        Some(match theirs.duration_since(self.local) {
            Ok(ahead) => i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX),
            Err(behind) => -i64::try_from(behind.duration().as_millis()).unwrap_or(i64::MAX),
        })
    }

    /// Whether it is the service that was looked for, by its own words. Stores that speak S3 pass for S3.
    pub fn is_service(&self) -> bool {
        match self.service {
            Service::Sts => self.request_id.is_some() || self.body.contains("https://sts.amazonaws.com/doc/"),
            Service::S3 => self.request_id.is_some(),
            Service::Kms => self.request_id.is_some() || self.body.contains("MissingAuthenticationToken"),
        }
    }

    /// Whether it is a page for people.
    pub fn is_page(&self) -> bool {
        let says = self.content_type.as_deref().is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"));
        says || self.body.trim_start().get(..5).is_some_and(|begin| begin.eq_ignore_ascii_case("<html"))
    }
}

impl Reached {
    /// All of it.
    pub fn took(&self) -> Duration {
        self.steps.iter().map(|(_, took)| *took).sum()
    }

    /// The answer, if there was one.
    pub fn answer(&self) -> Option<&Answered> {
        self.outcome.as_ref().ok()
    }

    /// Where it ended, if it did.
    pub fn stopped(&self) -> Option<&Stopped> {
        self.outcome.as_ref().err()
    }
}

impl Clients {
    /// How far STS is away. `clock` is this machine's own, uncorrected.
    pub async fn reach_sts(&self, sts: &StsEndpoint, clock: &Clock) -> Reached {
        reach(Service::Sts, address::sts(sts), clock).await
    }

    /// How far S3 is away, by the name that the bucket is asked under.
    pub async fn reach_s3(&self, options: &S3Options, clock: &Clock) -> Reached {
        reach(Service::S3, address::s3(options), clock).await
    }

    /// How far KMS is away. Nothing here asks it: S3 does, by itself.
    pub async fn reach_kms(&self, region: &str, endpoint: Option<&str>, fips: bool, clock: &Clock) -> Reached {
        reach(Service::Kms, address::kms(region, endpoint, fips), clock).await
    }
}

async fn reach(service: Service, url: String, clock: &Clock) -> Reached {
    let mut reached = Reached {
        service,
        host: String::new(),
        addresses: Vec::new(),
        certificates: Vec::new(),
        steps: Vec::new(),
        outcome: Err(Stopped { step: Step::Name, obstacle: Obstacle::NoHost, text: "the URL has no host".to_owned() }),
        url,
    };
    if let Some(address) = Address::of(&reached.url) {
        reached.host.clone_from(&address.host);
        reached.outcome = go(&mut reached, &address, service, clock).await;
    }
    reached
}

async fn go(reached: &mut Reached, address: &Address, service: Service, clock: &Clock) -> Result<Answered, Stopped> {
    let looked_up = step(reached, Step::Name, tokio::net::lookup_host((&*address.host, address.port))).await?;
    reached.addresses = looked_up.map_err(|error| name_error(&address.host, &error))?.collect();
    let connected = step(reached, Step::Connect, connect(reached.addresses.clone())).await?;
    let stream = connected.map_err(|error| connect_error(&address.authority(), &error))?;
    if !address.tls {
        return answer(reached, address, service, clock, stream).await;
    }
    let recorder = tokio::task::spawn_blocking(Recorder::new).await;
    let unusable = |text: String| Stopped { step: Step::Tls, obstacle: Obstacle::OtherProtocol, text };
    let recorder = recorder.map_err(|error| unusable(error.to_string()))?;
    let config = recorder.client().map_err(|error| unusable(error.to_string()))?;
    let name = ServerName::try_from(address.host.clone()).map_err(|error| unusable(error.to_string()))?;
    let agreed = step(reached, Step::Tls, TlsConnector::from(config).connect(name, stream)).await?;
    let (certificates, distrust) = recorder.seen();
    reached.certificates = certificates;
    let stream = agreed.map_err(|error| tls_error(&error, distrust))?;
    answer(reached, address, service, clock, stream).await
}

/// Makes a step, for as long as one may take.
async fn step<T>(reached: &mut Reached, step: Step, made: impl Future<Output = T>) -> Result<T, Stopped> {
    let begun = Instant::now();
    let result = tokio::time::timeout(STEP, made).await;
    reached.steps.push((step, begun.elapsed()));
    result.map_err(|_| Stopped {
        step,
        obstacle: Obstacle::Silent,
        text: format!("nothing came back within {} s ({})", STEP.as_secs(), step.name()),
    })
}

/// The first address that lets itself be connected to, as every client does.
async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    TcpStream::connect(&*addresses).await
}

async fn answer(
    reached: &mut Reached,
    address: &Address,
    service: Service,
    clock: &Clock,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Answered, Stopped> {
    let before = clock.now();
    let asked = step(reached, Step::Answer, ask(address, service, stream)).await?;
    let after = clock.now();
    let local = before + after.duration_since(before).unwrap_or_default() / 2;
    let (status, headers, body) = asked.map_err(|error| answer_error(&error))?;
    let header = |name: &str| {
        let text = headers.get(name)?.to_str().ok()?;
        Some(text.chars().take(100).collect::<String>())
    };
    Ok(Answered {
        status,
        server: header("server"),
        via: header("via"),
        request_id: header("x-amzn-requestid").or_else(|| header("x-amz-request-id")),
        content_type: header("content-type"),
        body: String::from_utf8_lossy(&body).into_owned(),
        date: header("date").as_deref().and_then(http_date),
        local,
        service,
    })
}

async fn ask(
    address: &Address,
    service: Service,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<(u16, HeaderMap, Bytes), hyper::Error> {
    let question = service.question();
    let mut request = Request::new(Full::new(Bytes::from_static(question.body.as_bytes())));
    *request.method_mut() = question.method;
    *request.uri_mut() = http::Uri::from_static(question.path);
    let host = http::HeaderValue::from_str(&address.authority());
    request.headers_mut().insert("host", host.unwrap_or(http::HeaderValue::from_static("")));
    request.headers_mut().insert("user-agent", http::HeaderValue::from_static("tidegate-doctor"));
    for (name, value) in question.headers {
        request.headers_mut().insert(*name, http::HeaderValue::from_static(value));
    }
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender, or with the far side.
    let driver = Abort(tokio::spawn(connection));
    let answer = sender.send_request(request).await?;
    let (parts, body) = answer.into_parts();
    // What is longer, or breaks off, has said enough by its head.
    let body = Limited::new(body, MOST).collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    drop(driver);
    Ok((parts.status.as_u16(), parts.headers, body))
}

/// A connection's task ends with whoever asked, also when he has stopped waiting.
struct Abort<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Abort<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn name_error(host: &str, error: &io::Error) -> Stopped {
    let text = error.to_string();
    // The library tells in words alone whether there is no such name or nobody who knows it.
    let known = ["not known", "No address associated", "nodename nor servname"];
    let obstacle =
        if known.iter().any(|known| text.contains(known)) { Obstacle::UnknownName } else { Obstacle::NoNameService };
    Stopped { step: Step::Name, obstacle, text: format!("{host} was not found ({text})") }
}

fn connect_error(authority: &str, error: &io::Error) -> Stopped {
    let obstacle = match error.kind() {
        io::ErrorKind::ConnectionRefused => Obstacle::Refused,
        io::ErrorKind::TimedOut => Obstacle::Silent,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => {
            Obstacle::NoRoute
        }
        _ => Obstacle::Broken,
    };
    Stopped { step: Step::Connect, obstacle, text: format!("{authority} cannot be connected to ({error})") }
}

fn tls_error(error: &io::Error, distrust: Option<Distrust>) -> Stopped {
    let (obstacle, text) = match distrust {
        Some(distrust) => {
            let text = format!("the certificate is not trusted: {distrust}");
            (Obstacle::Untrusted(distrust), text)
        }
        None if error.kind() == io::ErrorKind::InvalidData => {
            (Obstacle::OtherProtocol, format!("what answers does not speak TLS as it should ({error})"))
        }
        None => (Obstacle::Broken, format!("the connection broke off during TLS ({error})")),
    };
    Stopped { step: Step::Tls, obstacle, text }
}

fn answer_error(error: &hyper::Error) -> Stopped {
    let told = fault::Chain(error).to_string();
    let (obstacle, text) = if error.is_parse() {
        (Obstacle::OtherProtocol, format!("what answers does not speak HTTP ({told})"))
    } else {
        (Obstacle::Broken, format!("the connection broke off before an answer ({told})"))
    };
    Stopped { step: Step::Answer, obstacle, text }
}

#[cfg(test)]
mod tests;
